import Foundation

/// A message as tests compare it, whichever side it lies on.
struct Message: Codable, Hashable, Comparable {
    var uid: UInt32 = 0
    /// As IMAP writes them, without `\Recent`.
    var flags: Set<String> = []
    var date = "14-Nov-2023 22:13:20 +0000"
    /// Its bytes as ISO 8859-1, with CRLF.
    var text: String

    static func < (left: Message, right: Message) -> Bool { left.text < right.text }

    /// The message without what may differ between two copies: the UID, and the line by which mbsync finds its own copies.
    var copied: Message {
        let lines = text.components(separatedBy: "\r\n").filter { !$0.hasPrefix("X-TUID: ") }
        return Message(flags: flags.subtracting(["\\Recent"]), date: date, text: lines.joined(separator: "\r\n"))
    }
}

typealias Mailboxes = [String: [Message]]

/// What differs, in words short enough to read, or nothing.
func differences(_ left: Mailboxes, _ right: Mailboxes) -> [String] {
    Set(left.keys).union(right.keys).sorted().flatMap { name -> [String] in
        guard let ours = left[name], let theirs = right[name] else { return ["\(name) is on one side only"] }
        let (ourCopies, theirCopies) = (ours.map(\.copied).sorted(), theirs.map(\.copied).sorted())
        if ourCopies.count != theirCopies.count { return ["\(name) has \(ours.count) and \(theirs.count) messages"] }
        return zip(ourCopies, theirCopies).filter { $0 != $1 }.map { pair in
            "\(name): \(pair.0.flags) \(pair.0.date) \(pair.0.text.prefix(300).debugDescription)"
                + " is not \(pair.1.flags) \(pair.1.date) \(pair.1.text.prefix(300).debugDescription)"
        }
    }
}

/// Mail of many shapes: what goes wrong on the way goes wrong in one of them.
func sampleMessage(_ number: Int) -> Message {
    var header = """
        From: "Sender, \(number)" <sender\(number)@example.org>\r
        To: me@example.org\r
        Subject: message \(number)\r
        Date: Tue, 14 Nov 2023 22:13:20 +0000\r
        Message-ID: <\(number)@example.org>\r

        """
    let body: String
    switch number % 9 {
    case 0: body = "short\r\n"
    case 1: body = "no line end"
    case 2: body = ""
    case 3:
        header += "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n"
        body = "Gr\u{fc}\u{df}e, in one byte each\r\n"
    case 4:
        header += "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
        body = String(decoding: "Grüße, 日本語 🙂\r\n".utf8.map { Unicode.UTF16.CodeUnit($0) }, as: UTF16.self)
    case 5: body = String(repeating: "one long line ", count: 1000) + "\r\n"
    case 6: body = "From here on, what an mbox would change:\r\n.\r\n..\r\n\r\n>From there\r\n\r\n\r\n"
    case 7:
        header += "Content-Type: multipart/mixed;\r\n\tboundary=\"=_\(number)\"\r\nMIME-Version: 1.0\r\n"
        let line = String(repeating: "QUJD", count: 19) + "\r\n"
        body = "--=_\(number)\r\n\r\ntext\r\n--=_\(number)\r\nContent-Type: application/octet-stream\r\n"
            + "Content-Transfer-Encoding: base64\r\n\r\n" + String(repeating: line, count: 1000) + "--=_\(number)--\r\n"
    default: body = "X\r\n" + (0..<number).map { "line \($0)\r\n" }.joined()
    }
    return Message(text: header + "\r\n" + body)
}
