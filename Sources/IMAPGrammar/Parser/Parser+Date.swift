import IMAPTypes

extension Parser {
    private static let months: [Word: Int] = {
        let names = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
        return Dictionary(uniqueKeysWithValues: zip(names.map { Word($0) }, 1...12))
    }()

    /// date            = date-text / DQUOTE date-text DQUOTE
    mutating func date() throws(SyntaxError) -> CalendarDay {
        guard accept("\"") else { return try dateText() }
        let day = try dateText()
        try expect("\"", "DQUOTE")
        return day
    }

    /// date-text       = date-day "-" date-month "-" date-year
    ///
    /// date-day        = 1*2DIGIT
    ///
    /// A space for the first digit, as `date-day-fixed` has it, is taken here too.
    mutating func dateText() throws(SyntaxError) -> CalendarDay {
        let start = at
        _ = accept(" ")
        var day = try digits(1)
        if let second = next, second.isDigit { day = day * 10 + (try digits(1)) }
        try expect("-")
        let month = try dateMonth()
        try expect("-")
        let year = try digits(4)
        guard let date = CalendarDay(year: year, month: month, day: day) else {
            at = start
            throw failure("date")
        }
        return date
    }

    /// date-month      = "Jan" / "Feb" / "Mar" / "Apr" / "May" / "Jun" /
    ///                   "Jul" / "Aug" / "Sep" / "Oct" / "Nov" / "Dec"
    mutating func dateMonth() throws(SyntaxError) -> Int {
        let start = at
        let name = Word(take { (0x41...0x5A).contains($0.uppercased) })
        guard let name, let month = Self.months[name] else {
            at = start
            throw failure("date-month")
        }
        return month
    }

    /// Reads what stands between the quotes of a date-time, for clients; `nil` if it is none.
    public static func internalDate(_ text: [UInt8]) -> InternalDate? {
        var parser = Parser([UInt8(ascii: "\"")] + text + [UInt8(ascii: "\"")], mode: [])
        guard let date = try? parser.dateTime(), parser.next == nil else { return nil }
        return date
    }

    /// date-time       = DQUOTE date-day-fixed "-" date-month "-" date-year
    ///                   SP time SP zone DQUOTE
    ///
    /// date-day-fixed  = (SP DIGIT) / 2DIGIT
    ///
    /// A day of one digit without the space is taken too.
    mutating func dateTime() throws(SyntaxError) -> InternalDate {
        try expect("\"", "date-time")
        let day = try dateText()
        try sp()
        let time = try time()
        try sp()
        let zone = try zone()
        try expect("\"", "DQUOTE")
        return InternalDate(seconds: day.daysSinceEpoch * 86_400 + Int64(time) - Int64(zone) * 60, zone: Int16(zone))
    }

    /// time            = 2DIGIT ":" 2DIGIT ":" 2DIGIT
    ///                     ; Hours minutes seconds
    ///
    /// Seconds of the day. A leap second is the first of the next minute.
    mutating func time() throws(SyntaxError) -> Int {
        let start = at
        let hours = try digits(2)
        try expect(":")
        let minutes = try digits(2)
        try expect(":")
        let seconds = try digits(2)
        guard hours <= 23, minutes <= 59, seconds <= 60 else {
            at = start
            throw failure("time")
        }
        return hours * 3600 + minutes * 60 + seconds
    }

    /// zone            = ("+" / "-") 4DIGIT
    ///                     ; Signed four-digit value of hhmm representing
    ///                     ; hours and minutes east of Greenwich
    ///
    /// In minutes.
    mutating func zone() throws(SyntaxError) -> Int {
        let start = at
        let isWest = accept("-")
        if !isWest { try expect("+", "zone") }
        let hours = try digits(2), minutes = try digits(2)
        guard minutes <= 59 else {
            at = start
            throw failure("zone")
        }
        return (hours * 60 + minutes) * (isWest ? -1 : 1)
    }
}
