#define _GNU_SOURCE
#include "clinux.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

pid_t clinux_fork(void) { return _Fork(); }

int clinux_order_child(int spawner, int first, int second) {
    int passed[2] = {first, second};
    const size_t size = (second < 0 ? 1 : 2) * sizeof(int);
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof passed)] = {0};
    char word = 0;
    struct iovec part = {&word, 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(size)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(header), passed, size);
    ssize_t count;
    do count = sendmsg(spawner, &message, MSG_NOSIGNAL | MSG_DONTWAIT); while (count < 0 && errno == EINTR);
    return count < 0 ? -1 : 0;
}

/* What comes with an order; -1 for what does not. Ends this process with whoever gives orders. */
static void await_order(int orders, int passed[2]) {
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))];
    char word;
    struct iovec part = {&word, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t count;
    do count = recvmsg(orders, &message, MSG_CMSG_CLOEXEC); while (count < 0 && errno == EINTR);
    if (count <= 0) _exit(0);
    passed[0] = passed[1] = -1;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
        memcpy(passed, CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
}

/* As _Fork(3), but for the parent. `number` is where the C library keeps the thread's, which is another one in the child. */
static pid_t fork_for_parent(int *number) {
    unsigned long flags = CLONE_PARENT | (number ? CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID : 0);
    /* The last two are in another order on other machines; one of them is not looked at. */
    return (pid_t)syscall(SYS_clone, flags, NULL, NULL, number, number);
}

struct spawner {
    int orders;
    void (*run)(void *, int, int);
    void *context;
};

static void *spawn(void *argument) {
    const struct spawner *spawner = argument;
    int *number = NULL;
    /* A kernel that does not tell leaves the child with a number that nobody else has either. */
    if (prctl(PR_GET_TID_ADDRESS, &number) != 0) number = NULL;
    /* What malloc(3) keeps for each thread is made before there is a child. */
    void *volatile piece = malloc(1);
    free(piece);
    for (;;) {
        int passed[2];
        await_order(spawner->orders, passed);
        pid_t child = fork_for_parent(number);
        if (child == 0) {
            close(spawner->orders);
            spawner->run(spawner->context, passed[0], passed[1]);
            abort();
        }
        int32_t answer = child > 0 ? child : -errno;
        for (int i = 0; i < 2; i++) if (passed[i] >= 0) close(passed[i]);
        send(spawner->orders, &answer, sizeof answer, MSG_NOSIGNAL);
    }
}

void clinux_spawn(int orders, void (*run)(void *, int, int), void *context) {
    struct spawner spawner = {orders, run, context};
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, CLINUX_FRESH_STACK);
    pthread_t thread;
    if (pthread_create(&thread, &attributes, spawn, &spawner) == 0) pthread_join(thread, NULL);
    _exit(1);
}
