#define _GNU_SOURCE
#include "clinux.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

pid_t clinux_fork(void) { return _Fork(); }

struct birth {
    void (*run)(void *);
    void *context;
    pid_t child;
    int error;
    /* Held until the maker of the thread has nothing left to do but wait for it, and so holds no lock of the C library's. */
    pthread_mutex_t making;
};

/* Where the first frame of the main thread begins: above are arguments and environment. */
extern void *__libc_stack_end;

/* In a child that another thread has forked, nobody returns to the main thread's frames. What the parent writes there would
 * leave the child with a copy of its own of what was there before. The stack is the highest of all that is mapped but for the
 * kernel's own, and nothing is as near below it. */
static void release_main_stack(void) {
    const uintptr_t page = 4096, depth = 512 << 10;
    uintptr_t end = (uintptr_t)__libc_stack_end & ~(page - 1);
    madvise((void *)(end - depth), depth, MADV_DONTNEED);
}

static void *bear(void *argument) {
    struct birth *birth = argument;
    pthread_mutex_lock(&birth->making);
    void (*run)(void *) = birth->run;
    void *context = birth->context;
    birth->child = _Fork();
    if (birth->child == 0) {
        release_main_stack();
        run(context);
        abort();
    }
    birth->error = errno;
    return NULL;
}

pid_t clinux_fork_afresh(void (*run)(void *), void *context) {
    struct birth birth = {.run = run, .context = context, .child = -1, .making = PTHREAD_MUTEX_INITIALIZER};
    pthread_mutex_lock(&birth.making);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, CLINUX_FRESH_STACK);
    pthread_t thread;
    birth.error = pthread_create(&thread, &attributes, bear, &birth);
    pthread_attr_destroy(&attributes);
    pthread_mutex_unlock(&birth.making);
    if (!birth.error) pthread_join(thread, NULL);
    if (birth.child < 0) errno = birth.error;
    return birth.child;
}
