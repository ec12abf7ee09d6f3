import Logging

/// One event for the log: what happened, and what belongs to it.
struct LogRecord {
    struct Field: Equatable {
        var name: String
        var value: String
    }

    let level: Logger.Level
    /// In words that programs look for: imapd(8) lists them.
    let event: String
    /// Sorted by name, but where it came from first, so that programs find it, and last the user, which is whatever somebody
    /// has typed.
    let fields: [Field]

    init(_ level: Logger.Level, _ event: String, _ metadata: Logger.Metadata) {
        self.level = level
        self.event = event
        fields = metadata.map { Field(name: $0.key, value: Self.shortened("\($0.value)")) }
            .sorted { (Self.place($0.name), $0.name) < (Self.place($1.name), $1.name) }
    }

    private static func place(_ name: String) -> Int { name == "peer" ? 0 : name == "user" ? 2 : 1 }

    /// Bytes of a value. All of a record must fit into a datagram.
    private static let longest = 2000

    private static func shortened(_ value: String) -> String {
        value.utf8.count <= longest ? value : String(decoding: value.utf8.prefix(longest), as: UTF8.self) + "…"
    }

    // MARK: - Text

    /// One line: the event, then name=value.
    ///
    /// Values come from strangers: whatever could end the line, or pass for another pair, is escaped.
    var line: String {
        var line = Self.escaped(event, quoting: false)
        for field in fields { line += " \(field.name)=\(Self.escaped(field.value, quoting: true))" }
        return line
    }

    private static func escaped(_ text: String, quoting: Bool) -> String {
        var result = ""
        var isPlain = !text.isEmpty
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\":
                result += "\\"
                result.unicodeScalars.append(scalar)
                isPlain = false
            case " ", "=":
                result.unicodeScalars.append(scalar)
                isPlain = false
            case _ where scalar.isHidden:
                result += "\\u{\(String(scalar.value, radix: 16))}"
                isPlain = false
            default: result.unicodeScalars.append(scalar)
            }
        }
        return isPlain || !quoting ? result : "\"\(result)\""
    }

    // MARK: - JSON

    /// Fields whose values are numbers.
    private static let numbers: Set<String> = [
        "appended", "bodies", "bytes", "commands", "copied", "count", "expunged", "fetched", "killed", "kind", "length",
        "messages", "moved", "number", "process", "received", "seconds", "sent", "status",
    ]

    /// An object (RFC 8259) in one line.
    ///
    /// - Parameters:
    ///   - time: as RFC 3339 writes it.
    ///   - process: of whoever tells the event.
    func json(at time: String, process: Int32) -> String {
        var object = "{\"time\":\"\(time)\",\"level\":\"\(level.rawValue)\",\"pid\":\(process)"
            + ",\"event\":\(JSONText.quoted(event))"
        for field in fields {
            let number = Self.numbers.contains(field.name) ? Int(field.value) : nil
            object += ",\(JSONText.quoted(field.name)):" + (number.map { "\($0)" } ?? JSONText.quoted(field.value))
        }
        return object + "}"
    }

    // MARK: - The journal

    /// Names that mean something to the journal already (systemd.journal-fields(7)).
    private static let taken: Set<String> = [
        "MESSAGE", "MESSAGE_ID", "PRIORITY", "EVENT", "CODE_FILE", "CODE_LINE", "CODE_FUNC", "ERRNO", "DOCUMENTATION", "TID",
        "UNIT", "USER_UNIT", "INVOCATION_ID", "USER_INVOCATION_ID",
    ]

    /// A message of the journal's native protocol: a field in each line, or, if its value has several, name, length and value.
    func journal(facility: Int) -> [UInt8] {
        var message: [UInt8] = []
        func add(_ name: String, _ value: String) {
            let value = Array(value.utf8)
            message += name.utf8
            if value.contains(0x0A) {
                message.append(0x0A)
                withUnsafeBytes(of: UInt64(value.count).littleEndian) { message += $0 }
            } else {
                message.append(UInt8(ascii: "="))
            }
            message += value
            message.append(0x0A)
        }
        add("MESSAGE", line)
        add("PRIORITY", "\(level.severity)")
        add("SYSLOG_FACILITY", "\(facility)")
        add("SYSLOG_IDENTIFIER", "imapd")
        add("EVENT", event)
        for field in fields { add(Self.journalName(field.name), field.value) }
        return message
    }

    /// Upper-case letters, digits and "_", the first a letter.
    private static func journalName(_ name: String) -> String {
        let letters = name.unicodeScalars.prefix(50).map { scalar -> Character in
            scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar)) ? Character(scalar) : "_"
        }
        let upper = String(letters).uppercased()
        let isFree = !taken.contains(upper) && !upper.hasPrefix("SYSLOG_") && upper.first?.isLetter == true
        return isFree ? upper : "IMAPD_" + upper
    }
}

extension Logger.Level {
    /// RFC 3164 §4.1.1.
    var severity: Int {
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
