import Foundation
import IMAPTypes
import Logging
@testable import Maildir
import MailStore
import Testing
import TestSupport

@Suite struct SearchTests {
    static func account() throws -> ControlAccount {
        let account = try ControlAccount()
        let store = try account.store()
        try store.create("Work", use: .archive)
        try store.append("From: Joe <joe@example>\r\nSubject: two words\r\n\r\nfirst\r\n", .seen, date: 1_000_000_000)
        try store.append("From: ann@example\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nzweite (\"alt\")\r\n", [], ["$Later"])
        try store.append("From: joe@example\r\nSubject: words two\r\n\r\nthird\r\n", to: "Work", .flagged)
        return account
    }

    @Test(arguments: [
        (["INBOX"], "1 2"), (["INBOX", "UNSEEN"], "2"), (["INBOX", "SUBJECT", "two words"], "1"), (["INBOX", "FROM", "joe"], "1"),
        (["INBOX", "SUBJECT", "grüße"], "2"), (["INBOX", "KEYWORD", "$later"], "2"), (["INBOX", "SINCE", "1-Jan-2002"], "2"),
        (["INBOX", "OR", "SEEN", "BODY", "zweite (\"alt\")"], "1 2"), (["INBOX", "OR SEEN (UNSEEN BODY zweite)"], "1 2"),
        (["INBOX", "NOT", "(", "FROM", "joe", ")"], "2"), (["INBOX", "HEADER", "Subject", "TWO"], "1"), (["INBOX", "2:*"], "2"),
        (["INBOX", "UID", "1"], "1"), (["INBOX", "SUBJECT", "\"two words\""], "1"), (["\\Archive", "FROM", "joe"], "1"),
    ])
    func `Keys are those of SEARCH`(_ words: [String], _ found: String) async throws {
        let account = try Self.account()
        let outcome = try await Program.imapctl.run(["search", "--uids", "--maildir", account.path] + words)
        let uids = outcome.output.split(separator: "\n").map { $0.split(separator: "\t").last! }
        #expect(outcome.status == 0 && uids.joined(separator: " ") == found, "\(outcome)")
    }

    @Test func `All mailboxes are searched, and people get a table`() async throws {
        let account = try Self.account()
        let outcome = try await account.imapctl("search", "--all", "FROM", "joe")
        let lines = outcome.output.split(separator: "\n")
        #expect(outcome.status == 0 && lines.count == 3 && lines[0].hasPrefix("MAILBOX  UID  DATE"), "\(outcome)")
        #expect(lines[1].contains("2001-09-09T01:46:40Z") && lines[1].contains("\\Seen") && lines[1].hasSuffix("two words"))
        #expect(lines[2].hasPrefix("Work") && lines[2].contains("joe@example"))
        #expect(try await account.imapctl("search", "INBOX", "UNSEEN").output.contains("Grüße"))
    }

    @Test func `Programs get JSON, and know that nothing was found`() async throws {
        let account = try Self.account()
        struct Found: Decodable, Equatable { let mailbox: String, uids: [UInt32] }
        let outcome = try await account.imapctl("search", "--all", "--json", "FLAGGED")
        #expect(try JSONDecoder().decode(Found.self, from: outcome.standardOutput) == Found(mailbox: "Work", uids: [1]))
        let nothing = try await account.imapctl("search", "--all", "--json", "DELETED")
        #expect(nothing.status == 1 && nothing.output.isEmpty)
    }

    @Test func `What is wrong is shown where it is`() async throws {
        let account = try Self.account()
        let outcome = try await account.imapctl("search", "INBOX", "SEEN", "FRMO", "joe")
        #expect(outcome.status == 2 && outcome.errors.contains("expected search-key at \"FRMO joe\""), "\(outcome)")
        #expect(try await account.imapctl("search", "Nowhere", "SEEN").status == 2)
        #expect(try await account.imapctl("search").status == 64)
    }
}

@Suite struct DeleteExpiredTests {
    /// Two old messages, one of them flagged, and a new one.
    static func account() throws -> ControlAccount {
        let account = try ControlAccount()
        for part in ["cur", "new", "tmp"] { try account.makeDirectory(".Trash/" + part) }
        try account.write("old\n", to: ".Trash/cur/1000000000.M1P1.host:2,S")
        try account.write("kept\n", to: ".Trash/cur/1000000001.M1P1.host:2,FS")
        try account.store().append("new\r\n", to: "Trash", date: 1_000_000_000)
        return account
    }

    @Test func `Without --yes nothing is deleted`() async throws {
        let account = try Self.account()
        let outcome = try await account.imapctl("delete-expired", "--older-than", "30d", "Trash")
        #expect(outcome.status == 0 && outcome.output.contains("Trash: 2 messages (11) would be deleted"), "\(outcome)")
        #expect(try account.view("Trash").count == 4)
    }

    @Test(arguments: [([], ["new\n"]), (["--keep-flagged"], ["kept\n", "new\n"]), (["--by", "received"], [])])
    func `Old messages go, and the others stay`(_ options: [String], _ left: [String]) async throws {
        let account = try Self.account()
        // The date of what was delivered is that of its file.
        account.touch(".Trash/cur/1000000000.M1P1.host:2,S", 1_000_000_000)
        account.touch(".Trash/cur/1000000001.M1P1.host:2,FS", 1_000_000_000)
        let words = ["delete-expired", "--yes", "--older-than", "4w", "Trash", "--json", "--maildir", account.path] + options
        let outcome = try await Program.imapctl.run(words)
        #expect(outcome.output.contains("\"deleted\":\(3 - left.count)"), "\(outcome)")
        let mailbox = try account.store().open("Trash", readOnly: true)
        #expect(try mailbox.uids.map { try mailbox.text($0) }.sorted() == left)
    }

    @Test func `A session that has the mailbox open is told`() async throws {
        let account = try Self.account()
        let session = try account.store().open("Trash", readOnly: false)
        _ = try session.refresh()
        #expect(try await account.imapctl("delete-expired", "--yes", "--older-than", "1y", "Trash").status == 0)
        let gone = try session.refresh().expunged
        // Until its client knows, it reads what was there.
        #expect(try gone.map { try session.text($0) }.sorted() == ["kept\n", "old\n"])
    }

    @Test func `Mailboxes can be named by their use, and may be missing`() async throws {
        let account = try Self.account()
        #expect(try await account.imapctl("delete-expired", "--older-than", "1d", "\\Trash").output.isEmpty)
        #expect(try await account.imapctl("delete-expired", "--older-than", "1d", "Nowhere").status == 2)
        #expect(try await account.imapctl("delete-expired", "--older-than", "1d", "--missing-ok", "Nowhere").status == 0)
        #expect(try await account.imapctl("delete-expired", "--older-than", "1", "Trash").status == 64)
        let used = try ControlAccount()
        try used.store().create("Papierkorb", use: .trash)
        try used.store().append("new\r\n", to: "Papierkorb")
        let outcome = try await used.imapctl("delete-expired", "--older-than", "1d", "\\trash")
        #expect(outcome.output.contains("Papierkorb: 0 messages"), "\(outcome)")
    }
}

@Suite struct QuotaReportTests {
    @Test func `Messages and bytes are counted as clients see them`() async throws {
        let account = try CheckTests.used()
        let before = try account.snapshot()
        let table = try await account.imapctl("quota").output.split(separator: "\n")
        #expect(try account.snapshot() == before)
        var bytes: UInt64 = 0
        for name in ["INBOX", "Work"] { bytes += try account.store().status(MailboxName(name)!, wantsSize: true).size! }
        #expect(table.count == 4 && table[3].firstMatch(of: #/^total +20 +(\d+) /#)?.1 == "\(bytes)", "\(table)")
        struct Total: Decodable { let messages: Int, bytes: UInt64 }
        let total = try JSONDecoder().decode(Total.self, from: try await account.imapctl("quota", "--json").standardOutput)
        #expect(total.messages == 20 && total.bytes == bytes)
    }
}

@Suite struct DumpTests {
    @Test func `Everything that imapd keeps of a mailbox is shown`() async throws {
        let account = try CheckTests.used()
        let before = try account.snapshot()
        let outcome = try await account.imapctl("dump", "INBOX")
        #expect(try account.snapshot() == before)
        let lines = outcome.output.split(separator: "\n")
        func count(_ kind: String) -> Int { lines.count { $0.hasPrefix(kind + " ") } }
        #expect(outcome.status == 0 && count("damage") == 0, "\(outcome)")
        #expect(count("account") == 1 && count("mark") == 1 && count("index") == 1 && count("log") == 1 && count("cache") == 1)
        #expect(count("row") == 10 && count("kept") == 10 && count("transaction") > 0)
        let flagged = lines.filter { $0.hasPrefix("flags ") }
        let wanted = ["uids=1 ", "flags=FS", "keywords=five"]
        #expect(flagged.contains { line in wanted.allSatisfy { line.contains($0) } }, "\(outcome)")
    }

    @Test func `Parts, the generation before, and JSON can be asked for`() async throws {
        let account = try CheckTests.used()
        let outcome = try await account.imapctl("dump", "--part", "log", "--old", "--json", "Work")
        struct Line: Decodable { let kind: String, file: String? }
        let lines = try outcome.standardOutput.split(separator: 0x0A).map { try JSONDecoder().decode(Line.self, from: $0) }
        #expect(lines.first?.kind == "log" && lines.first?.file == "imapd.log.old", "\(outcome)")
        #expect(lines.contains { $0.kind == "add" } && !lines.contains { $0.kind == "row" })
        #expect(try await account.imapctl("dump", "Nowhere").status == 2)
        #expect(try await account.imapctl("dump", "--part", "nothing", "Work").status == 64)
    }

    @Test(arguments: [("imapd.log", 20), ("imapd.log", 200), ("imapd.index", 300), ("imapd.cache", 20), ("imapd.lock", 8)])
    func `What is damaged is told, and the rest is shown`(_ file: String, _ offset: Int) async throws {
        let account = try CheckTests.used()
        try account.damage(file, at: offset)
        let outcome = try await account.imapctl("dump", "INBOX")
        #expect(outcome.status == 1 && outcome.output.contains("damage file=\(file)"), "\(outcome)")
        #expect(outcome.output.contains("account uidvalidity="))
    }
}

@Suite struct UndeleteCommandTests {
    /// Of INBOX, 1 to 3 were expunged.
    static func account() throws -> ControlAccount {
        let account = try ControlAccount()
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let store = try MaildirStore(path: account.path, expungeDelay: 86_400, logger: logger)
        for number in 1...4 { try store.append("Subject: number \(number)\r\n\r\nx\r\n", number == 2 ? .flagged : []) }
        let inbox = try store.open(.inbox, readOnly: false)
        _ = try inbox.expunge([1, 2, 3])
        return account
    }

    @Test func `They are shown, and nothing changes`() async throws {
        let account = try Self.account()
        let outcome = try await account.imapctl("undelete", "--list")
        let lines = outcome.output.split(separator: "\n")
        #expect(outcome.status == 0 && lines.count == 4 && lines[2].contains("\\Flagged"), "\(outcome)")
        #expect(lines[3].hasSuffix("number 3"))
        #expect(try account.view().count == 2)
        #expect(try await account.imapctl("undelete", "--list", "--json").output.contains("\"uid\":3"))
    }

    @Test(arguments: [([], 3), (["--uid", "2:3,9"], 2), (["--within", "1h"], 3), (["--within", "0m", "--uid", "7"], 0)])
    func `Those that are meant come back`(_ options: [String], _ number: Int) async throws {
        let account = try Self.account()
        let outcome = try await Program.imapctl.run(["undelete", "INBOX", "--json", "--maildir", account.path] + options)
        #expect(outcome.status == (number > 0 ? 0 : 1), "\(outcome)")
        #expect(number == 0 || outcome.output.contains("\"restored\":\(number)"), "\(outcome)")
        #expect(try account.view().count == 2 + number)
        let left = try await account.imapctl("undelete", "--list").output.split(separator: "\n").count
        #expect(left == (number == 3 ? 0 : 4 - number))
    }

    @Test func `Another mailbox may take them, and words that make no sense do nothing`() async throws {
        let account = try Self.account()
        try account.store().create("Saved", use: nil)
        #expect(try await account.imapctl("undelete", "--to", "Nowhere").status == 2)
        #expect(try await account.imapctl("undelete", "--uid", "1:x").status == 2)
        #expect(try await account.imapctl("undelete", "--to", "Saved").output == "INBOX: 3 messages back in Saved\n")
        #expect(try account.view("Saved").count == 4)
    }
}
