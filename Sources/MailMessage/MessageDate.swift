/// date-time (RFC 5322 §3.3, §4.3), and what is sent in its place.
public struct MessageDate: Hashable, Sendable {
    /// Seconds since 1970-01-01 00:00:00 UTC.
    public var seconds: Int64
    /// Minutes east of UTC.
    public var zone: Int

    /// The day that the sender's calendar showed, in days since 1970-01-01 (RFC 9051 §6.4.4, SENTON).
    public var localDay: Int64 {
        let local = seconds + Int64(zone) * 60
        return local >= 0 ? local / 86_400 : (local - 86_399) / 86_400
    }

    /// `nil` if there is no day, month and year. A missing time is midnight, a missing zone UTC.
    public init?(_ value: ArraySlice<UInt8>) {
        var day: Int?, month: Int?, year: Int?
        var time: (Int, Int, Int)?
        var zone: Int?

        value.withUnsafeBufferPointer { value in
            var lexer = HeaderLexer(value)
            var tokens = 0
            while tokens < 32 {
                lexer.skipCFWS()
                let token = lexer.take { $0.isSpace || $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: "(") }
                guard !token.isEmpty else {
                    if lexer.isAtEnd { break }
                    lexer.advance()
                    continue
                }
                tokens += 1
                if let found = Self.time(token) {
                    if time == nil { time = found }
                } else if token[0] == UInt8(ascii: "+") || token[0] == UInt8(ascii: "-") {
                    if time != nil, zone == nil { zone = Self.numericZone(token) }
                } else if let number = Self.number(token) {
                    // asctime(3) has the year after the time, everybody else before.
                    if day == nil, token.count <= 2 {
                        day = number
                    } else if year == nil {
                        year = Self.year(number, digits: token.count)
                    }
                } else if let found = Self.month(token), month == nil {
                    month = found
                } else if token.contains(UInt8(ascii: "-")), day == nil {
                    // "1-Jan-2020" of RFC 822's time.
                    let fields = Self.fields(token) { $0 == UInt8(ascii: "-") }
                    if fields.count == 3, let first = Self.number(fields[0]), let middle = Self.month(fields[1]),
                       let last = Self.number(fields[2]) {
                        day = first
                        month = middle
                        year = Self.year(last, digits: fields[2].count)
                    }
                } else if time != nil, zone == nil {
                    zone = Self.namedZone(token)
                }
            }
        }

        guard let day, let month, let year, let midnight = Self.days(year, month, day) else { return nil }
        let (hour, minute, second) = time ?? (0, 0, 0)
        self.zone = zone ?? 0
        seconds = midnight * 86_400 + Int64(hour * 3600 + minute * 60 + second) - Int64(self.zone) * 60
    }

    private static func fields(
        _ token: UnsafeBufferPointer<UInt8>, separatedBy isSeparator: (UInt8) -> Bool
    ) -> [UnsafeBufferPointer<UInt8>] {
        token.split(maxSplits: 4, whereSeparator: isSeparator).map { UnsafeBufferPointer(rebasing: $0) }
    }

    private static func number(_ token: UnsafeBufferPointer<UInt8>) -> Int? {
        guard (1...5).contains(token.count) else { return nil }
        var value = 0
        for byte in token {
            guard byte &- 0x30 < 10 else { return nil }
            value = value * 10 + Int(byte - 0x30)
        }
        return value
    }

    /// hour ":" minute [":" second]
    private static func time(_ token: UnsafeBufferPointer<UInt8>) -> (Int, Int, Int)? {
        /// The next field of the token from `start` on; empty at its end.
        func field(_ start: inout Int) -> UnsafeBufferPointer<UInt8> {
            func isSeparator(_ byte: UInt8) -> Bool { byte == UInt8(ascii: ":") || byte == UInt8(ascii: ".") }
            while start < token.count, isSeparator(token[start]) { start += 1 }
            let first = start
            while start < token.count, !isSeparator(token[start]) { start += 1 }
            return UnsafeBufferPointer(rebasing: token[first..<start])
        }
        var at = 0
        guard let hour = number(field(&at)), at < token.count, let minute = number(field(&at)), hour < 24, minute < 60 else {
            return nil
        }
        return (hour, minute, min(number(field(&at)) ?? 0, 60))
    }

    /// Two and three digits: RFC 5322 §4.3.
    private static func year(_ number: Int, digits: Int) -> Int {
        switch digits {
        case ...2: number < 50 ? 2000 + number : 1900 + number
        case 3: 1900 + number
        default: number
        }
    }

    private static func month(_ token: UnsafeBufferPointer<UInt8>) -> Int? {
        guard token.count >= 3 else { return nil }
        return switch (token[0].asciiLowercased, token[1].asciiLowercased, token[2].asciiLowercased) {
        case (0x6A, 0x61, 0x6E): 1
        case (0x66, 0x65, 0x62): 2
        case (0x6D, 0x61, 0x72): 3
        case (0x61, 0x70, 0x72): 4
        case (0x6D, 0x61, 0x79): 5
        case (0x6A, 0x75, 0x6E): 6
        case (0x6A, 0x75, 0x6C): 7
        case (0x61, 0x75, 0x67): 8
        case (0x73, 0x65, 0x70): 9
        case (0x6F, 0x63, 0x74): 10
        case (0x6E, 0x6F, 0x76): 11
        case (0x64, 0x65, 0x63): 12
        default: nil
        }
    }

    private static func numericZone(_ token: UnsafeBufferPointer<UInt8>) -> Int? {
        let digits = UnsafeBufferPointer(rebasing: token.dropFirst())
        guard digits.count == 4, let number = number(digits), number % 100 < 60 else { return nil }
        let minutes = number / 100 * 60 + number % 100
        return token[0] == UInt8(ascii: "-") ? -minutes : minutes
    }

    /// obs-zone (RFC 5322 §4.3). Military letters mean nothing, as that section says.
    private static func namedZone(_ token: UnsafeBufferPointer<UInt8>) -> Int? {
        for (name, hours) in zones where token.isCaseInsensitively(name) { return hours * 60 }
        return nil
    }

    private static let zones: [(StaticString, Int)] = [
        ("ut", 0), ("gmt", 0), ("utc", 0), ("z", 0), ("est", -5), ("edt", -4), ("cst", -6), ("cdt", -5),
        ("mst", -7), ("mdt", -6), ("pst", -8), ("pdt", -7), ("cet", 1), ("cest", 2), ("met", 1), ("mest", 2),
        ("bst", 1), ("jst", 9),
    ]

    /// Days since the epoch; `nil` unless there is such a day.
    private static func days(_ year: Int, _ month: Int, _ day: Int) -> Int64? {
        guard (1...9999).contains(year), (1...12).contains(month), day >= 1 else { return nil }
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let longest = switch month {
        case 2: isLeap ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
        guard day <= longest else { return nil }
        // Howard Hinnant's days_from_civil: years begin in March, so that the leap day is last.
        let y = month <= 2 ? year - 1 : year
        let era = y / 400
        let yearOfEra = y - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return Int64(era * 146_097 + dayOfEra - 719_468)
    }
}
