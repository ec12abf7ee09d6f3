import Foundation
import Glibc
import IMAPTypes
import Logging
@testable import Maildir
import MailStore
import Testing
import TestSupport

/// Mail that comes from elsewhere, and mail that goes there.
@Suite struct TransferTests {
    /// Without the UIDVALIDITY and UIDs, which belong to one account.
    static func contents(_ account: ControlAccount, _ name: MailboxName) throws -> [String] {
        try account.view(name).dropFirst().map { String($0.drop { $0 != " " }) }.sorted()
    }

    // MARK: mbox

    @Test func `What is exported as mbox and imported elsewhere is the same`() async throws {
        let account = try CheckTests.used(), other = try ControlAccount()
        let store = try account.store()
        try store.create("Corpus", use: nil)
        for text in [
            "From me\nSubject: x\n\nFrom you\n>From him\n>>From her\n", "Subject: no body\n", "\n\n\nempty lines\n\n\n",
            "no header\n", "Subject: states\nStatus-Quo: stays\n\nStatus: stays too\n\n",
            "A: 1\n B\n\tC\nX: " + String(repeating: "x", count: 200_000) + "\n\ny\n",
        ] {
            try store.append(text, to: "Corpus", [.answered, .draft], ["a", "$b"], date: 86_400 * 365 * 20 + 5)
        }
        var outcome = try await account.imapctl("export", "mbox", account.directory.path("out"))
        #expect(outcome.status == 0, "\(outcome)")
        let files = try FileManager.default.contentsOfDirectory(atPath: account.directory.path("out")).sorted()
        #expect(files == ["Corpus.mbox", "INBOX.mbox", "Work.mbox"])
        for file in files {
            outcome = try await other.imapctl("import", "mbox", account.directory.path("out/\(file)"))
            #expect(outcome.status == 0 || outcome.errors.contains("no Maildir"), "\(outcome)")
        }
        #expect(!FileManager.default.fileExists(atPath: other.path))
        _ = try other.store()
        for _ in 0..<2 {
            outcome = try await other.imapctl("import", "mbox", account.directory.path("out/Corpus.mbox"),
                                              account.directory.path("out/INBOX.mbox"), account.directory.path("out/Work.mbox"))
            #expect(outcome.status == 0, "\(outcome)")
            for name in ["INBOX", "Work", "Corpus"] as [MailboxName] {
                #expect(try Self.contents(other, name) == Self.contents(account, name), "\(name)")
            }
        }
        #expect(outcome.output.contains("Corpus: 0 messages from"), "\(outcome)")
        #expect(outcome.output.contains("6 were there already"), "\(outcome)")
        outcome = try await account.imapctl("export", "mbox", account.directory.path("out"))
        #expect(outcome.status == 2 && outcome.errors.contains("--force"))
        #expect(try await account.imapctl("export", "mbox", "--force", account.directory.path("out"), "Work").status == 0)
    }

    /// mbox files as programs write them, and what each message is then: flags, keywords, date, text.
    @Test(arguments: [
        // A line in the text that is no postmark, as no date is in it; and one that is quoted.
        ("From a@b Tue Jan  2 03:04:05 2024\nSubject: 1\n\nFrom now on\n\nFrom here\n>From there Tue Jan  2 03:04:05 2024\n",
         [" 0 [] 1704164645 77 Subject: 1\n\nFrom now on\n\nFrom here\nFrom there Tue Jan  2 03:04:05 2024\n"]),
        ("\n\nFrom - Tue Jan 02 03:04:05 2024\r\nX-Mozilla-Status: 0005\r\nX-Mozilla-Keys: $label1 work  \r\n"
            + "Subject: 1\r\n\r\nx\r\n\r\n"
            + "From - Tue Jan 02 03:04:05 2024\r\nX-Mozilla-Status: 1003\r\n\r\ny\r\n",
         [" 10 [\"$label1\", \"work\"] 1704164645 17 Subject: 1\n\nx\n", " 9 [\"$Forwarded\"] 1704164645 5 \ny\n"]),
        ("From a b c Tue Jan  2 03:04:05 2024 +0200\nStatus: RO\nX-Status: AFTD\nX-Keywords: one two\nX-UID: 7\nA: b\n\n1\n2\n",
         [" 31 [\"one\", \"two\"] 1704157445 14 A: b\n\n1\n2\n"]),
        ("From MAILER-DAEMON Tue Jan  2 03:04:05 2024\nSubject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\n"
            + "X-IMAP: 1 2\n\nx\n\n"
            + "From x Tue Jan  2 03:04:05 2024\n\nend without line end", [" 0 [] 1704164645 22 \nend without line end"]),
        ("", []),
    ])
    func `Files of other programs are understood`(_ mbox: String, _ wanted: [String]) async throws {
        let account = try ControlAccount()
        _ = try account.store()
        try Data(mbox.utf8).write(to: URL(fileURLWithPath: account.directory.path("x.mbox")))
        let outcome = try await account.imapctl("import", "mbox", "--mailbox", "In", account.directory.path("x.mbox"))
        #expect(outcome.status == 0, "\(outcome)")
        #expect(try Self.contents(account, "In") == wanted.sorted())
    }

    @Test func `What is no mbox is refused`() async throws {
        let account = try ControlAccount()
        _ = try account.store()
        try Data("Subject: a message\n\nno mbox\n".utf8).write(to: URL(fileURLWithPath: account.directory.path("x")))
        let outcome = try await account.imapctl("import", "mbox", account.directory.path("x"))
        #expect(outcome.status == 2 && outcome.errors.contains("is no mbox file"), "\(outcome)")
    }

    @Test func `An import that was killed brings every message once when it is started again`() async throws {
        let account = try ControlAccount()
        _ = try account.store()
        let count = 3000
        let mbox = (0..<count).map {
            "From a@b Tue Jan  2 03:04:05 2024\nStatus: R\nX-Keywords: k\($0 % 3)\nSubject: \($0 % 1000)\n\n\($0 % 1000)\n\n"
        }.joined()
        try Data(mbox.utf8).write(to: URL(fileURLWithPath: account.directory.path("x.mbox")))
        for limit in [1, 700, 1500] {
            let script = """
                "$0" import mbox --maildir "$1" --mailbox INBOX "$2" & pid=$!
                while kill -0 $pid 2>/dev/null && test $(ls "$1/cur" | wc -l) -lt \(limit); do sleep 0.02; done
                kill -9 $pid
                """
            _ = try await Program("sh", package: "dash").run(
                ["-c", script, Program.imapctl.path, account.path, account.directory.path("x.mbox")], in: account.directory.url)
        }
        let outcome = try await account.imapctl("import", "mbox", "--mailbox", "INBOX", account.directory.path("x.mbox"))
        #expect(outcome.status == 0, "\(outcome)")
        let mailbox = try account.store().open(.inbox, readOnly: true)
        #expect(mailbox.uids.count == count)
        var numbers: [String: Int] = [:]
        for uid in mailbox.uids { numbers[try mailbox.text(uid), default: 0] += 1 }
        // The same text three times is three messages.
        #expect(numbers.count == 1000 && numbers.values.allSatisfy { $0 == 3 })
        #expect(mailbox.uids.allSatisfy {
            mailbox.metadata($0)?.keywords.isEmpty == false && mailbox.metadata($0)?.flags == .seen
        })
        #expect(try await account.check().outcome.status == 0)
    }

    // MARK: Maildirs

    @Test func `A Maildir is copied with flags, keywords, dates and subscriptions, and taken in again`() async throws {
        let account = try CheckTests.used(), other = try ControlAccount()
        try account.write("delivered\n", to: "new/1700000000.M1P1.host")
        let copy = account.directory.path("copy")
        var outcome = try await account.imapctl("export", "maildir", copy)
        #expect(outcome.output.contains("21 messages of 2 mailboxes copied"), "\(outcome)")
        outcome = try await account.imapctl("export", "maildir", copy)
        #expect(outcome.output.contains("0 messages of 2 mailboxes copied, 21 were there already"), "\(outcome)")
        // For a server that knows nothing of it, it is a Maildir with Dovecot's keywords.
        let served = try MaildirStore(path: copy, logger: quiet)
        #expect(try served.subscriptions() == ["Work"])
        let mailbox = try served.open(.inbox, readOnly: true)
        #expect(mailbox.keywords.map(\.name) == ["five"] && mailbox.uids.count == 11)

        _ = try other.store()
        for _ in 0..<2 {
            outcome = try await other.imapctl("import", "maildir", copy)
            #expect(outcome.status == 0, "\(outcome)")
            for name in ["INBOX", "Work"] as [MailboxName] {
                #expect(try Self.contents(other, name) == Self.contents(account, name))
            }
        }
        #expect(try await account.imapctl("export", "maildir", account.path).status == 2)
        #expect(try await other.imapctl("import", "maildir", other.path).status == 2)
    }

    @Test func `Maildirs of others are read with their keywords, in their layout, and left as they are`() async throws {
        let account = try ControlAccount(), source = try ControlAccount()
        _ = try account.store()
        for folder in ["", ".Dovecot.Keys", "Courier", "Courier/Deep"] {
            for part in ["cur", "new", "tmp"] {
                try source.makeDirectory("\(folder)/\(part)")
            }
        }
        try source.write("top\n", to: "new/1700000001.x")
        try source.write("0 zero\n2 two\n", to: ".Dovecot.Keys/dovecot-keywords")
        try source.write("d\n", to: ".Dovecot.Keys/cur/1700000000.x:2,FSac")
        try source.makeDirectory("Courier/courierimapkeywords")
        try source.write("one\n\n1700000000.c:0\n", to: "Courier/courierimapkeywords/:list")
        try source.write("c\n", to: "Courier/cur/1700000000.c:2,R")
        try source.write("deep\n", to: "Courier/Deep/cur/1700000000.e:2,")
        for file in ["new/1700000001.x", ".Dovecot.Keys/cur/1700000000.x:2,FSac", "Courier/cur/1700000000.c:2,R",
                     "Courier/Deep/cur/1700000000.e:2,"] { source.touch(file, 1_600_000_000) }
        let before = try source.snapshot()
        for _ in 0..<2 {
            let outcome = try await account.imapctl("import", "maildir", "--mailbox", "Old", source.path)
            #expect(outcome.status == 0, "\(outcome)")
        }
        #expect(try source.snapshot() == before)
        #expect(try Self.contents(account, "Old") == [" 0 [] 1600000000 5 top\n"])
        #expect(try Self.contents(account, "Old.Dovecot.Keys") == [" 10 [\"two\", \"zero\"] 1600000000 3 d\n"])
        #expect(try Self.contents(account, "Old.Courier") == [" 1 [\"one\"] 1600000000 3 c\n"])
        #expect(try Self.contents(account, "Old.Courier.Deep") == [" 0 [] 1600000000 6 deep\n"])
    }

    // MARK: Other servers

    @Test func `Files for Courier have its form`() async throws {
        let account = try CheckTests.used()
        let store = try account.store()
        try store.create("Entw\u{FC}rfe", use: nil)
        try store.append("x\r\n", to: "Entw\u{FC}rfe", [.seen, .draft], ["b", "a"])
        try store.subscribe("Entw\u{FC}rfe")
        try account.write("new\n", to: "new/1700000000.M1P1.host")
        let before = try account.view("Entw\u{FC}rfe")
        let outcome = try await account.imapctl("export", "courier")
        #expect(outcome.status == 0, "\(outcome)")
        #expect(outcome.output.contains("3 mailboxes with 22 messages are ready for Courier"), "\(outcome)")
        #expect(outcome.output.contains("the folder .Entw\u{FC}rfe has its name in UTF-8 now"), "\(outcome)")
        func text(_ path: String) throws -> String { try String(contentsOfFile: account.file(path), encoding: .utf8) }
        let name = try #require(account.names(".Entw\u{FC}rfe/cur").first)
        #expect(name.hasSuffix(":2,DS"))
        let base = name.components(separatedBy: ":")[0]
        #expect(try text(".Entw\u{FC}rfe/courierimapuiddb") == "1 \(before[0]) 2\n1 \(base)\n")
        let list = try text(".Entw\u{FC}rfe/courierimapkeywords/:list")
        #expect(list == "a\nb\n\n\(base):0 1\n")
        #expect(try text("courierimapsubscribed") == "INBOX.Work\nINBOX.Entw\u{FC}rfe\n")
        #expect(try account.names("new").isEmpty && text("courierimapuiddb").hasSuffix("11 1700000000.M1P1.host\n"))
        #expect(try account.view("Entw\u{FC}rfe") == before)
        #expect(try await account.check().outcome.status == 0)
        // Names that cannot be: a dot within a level.
        #expect(try await account.imapctl("export", "dovecot").status == 0)
    }
}

private let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
