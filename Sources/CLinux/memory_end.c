#define _GNU_SOURCE
#include "clinux.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int status_without_memory;
static volatile sig_atomic_t last_descriptor = -1;
static const char *last_word;
static size_t last_size;

void clinux_set_last_word(int descriptor, const char *word, size_t size) {
    last_descriptor = -1;
    last_word = word;
    last_size = size;
    last_descriptor = descriptor;
}

/* Whoever hears it may have a relay, which ends with us: it is given two seconds. */
static void say_last_word(void) {
    if (last_descriptor < 0) return;
    send(last_descriptor, last_word, last_size, MSG_NOSIGNAL | MSG_DONTWAIT);
    shutdown(last_descriptor, SHUT_WR);
    for (int i = 0; i < 20; i++) {
        pid_t ended = waitpid(-1, NULL, WNOHANG);
        if (ended < 0) return;
        if (ended == 0) poll(NULL, 0, 100);
    }
}

/* Swift's runtime and glibc's abort(3) end a process where there is no memory: the last thing that failed says why. */
static void fatal(int signal) {
    (void)signal;
    if (errno == ENOMEM) {
        say_last_word();
        _exit(status_without_memory);
    }
    /* The same happens again, without us: the instruction traps, or abort(3) goes on. */
}

void clinux_exit_without_memory(int status) {
    status_without_memory = status;
    struct sigaction action = {.sa_handler = fatal, .sa_flags = SA_RESETHAND | SA_NODEFER};
    sigemptyset(&action.sa_mask);
    int signals[] = {SIGILL, SIGTRAP, SIGABRT};
    for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, NULL);
}
