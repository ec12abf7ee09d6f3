/* What Swift's Glibc module hides (no _GNU_SOURCE) or cannot import (variadic, macros with casts).
 * Each returns what the system call returns: 0 or a result, or -1 and errno. Nothing here allocates.
 *
 * _GNU_SOURCE is defined in the .c only: in this header it would change types that Swift has already imported. */
#ifndef CLINUX_H
#define CLINUX_H

#include <linux/audit.h>
#include <linux/filter.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>

/* accept4(2) without an address: close-on-exec and non-blocking. */
int clinux_accept(int listener);

/* pipe2(2), socketpair(2): close-on-exec. */
int clinux_pipe(int ends[_Nonnull 2]);
int clinux_stream_pair(int ends[_Nonnull 2]);

/* socketpair(2) of datagrams that come in order, with an end of file (SOCK_SEQPACKET): close-on-exec. */
int clinux_message_pair(int ends[_Nonnull 2]);

/* sendmsg(2) of `n` bytes, and with them the descriptor `passed` unless that is -1. */
ssize_t clinux_send_message(int socket, const void *_Nonnull bytes, size_t n, int passed, int flags);
/* recvmsg(2): how many bytes came, 0 at the end. `passed` is the descriptor that came with them, close-on-exec and the
 * caller's to close, or -1; of several, the first, and the kernel keeps the others. Of a datagram with more than `n` bytes
 * the rest is lost, and n + 1 returned. */
ssize_t clinux_receive_message(int socket, void *_Nonnull bytes, size_t n, int *_Nonnull passed, int flags);

/* epoll(7): a set of descriptors, close-on-exec. */
int clinux_watch_set(void);
/* Waits for input on `watched`, until it is removed: before it is closed, for other processes may have it open, too. */
int clinux_watch_add(int set, int watched);
int clinux_watch_remove(int set, int watched);
/* Fills `ready` with at most `n` descriptors that have input or have ended, and returns how many. `timeout` is in
 * milliseconds, -1 for ever. */
int clinux_watch_wait(int set, int *_Nonnull ready, int n, int timeout);

/* signalfd(2): close-on-exec and non-blocking. */
int clinux_signal_descriptor(const sigset_t *_Nonnull signals);

/* pidfd_open(2): becomes readable when the child ends. */
int clinux_process_descriptor(pid_t process);

/* close_range(2), both ends included. */
int clinux_close_range(unsigned int first, unsigned int last);

/* Supplementary groups; real, effective and saved ids at once. Those of the calling thread, as the kernel has it: for a process
 * with one thread. The functions of the C library write to a page, and look for the threads that fork(2) has left behind. */
int clinux_setgroups(size_t n, const gid_t *_Nullable groups);
int clinux_setresuid(uid_t real, uid_t effective, uid_t saved);
int clinux_setresgid(gid_t real, gid_t effective, gid_t saved);

/* prctl(2). */
int clinux_no_new_privileges(void);
int clinux_not_dumpable(void);
/* At most 15 bytes are kept. */
int clinux_set_command_name(const char *_Nonnull name);
/* The signal that this process gets when its parent ends; a change of ids clears it. */
int clinux_signal_at_parents_end(int signal);
/* Orphaned descendants become this process's children. */
int clinux_adopt_orphans(void);

/* seccomp(2): whether a filter can end a process, and a filter for this process and its children. Needs no_new_privs. */
int clinux_seccomp_can_kill_process(void);
int clinux_seccomp_install(const struct sock_filter *_Nonnull program, unsigned short count);

/* landlock(7): the version of the kernel's interface, a new ruleset's descriptor, access to what is beneath a directory, and
 * that the rules hold from now on. The bits are those of <linux/landlock.h>. */
int clinux_landlock_version(void);
int clinux_landlock_ruleset(uint64_t file_system, uint64_t network, uint64_t scoped);
int clinux_landlock_allow(int ruleset, int directory, uint64_t file_system);
int clinux_landlock_enforce(int ruleset);

/* Where the C library was loaded from (dladdr(3)); the linker's, for ever. NULL if it is not known. */
const char *_Nullable clinux_c_library(void);

/* CRC-32C (Castagnoli) of `n` bytes, continued from `crc` (0 at first). */
uint32_t clinux_crc32c(uint32_t crc, const void *_Nullable bytes, size_t n);
/* Four CRC-32Cs of interleaved 8-byte words, folded into one number: as good at finding damage, four times as fast. */
uint64_t clinux_checksum(const void *_Nullable bytes, size_t n);

/* Has the processor fetch these bytes, which are about to be read. */
static inline void clinux_prefetch(const void *_Nonnull bytes, size_t n) {
    for (size_t at = 0; at < n; at += 64) __builtin_prefetch((const char *)bytes + at);
}

/* getdents64(2). */
ssize_t clinux_getdents(int directory, void *_Nonnull buffer, size_t n);

/* Open file description locks (fcntl(2), F_OFD_SETLK) on one byte of a file: they hold between processes and between
 * threads that opened the file each for itself. `exclusive` 0 is shared; without `wait`, -1 and EAGAIN. */
int clinux_lock(int fd, off_t byte, int exclusive, int wait);
int clinux_unlock(int fd, off_t byte);

/* O_NOATIME of open(2). */
int clinux_o_noatime(void);

/* renameat2(2) with RENAME_NOREPLACE: EEXIST if there is such a file. EINVAL where the file system cannot. */
int clinux_rename_noreplace(int from_directory, const char *_Nonnull from, int to_directory, const char *_Nonnull to);

/* A timerfd(2), close-on-exec and non-blocking, that becomes readable every so many seconds. */
int clinux_ticker(int seconds);

/* Whether `fd` is of a file system that other machines may change, of which inotify(7) says nothing: 1 or 0. */
int clinux_is_on_network(int fd);
/* statx(2), AT_STATX_FORCE_SYNC: what is cached of the times of `fd` is made true. */
void clinux_ask_server(int fd);

/* sync_file_range(2), SYNC_FILE_RANGE_WRITE: begins to write out and does not wait. */
int clinux_begin_writeout(int fd);
/* The same, and waits until it is done; the disk may still have it in a cache of its own. */
int clinux_await_writeout(int fd);
/* syncfs(2): what fsync(2) does, for all files of the file system on which `fd` is. EOPNOTSUPP where it may do less: those that
 * only pass on what they are told (FUSE, CIFS) write all out with it, but have nobody else write it to a disk. */
int clinux_sync_file_system(int fd);

/* What the calling thread has done so far: a session is one, and has neither counters nor locks to carry about. */
struct clinux_work {
    uint64_t syncs, cache_hits, cache_misses;
};
struct clinux_work *_Nonnull clinux_work(void);
/* fsync(2), fdatasync(2): counted there, as is clinux_sync_file_system. */
int clinux_sync(int fd);
int clinux_sync_data(int fd);

/* From now on, a process that ends itself because there is no memory (setrlimit(2)) does so with this status. */
void clinux_exit_without_memory(int status);
/* What it sends before, to this socket, whose other end may be a child of its own; nothing to -1. `word` must live. */
void clinux_set_last_word(int descriptor, const char *_Nonnull word, size_t size);

/* fork(2), and nothing else: fork(3) also puts in order what other threads of the parent may have been about, which costs a child
 * six pages. For a process whose other threads, if it has any, hold no lock and wait. */
pid_t clinux_fork(void);
/* Forks a child for each order, for ever: `run` is called there with the two descriptors that came with the order, the second
 * perhaps -1, and must not return. It is not our child but our parent's, and its one thread is a copy of one that has done
 * nothing but this, and so is new to whatever keeps notes by thread. What the child needs is in `context`. This process writes
 * next to nothing meanwhile, so that all children go on sharing its pages.
 * `orders` is a socket of messages. The answer to each is the child's number, or -errno: 4 bytes. Ends the process with status
 * 0 when nobody is at the other end any more, and with 1 if there is no thread to be had. */
_Noreturn void clinux_spawn(int orders, void (*_Nonnull run)(void *_Nullable, int, int), void *_Nullable context);
/* Orders one, without waiting. 0, or -1 and errno. */
int clinux_order_child(int spawner, int first, int second);
/* The size of the child's stack, in bytes: what main threads have by default. It counts as data (RLIMIT_DATA). */
enum { CLINUX_FRESH_STACK = 8 << 20 };

/* Threads that this process and its children may begin allocate from one heap: each would else get its own, and it would stay
 * when they have ended. */
void clinux_share_heap(void);

/* How many processors this process may use (sched_getaffinity(2)); 1 if that cannot be told. */
int clinux_processors(void);

/* memfd_create(2): a file without a name, close-on-exec; and that its length stays what it is (fcntl(2), F_ADD_SEALS). */
int clinux_memory_file(const char *_Nonnull label);
int clinux_seal_length(int fd);

/* Keeps the program's name, which syslog(3) puts before what PAM's modules say, apart from the memory of the arguments. */
void clinux_keep_program_name(void);

/* malloc_trim(3): pages of the heap that are free go back to the system. */
void clinux_release_free_memory(void);
/* The same for the stack below the caller, of a process that has one thread. */
void clinux_release_free_stack(void);

/* Takes into use, for ever, what is free between what the heap holds. What is allocated from now on lies together behind
 * all that, so that a forked child copies few pages of its parent's. For a process that has one thread. */
void clinux_seal_heap(void);

/* Guards a map of a file: where the file has become shorter than the map, reading gives zeros instead of SIGBUS, and
 * `clinux_map_is_lost` is 1 from then on. Returns a place, to be given back before munmap(2), or -1 if there are CLINUX_MAPS.
 * The first call installs a handler of SIGBUS, which passes on what is not about a guarded map. */
#define CLINUX_MAPS 4096
int clinux_guard_map(const void *_Nonnull start, size_t size);
void clinux_unguard_map(int place);
int clinux_map_is_lost(int place);

/* nftw(3) and remove(3): a directory and all that is in it. Links are removed, not followed. */
int clinux_remove_tree(const char *_Nonnull path);

#endif
