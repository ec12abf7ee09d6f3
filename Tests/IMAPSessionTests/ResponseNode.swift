import Testing

/// A piece of a response line: what stands between spaces, parentheses and quotation marks.
indirect enum ResponseNode: Equatable {
    /// Atoms, numbers, flags, sets, `BODY[HEADER.FIELDS (DATE FROM)]<0>`: all that is not a string or a list.
    case atom([UInt8])
    case string([UInt8], StringForm)
    case list([ResponseNode])

    enum StringForm { case quoted, literal, literal8 }

    static func atom(_ text: String) -> ResponseNode { .atom(Array(text.utf8)) }

    var atomText: String? {
        if case .atom(let bytes) = self { String(decoding: bytes, as: UTF8.self) } else { nil }
    }

    /// Bytes of an atom or a string.
    var bytes: [UInt8]? {
        switch self {
        case .atom(let bytes), .string(let bytes, _): bytes
        case .list: nil
        }
    }

    /// As a client would send it.
    var wire: [UInt8] {
        switch self {
        case .atom(let bytes): bytes
        case .string(let bytes, _):
            [0x22] + bytes.flatMap { $0 == 0x22 || $0 == 0x5C ? [0x5C, $0] : [$0] } + [0x22]
        case .list(let nodes):
            [0x28] + Array(nodes.map(\.wire).joined(separator: [0x20])) + [0x29]
        }
    }
}

/// One response of the server (RFC 9051 §7): a line, with the literals in it.
enum Response {
    /// `text` is what follows the response code.
    case status(tag: String, condition: String, code: [ResponseNode]?, text: String)
    /// What follows `* `.
    case data([ResponseNode])
    case continuation(String)
}

struct MalformedResponse: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// Reads the lines that servers send, and those that transcripts expect of them.
struct ResponseReader {
    private let bytes: [UInt8]
    private var at = 0
    /// Whether this is a line of a transcript, where quoted strings may have `\r`, `\n`, `\t`, `\xHH` in them
    /// and `~"…"` is a literal8.
    private let isPattern: Bool
    /// The literals of a transcript's line, in order; it has `{}` in their place.
    private var literals: [[UInt8]]

    init(_ bytes: [UInt8], isPattern: Bool = false, literals: [[UInt8]] = []) {
        self.bytes = bytes
        self.isPattern = isPattern
        self.literals = literals
    }

    private static let conditions: Set<String> = ["OK", "NO", "BAD", "BYE", "PREAUTH"]

    mutating func response() throws -> Response {
        guard let first = bytes.first else { throw MalformedResponse("an empty line") }
        if first == UInt8(ascii: "+") {
            if isPattern { return .continuation("") }
            guard bytes.count >= 2, bytes[1] == 0x20 else { throw MalformedResponse("\"+\" without the space after it") }
            return .continuation(String(decoding: bytes.dropFirst(2), as: UTF8.self))
        }
        let tag = word()
        guard accept(0x20) else { throw MalformedResponse("a tag and nothing else") }
        let start = at
        let condition = word()
        if Self.conditions.contains(condition), at == bytes.count || bytes[at] == 0x20 {
            if !accept(0x20), !isPattern { throw MalformedResponse("\(condition) without text") }
            var code: [ResponseNode]?
            if accept(UInt8(ascii: "[")) {
                code = try nodes(until: UInt8(ascii: "]"))
                if !accept(0x20), !isPattern { throw MalformedResponse("a response code without a space after it") }
            }
            let text = bytes[at...]
            if !isPattern {
                // resp-text: 1*TEXT-CHAR, or UTF-8 in IMAP4rev2.
                guard !text.isEmpty else { throw MalformedResponse("a status without text") }
                guard text.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
                    throw MalformedResponse("a control character in text")
                }
            }
            return .status(tag: tag, condition: condition, code: code, text: String(decoding: text, as: UTF8.self))
        }
        guard tag == "*" else { throw MalformedResponse("a tagged line that is no status") }
        at = start
        let nodes = try nodes(until: nil)
        guard !nodes.isEmpty else { throw MalformedResponse("\"*\" and nothing else") }
        return .data(nodes)
    }

    /// Nodes with single spaces between them, up to `end`, which is consumed, or to the end of the line.
    private mutating func nodes(until end: UInt8?) throws -> [ResponseNode] {
        var nodes: [ResponseNode] = []
        while true {
            if at == bytes.count {
                guard end == nil else { throw MalformedResponse("the line ends within a list") }
                return nodes
            }
            if let end, accept(end) { return nodes }
            if !nodes.isEmpty, !accept(0x20) {
                // The parts of a multipart's BODYSTRUCTURE have no space between them (RFC 9051 §9, body-type-mpart).
                guard case .list = nodes.last!, bytes[at] == UInt8(ascii: "(") else {
                    throw MalformedResponse("no space at byte \(at)")
                }
            }
            nodes.append(try node(in: end))
        }
    }

    private mutating func node(in end: UInt8?) throws -> ResponseNode {
        guard at < bytes.count else { throw MalformedResponse("a space at the end of the line") }
        switch bytes[at] {
        case UInt8(ascii: "("):
            at += 1
            return .list(try nodes(until: UInt8(ascii: ")")))
        case UInt8(ascii: "\""):
            return .string(try quoted(), .quoted)
        case UInt8(ascii: "{"):
            let value = try literal()
            // literal: CHAR8 has no NUL.
            guard !value.contains(0) else { throw MalformedResponse("NUL in a literal that is no literal8") }
            return .string(value, .literal)
        case UInt8(ascii: "~") where at + 1 < bytes.count && bytes[at + 1] == UInt8(ascii: "{"):
            at += 1
            return .string(try literal(), .literal8)
        case UInt8(ascii: "~") where isPattern && at + 1 < bytes.count && bytes[at + 1] == UInt8(ascii: "\""):
            at += 1
            return .string(try quoted(), .literal8)
        default:
            return .atom(try atom(in: end))
        }
    }

    /// Up to a space or a parenthesis, but past any between `[` and `]`.
    private mutating func atom(in end: UInt8?) throws -> [UInt8] {
        let start = at
        var depth = 0
        while at < bytes.count {
            let byte = bytes[at]
            if depth == 0, byte == 0x20 || byte == UInt8(ascii: "(") || byte == UInt8(ascii: ")") || byte == end { break }
            if byte == UInt8(ascii: "[") { depth += 1 }
            if byte == UInt8(ascii: "]") { depth -= 1 }
            if !isPattern, byte < 0x20 || byte == 0x7F || byte == UInt8(ascii: "\"") && depth == 0 {
                throw MalformedResponse("byte \(byte) in an atom at byte \(at)")
            }
            at += 1
        }
        guard at > start else { throw MalformedResponse("nothing where a value must be, at byte \(at)") }
        guard depth <= 0 else { throw MalformedResponse("a bracket that is not closed") }
        return Array(bytes[start..<at])
    }

    private mutating func quoted() throws -> [UInt8] {
        at += 1
        var value: [UInt8] = []
        while at < bytes.count {
            let byte = bytes[at]
            at += 1
            switch byte {
            case UInt8(ascii: "\""): return value
            case UInt8(ascii: "\\"):
                guard at < bytes.count else { break }
                let escaped = bytes[at]
                at += 1
                switch escaped {
                case UInt8(ascii: "\""), UInt8(ascii: "\\"): value.append(escaped)
                case UInt8(ascii: "r") where isPattern: value.append(0x0D)
                case UInt8(ascii: "n") where isPattern: value.append(0x0A)
                case UInt8(ascii: "t") where isPattern: value.append(0x09)
                case UInt8(ascii: "x") where isPattern:
                    guard at + 2 <= bytes.count, let code = UInt8(String(decoding: bytes[at..<at + 2], as: UTF8.self), radix: 16)
                    else { throw MalformedResponse("\\x without two hexadecimal digits") }
                    value.append(code)
                    at += 2
                default: throw MalformedResponse("a backslash before byte \(escaped) in a quoted string")
                }
            // QUOTED-CHAR has no CR, LF, NUL.
            case 0, 0x0D, 0x0A: throw MalformedResponse("byte \(byte) in a quoted string")
            default: value.append(byte)
            }
        }
        throw MalformedResponse("a quoted string without end")
    }

    private mutating func literal() throws -> [UInt8] {
        at += 1
        if isPattern {
            guard accept(UInt8(ascii: "}")), !literals.isEmpty else {
                throw MalformedResponse("a literal is written {}, and its lines follow")
            }
            return literals.removeFirst()
        }
        let digits = bytes[at...].prefix { (0x30...0x39).contains($0) }
        at += digits.count
        guard let size = Int(String(decoding: digits, as: UTF8.self)), accept(UInt8(ascii: "}")), accept(0x0D), accept(0x0A),
              bytes.count - at >= size else { throw MalformedResponse("a bad literal at byte \(at)") }
        let value = Array(bytes[at..<at + size])
        at += size
        return value
    }

    private mutating func word() -> String {
        let start = at
        while at < bytes.count, bytes[at] != 0x20 { at += 1 }
        return String(decoding: bytes[start..<at], as: UTF8.self)
    }

    private mutating func accept(_ byte: UInt8) -> Bool {
        guard at < bytes.count, bytes[at] == byte else { return false }
        at += 1
        return true
    }
}
