import Glibc
import Logging
import Synchronization

/// Lines with time, level and process on the standard error stream, each in one write.
struct StandardErrorSink: LogSink {
    func write(_ level: Logger.Level, _ line: String) {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let text = "\(LogTime.utc(now)) imapd[\(getpid())] \(level.rawValue): \(line)\n"
        var bytes = Array(text.utf8)
        _ = bytes.withUnsafeMutableBytes { Glibc.write(2, $0.baseAddress, $0.count) }
    }
}

/// Datagrams to the machine's syslog daemon, through a socket that is opened once and inherited.
final class SyslogSink: LogSink {
    private let socket: Mutex<Int32>
    private let path: String

    /// `nil` if nobody listens there.
    init?(path: String = "/dev/log") {
        self.path = path
        let descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        guard Self.connect(descriptor, to: path) else {
            close(descriptor)
            return nil
        }
        socket = Mutex(descriptor)
    }

    /// The socket, which those who close all others keep.
    var descriptor: Int32 { socket.withLock { $0 } }

    func write(_ level: Logger.Level, _ line: String) {
        // Facility 2 is mail.
        let text = "<\(2 << 3 | Self.severity(level))>\(LogTime.syslog()) imapd[\(getpid())]: \(line)"
        let bytes = Array(text.utf8.prefix(8000))
        socket.withLock { descriptor in
            if send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) < 0, errno != EAGAIN {
                // The syslog daemon was restarted. A session can make no other socket, and need not.
                guard Self.connect(descriptor, to: path) else { return }
                _ = send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
            }
        }
    }

    private static func severity(_ level: Logger.Level) -> Int {
        switch level {
        case .critical: 2
        case .error: 3
        case .warning: 4
        case .notice: 5
        case .info: 6
        case .debug, .trace: 7
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
