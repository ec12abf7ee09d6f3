import Foundation

/// A client's own Maildirs: a directory for each mailbox, inner mailboxes in the outer one's.
struct LocalMaildir {
    let root: URL

    static let flags: [Character: String] = [
        "D": "\\Draft", "F": "\\Flagged", "P": "$Forwarded", "R": "\\Answered", "S": "\\Seen", "T": "\\Deleted",
    ]

    /// The files of a mailbox's messages.
    func files(_ mailbox: String) throws -> [URL] {
        try ["new", "cur"].flatMap {
            try FileManager.default.contentsOfDirectory(at: root.appendingPathComponent("\(mailbox)/\($0)"),
                                                        includingPropertiesForKeys: nil)
        }
    }

    func message(_ file: URL) throws -> Message {
        let letters = file.lastPathComponent.components(separatedBy: ":2,").dropFirst().first ?? ""
        let text = String(data: try Data(contentsOf: file), encoding: .isoLatin1)!
        let seconds = try FileManager.default.attributesOfItem(atPath: file.path)[.modificationDate] as! Date
        let format = DateFormatter()
        format.locale = Locale(identifier: "en_US_POSIX")
        format.timeZone = TimeZone(secondsFromGMT: 0)
        format.dateFormat = "dd-MMM-yyyy HH:mm:ss Z"
        return Message(flags: Set(letters.compactMap { Self.flags[$0] }), date: format.string(from: seconds),
                       text: text.components(separatedBy: "\n").joined(separator: "\r\n"))
    }

    func mailboxes(_ names: [String]) throws -> Mailboxes {
        try Dictionary(uniqueKeysWithValues: names.map { ($0, try files($0).map(message)) })
    }

    /// Adds messages, into cur/ with their flags, or into new/ without.
    func add(_ mailbox: String, _ messages: [Message], firstNumber: Int) throws {
        for part in ["cur", "new", "tmp"] {
            try FileManager.default.createDirectory(at: root.appendingPathComponent("\(mailbox)/\(part)"),
                                                    withIntermediateDirectories: true)
        }
        for (number, message) in messages.enumerated() {
            let letters = String(Self.flags.filter { message.flags.contains($0.value) }.keys.sorted())
            let place = letters.isEmpty ? "new" : "cur"
            let name = "1700000000.M\(firstNumber + number)P1.near" + (letters.isEmpty ? "" : ":2,\(letters)")
            let file = root.appendingPathComponent("\(mailbox)/\(place)/\(name)")
            try message.text.components(separatedBy: "\r\n").joined(separator: "\n")
                .data(using: .isoLatin1)!.write(to: file)
            try FileManager.default.setAttributes([.modificationDate: Date(timeIntervalSince1970: 1_700_000_000)],
                                                  ofItemAtPath: file.path)
        }
    }

    /// Gives a file other flags, as a mail reader does: by its name.
    func mark(_ file: URL, _ letters: String) throws {
        let bare = file.lastPathComponent.components(separatedBy: ":2,")[0]
        let folder = file.deletingLastPathComponent().deletingLastPathComponent()
        try FileManager.default.moveItem(at: file, to: folder.appendingPathComponent("cur/\(bare):2,\(letters)"))
    }
}
