import Foundation

struct TranscriptSyntaxError: Error, CustomStringConvertible {
    let line: Int
    let message: String
    var description: String { "line \(line): \(message)" }
}

/// Reads the notation of Tests/Transcripts/README.md.
struct TranscriptParser {
    private let lines: [String]
    private var at = 0
    private var steps: [Transcript.Step] = []
    private var onlyStore: StoreKind?
    private var separator: Character?
    private var prefix = ""

    private init(_ text: String) {
        lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    static func read(path: String) throws -> Transcript {
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let name = path.replacingOccurrences(of: Transcript.directory.path + "/", with: "")
            .replacingOccurrences(of: ".txt", with: "")
        return try parse(text, name: name, path: path)
    }

    static func parse(_ text: String, name: String, path: String) throws -> Transcript {
        var parser = TranscriptParser(text)
        while parser.at < parser.lines.count { try parser.line() }
        return Transcript(name: name, path: path, onlyStore: parser.onlyStore, separator: parser.separator, prefix: parser.prefix,
                          steps: parser.steps)
    }

    private func failure(_ message: String) -> TranscriptSyntaxError { TranscriptSyntaxError(line: at + 1, message: message) }

    private mutating func line() throws {
        let line = lines[at]
        if line.isEmpty || line.hasPrefix("#") {
            at += 1
        } else if let (connection, mark) = said(line, by: "C") {
            try client(connection, mark)
        } else if let (connection, mark) = said(line, by: "S") {
            try server(connection, mark)
        } else {
            try directive(line)
        }
    }

    /// `C1: …`, `S2! …`: the connection, which is 1 where none is named, and the mark.
    private func said(_ line: String, by who: Character) -> (connection: Int, mark: Character)? {
        guard line.first == who else { return nil }
        let digits = line.dropFirst().prefix { $0.isASCII && $0.isNumber }
        let rest = line.dropFirst(1 + digits.count)
        guard let mark = rest.first, ":>|!&?".contains(mark) || mark == " " && rest == " closes" else { return nil }
        return (Int(digits) ?? 1, mark)
    }

    /// What follows the mark and one space.
    private func text(_ line: String) -> String {
        let rest = line.drop { $0 != ":" && $0 != ">" && $0 != "|" && $0 != "!" && $0 != "&" && $0 != "?" }.dropFirst()
        return String(rest.first == " " ? rest.dropFirst() : rest)
    }

    private mutating func add(_ action: Transcript.Action, at line: Int? = nil) {
        steps.append(Transcript.Step(line: (line ?? at) + 1, action: action))
    }
}

// MARK: - What is said

extension TranscriptParser {
    /// Lines of one client that follow each other go out in one piece.
    private mutating func client(_ connection: Int, _ mark: Character) throws {
        let first = at
        switch mark {
        case " ":
            add(.clientCloses(connection: connection))
            at += 1
        case ">":
            add(.send(connection: connection, try Self.unescape(text(lines[at]), failure), paced: true))
            at += 1
        case ":", "|":
            var bytes: [UInt8] = []
            while at < lines.count, let (other, mark) = said(lines[at], by: "C"), other == connection,
                  mark == ":" || mark == "|" {
                var line = text(lines[at])
                if mark == ":", line.hasSuffix("{}") || line.hasSuffix("{+}") {
                    line = line.replacingSuffix("{}", "{\(literalSize(after: at))}")
                    line = line.replacingSuffix("{+}", "{\(literalSize(after: at))+}")
                }
                bytes += Array(line.utf8) + [0x0D, 0x0A]
                at += 1
            }
            add(.send(connection: connection, bytes, paced: false), at: first)
        default:
            throw failure("a client's line begins C1: or C1| or C1>")
        }
    }

    /// The bytes of the first block of `C1|` lines after this line.
    private func literalSize(after line: Int) -> Int {
        var size = 0, found = false
        for line in lines[(line + 1)...] {
            guard let (_, mark) = said(line, by: "C") else { if found { break } else { continue } }
            guard mark == "|" else { break }
            found = true
            size += text(line).utf8.count + 2
        }
        return size
    }

    private mutating func server(_ connection: Int, _ mark: Character) throws {
        let first = at
        if mark == " " {
            add(.serverCloses(connection: connection))
            at += 1
            return
        }
        var line = Transcript.Line(text: Array(text(lines[at]).utf8))
        at += 1
        while line.text.suffix(2) == Array("{}".utf8) {
            var literal: [UInt8] = []
            while at < lines.count, let (other, mark) = said(lines[at], by: "S"), other == connection,
                  mark == "|" || mark == ">" {
                literal += mark == "|" ? Array(text(lines[at]).utf8) + [0x0D, 0x0A] : try Self.unescape(text(lines[at]), failure)
                at += 1
            }
            guard at < lines.count, let (other, mark) = said(lines[at], by: "S"), other == connection, mark == ":"
            else { throw failure("a line after a literal goes on with S1:") }
            line.literals.append(literal)
            line.text += Array(text(lines[at]).utf8)
            at += 1
        }
        do { _ = try ResponsePattern(line.text, literals: line.literals) } catch {
            if line.text != Array("...".utf8) { throw TranscriptSyntaxError(line: first + 1, message: "\(error)") }
        }
        let expectation: Transcript.Expectation
        switch mark {
        case ":": expectation = line.text == Array("...".utf8) ? .whatever : .said(line)
        case "&": expectation = .anyOrder(line)
        case "?": expectation = .optional(line)
        case "!": expectation = .forbidden(line)
        default: throw failure("a server's line begins S1: or S1& or S1? or S1!")
        }
        add(.expect(connection: connection, expectation), at: first)
    }

    /// `\r`, `\n`, `\t`, `\\`, `\xHH`, `\(9 text)` for the text nine times; all else is itself.
    static func unescape(_ text: String, _ failure: (String) -> TranscriptSyntaxError) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\") else {
                bytes.append(byte)
                continue
            }
            switch rest.popFirst() {
            case UInt8(ascii: "r"): bytes.append(0x0D)
            case UInt8(ascii: "n"): bytes.append(0x0A)
            case UInt8(ascii: "t"): bytes.append(0x09)
            case UInt8(ascii: "\\"): bytes.append(0x5C)
            case UInt8(ascii: "("):
                guard let end = rest.firstIndex(of: UInt8(ascii: ")")), let space = rest[..<end].firstIndex(of: 0x20),
                      let count = Int(String(decoding: rest[..<space], as: UTF8.self)) else {
                    throw failure("\\(count text) is written so")
                }
                let text = try unescape(String(decoding: rest[(space + 1)..<end], as: UTF8.self), failure)
                bytes += repeatElement(text, count: count).joined()
                rest = rest[(end + 1)...]
            case UInt8(ascii: "x"):
                guard let code = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
                    throw failure("\\x without two hexadecimal digits")
                }
                bytes.append(code)
                rest = rest.dropFirst(2)
            default: throw failure("a backslash before what needs none")
            }
        }
        return bytes
    }
}

extension String {
    fileprivate func replacingSuffix(_ suffix: String, _ new: String) -> String {
        hasSuffix(suffix) ? dropLast(suffix.count) + new : self
    }
}

// MARK: - What is done

extension TranscriptParser {
    private mutating func directive(_ line: String) throws {
        let words = try Self.words(line, failure)
        let start = at
        at += 1
        switch words[0] {
        case "only":
            guard words.count == 2, let kind = StoreKind(rawValue: words[1]) else {
                throw failure("only memory, or only maildir")
            }
            onlyStore = kind
        case "prefix":
            guard words.count == 2 else { throw failure("prefix and a prefix") }
            prefix = words[1]
        case "separator":
            guard words.count == 2, words[1].count == 1 else { throw failure("separator and one character") }
            separator = words[1].first
        case "mailbox":
            try mailbox(words, start)
        case "message", "deliver":
            guard words.count >= 2 else { throw failure("\(words[0]) and a mailbox") }
            let message = try message(words.dropFirst(2))
            add(.store(words[0] == "message" ? .append(words[1], message) : .deliver(words[1], message)), at: start)
        case "subscribe":
            guard words.count == 2 else { throw failure("subscribe and a mailbox") }
            add(.store(.subscribe(words[1])), at: start)
        case "flag":
            guard words.count == 3 || words.count == 4 else { throw failure("flag, a mailbox, a subject, letters") }
            add(.store(.setFlags(words[1], subject: words[2], letters: words.count == 4 ? words[3] : "")), at: start)
        case "remove":
            guard words.count == 3 else { throw failure("remove, a mailbox, a subject") }
            add(.store(.remove(words[1], subject: words[2])), at: start)
        case "select", "examine":
            guard words.count >= 4, words[2] == "in" else { throw failure("select, a mailbox, in, connections") }
            add(.select(words[1], readOnly: words[0] == "examine", connections: try connections(words[3...])), at: start)
        case "enable":
            guard words.count >= 4, words[2] == "in" else { throw failure("enable, a capability, in, connections") }
            add(.enable(words[1], connections: try connections(words[3...])), at: start)
        case "check":
            guard words.count == 4, let comparison = Transcript.Comparison(rawValue: words[2])
            else { throw failure("check $a < $b, or <=, =, !=") }
            add(.check(words[1], comparison, words[3]), at: start)
        default:
            // "C1 sends 3 bytes at a time"
            guard words.count == 7, words[0].hasPrefix("C"), let connection = Int(words[0].dropFirst()), words[1] == "sends",
                  let size = Int(words[2]), size > 0 else {
                throw TranscriptSyntaxError(line: start + 1, message: "not understood")
            }
            add(.chunks(connection: connection, size: size), at: start)
        }
    }

    /// `mailbox NAME`, `mailbox NAME \Sent`, `mailbox NAME: 3 messages`
    private mutating func mailbox(_ words: [String], _ start: Int) throws {
        guard words.count >= 2 else { throw failure("mailbox and its name") }
        if words.count == 4, words[1].hasSuffix(":"), let count = Int(words[2]) {
            add(.store(.fill(String(words[1].dropLast()), messages: count)), at: start)
        } else {
            guard words.count <= 3, words.count == 2 || words[2].hasPrefix("\\") else { throw failure("mailbox NAME \\Use") }
            add(.store(.create(words[1], use: words.count == 3 ? words[2] : nil)), at: start)
        }
    }

    /// `(\Seen) "17-Jul-1996 02:44:25 -0700" = file.eml`, each left out at will, and the message in lines that begin with `|`.
    private mutating func message(_ words: ArraySlice<String>) throws -> TranscriptMessage {
        var message = TranscriptMessage()
        var words = words
        if let flags = words.first, flags.hasPrefix("(") {
            message.flags = flags.dropFirst().dropLast().split(separator: " ").map(String.init)
            words = words.dropFirst()
        }
        if let date = words.first, date != "=" {
            message.date = date
            words = words.dropFirst()
        }
        if words.first == "=", let file = words.dropFirst().first {
            message.bytes = Array(try Data(contentsOf: Transcript.corpus.appendingPathComponent(file)))
            words = words.dropFirst(2)
        }
        guard words.isEmpty else { throw failure("message MAILBOX (flags) \"date\" = file") }
        while at < lines.count, lines[at].hasPrefix("|") || lines[at].hasPrefix(">") {
            let rest = lines[at].dropFirst()
            let text = String(rest.first == " " ? rest.dropFirst() : rest)
            message.bytes += lines[at].hasPrefix("|") ? Array(text.utf8) + [0x0D, 0x0A] : try Self.unescape(text, failure)
            at += 1
        }
        return message
    }

    private func connections(_ words: ArraySlice<String>) throws -> [Int] {
        try words.map { word in
            guard let number = Int(word.hasSuffix(",") ? String(word.dropLast()) : word) else {
                throw failure("a connection's number")
            }
            return number
        }
    }

    /// Words between spaces; what stands in quotation marks or parentheses is one, the latter with them.
    static func words(_ line: String, _ failure: (String) -> TranscriptSyntaxError) throws -> [String] {
        var words: [String] = []
        var rest = line[...]
        while let first = rest.first {
            switch first {
            case " ":
                rest = rest.dropFirst()
            case "\"":
                guard let end = rest.dropFirst().firstIndex(of: "\"") else { throw failure("a quotation mark too few") }
                var word = String(rest[rest.index(after: rest.startIndex)..<end])
                rest = rest[rest.index(after: end)...]
                if rest.first == ":" {
                    word += ":"
                    rest = rest.dropFirst()
                }
                words.append(word)
            case "(":
                guard let end = rest.firstIndex(of: ")") else { throw failure("a parenthesis too few") }
                words.append(String(rest[...end]))
                rest = rest[rest.index(after: end)...]
            default:
                let word = rest.prefix { $0 != " " }
                words.append(String(word))
                rest = rest.dropFirst(word.count)
            }
        }
        return words
    }
}
