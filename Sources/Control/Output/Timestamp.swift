import IMAPTypes

/// A point in time as RFC 3339 writes it, in UTC.
enum Timestamp {
    static func text(_ seconds: Int64) -> String {
        let day = CalendarDay(ofSecond: seconds), (year, month, date) = day.civil
        let rest = Int(seconds - day.daysSinceEpoch * 86_400)
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(date, 2))T"
            + "\(padded(rest / 3600, 2)):\(padded(rest / 60 % 60, 2)):\(padded(rest % 60, 2))Z"
    }

    private static func padded(_ number: Int, _ digits: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}
