import Glibc
import Synchronization
import Transport

/// A socket to a daemon of this machine that takes messages as datagrams.
///
/// It is opened once and inherited, and reconnected when the daemon was restarted: a session can make no other, and need not.
///
/// A daemon that takes nothing any more, though it is there, must not hold up whoever logs. The kernel keeps some messages for
/// it; when these are as many as may be, it is waited for once, and from then on messages are lost until it takes one.
final class LogSocket: Sendable {
    private struct State {
        let descriptor: Int32
        /// Messages that were lost since the last one that was not.
        var lost: UInt64 = 0
        /// Whose these were: a forked process begins anew.
        var loser: pid_t = 0
    }

    private let state: Mutex<State>
    private let address: UnixAddress

    /// How long somebody who logs waits for a daemon that is busy: in milliseconds.
    private static let patience: Int32 = 100

    /// `nil` if nobody listens there.
    init?(path: String) {
        guard let address = UnixAddress(path) else { return nil }
        self.address = address
        let descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        guard address.connect(descriptor) else {
            close(descriptor)
            return nil
        }
        state = Mutex(State(descriptor: descriptor))
    }

    deinit { close(descriptor) }

    /// Those who close all others keep it.
    var descriptor: Int32 { state.withLock { $0.descriptor } }

    /// - Returns: how many messages of this process were lost, if this one was the first that was not.
    func send(_ message: [UInt8]) -> UInt64 {
        state.withLock { state in
            guard attempt(message, state.descriptor, waits: state.lost == 0) else {
                let process = getpid()
                if state.loser != process { (state.lost, state.loser) = (0, process) }
                state.lost += 1
                return 0
            }
            guard state.lost > 0 else { return 0 }
            defer { state.lost = 0 }
            return state.loser == getpid() ? state.lost : 0
        }
    }

    /// Whether it is on its way.
    private func attempt(_ message: [UInt8], _ descriptor: Int32, waits: Bool) -> Bool {
        var mayWait = waits, mayConnect = true
        while Glibc.send(descriptor, message, message.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)) < 0 {
            switch errno {
            case EINTR: continue
            case EAGAIN:
                guard mayWait else { return false }
                mayWait = false
                var polled = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = poll(&polled, 1, Self.patience)
            // Neither the kernel nor the daemon will ever take it.
            case EMSGSIZE: return false
            default:
                guard mayConnect, address.connect(descriptor) else { return false }
                mayConnect = false
            }
        }
        return true
    }
}

/// What has a socket of its own that processes keep open.
protocol DatagramSink: LogSink {
    var socket: LogSocket { get }
    func message(_ record: LogRecord) -> [UInt8]
}

extension DatagramSink {
    func write(_ record: LogRecord) {
        let lost = socket.send(message(record))
        if lost > 0 { _ = socket.send(message(LogRecord(.warning, "events lost", ["count": "\(lost)"]))) }
    }
}

/// Messages to the machine's syslog daemon (RFC 3164).
struct SyslogSink: DatagramSink {
    let socket: LogSocket
    private let facility: Int
    private let format: Settings.LogFormat

    /// `nil` if nobody listens there.
    init?(path: String = "/dev/log", facility: Settings.LogFacility = .mail, format: Settings.LogFormat = .text) {
        guard let socket = LogSocket(path: path) else { return nil }
        self.socket = socket
        self.facility = facility.number
        self.format = format
    }

    func message(_ record: LogRecord) -> [UInt8] {
        let text = switch format {
        case .text: record.line
        case .json: record.json(at: LogTime.utc(), process: getpid())
        }
        let line = "<\(facility << 3 | record.level.severity)>\(LogTime.syslog()) imapd[\(getpid())]: \(text)"
        return Array(line.utf8.prefix(8000))
    }
}

/// Messages to the journal, field by field, so that `journalctl USER=ann` finds them.
struct JournalSink: DatagramSink {
    let socket: LogSocket
    private let facility: Int

    /// `nil` if nobody listens there.
    init?(path: String = "/run/systemd/journal/socket", facility: Settings.LogFacility = .mail) {
        guard let socket = LogSocket(path: path) else { return nil }
        self.socket = socket
        self.facility = facility.number
    }

    func message(_ record: LogRecord) -> [UInt8] { record.journal(facility: facility) }
}

extension Settings.LogFacility {
    /// RFC 3164 §4.1.1.
    fileprivate var number: Int {
        switch self {
        case .user: 1
        case .mail: 2
        case .daemon: 3
        case .auth: 4
        case .authpriv: 10
        case .local0: 16
        case .local1: 17
        case .local2: 18
        case .local3: 19
        case .local4: 20
        case .local5: 21
        case .local6: 22
        case .local7: 23
        }
    }
}
