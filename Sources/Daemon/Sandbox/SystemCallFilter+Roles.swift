import CLinux
import Glibc

/// The system calls of each role, with what each is for. Found by watching all clients and suites do all they do (strace(1)),
/// and completed with what other versions of glibc call for the same.
///
/// What is not here, and mostly would be asked for: `execve`, and `clone` but for threads (no program, no process), `socket`
/// (nobody else to talk to), `kill`, `ptrace`, `prctl`, `ioctl`, `setresuid`, `chmod`, `symlinkat`, `mknodat`, `memfd_create`,
/// `io_uring_setup`.
extension SystemCallFilter {
    /// For the process that talks to strangers: bytes to and from what it has open. Nothing here takes a name.
    /// - Parameter process: its own number.
    static func gate(process: pid_t = getpid()) -> SystemCallFilter {
        let own: [Rule] = [
            .allow(SYS_recvfrom, "the client's bytes without TLS, and the monitor's answers"),
            .allow(SYS_recvmsg, "the client's socket, from the monitor"),
            .allow(SYS_sendto, "to the client and the monitor"),
            .allow(SYS_read, "the client's bytes, which OpenSSL reads"),
            .allow(SYS_write, "to the client, by OpenSSL; a runtime's last words"),
            .allow(SYS_mmap, where: [.argument(2, lacks: PROT_EXEC)], "memory, never with code"),
            .allow(SYS_prlimit64, where: [.argument(0, is: 0), .argument(1, is: Int32(RLIMIT_CPU.rawValue))],
                   "a relay may live for weeks; the time before login is short"),
        ]
        return SystemCallFilter(rules: own + waiting + talking + running(process))
    }

    /// For the user's process: files beneath its Maildir, which is Landlock's business, and one client.
    /// - Parameters:
    ///   - process: its own number.
    ///   - line: the socket to the listener.
    ///   - log: the socket of the log, if it is one.
    static func session(process: pid_t = getpid(), line: Int32, log: Int32?) -> SystemCallFilter {
        let own: [Rule] = [
            .allow(SYS_recvfrom, "the client's bytes"),
            .allow(SYS_recvmsg, where: [.argument(0, is: line)], "whether the listener lets this user in"),
            .allow(SYS_sendto, where: Condition.isNull(4), "to the client or its gate, and to the log; to nobody else"),
            .allow(SYS_read, "events of inotify and timers; the code of charsets"),
            .allow(SYS_write, "the log on standard error, and files"),
            .allow(SYS_mmap, where: [.argument(2, lacks: PROT_EXEC)], "memory, and indexes"),
            .allow(SYS_mmap, where: [.argument(2, lacks: PROT_WRITE)], "iconv(3) loads the code of a charset from a file"),
            .allow(SYS_rt_sigaction, where: [.argument(0, is: SIGBUS, setIDSignal)],
                   "an index that another program cuts short (FileMap); glibc, before the first thread"),
            .allow(SYS_wait4, "its gate has ended"),
            .allow(SYS_pidfd_open, "to wait for the end of its gate, but not for ever"),
            .allow(SYS_connect, where: [.argument(0, is: log ?? -1)], "the log's daemon was restarted"),
        ]
        return SystemCallFilter(rules: own + waiting + talking + files + threads + running(process))
    }

    // MARK: - What several need

    /// CLONE_VM, _FS, _FILES, _SIGHAND, _THREAD, _SYSVSEM, _SETTLS, _PARENT_SETTID and _CHILD_CLEARTID: what pthread_create(3) of
    /// every C library asks for. What is made so is a thread of this process, under the same filter.
    private static let threadFlags: Int32 = 0x3D0F00

    /// SIGSETXID, which has threads change their ids with the others.
    private static let setIDSignal: Int32 = 33

    /// Readers of many messages (`ReadAhead`), which end before their command does.
    private static let threads: [Rule] = [
        .allow(SYS_clone, where: [.argument(0, is: threadFlags)], "another reader; never a process"),
        .refuse(SYS_clone3, with: ENOSYS, "what it asks for is in memory, where no filter sees it: then glibc calls clone"),
        .allow(SYS_set_robust_list, "a thread begins"),
        .allow(SYS_rseq, "the same"),
    ]

    /// A program with memory and an end.
    private static func running(_ process: pid_t) -> [Rule] {
        var rules: [Rule] = [
            .allow(SYS_brk, "malloc(3)"),
            .allow(SYS_munmap, "free(3), and indexes that were replaced"),
            .allow(SYS_mremap, "realloc(3)"),
            .allow(SYS_madvise, "free(3) gives pages back"),
            .allow(SYS_mprotect, where: [.argument(2, lacks: PROT_EXEC)], "malloc(3); what is only read after it was loaded"),
            .allow(SYS_futex, "locks of glibc, OpenSSL and Swift; nobody else holds them, but all wake whoever might wait"),
            .allow(SYS_sched_yield, "the same"),
            .allow(SYS_gettid, "locks that their owner may take again"),
            .allow(SYS_getpid, "log lines; OpenSSL, to see a fork"),
            .allow(SYS_getrandom, "keys, and names of files"),
            .allow(SYS_clock_gettime, "time, where the kernel does not tell it without a call"),
            .allow(SYS_gettimeofday, "the same"),
            .allow(SYS_writev, "a runtime's last words"),
            .allow(SYS_rt_sigreturn, "the end of a signal's handler"),
            .allow(SYS_rt_sigprocmask, "abort(3)"),
            .allow(SYS_tgkill, where: [.argument(0, is: process)], "abort(3): to itself only"),
            .allow(SYS_exit_group, "the end"),
            .allow(SYS_exit, "the end of a thread"),
        ]
        #if arch(x86_64)
        rules.append(.allow(SYS_time, "time(2), which others have in clock_gettime"))
        #endif
        return rules
    }

    private static var waiting: [Rule] {
        var rules: [Rule] = [
            .allow(SYS_ppoll, "to wait for the client, for news, for the daemon's end"),
            .allow(SYS_restart_syscall, "to wait on, after SIGSTOP and SIGCONT"),
        ]
        #if arch(x86_64)
        rules.append(.allow(SYS_poll, "the same, where it has a call of its own"))
        #endif
        return rules
    }

    /// Over sockets that are there.
    private static let talking: [Rule] = [
        .allow(SYS_shutdown, "nothing more is said"),
        .allow(SYS_close, "what is done with"),
        .allow(SYS_setsockopt, where: [.argument(1, is: Int32(IPPROTO_TCP)), .argument(2, is: TCP_QUICKACK)],
               "to acknowledge what has come of a literal"),
        .allow(SYS_fcntl, where: [.argument(1, is: F_GETFL, F_SETFL)], "sockets that do not block"),
    ]

    /// F_OFD_SETLK and F_OFD_SETLKW, which Glibc's module hides.
    private static let setLock: Int32 = 37, setLockWaiting: Int32 = 38

    /// What the store does with files. By name only where Landlock lets them be opened, made, linked and removed.
    private static var files: [Rule] {
        var rules: [Rule] = [
            .allow(SYS_openat, "messages, logs, indexes, directories; the code of charsets"),
            .allow(SYS_newfstatat, "whether, what and how long it is"),
            .allow(SYS_fstat, "the same, by a descriptor"),
            .allow(SYS_statx, "the same, in other versions of glibc"),
            .allow(SYS_getdents64, "names in a directory"),
            .allow(SYS_lseek, "to read a directory again"),
            .allow(SYS_pread64, "messages and logs, from any place"),
            .allow(SYS_pwrite64, "the same, to be written"),
            .allow(SYS_ftruncate, "a torn end of a log goes"),
            .allow(SYS_fsync, "what is acknowledged is on the disk"),
            .allow(SYS_fdatasync, "the same"),
            .allow(SYS_sync_file_range, "a message begins to be written before that is waited for"),
            .allow(SYS_syncfs, "messages that arrive together are on the disk"),
            .allow(SYS_fstatfs, "whether the file system can do that"),
            .allow(SYS_renameat, "messages that arrive, flags in names, indexes that are replaced"),
            .allow(SYS_renameat2, "the same, but never over another file"),
            .allow(SYS_linkat, "COPY; messages that arrive together; the log's second name"),
            .allow(SYS_unlinkat, "EXPUNGE and DELETE"),
            .allow(SYS_mkdirat, "CREATE"),
            .allow(SYS_clock_nanosleep, "to let the clock go beyond a directory's time of change"),
            .allow(SYS_nanosleep, "the same, in other versions of glibc"),
            .allow(SYS_utimensat, "a message's INTERNALDATE"),
            .allow(SYS_fcntl, where: [.argument(1, is: setLock, setLockWaiting)], "locks"),
            .allow(SYS_inotify_init1, "IDLE"),
            .allow(SYS_inotify_add_watch, "the same"),
            .allow(SYS_timerfd_create, "IDLE, beyond the limit of inotify(7)"),
            .allow(SYS_timerfd_settime, "the same"),
            .allow(SYS_epoll_create1, "IDLE, on a network file system"),
            .allow(SYS_epoll_ctl, "the same"),
            .allow(SYS_uname, "the host's name, for names of files"),
        ]
        #if arch(x86_64)
        rules.append(.allow(SYS_mkdir, "the Maildir itself, where it has a call of its own"))
        #endif
        return rules
    }
}
