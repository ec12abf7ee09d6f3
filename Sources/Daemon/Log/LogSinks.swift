import Glibc
import Logging
import Synchronization

/// Lines with time, level and process on the standard error stream, each in one write.
///
/// The journal, if that is what reads them, knows time and process, and takes the level from the line (sd-daemon(3)).
struct StandardErrorSink: LogSink {
    private let isJournal = journalReads

    /// Found out once, while there is an environment.
    private static let journalReads: Bool = {
        var status = stat()
        guard let stream = getenv("JOURNAL_STREAM"), fstat(2, &status) == 0 else { return false }
        return String(cString: stream) == "\(status.st_dev):\(status.st_ino)"
    }()

    func write(_ level: Logger.Level, _ line: String) {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let text = isJournal
            ? "<\(level.severity)>\(line)\n" : "\(LogTime.utc(now)) imapd[\(getpid())] \(level.rawValue): \(line)\n"
        var bytes = Array(text.utf8)
        _ = bytes.withUnsafeMutableBytes { Glibc.write(2, $0.baseAddress, $0.count) }
    }
}

/// Datagrams to the machine's syslog daemon, through a socket that is opened once and inherited.
final class SyslogSink: LogSink {
    private let socket: Mutex<Int32>
    private let path: String
    private let facility: Int

    /// `nil` if nobody listens there.
    init?(path: String = "/dev/log", facility: Settings.LogFacility = .mail) {
        self.path = path
        self.facility = facility.number
        let descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        guard Self.connect(descriptor, to: path) else {
            close(descriptor)
            return nil
        }
        socket = Mutex(descriptor)
    }

    deinit { close(descriptor) }

    /// The socket, which those who close all others keep.
    var descriptor: Int32 { socket.withLock { $0 } }

    func write(_ level: Logger.Level, _ line: String) {
        let text = "<\(facility << 3 | level.severity)>\(LogTime.syslog()) imapd[\(getpid())]: \(line)"
        let bytes = Array(text.utf8.prefix(8000))
        socket.withLock { descriptor in
            if send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) < 0, errno != EAGAIN {
                // The syslog daemon was restarted. A session can make no other socket, and need not.
                guard Self.connect(descriptor, to: path) else { return }
                _ = send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
            }
        }
    }

    private static func connect(_ descriptor: Int32, to path: String) -> Bool {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let fits = withUnsafeMutableBytes(of: &address.sun_path) { room in
            guard path.utf8.count < room.count else { return false }
            room.copyBytes(from: path.utf8)
            return true
        }
        guard fits else { return false }
        return withUnsafeBytes(of: &address) {
            Glibc.connect(descriptor, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
        } == 0
    }
}

extension Logger.Level {
    /// RFC 3164 §4.1.1.
    fileprivate var severity: Int {
        switch self {
        case .critical: 2
        case .error: 3
        case .warning: 4
        case .notice: 5
        case .info: 6
        case .debug, .trace: 7
        }
    }
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

enum LogTime {
    /// RFC 3339, in UTC, with milliseconds.
    static func utc(_ time: timespec) -> String {
        var parts = tm()
        var seconds = time.tv_sec
        gmtime_r(&seconds, &parts)
        let milliseconds = String(time.tv_nsec / 1_000_000 + 1000).dropFirst()
        return "\(formatted(&parts, "%Y-%m-%dT%H:%M:%S")).\(milliseconds)Z"
    }

    /// RFC 3164 §4.1.2, in local time.
    static func syslog() -> String {
        var parts = tm()
        var now = time(nil)
        localtime_r(&now, &parts)
        return formatted(&parts, "%b %e %H:%M:%S")
    }

    private static func formatted(_ parts: inout tm, _ format: String) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
            strftime(buffer.baseAddress!, buffer.count, format, &parts) > 0 ? String(cString: buffer.baseAddress!) : ""
        }
    }
}
