import Foundation
import IMAPTypes
@testable import Maildir
import MailStore
import Testing
import TestSupport

@Suite struct MailboxesTests {
    struct Report: Decodable {
        struct Mailbox: Decodable {
            let name: String, messages: Int, unseen: Int, recent: Int, size: UInt64
            let uidvalidity: UInt32?, uidnext: UInt64?, highestmodseq: UInt64?, files: UInt64, server: String?
            let use: String?, subscribed: Bool
        }
        let maildir: String
        let mailboxes: [Mailbox]
    }

    @Test func `It tells what STATUS and LIST tell, and changes nothing`() async throws {
        let account = try CheckTests.used()
        try account.write("delivered\n", to: "new/1700000000.M1P1.host")
        let before = try account.snapshot()
        let outcome = try await account.imapctl("mailboxes", "--json")
        #expect(try account.snapshot() == before)
        let report = try JSONDecoder().decode(Report.self, from: outcome.standardOutput)
        #expect(report.mailboxes.map(\.name) == ["INBOX", "Work"])
        for mailbox in report.mailboxes {
            let status = try account.store().status(MailboxName(mailbox.name)!, wantsSize: true)
            #expect(mailbox.messages == status.messages && mailbox.unseen == status.unseen && mailbox.recent == status.recent)
            // What was delivered has no UID before somebody opens the mailbox.
            #expect(mailbox.uidvalidity == status.uidValidity.rawValue)
            #expect(mailbox.uidnext == UInt64(status.uidNext) - (mailbox.name == "INBOX" ? 1 : 0))
            #expect(mailbox.size == status.size! - (mailbox.name == "INBOX" ? 1 : 0))
            #expect(mailbox.server == "imapd" && mailbox.files > 800)
            #expect(mailbox.subscribed == (mailbox.name == "Work") && mailbox.use == nil)
        }
    }

    @Test func `Special uses are told, and subscriptions that another server has left`() async throws {
        let account = try ControlAccount()
        try account.store().create("Gone", use: .trash)
        try account.write("INBOX\nGone\n", to: "subscriptions")
        let before = try account.snapshot()
        let report = try JSONDecoder().decode(Report.self, from: try await account.imapctl("mailboxes", "--json").standardOutput)
        #expect(report.mailboxes.map(\.use) == [nil, "\\Trash"] && report.mailboxes.map(\.subscribed) == [true, true])
        #expect(try account.snapshot() == before)
    }

    @Test func `People get a table`() async throws {
        let account = try CheckTests.used()
        let outcome = try await account.imapctl("mailboxes")
        let lines = outcome.output.split(separator: "\n")
        #expect(lines.count == 3 && lines[0].hasPrefix("MAILBOX  MESSAGES  UNSEEN"), "\(outcome)")
        #expect(lines[1].firstMatch(of: /^INBOX +10 +/) != nil)
        #expect(try await account.imapctl("mailboxes", "Nowhere").status == 2)
        #expect(try await account.imapctl("mailboxes", "Work").output.split(separator: "\n").count == 2)
    }

    @Test func `A mailbox that another server has served is not touched`() async throws {
        let account = try ControlAccount()
        for part in ["cur", "new", "tmp"] {
            try FileManager.default.createDirectory(atPath: account.file(part), withIntermediateDirectories: true)
        }
        try account.write("3 V7 N9\n", to: "dovecot-uidlist")
        let before = try account.snapshot()
        let outcome = try await account.imapctl("mailboxes", "--json")
        #expect(outcome.output.contains(#""server":"Dovecot""#) && outcome.output.contains(#""uidvalidity":null"#), "\(outcome)")
        #expect(try account.snapshot() == before)
    }
}

@Suite struct RebuildTests {
    @Test(arguments: [[], ["imapd.index"], ["imapd.log"], ["imapd.cache"], ["imapd.account"], ["imapd.index", "imapd.cache"]])
    func `UIDVALIDITY, UIDs, flags and keywords stay`(_ lost: [String]) async throws {
        let account = try CheckTests.used()
        let before = try account.view()
        for file in lost { try account.remove(file) }
        let outcome = try await account.imapctl("rebuild", "INBOX")
        #expect(outcome.status == 0 && outcome.output.contains("UIDVALIDITY \(before[0]) as before"), "\(outcome)")
        #expect(try account.view() == before)
        #expect(!FileManager.default.fileExists(atPath: account.file("imapd.cache")))
        #expect(try await account.check().outcome.status == 0)
    }

    @Test func `With nothing left, UIDs are new and none is given twice`() async throws {
        let account = try CheckTests.used()
        let before = try account.view()
        for file in try account.names("") where file.hasPrefix("imapd.") && file != "imapd.account" { try account.remove(file) }
        let outcome = try await account.imapctl("rebuild", "INBOX")
        #expect(outcome.output.contains("10 messages, UIDVALIDITY \(before[0]) as before"), "\(outcome)")
        let uids = try account.view().dropFirst().compactMap { $0.split(separator: " ").first.flatMap { UInt32($0) } }
        #expect(uids.count == 10 && uids[0] > 1000)
        #expect(try await account.imapctl("rebuild", "Nowhere").status == 2)
    }

    @Test func `A session that has the mailbox open goes on`() async throws {
        let account = try CheckTests.used()
        let session = try account.store().open(.inbox, readOnly: false)
        let uids = session.uids
        #expect(try await account.imapctl("rebuild", "INBOX").status == 0)
        #expect(try session.refresh().expunged.isEmpty && session.uids == uids)
        try account.store().append("after\r\n")
        #expect(try session.refresh().added.count == 1)
    }
}
