/// A point in time with the zone it was told in (RFC 9051 §2.3.3, `date-time`).
public struct InternalDate: Hashable, Sendable {
    /// Seconds since 1970-01-01 00:00:00 UTC.
    public var seconds: Int64
    /// Minutes east of UTC, -5999 to 5999: what `zone` can say.
    public var zone: Int16

    public init(seconds: Int64, zone: Int16 = 0) {
        self.seconds = seconds
        self.zone = zone
    }
}

/// A day of the proleptic Gregorian calendar, as SEARCH compares it.
public struct CalendarDay: Hashable, Comparable, Sendable {
    /// Days since 1970-01-01; within some 10^16 of it, as every day that a date or a second can name is.
    public var daysSinceEpoch: Int64

    /// The day that `seconds` since the epoch fall on, in UTC.
    public init(ofSecond seconds: Int64) {
        daysSinceEpoch = seconds / 86_400 - (seconds % 86_400 < 0 ? 1 : 0)
    }

    /// `nil` unless there is such a day. `year` 0 to 9999, `month` 1 to 12, `day` from 1.
    public init?(year: Int, month: Int, day: Int) {
        guard (0...9999).contains(year), (1...12).contains(month), day >= 1,
              day <= Self.days(inMonth: month, of: year) else { return nil }
        // Howard Hinnant's days_from_civil: years begin in March, so that the leap day is last.
        let y = month <= 2 ? year - 1 : year
        let era = (y >= 0 ? y : y - 399) / 400
        let yearOfEra = y - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        daysSinceEpoch = Int64(era * 146_097 + dayOfEra - 719_468)
    }

    /// Year, month (1 to 12) and day (from 1).
    public var civil: (year: Int, month: Int, day: Int) {
        let z = Int(daysSinceEpoch) + 719_468
        let era = (z >= 0 ? z : z - 146_096) / 146_097
        let dayOfEra = z - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let mp = (5 * dayOfYear + 2) / 153
        let month = mp < 10 ? mp + 3 : mp - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * mp + 2) / 5 + 1)
    }

    static func days(inMonth month: Int, of year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    public static func < (a: CalendarDay, b: CalendarDay) -> Bool { a.daysSinceEpoch < b.daysSinceEpoch }
}
