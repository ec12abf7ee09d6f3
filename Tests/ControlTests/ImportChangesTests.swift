import Foundation
import IMAPTypes
@testable import Maildir
import MailStore
import Testing
import TestSupport

/// An import that is started again, after things have changed there.
@Suite struct ImportChangesTests {
    private struct Line: Decodable, Equatable {
        let mailbox: String, imported: Int, known: Int, changed: Int, expunged: Int
    }

    private static func lines(_ outcome: Program.Outcome) throws -> [Line] {
        #expect(outcome.status == 0, "\(outcome)")
        return try outcome.standardOutput.split(separator: 0x0A).map { try JSONDecoder().decode(Line.self, from: $0) }
    }

    private static func flags(_ account: ControlAccount, _ mailbox: MailboxName) throws -> [UInt32: FlagSet] {
        let open = try account.store().open(mailbox, readOnly: true)
        return open.uids.reduce(into: [:]) { result, uid in
            guard let data = open.metadata(uid) else { return }
            let keywords = open.keywords.indices.filter { data.keywords[$0] }.map { open.keywords[$0] }
            result[uid.rawValue] = FlagSet(system: data.flags, keywords: Set(keywords))
        }
    }

    @Test func `Flags that were changed there follow, and those that were changed here stay`() async throws {
        try await ImportIMAPTests.withServer { source, server, certificate in
            let account = try ControlAccount()
            _ = try account.store()
            let words = server + ImportIMAPTests.words(by: certificate, into: account)
            func run(_ more: String...) async throws -> [Line] { try Self.lines(try await Program.imapctl.run(words + more)) }
            _ = try await run()
            // INBOX has \Seen, \Answered, $Label1 and work; of Sent, 3 and later ones have nothing.
            let there = try source.store(), here = try account.store()
            let inbox = try there.open("INBOX", readOnly: false)
            _ = try inbox.store([1], FlagChange(.remove, FlagSet(system: .answered, keywords: [Keyword("work")!])), unchangedSince: nil)
            _ = try inbox.store([1], FlagChange(.add, FlagSet(system: .flagged, keywords: [Keyword("later")!])), unchangedSince: nil)
            let sent = try there.open("Sent", readOnly: false)
            _ = try sent.store((10...59).map { UID($0)! }, FlagChange(.add, FlagSet(system: .seen)), unchangedSince: nil)
            let inboxHere = try here.open("INBOX", readOnly: false)
            _ = try inboxHere.store([1], FlagChange(.remove, FlagSet(system: .seen)), unchangedSince: nil)
            let sentHere = try here.open("Sent", readOnly: false)
            _ = try sentHere.store([100, 101], FlagChange(.add, FlagSet(system: .flagged)), unchangedSince: nil)
            _ = try sentHere.expunge([10])
            #expect(try await run() == [
                Line(mailbox: "INBOX", imported: 0, known: 1, changed: 1, expunged: 0),
                Line(mailbox: "Sent", imported: 0, known: 452, changed: 49, expunged: 0),
                Line(mailbox: "Work.Größe", imported: 0, known: 1, changed: 0, expunged: 0),
            ])
            #expect(try Self.flags(account, "INBOX") == [
                1: FlagSet(system: .flagged, keywords: [Keyword("$Label1")!, Keyword("later")!]),
            ])
            let flags = try Self.flags(account, "Sent")
            #expect(flags.count == 451 && flags[10] == nil)
            #expect((11...59).allSatisfy { flags[$0]?.system == .seen } && flags[60]?.system == [])
            #expect(flags[100]?.system == .flagged && flags[101]?.system == .flagged)
            // Names have followed.
            #expect(try account.names(".Sent/cur").count { $0.hasSuffix(":2,S") } == 50)
            #expect(try await run().allSatisfy { $0.changed == 0 && $0.imported == 0 })
        }
    }

    @Test func `What is removed there stays here unless that is wished`() async throws {
        try await ImportIMAPTests.withServer { source, server, certificate in
            let account = try ControlAccount()
            _ = try account.store()
            let words = server + ImportIMAPTests.words(by: certificate, into: account)
            func run(_ more: String...) async throws -> [Line] {
                try Self.lines(try await Program.imapctl.run(words + more)).filter { $0.mailbox == "Sent" }
            }
            // At first there is nothing to remove, also of what was here before.
            try account.store().create("Sent", use: nil)
            try account.store().append("Subject: ours\r\n\r\n", to: "Sent")
            #expect(try await run("--expunge") == [Line(mailbox: "Sent", imported: 452, known: 0, changed: 0, expunged: 0)])
            let sent = try source.store().open("Sent", readOnly: false)
            _ = try sent.expunge([1] + (200...299).map { UID($0)! })
            #expect(try await run() == [Line(mailbox: "Sent", imported: 0, known: 351, changed: 0, expunged: 0)])
            #expect(try Self.flags(account, "Sent").count == 453)
            #expect(try await run("--expunge") == [Line(mailbox: "Sent", imported: 0, known: 351, changed: 0, expunged: 101)])
            let left = try Self.flags(account, "Sent")
            // Ours is 1, so that each is one further here.
            #expect(left.count == 352 && left[1] != nil && left[2] == nil && left[200] != nil && left[201] == nil && left[301] != nil)
            #expect(try await run("--expunge") == [Line(mailbox: "Sent", imported: 0, known: 351, changed: 0, expunged: 0)])
        }
    }

    @Test func `Dovecot's changes follow`() async throws {
        let host = try await MailHost(.dovecot)
        let source = try ControlAccount(at: host.maildir)
        try source.store().append("Subject: 1\r\n\r\none\r\n", [.seen], ["work"], date: 1_000_000_000)
        try source.store().append("Subject: 2\r\n\r\ntwo\r\n", [.flagged], date: 1_000_000_001)
        #expect(try await host.imapctl("export", "dovecot").status == 0)
        host.own()
        let account = try ControlAccount()
        _ = try account.store()
        let command = "cat | " + (host.access.command ?? "")
        func run(_ more: String...) async throws -> [Line] {
            try Self.lines(try await Program.imapctl.run(
                ["import", "imap", "old", "--command", command, "--json", "--maildir", account.path] + more))
        }
        #expect(try await run() == [Line(mailbox: "INBOX", imported: 2, known: 0, changed: 0, expunged: 0)])
        // Dovecot does not do one thing after the other if all of it is there at once.
        for changes in [
            "a SELECT INBOX\r\nb STORE 1 -FLAGS (\\Seen work)\r\nc STORE 1 +FLAGS (\\Answered other)\r\nd LOGOUT\r\n",
            "a SELECT INBOX\r\nb STORE 2 +FLAGS (\\Deleted)\r\nc LOGOUT\r\n", "a SELECT INBOX\r\nb EXPUNGE\r\nc LOGOUT\r\n",
        ] {
            let client = try await Program("sh", package: "dash").run(
                ["-c", "cat | " + (host.access.command ?? "")], input: Data(changes.utf8))
            #expect(client.output.contains("b OK"), "\(client)")
        }
        #expect(try await run() == [Line(mailbox: "INBOX", imported: 0, known: 1, changed: 1, expunged: 0)])
        #expect(try Self.flags(account, "INBOX") == [
            1: FlagSet(system: .answered, keywords: [Keyword("other")!]), 2: FlagSet(system: .flagged),
        ])
        #expect(try await run("--expunge") == [Line(mailbox: "INBOX", imported: 0, known: 1, changed: 0, expunged: 1)])
    }
}
