import IMAPGrammar

/// Search keys of a command line as IMAP wants them.
///
/// A word is taken as it is, so that several may stand in one; but what follows a key that looks for a text is that text, with
/// all its spaces and parentheses, unless somebody has put it into double quotes already.
enum SearchKeys {
    private static let texts: [String: Int] = [
        "BCC": 1, "BODY": 1, "CC": 1, "FROM": 1, "HEADER": 2, "SUBJECT": 1, "TEXT": 1, "TO": 1,
    ]

    static func program(_ words: [String]) -> String {
        var result = ""
        var due = 0
        for word in words {
            let item = due > 0 ? quoted(word) : word
            if !result.isEmpty, result.last != "(", item != ")" { result += " " }
            result += item
            if due > 0 {
                due -= 1
            } else {
                let last = word.split(separator: " ").last.map { $0.drop { $0 == "(" } } ?? ""
                due = texts[last.uppercased()] ?? 0
            }
        }
        return result
    }

    private static func quoted(_ text: String) -> String {
        if text.count > 1, text.first == "\"", text.last == "\"" { return text }
        return "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }

    /// Where the program went wrong.
    static func words(_ error: SyntaxError, in program: String) -> String {
        let rest = String(decoding: Array(program.utf8).dropFirst(error.offset), as: UTF8.self)
        return "search keys: expected \(error.expected) \(rest.isEmpty ? "at the end" : "at \"\(rest)\"")"
    }
}
