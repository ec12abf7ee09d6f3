import Glibc

enum LogTime {
    /// RFC 3339, in UTC, with milliseconds.
    static func utc(_ time: timespec) -> String {
        var parts = tm()
        var seconds = time.tv_sec
        gmtime_r(&seconds, &parts)
        let milliseconds = String(time.tv_nsec / 1_000_000 + 1000).dropFirst()
        return "\(formatted(&parts, "%Y-%m-%dT%H:%M:%S")).\(milliseconds)Z"
    }

    /// The same, now.
    static func utc() -> String {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return utc(now)
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
