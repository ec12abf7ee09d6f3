#define _GNU_SOURCE
#include "clinux.h"

#include <errno.h>
#include <malloc.h>
#include <sched.h>
#include <stdlib.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>

int clinux_accept(int listener) {
    return accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

int clinux_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }

int clinux_stream_pair(int ends[2]) { return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends); }

int clinux_message_pair(int ends[2]) { return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends); }

ssize_t clinux_send_message(int socket, const void *bytes, size_t n, int passed, int flags) {
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec part = {(void *)bytes, n};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (passed >= 0) {
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &passed, sizeof passed);
    }
    return sendmsg(socket, &message, flags | MSG_NOSIGNAL);
}

ssize_t clinux_receive_message(int socket, void *bytes, size_t n, int *passed, int flags) {
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    struct iovec part = {bytes, n};
    /* CMSG_LEN: the padding that CMSG_SPACE counts would be room for a second descriptor, which nobody would close. */
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_LEN(sizeof(int))};
    *passed = -1;
    ssize_t count = recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
    if (count < 0) return count;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header))
        if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
            memcpy(passed, CMSG_DATA(header), sizeof *passed);
    return message.msg_flags & MSG_TRUNC ? (ssize_t)n + 1 : count;
}

int clinux_watch_set(void) { return epoll_create1(EPOLL_CLOEXEC); }

int clinux_watch_add(int set, int watched) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = watched};
    return epoll_ctl(set, EPOLL_CTL_ADD, watched, &event);
}

int clinux_watch_remove(int set, int watched) { return epoll_ctl(set, EPOLL_CTL_DEL, watched, NULL); }

int clinux_watch_wait(int set, int *ready, int n, int timeout) {
    struct epoll_event events[64];
    int count = epoll_wait(set, events, n < 64 ? n : 64, timeout);
    for (int i = 0; i < count; i++) ready[i] = events[i].data.fd;
    return count;
}

int clinux_signal_descriptor(const sigset_t *signals) { return signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK); }

int clinux_process_descriptor(pid_t process) { return (int)syscall(SYS_pidfd_open, process, 0); }

int clinux_close_range(unsigned int first, unsigned int last) { return (int)syscall(SYS_close_range, first, last, 0); }

int clinux_setgroups(size_t n, const gid_t *groups) { return (int)syscall(SYS_setgroups, n, groups); }

int clinux_setresuid(uid_t real, uid_t effective, uid_t saved) {
    return (int)syscall(SYS_setresuid, real, effective, saved);
}

int clinux_setresgid(gid_t real, gid_t effective, gid_t saved) {
    return (int)syscall(SYS_setresgid, real, effective, saved);
}

int clinux_no_new_privileges(void) { return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }

int clinux_not_dumpable(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }

int clinux_set_command_name(const char *name) { return prctl(PR_SET_NAME, name, 0, 0, 0); }

int clinux_signal_at_parents_end(int signal) { return prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0); }

int clinux_adopt_orphans(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }

static _Thread_local struct clinux_work work;

struct clinux_work *clinux_work(void) { return &work; }

int clinux_sync(int fd) {
    work.syncs++;
    return fsync(fd);
}

int clinux_sync_data(int fd) {
    work.syncs++;
    return fdatasync(fd);
}

void clinux_share_heap(void) { mallopt(M_ARENA_MAX, 1); }

int clinux_processors(void) {
    cpu_set_t processors;
    return sched_getaffinity(0, sizeof processors, &processors) == 0 ? CPU_COUNT(&processors) : 1;
}

int clinux_memory_file(const char *label) { return memfd_create(label, MFD_CLOEXEC | MFD_ALLOW_SEALING); }

int clinux_seal_length(int fd) { return fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL); }

void clinux_keep_program_name(void) {
    char *name = strdup(program_invocation_short_name);
    if (name) program_invocation_short_name = name;
}

void clinux_release_free_memory(void) { malloc_trim(0); }

void clinux_release_free_stack(void) {
    /* What lies below is never used again before it is written; the red zone and the frames of this call are spared. Of a
     * range that is mapped in part, that part goes. */
    const uintptr_t page = 4096, depth = 512 << 10, spared = 1024;
    uintptr_t end = ((uintptr_t)__builtin_frame_address(0) - spared) & ~(page - 1);
    madvise((void *)(end - depth), depth, MADV_DONTNEED);
}

void clinux_seal_heap(void) {
    malloc_trim(0);
    /* Below the threshold from which malloc(3) maps memory; and where its caches of single sizes end. */
    const size_t largest = 120 << 10, cached = 1040;
    const char *end = (const char *)sbrk(0) - mallinfo2().keepcost;
    for (size_t size = largest; size >= 16; size -= 16) {
        for (;;) {
            char *piece = malloc(size);
            if (!piece) break;
            if (piece < end) continue;
            /* No hole is left for this size. A small one given back would be kept for its size, and be a hole itself. */
            if (size > cached) free(piece);
            break;
        }
    }
    malloc_trim(0);
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place) {
    (void)status, (void)kind, (void)place;
    return remove(path);
}

int clinux_remove_tree(const char *path) { return nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS); }
