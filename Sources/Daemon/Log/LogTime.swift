import Glibc
import IMAPTypes

enum LogTime {
    /// RFC 3339, in UTC, with milliseconds; for the years that it knows. Without the C library, which has a lock for time zones,
    /// so that each process would write to a page for that.
    static func utc(_ time: timespec) -> String {
        let calendarDay = CalendarDay(ofSecond: Int64(time.tv_sec))
        let (year, month, day) = calendarDay.civil
        let second = time.tv_sec - Int(calendarDay.daysSinceEpoch) * 86_400
        return String(unsafeUninitializedCapacity: 24) { text in
            var length = 0
            func write(_ number: Int, _ width: Int, _ end: Unicode.Scalar) {
                var number = number
                for place in (length..<length + width).reversed() {
                    text[place] = UInt8(ascii: "0") + UInt8(number % 10)
                    number /= 10
                }
                text[length + width] = UInt8(ascii: end)
                length += width + 1
            }
            write(min(max(year, 0), 9999), 4, "-")
            write(month, 2, "-")
            write(day, 2, "T")
            write(second / 3600, 2, ":")
            write(second / 60 % 60, 2, ":")
            write(second % 60, 2, ".")
            write(time.tv_nsec / 1_000_000, 3, "Z")
            return length
        }
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
