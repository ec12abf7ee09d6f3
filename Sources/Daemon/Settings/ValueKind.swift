import IMAPTypes

/// How the values of a setting are written: what the manual calls them, how they are read and how they are shown.
///
/// What `show` makes of a default, `read` makes that default of.
struct ValueKind<Value: Sendable>: Sendable {
    /// `nil` for a switch, which takes "yes" and "no", and on the command line stands alone.
    let valueName: String?
    let read: @Sendable (String) throws(Setting.BadValue) -> Value
    let show: @Sendable (Value) -> String

    init(
        _ valueName: String?, show: @escaping @Sendable (Value) -> String = { "\($0)" },
        read: @escaping @Sendable (String) throws(Setting.BadValue) -> Value
    ) {
        self.valueName = valueName
        self.read = read
        self.show = show
    }
}

extension ValueKind where Value == Bool {
    static var yesOrNo: Self {
        Self(nil, show: { $0 ? "yes" : "no" }) { (text) throws(Setting.BadValue) in
            switch text.lowercased() {
            case "yes": true
            case "no": false
            default: throw Setting.BadValue(reason: "\"\(text)\" is neither yes nor no")
            }
        }
    }
}

extension ValueKind where Value == String {
    /// Any text but none.
    static func text(_ valueName: String) -> Self {
        Self(valueName) { (text) throws(Setting.BadValue) in
            guard !text.isEmpty else { throw Setting.BadValue(reason: "a value is missing") }
            guard !text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else {
                throw Setting.BadValue(reason: "a control character cannot be part of it")
            }
            return text
        }
    }

    /// Nothing, or the name of a mailbox with a separator at its end.
    static var namespacePrefix: Self {
        Self("PREFIX") { (text) throws(Setting.BadValue) in
            guard text.isEmpty || MailboxName(text) != nil && (text.last == "." || text.last == "/") else {
                throw Setting.BadValue(reason: "\"\(text)\" does not end in the separator, as INBOX. does")
            }
            return text
        }
    }

    /// A name or an address; an IPv6 address may be in brackets, as in URLs.
    static var host: Self {
        Self("HOST") { (text) throws(Setting.BadValue) in
            let isBracketed = text.first == "[" && text.last == "]"
            let host = isBracketed ? String(text.dropFirst().dropLast()) : text
            guard !host.isEmpty else { throw Setting.BadValue(reason: "a host is missing") }
            return host
        }
    }
}

extension ValueKind where Value: FixedWidthInteger {
    static func number(_ valueName: String, _ range: ClosedRange<Value>) -> Self {
        Self(valueName) { (text) throws(Setting.BadValue) in
            guard let number = Value(text), range.contains(number) else {
                throw Setting.BadValue(reason: "\"\(text)\" is not a number from \(range.lowerBound) to \(range.upperBound)")
            }
            return number
        }
    }

    /// A number of bytes, or of K, M, G: 1024 times the one before.
    static func bytes(_ range: ClosedRange<Value>) -> Self {
        let units: [(letter: Character, size: Value)] = [("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10)]
        return Self("SIZE", show: { shown($0, units) }) { (text) throws(Setting.BadValue) in
            guard let number = scaled(text.uppercased(), units, or: 1), range.contains(number) else {
                throw Setting.BadValue(
                    reason: "\"\(text)\" is not a size in bytes, K, M or G from \(shown(range.lowerBound, units)) "
                        + "to \(shown(range.upperBound, units))")
            }
            return number
        }
    }
}

extension ValueKind where Value == Duration {
    /// A number of seconds, or of s, m, h, d.
    static func time(_ range: ClosedRange<Int>) -> Self {
        let units: [(letter: Character, size: Int)] = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)]
        return Self("TIME", show: { shown(Int($0.components.seconds), units) }) { (text) throws(Setting.BadValue) in
            guard let seconds = scaled(text, units, or: 1), range.contains(seconds) else {
                throw Setting.BadValue(
                    reason: "\"\(text)\" is not a time in seconds, or with s, m, h or d, from \(shown(range.lowerBound, units)) "
                        + "to \(shown(range.upperBound, units))")
            }
            return .seconds(seconds)
        }
    }
}

extension ValueKind where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
    static func oneOf(_ valueName: String) -> Self {
        Self(valueName, show: { $0.rawValue.lowercased() }) { (text) throws(Setting.BadValue) in
            guard let choice = Value.allCases.first(where: { $0.rawValue.lowercased() == text.lowercased() }) else {
                let choices = Value.allCases.map { $0.rawValue.lowercased() }.joined(separator: ", ")
                throw Setting.BadValue(reason: "\"\(text)\" is none of \(choices)")
            }
            return choice
        }
    }
}

extension ValueKind where Value == ListenAddress {
    static var address: Self {
        Self("ADDRESS") { (text) throws(Setting.BadValue) in
            guard let address = ListenAddress(text) else {
                throw Setting.BadValue(reason: "\"\(text)\" is neither HOST, HOST:PORT, [ADDRESS]:PORT nor a port")
            }
            return address
        }
    }
}

extension ValueKind where Value == Settings.User {
    static var user: Self {
        Self("NAME:PASSWORD", show: \.name) { (text) throws(Setting.BadValue) in
            guard let colon = text.firstIndex(of: ":"), colon > text.startIndex, text.index(after: colon) < text.endIndex else {
                throw Setting.BadValue(reason: "NAME:PASSWORD is expected")
            }
            return Settings.User(name: String(text[..<colon]), password: String(text[text.index(after: colon)...]))
        }
    }
}

/// The number before the unit's letter, times the unit; `nil` if that is no number, or too large.
private func scaled<Number: FixedWidthInteger>(
    _ text: String, _ units: [(letter: Character, size: Number)], or one: Number
) -> Number? {
    let unit = units.first { $0.letter == text.last }
    guard let number = Number(unit == nil ? text[...] : text.dropLast()) else { return nil }
    let (product, overflows) = number.multipliedReportingOverflow(by: unit?.size ?? one)
    return overflows ? nil : product
}

/// With the largest unit that fits.
private func shown<Number: FixedWidthInteger>(_ number: Number, _ units: [(letter: Character, size: Number)]) -> String {
    guard number != 0, let unit = units.first(where: { number % $0.size == 0 }) else { return "\(number)" }
    return "\(number / unit.size)\(unit.letter)"
}
