#define _GNU_SOURCE
#include "faults.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "memory.h"

static int is_armed, kind, error_number, only = -1;
static long at, count, counts[FAULTS_CALLS], bytes[FAULTS_CALLS];
static int64_t clock_shift;
static void (*action)(void);

#define REAL(result, name, ...) \
    static result (*real)(__VA_ARGS__); \
    if (!real) real = (result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

void faults_arm(long n, int what, int error) {
    at = n;
    kind = what;
    error_number = error;
    count = 0;
    memset(counts, 0, sizeof counts);
    memset(bytes, 0, sizeof bytes);
    is_armed = 1;
}

void faults_only(int call) { only = call; }
void faults_disarm(void) { is_armed = 0; }
void faults_pause(void) { memory_is_busy++; }
void faults_resume(void) { memory_is_busy--; }
long faults_count(void) { return count; }
long faults_count_of(int call) { return counts[call]; }
long faults_bytes(int call) { return bytes[call]; }
void faults_set_action(void (*what)(void)) { action = what; }
void faults_shift_clock(int64_t seconds) { clock_shift = seconds; }

void *faults_shared_memory(uint64_t size) {
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static _Noreturn void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* Which calls can fail for this reason on a file system. `makes` tells whether the call makes a file. */
static int can_fail(enum faults_call call, int makes) {
    switch (error_number) {
    case EMFILE: case ENFILE: return call == FAULTS_OPEN || call == FAULTS_WATCH;
    case ENOSPC: case EDQUOT:
        return call == FAULTS_WRITE || call == FAULTS_RENAME || call == FAULTS_LINK || call == FAULTS_MKDIR
            || call == FAULTS_SYNC || (call == FAULTS_OPEN && makes) || call == FAULTS_WATCH;
    case EINTR:
        return call == FAULTS_READ || call == FAULTS_WRITE || call == FAULTS_LOCK || call == FAULTS_OPEN;
    case ENOMEM: return call == FAULTS_MAP;
    case EACCES: return call == FAULTS_RENAME || call == FAULTS_LINK || call == FAULTS_UNLINK || call == FAULTS_OPEN;
    default: return call != FAULTS_MAP;
    }
}

enum verdict { PASS, FAIL, HALF, TEAR };

static void act(void) {
    if (!action) return;
    int code = errno;
    faults_pause();
    action();
    faults_resume();
    errno = code;
}

/* To be asked before every call. */
static enum verdict ask(enum faults_call call, int makes) {
    if (!is_armed || memory_is_busy || (only >= 0 && only != (int)call)) return PASS;
    count++;
    counts[call]++;
    if (at == 0 || count < at || (count > at && kind != FAULTS_FAIL_ON)) return PASS;
    switch (kind) {
    case FAULTS_KILL: die();
    case FAULTS_CUT:
        is_armed = 0;
        memory_cut();
        die();
    case FAULTS_TEAR: return TEAR;
    case FAULTS_SHORT: return call == FAULTS_WRITE ? HALF : PASS;
    case FAULTS_ACT:
        act();
        return PASS;
    case FAULTS_ACT_AND_FAIL:
        act();
        errno = error_number;
        return FAIL;
    case FAULTS_FAIL: case FAULTS_FAIL_ON:
        if (!can_fail(call, makes)) return PASS;
        errno = error_number;
        return FAIL;
    default: return PASS;
    }
}

static ssize_t counted(enum faults_call call, ssize_t n) {
    if (is_armed && !memory_is_busy && n > 0) bytes[call] += n;
    return n;
}

/* Asks, and on `FAIL` returns -1. */
#define ASK(call, makes) \
    enum verdict verdict = ask(call, makes); \
    if (verdict == FAIL) return -1

/* Ends a function: dies after the call if that is due. */
#define DONE(result) do { if (verdict == TEAR) die(); return result; } while (0)

/* MARK: files */

static int open_at(int directory, const char *path, int flags, mode_t mode) {
    REAL(int, "openat", int, const char *, int, ...);
    ASK(FAULTS_OPEN, flags & O_CREAT);
    int is_new = (flags & O_CREAT) && memory_is_on() && faccessat(directory, path, F_OK, AT_SYMLINK_NOFOLLOW) != 0;
    int fd = real(directory, path, flags, mode);
    if (fd >= 0 && is_new) memory_made(directory, path);
    DONE(fd);
}

#define MODE(flags, mode) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { va_list list; va_start(list, flags); mode = va_arg(list, mode_t); va_end(list); }

int open(const char *path, int flags, ...) { MODE(flags, mode); return open_at(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags, mode); return open_at(AT_FDCWD, path, flags, mode); }
int openat(int directory, const char *path, int flags, ...) { MODE(flags, mode); return open_at(directory, path, flags, mode); }
int openat64(int directory, const char *path, int flags, ...) { MODE(flags, mode); return open_at(directory, path, flags, mode); }

ssize_t pread(int fd, void *p, size_t n, off_t offset) {
    REAL(ssize_t, "pread", int, void *, size_t, off_t);
    ASK(FAULTS_READ, 0);
    DONE(counted(FAULTS_READ, real(fd, p, n, offset)));
}
ssize_t pread64(int fd, void *p, size_t n, off_t offset) { return pread(fd, p, n, offset); }

ssize_t pwrite(int fd, const void *p, size_t n, off_t offset) {
    REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
    ASK(FAULTS_WRITE, 0);
    memory_writes(fd, offset, n);
    if ((verdict == HALF || verdict == TEAR) && n > 1) n /= 2;
    DONE(counted(FAULTS_WRITE, real(fd, p, n, offset)));
}
ssize_t pwrite64(int fd, const void *p, size_t n, off_t offset) { return pwrite(fd, p, n, offset); }

int ftruncate(int fd, off_t size) {
    REAL(int, "ftruncate", int, off_t);
    ASK(FAULTS_TRUNCATE, 0);
    memory_truncates(fd, size);
    DONE(real(fd, size));
}
int ftruncate64(int fd, off_t size) { return ftruncate(fd, size); }

static int sync_file(int fd) {
    REAL(int, "fsync", int);
    ASK(FAULTS_SYNC, 0);
    int result = real(fd);
    if (result == 0) memory_synced(fd);
    DONE(result);
}
int fsync(int fd) { return sync_file(fd); }
int fdatasync(int fd) { return sync_file(fd); }

int syncfs(int fd) {
    REAL(int, "syncfs", int);
    ASK(FAULTS_SYNC, 0);
    int result = real(fd);
    if (result == 0) memory_synced_all();
    DONE(result);
}

/* It may fail, but whether anything is on the disk afterwards nobody says. */
int sync_file_range(int fd, off64_t offset, off64_t count, unsigned flags) {
    REAL(int, "sync_file_range", int, off64_t, off64_t, unsigned);
    if (!(flags & SYNC_FILE_RANGE_WAIT_AFTER)) return real(fd, offset, count, flags);
    ASK(FAULTS_SYNC, 0);
    DONE(real(fd, offset, count, flags));
}

int renameat2(int from, const char *old, int to, const char *new, unsigned flags) {
    REAL(int, "renameat2", int, const char *, int, const char *, unsigned);
    ASK(FAULTS_RENAME, 1);
    memory_renames(from, old, to, new);
    int result = real(from, old, to, new, flags);
    if (result != 0) memory_forget_last();
    DONE(result);
}
int renameat(int from, const char *old, int to, const char *new) { return renameat2(from, old, to, new, 0); }
int rename(const char *old, const char *new) { return renameat2(AT_FDCWD, old, AT_FDCWD, new, 0); }

int linkat(int from, const char *old, int to, const char *new, int flags) {
    REAL(int, "linkat", int, const char *, int, const char *, int);
    ASK(FAULTS_LINK, 1);
    int result = real(from, old, to, new, flags);
    if (result == 0) memory_made(to, new);
    DONE(result);
}
int link(const char *old, const char *new) { return linkat(AT_FDCWD, old, AT_FDCWD, new, 0); }

int unlinkat(int directory, const char *path, int flags) {
    REAL(int, "unlinkat", int, const char *, int);
    ASK(FAULTS_UNLINK, 0);
    memory_removes(directory, path, flags);
    int result = real(directory, path, flags);
    if (result != 0) memory_forget_last();
    DONE(result);
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }

int mkdirat(int directory, const char *path, mode_t mode) {
    REAL(int, "mkdirat", int, const char *, mode_t);
    ASK(FAULTS_MKDIR, 1);
    int result = real(directory, path, mode);
    if (result == 0) memory_made(directory, path);
    DONE(result);
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

/* MARK: the rest */

int fcntl(int fd, int command, ...) {
    REAL(int, "fcntl", int, int, ...);
    va_list list;
    va_start(list, command);
    void *argument = va_arg(list, void *);
    va_end(list);
    if (command != F_OFD_SETLK && command != F_OFD_SETLKW) return real(fd, command, argument);
    /* Giving a lock back needs nothing that could be missing. */
    if (((struct flock *)argument)->l_type == F_UNLCK) return real(fd, command, argument);
    ASK(FAULTS_LOCK, 0);
    DONE(real(fd, command, argument));
}
int fcntl64(int fd, int command, ...) {
    va_list list;
    va_start(list, command);
    void *argument = va_arg(list, void *);
    va_end(list);
    return fcntl(fd, command, argument);
}

void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset) {
    REAL(void *, "mmap", void *, size_t, int, int, int, off_t);
    /* Memory that has no file is not our business. */
    if (fd < 0) return real(address, size, protection, flags, fd, offset);
    enum verdict verdict = ask(FAULTS_MAP, 0);
    if (verdict == FAIL) return MAP_FAILED;
    DONE(real(address, size, protection, flags, fd, offset));
}
void *mmap64(void *address, size_t size, int protection, int flags, int fd, off_t offset) {
    return mmap(address, size, protection, flags, fd, offset);
}

int fstat(int fd, struct stat *status) {
    REAL(int, "fstat", int, struct stat *);
    ASK(FAULTS_STAT, 0);
    DONE(real(fd, status));
}

int fstatat(int directory, const char *path, struct stat *status, int flags) {
    REAL(int, "fstatat", int, const char *, struct stat *, int);
    ASK(FAULTS_STAT, 0);
    DONE(real(directory, path, status, flags));
}

long syscall(long number, ...) {
    REAL(long, "syscall", long, ...);
    va_list list;
    va_start(list, number);
    long a = va_arg(list, long), b = va_arg(list, long), c = va_arg(list, long);
    long d = va_arg(list, long), e = va_arg(list, long), f = va_arg(list, long);
    va_end(list);
    if (number != SYS_getdents64) return real(number, a, b, c, d, e, f);
    ASK(FAULTS_LIST, 0);
    DONE(counted(FAULTS_LIST, real(number, a, b, c)));
}

int futimens(int fd, const struct timespec times[2]) {
    REAL(int, "futimens", int, const struct timespec *);
    ASK(FAULTS_DATE, 0);
    DONE(real(fd, times));
}

int inotify_init1(int flags) {
    REAL(int, "inotify_init1", int);
    ASK(FAULTS_WATCH, 0);
    DONE(real(flags));
}

int inotify_add_watch(int fd, const char *path, uint32_t mask) {
    REAL(int, "inotify_add_watch", int, const char *, uint32_t);
    ASK(FAULTS_WATCH, 0);
    DONE(real(fd, path, mask));
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    REAL(int, "clock_gettime", clockid_t, struct timespec *);
    int result = real(clock, time);
    if (clock == CLOCK_REALTIME) time->tv_sec += clock_shift;
    return result;
}
