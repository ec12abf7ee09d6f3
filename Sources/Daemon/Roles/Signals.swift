import CLinux
import Glibc
import SystemPackage
import Transport

/// Signals as something to poll for. A descriptor of these tells each process of its own signals, so that children inherit it.
struct Signals {
    /// Readable when this process is to end: SIGTERM, SIGINT.
    let end: Int32
    /// Readable for the listener: a child has ended, or SIGHUP, or SIGUSR2.
    let housekeeping: Int32

    /// Blocks the signals; whoever does not poll for them does not hear them.
    static func block() throws(Errno) -> Signals {
        let end = try descriptor(for: [SIGTERM, SIGINT])
        return Signals(end: end, housekeeping: try descriptor(for: [SIGCHLD, SIGHUP, SIGUSR2]))
    }

    /// Blocks these signals; the descriptor is readable when one has come.
    static func descriptor(for signals: [Int32]) throws(Errno) -> Int32 {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in signals { sigaddset(&set, signal) }
        guard pthread_sigmask(SIG_BLOCK, &set, nil) == 0 else { throw Errno(rawValue: errno) }
        let descriptor = clinux_signal_descriptor(&set)
        guard descriptor >= 0 else { throw Errno(rawValue: errno) }
        return descriptor
    }

    /// The housekeeping signals that have come since the last call, each once.
    func takeHousekeeping() -> Set<Int32> {
        var signals: Set<Int32> = []
        // sizeof(struct signalfd_siginfo); its first member is the number.
        withUnsafeTemporaryAllocation(byteCount: 128, alignment: 8) { buffer in
            while read(housekeeping, buffer.baseAddress, buffer.count) == buffer.count {
                signals.insert(Int32(bitPattern: buffer.load(as: UInt32.self)))
            }
        }
        return signals
    }
}

/// What waitpid(2) tells of a process that has ended.
package enum ProcessEnd: Equatable {
    case exited(Int32)
    case killed(signal: Int32)

    package init(status: Int32) {
        let signal = status & 0x7F
        self = signal == 0 ? .exited(status >> 8 & 0xFF) : .killed(signal: signal)
    }

    /// Waits for a child of ours.
    init(waitingFor process: pid_t) {
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        self.init(status: status)
    }

    /// Waits for a child of ours, but not for ever; `nil` if it still lives.
    init?(waitingFor process: pid_t, atMost time: Duration) {
        let descriptor = clinux_process_descriptor(process)
        if descriptor >= 0 {
            defer { close(descriptor) }
            let deadline = Deadline(after: time)
            var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            while poll(&polled, 1, deadline.milliseconds) < 0, errno == EINTR {}
        }
        var status: Int32 = 0
        guard waitpid(process, &status, WNOHANG) == process else { return nil }
        self.init(status: status)
    }

    /// The status of a session whose gate has crashed.
    static let withCrashedGate: Int32 = 3
    /// The status of a session that would have needed more memory than it may have.
    static let withoutMemory: Int32 = 4

    /// Whether it may have been an attack that failed. An administrator's kill(1) and the kernel's for want of memory are none.
    var isCrash: Bool {
        switch self {
        case .exited(let status): status == Self.withCrashedGate
        case .killed(let signal): ![SIGKILL, SIGTERM, SIGINT, SIGHUP].contains(signal)
        }
    }

    package static func name(of signal: Int32) -> String {
        let names: [Int32: String] = [
            SIGILL: "SIGILL", SIGTRAP: "SIGTRAP", SIGABRT: "SIGABRT", SIGBUS: "SIGBUS", SIGFPE: "SIGFPE", SIGKILL: "SIGKILL",
            SIGSEGV: "SIGSEGV", SIGPIPE: "SIGPIPE", SIGTERM: "SIGTERM", SIGXCPU: "SIGXCPU", SIGXFSZ: "SIGXFSZ", SIGSYS: "SIGSYS",
        ]
        return names[signal] ?? "signal \(signal)"
    }
}
