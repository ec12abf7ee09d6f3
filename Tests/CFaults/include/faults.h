/* System calls that go wrong on demand.
 *
 * A program that links this calls the C library's file functions by way of faults.c, which counts them, and at the N-th
 * kills the process, fails, or does something else first. Only calls made through the C library's functions are counted,
 * so the program must link that dynamically. */
#ifndef FAULTS_H
#define FAULTS_H

#include <stdint.h>

/* The functions that are counted. */
enum faults_call {
    FAULTS_OPEN, FAULTS_READ, FAULTS_WRITE, FAULTS_TRUNCATE, FAULTS_SYNC, FAULTS_RENAME, FAULTS_LINK, FAULTS_UNLINK,
    FAULTS_MKDIR, FAULTS_LOCK, FAULTS_MAP, FAULTS_STAT, FAULTS_LIST, FAULTS_DATE, FAULTS_WATCH, FAULTS_CALLS
};

enum faults_kind {
    /* Counts only. */
    FAULTS_NONE,
    /* SIGKILL before the call. */
    FAULTS_KILL,
    /* If it is a write, half of it is written, then SIGKILL; else SIGKILL after the call. */
    FAULTS_TEAR,
    /* If it is a write, half of it is written, and the call says so. */
    FAULTS_SHORT,
    /* Fails with `error`, if it is a call that can. */
    FAULTS_FAIL,
    /* From this call on, all calls fail with `error` that can. */
    FAULTS_FAIL_ON,
    /* Calls the function of `faults_set_action` before the call. */
    FAULTS_ACT,
    /* The same, and the call fails. */
    FAULTS_ACT_AND_FAIL,
    /* A power cut before the call: what was not synced is lost, then SIGKILL. */
    FAULTS_CUT,
};

/* From now on the `at`-th call (1 is the next) is the one. 0: none. */
void faults_arm(long at, int kind, int error);
void faults_disarm(void);
/* From now on only calls of this function count; -1: of all. */
void faults_only(int call);

/* What is done in between is another program's: it is not counted, and outlives a power cut. */
void faults_pause(void);
void faults_resume(void);

/* Calls since `faults_arm`; all of them, or of one function. */
long faults_count(void);
long faults_count_of(int call);
/* Bytes that were read, or written, or listed of directories. */
long faults_bytes(int call);

/* What FAULTS_ACT does; paused meanwhile. */
void faults_set_action(void (*_Nullable action)(void));

/* Power cuts: from now on, what is done below `directory` is remembered until it is synced. `spare` is an empty directory
 * of the same file system, where what was removed is kept. `seed` chooses what of it happens to survive; 0: nothing. */
void faults_remember(const char *_Nonnull directory, const char *_Nonnull spare, uint64_t seed);

/* The clock goes so many seconds ahead. */
void faults_shift_clock(int64_t seconds);

/* Memory that is shared with children. */
void *_Nullable faults_shared_memory(uint64_t size);

#endif
