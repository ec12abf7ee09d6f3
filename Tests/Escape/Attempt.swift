import CEscape
import CLinux
import Glibc

/// One thing that somebody who has taken over a process would try.
struct Attempt {
    let name: String
    /// Below 0 with `errno` if it failed.
    let make: () -> Int

    init<Result: BinaryInteger>(_ name: String, _ make: @escaping () -> Result) {
        self.name = name
        self.make = { Int(make()) }
    }

    static func all(for scene: Scene) -> [Attempt] {
        files(scene) + names(scene) + processes(scene) + network(scene) + rights() + kernel()
    }

    // MARK: - Files

    private static func files(_ scene: Scene) -> [Attempt] {
        let readable = [
            ("read /etc/passwd", "/etc/passwd"), ("read /etc/shadow", "/etc/shadow"), ("read the private key", scene.key),
            ("read another's mail", scene.mail), ("read its own memory as a file", "/proc/self/mem"),
            ("read root's memory", "/proc/\(scene.root)/mem"), ("read its fellow's memory", "/proc/\(scene.fellow)/mem"),
            ("read its own file outside of the mail", "\(scene.account.home)/private"),
            ("read its own mail", "\(scene.account.home)/Maildir/imapd.lock"),
            ("read the code of charsets", charsets + "/gconv-modules.cache"),
            ("list the root directory", "/"), ("list /proc", "/proc"), ("list its home", scene.account.home),
            ("list the directory above", ".."),
        ]
        return readable.map { name, path in Attempt(name) { open(path, O_RDONLY) } } + [
            Attempt("write its own file outside of the mail") { open("\(scene.account.home)/private", O_WRONLY) },
            Attempt("make a file in its home") { open("\(scene.account.home)/new", O_WRONLY | O_CREAT) },
            Attempt("make a file in /tmp") { open("/tmp/imapd-escape", O_WRONLY | O_CREAT | O_EXCL) },
            Attempt("make a file in its mail") { open("\(scene.account.home)/Maildir/tmp/new", O_WRONLY | O_CREAT) },
            Attempt("make a file where charsets are") { open(charsets + "/new.so", O_WRONLY | O_CREAT) },
            Attempt("truncate its own file outside of the mail") {
                withPath("\(scene.account.home)/private") { call(SYS_truncate, $0, 0) }
            },
        ]
    }

    /// What is done to names, and not to what they lead to.
    private static func names(_ scene: Scene) -> [Attempt] {
        let (maildir, home) = ("\(scene.account.home)/Maildir", scene.account.home)
        return [
            Attempt("move a file from its mail to its home") { renameat(AT_FDCWD, "\(maildir)/imapd.lock", AT_FDCWD, "\(home)/moved") },
            Attempt("move a file from its home to its mail") { renameat(AT_FDCWD, "\(home)/private", AT_FDCWD, "\(maildir)/tmp/moved") },
            Attempt("link a file of its home into its mail") {
                withPath("\(home)/private") { old in
                    withPath("\(maildir)/tmp/linked") { call(SYS_linkat, Int(AT_FDCWD), old, Int(AT_FDCWD), $0, 0) }
                }
            },
            Attempt("make a symbolic link in its mail") { symlink("/", "\(maildir)/.Root") },
            Attempt("make a pipe in its mail") { mkfifo("\(maildir)/pipe", 0o600) },
            Attempt("remove a file from its home") { unlinkat(AT_FDCWD, "\(home)/private", 0) },
            Attempt("change a file's mode") { chmod("\(home)/private", 0o777) },
            Attempt("go to another directory") { chdir("/") },
            Attempt("open a file by its handle") {
                // struct file_handle, of 8 bytes and type 1: inode 2 is the root of most file systems.
                var handle: [UInt32] = [8, 1, 2, 0]
                return handle.withUnsafeMutableBytes { call(SYS_open_by_handle_at, 0, Int(bitPattern: $0.baseAddress), Int(O_RDONLY)) }
            },
        ]
    }

    // MARK: - Processes

    private static func processes(_ scene: Scene) -> [Attempt] {
        [
            Attempt("signal root's process") { kill(scene.root, SIGTERM) },
            Attempt("signal its fellow") { kill(scene.fellow, SIGURG) },
            Attempt("trace its fellow") { call(SYS_ptrace, 16, Int(scene.fellow), 0, 0) },      // PTRACE_ATTACH
            Attempt("read its fellow's memory by a call") { readMemory(of: scene.fellow) },
            Attempt("take a descriptor of its fellow") {
                let process = call(SYS_pidfd_open, Int(scene.fellow), 0)
                return process < 0 ? process : call(SYS_pidfd_getfd, process, 0, 0)
            },
            Attempt("fork") { fork() },
            // CLONE_FILES and SIGCHLD, by either call.
            Attempt("fork and share descriptors") { call(SYS_clone, 0x400 | 17, 0, 0, 0, 0) },
            Attempt("fork by clone3") {
                var arguments = [UInt64](repeating: 0, count: 8)
                arguments[4] = 17
                return arguments.withUnsafeMutableBytes { call(SYS_clone3, Int(bitPattern: $0.baseAddress), $0.count) }
            },
            Attempt("begin a thread") {
                var thread = pthread_t()
                let status = pthread_create(&thread, nil, { _ in nil }, nil)
                if status == 0 { pthread_join(thread, nil) }
                errno = status
                return status == 0 ? 0 : -1
            },
            Attempt("run a shell") { execv("/bin/sh", [strdup("sh"), strdup("-c"), strdup("exit 0"), nil]) },
            Attempt("run a program from memory") {
                let file = withPath("x") { call(SYS_memfd_create, $0, 0) }
                if file < 0 { return file }
                return withPath("") { empty in
                    var arguments: [Int] = [empty, 0]
                    // AT_EMPTY_PATH
                    return arguments.withUnsafeMutableBytes {
                        let list = Int(bitPattern: $0.baseAddress)
                        return call(SYS_execveat, file, empty, list, list + 8, 0x1000)
                    }
                }
            },
            Attempt("map memory to write and run") { mapped(PROT_READ | PROT_WRITE | PROT_EXEC) },
            Attempt("map memory, write, and make it run") {
                let memory = mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                return mprotect(memory!, 4096, PROT_READ | PROT_EXEC)
            },
        ]
    }

    // MARK: - Network

    private static func network(_ scene: Scene) -> [Attempt] {
        [
            Attempt("connect by TCP") { withSocket(AF_INET) { connectLocally($0) } },
            Attempt("listen on TCP") {
                withSocket(AF_INET) { socket in
                    withAddress { Glibc.bind(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
                }
            },
            Attempt("make a raw socket") { Int(socket(AF_INET, Int32(SOCK_RAW.rawValue), 1)) },
            Attempt("ask the kernel by netlink") { Int(socket(16, Int32(SOCK_RAW.rawValue), 0)) },
            Attempt("connect to an abstract socket") {
                withSocket(AF_UNIX) { socket in
                    AbstractSocket.withAddress(of: scene.root) { connect(socket, $0, $1) }
                }
            },
        ]
    }

    // MARK: - Rights

    private static func rights() -> [Attempt] {
        [
            Attempt("become root") { setuid(0) },
            Attempt("become root by all ids") { clinux_setresuid(0, 0, 0) },
            Attempt("get root's group") { setgid(0) },
            Attempt("get more groups") { setgroups(1, [0]) },
            Attempt("get capabilities") {
                // struct __user_cap_header_struct of version 3, and all that there are.
                var header: [UInt32] = [0x2008_0522, 0]
                var sets = [UInt32](repeating: .max, count: 6)
                return header.withUnsafeMutableBytes { header in
                    sets.withUnsafeMutableBytes { call(SYS_capset, Int(bitPattern: header.baseAddress), Int(bitPattern: $0.baseAddress)) }
                }
            },
            Attempt("change the root directory") { chroot(".") },
            Attempt("mount") { withPath("none") { name in withPath("/") { at in withPath("tmpfs") { call(SYS_mount, name, at, $0, 0, 0) } } } },
            Attempt("get a name space of its own") { call(SYS_unshare, 0x1000_0000) },          // CLONE_NEWUSER
            Attempt("have more processes") {
                var most = rlimit(rlim_cur: 100, rlim_max: 100)
                return withUnsafeBytes(of: &most) { call(SYS_prlimit64, 0, 6, Int(bitPattern: $0.baseAddress), 0) }
            },
            Attempt("be debugged") { call(SYS_prctl, 4, 1) },                                   // PR_SET_DUMPABLE
        ]
    }

    // MARK: - The kernel's larger doors

    private static func kernel() -> [Attempt] {
        [
            Attempt("io_uring") {
                var parameters = [UInt8](repeating: 0, count: 120)
                return parameters.withUnsafeMutableBytes { call(SYS_io_uring_setup, 1, Int(bitPattern: $0.baseAddress)) }
            },
            Attempt("userfaultfd") { call(SYS_userfaultfd, 1) },
            Attempt("bpf") { call(SYS_bpf, 0, 0, 0) },
            Attempt("perf_event_open") { call(SYS_perf_event_open, 0, 0, -1, -1, 0) },
            Attempt("keyrings") { call(SYS_keyctl, 0, -3, 1) },                                 // KEYCTL_GET_KEYRING_ID
            Attempt("load a module") { call(SYS_init_module, 0, 0, 0) },
            Attempt("set the clock") { call(SYS_settimeofday, 0, 0) },
            Attempt("reboot") { call(SYS_reboot, 0, 0, 0, 0) },
            Attempt("read the kernel's log") { call(SYS_syslog, 3, 0, 0) },
            Attempt("control a device") { call(SYS_ioctl, 0, 0x5401, 0) },
        ]
    }

    // MARK: - Means

    private static func call(_ number: Int32, _ a: Int = 0, _ b: Int = 0, _ c: Int = 0, _ d: Int = 0, _ e: Int = 0) -> Int {
        cescape_call(Int(number), a, b, c, d, e, 0)
    }

    private static func withPath<Result>(_ path: String, _ body: (Int) -> Result) -> Result {
        path.withCString { body(Int(bitPattern: $0)) }
    }

    /// A gate has no number left for another descriptor until it gives one up.
    private static func open(_ path: String, _ flags: Int32) -> Int {
        close(0)
        return Int(Glibc.open(path, flags, 0o600))
    }

    private static func withSocket(_ family: Int32, _ body: (Int32) -> Int32) -> Int {
        close(0)
        let socket = socket(family, Int32(SOCK_STREAM.rawValue), 0)
        return Int(socket < 0 ? socket : body(socket))
    }

    private static func withAddress(_ body: (UnsafePointer<sockaddr>) -> Int32) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafeBytes(of: &address) { body($0.baseAddress!.assumingMemoryBound(to: sockaddr.self)) }
    }

    private static func connectLocally(_ socket: Int32) -> Int32 {
        withAddress { connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
    }

    private static func mapped(_ protection: Int32) -> Int {
        mmap(nil, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0
    }

    /// A few bytes of our own address space's layout, which is a fork's, too.
    private static func readMemory(of process: pid_t) -> Int {
        var bytes: [UInt8] = [0, 0, 0, 0]
        return bytes.withUnsafeMutableBytes { bytes in
            var vector = iovec(iov_base: bytes.baseAddress, iov_len: bytes.count)
            return withUnsafeMutablePointer(to: &vector) {
                call(SYS_process_vm_readv, Int(process), Int(bitPattern: $0), 1, Int(bitPattern: $0), 1)
            }
        }
    }

    private static let charsets: String = {
        guard let library = clinux_c_library() else { return "/" }
        let path = String(cString: library)
        return path.lastIndex(of: "/").map { path[...$0] + "gconv" } ?? "/"
    }()
}
