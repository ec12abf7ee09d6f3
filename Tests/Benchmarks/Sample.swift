import Glibc
import IMAPTypes
import Logging
import Maildir
import MailStore

/// Mail that is the same on every machine.
enum Sample {
    /// In INBOX.
    static let count = 2000
    /// Transactions in the log of the mailbox `Log`, which has as many messages.
    static let changes = 200

    static let logger = Logger(label: "benchmark") { _ in SwiftLogNoOpLogHandler() }

    static func maildir(_ directory: String) -> String { directory + "/Maildir" }

    /// xorshift64*.
    private struct Chance {
        var state: UInt64

        mutating func below(_ limit: Int) -> Int {
            state ^= state >> 12
            state ^= state << 25
            state ^= state >> 27
            return Int((state &* 0x2545_F491_4F6C_DD1D) >> 33) % limit
        }
    }

    private static let words = ("the quick brown fox jumps over a lazy dog while seven wizards mix vexing jars of liquid "
        + "onyx today").split(separator: " ").map(String.init)

    private static func text(_ count: Int, _ chance: inout Chance) -> String {
        (0..<count).map { _ in words[chance.below(words.count)] }.joined(separator: " ")
    }

    /// Message `number`, from 0. Some answer earlier ones, some have parts, some headers are encoded.
    static func message(_ number: Int) -> [UInt8] {
        var chance = Chance(state: 0x9E37_79B9_7F4A_7C15 &* UInt64(number + 1))
        var subject = text(3 + chance.below(5), &chance)
        if number % 7 == 0 { subject = "=?utf-8?q?Gr=C3=BC=C3=9Fe_\(number)?= " + subject }
        if number % 97 == 0 { subject += " needle" }
        var header = ""
        for hop in 0..<2 {
            header += "Received: from relay\(hop).example.org (relay\(hop).example.org [192.0.2.\(chance.below(255))])\n"
                + "\tby mx.example.net with ESMTPS id \(number)x\(hop); Mon, 3 Feb 2025 10:00:00 +0000\n"
        }
        header += "Return-Path: <list-\(number)@example.org>\nDKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=mail;\n"
            + "\tb=\(String(repeating: "A1b2C3d4", count: 20))\n"
        header += "From: \"Person \(chance.below(200))\" <person\(chance.below(200))@example.org>\n"
        header += "To: Someone Else <someone\(chance.below(50))@example.net>, other@example.com\n"
        if number % 5 == 0 { header += "Cc: team@example.com, \"A, B\" <ab@example.com>\n" }
        var references: [Int] = []
        if number > 0, number % 3 != 0 {
            references = [number / 3, number - 1].filter { $0 != number }
            subject = "Re: " + subject
        }
        header += "Subject: \(subject)\nDate: \(chance.below(28) + 1) Feb 2025 \(chance.below(10) + 10):30:00 +0100\n"
        header += "Message-ID: <\(number).sample@example.org>\n"
        if !references.isEmpty {
            header += "References: " + references.map { "<\($0).sample@example.org>" }.joined(separator: "\n\t") + "\n"
            header += "In-Reply-To: <\(references[references.count - 1]).sample@example.org>\n"
        }
        header += "MIME-Version: 1.0\nX-Mailer: Sample 1.0\n"
        let lines = (0..<(10 + chance.below(40))).map { _ in text(8 + chance.below(6), &chance) }.joined(separator: "\n") + "\n"
        guard number % 4 == 0 else { return Array((header + "Content-Type: text/plain; charset=utf-8\n\n" + lines).utf8) }
        let boundary = "----=_Part_\(number)"
        let html = "<html><body>" + lines + "</body></html>\n"
        return Array((header + """
            Content-Type: multipart/alternative; boundary="\(boundary)"

            --\(boundary)
            Content-Type: text/plain; charset=utf-8
            Content-Transfer-Encoding: 8bit

            \(lines)
            --\(boundary)
            Content-Type: text/html; charset=utf-8
            Content-Transfer-Encoding: quoted-printable

            \(html)
            --\(boundary)--

            """).utf8)
    }

    /// Writes the Maildir, and opens it once, so that it has its index and its cache.
    static func prepare(in directory: String) throws {
        let maildir = maildir(directory)
        for folder in ["", "/.Log"] {
            for name in ["", "/cur", "/new", "/tmp"] {
                guard mkdir(maildir + folder + name, 0o700) == 0 || errno == EEXIST || errno == ENOENT else {
                    return fail("making " + maildir + folder + name)
                }
            }
        }
        let letters = ["", "S", "RS", "FS"]
        for number in 0..<count { write(message(number), to: "\(maildir)/cur/\(name(number)):2,\(letters[number % 4])") }
        for number in 0..<changes { write(message(number), to: "\(maildir)/.Log/cur/\(name(number)):2,") }
        try Conversation.hold(maildir, "a SELECT INBOX\r\nb FETCH 1:* (ENVELOPE BODYSTRUCTURE RFC822.SIZE)\r\n")
        // Flags are changed without being written into names: they stay in the log.
        let mailbox = try MaildirStore(path: maildir, logger: logger).open(MailboxName("Log")!, readOnly: false)
        for uid in mailbox.uids {
            _ = try mailbox.store([uid], FlagChange(.add, FlagSet(system: .flagged)), unchangedSince: nil)
        }
    }

    private static func name(_ number: Int) -> String { "1738576800.M\(number)P1.sample" }

    private static func write(_ bytes: [UInt8], to path: String) {
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        guard file >= 0, Glibc.write(file, bytes, bytes.count) == bytes.count else { return fail("writing " + path) }
        close(file)
    }

    static func fail(_ doing: String) {
        perror(doing)
        exit(1)
    }
}
