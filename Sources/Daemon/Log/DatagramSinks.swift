import Glibc
import Synchronization
import Transport

/// A socket to a daemon of this machine that takes messages as datagrams.
///
/// It is opened once and inherited, and reconnected when the daemon was restarted: a session can make no other, and need not.
final class LogSocket: Sendable {
    private let socket: Mutex<Int32>
    private let address: UnixAddress

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
        socket = Mutex(descriptor)
    }

    deinit { close(descriptor) }

    /// Those who close all others keep it.
    var descriptor: Int32 { socket.withLock { $0 } }

    func send(_ message: [UInt8]) {
        socket.withLock { descriptor in
            if Glibc.send(descriptor, message, message.count, Int32(MSG_NOSIGNAL)) < 0, errno != EAGAIN {
                guard address.connect(descriptor) else { return }
                _ = Glibc.send(descriptor, message, message.count, Int32(MSG_NOSIGNAL))
            }
        }
    }
}

/// What has a socket of its own that processes keep open.
protocol DatagramSink: LogSink {
    var socket: LogSocket { get }
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

    func write(_ record: LogRecord) {
        let text = switch format {
        case .text: record.line
        case .json: record.json(at: LogTime.utc(), process: getpid())
        }
        let message = "<\(facility << 3 | record.level.severity)>\(LogTime.syslog()) imapd[\(getpid())]: \(text)"
        socket.send(Array(message.utf8.prefix(8000)))
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

    func write(_ record: LogRecord) { socket.send(record.journal(facility: facility)) }
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
