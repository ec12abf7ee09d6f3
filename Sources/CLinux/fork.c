#define _GNU_SOURCE
#include "clinux.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

struct birth {
    void (*run)(void *);
    void *context;
    pid_t child;
    int error;
};

static void *bear(void *argument) {
    struct birth *birth = argument;
    birth->child = fork();
    if (birth->child == 0) {
        birth->run(birth->context);
        abort();
    }
    birth->error = errno;
    return NULL;
}

pid_t clinux_fork_afresh(void (*run)(void *), void *context) {
    struct birth birth = {.run = run, .context = context, .child = -1};
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, CLINUX_FRESH_STACK);
    pthread_t thread;
    birth.error = pthread_create(&thread, &attributes, bear, &birth);
    pthread_attr_destroy(&attributes);
    if (!birth.error) pthread_join(thread, NULL);
    if (birth.child < 0) errno = birth.error;
    return birth.child;
}
