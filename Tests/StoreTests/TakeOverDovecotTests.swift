import Foundation
import Glibc
import IMAPTypes
@testable import Maildir
import MailStore
import Testing
import TestSupport

/// From a real Dovecot to us: a client finds nothing changed.
@Suite struct TakeOverDovecotTests {
    /// By the name in the protocol: in modified UTF-7.
    static let mailboxes = ["INBOX", "Lists.swift", "Entw&APw-rfe", "R&-D", "Empty", "Work"]

    /// What clients do in years, in short.
    static func fill(_ dovecot: Dovecot, _ account: MaildirAccount) async throws {
        try await dovecot.run(["CREATE Lists.swift", "CREATE Entw&APw-rfe", "CREATE R&-D", "CREATE Empty", "CREATE Work", "CREATE Gone",
                               "SUBSCRIBE INBOX", "SUBSCRIBE Lists.swift", "SUBSCRIBE Entw&APw-rfe", "SUBSCRIBE Gone", "DELETE Gone"])
        var appends: [String] = []
        for number in 0..<40 {
            let flags = ["", "\\Seen", "\\Seen \\Answered", "\\Flagged work", "\\Draft \\Deleted", "$Forwarded \\Seen", "home work $MDNSent"][number % 7]
            let date = String(format: "%02d-Feb-%d 10:%02d:00 %@", 1 + number % 28, 1999 + number % 20, number, number % 2 == 0 ? "+0000" : "-0930")
            let text = "Subject: message \(number)\r\n\r\n" + String(repeating: "line of \(number)\r\n", count: number * number % 50)
            appends.append(Dovecot.append(mailboxes[[0, 0, 1, 2, 3][number % 5]], flags, date, text))
        }
        try await dovecot.run(appends)
        try await dovecot.run(["SELECT INBOX", "STORE 2:4 +FLAGS.SILENT (\\Seen home)", "STORE 3 -FLAGS (\\Seen work)", "COPY 1:6 Work", "COPY 2 Lists.swift"])
        try await dovecot.run(["SELECT INBOX", "UID STORE 5,9 +FLAGS.SILENT (\\Deleted)", "EXPUNGE"])
        try await dovecot.run(["SELECT INBOX", "STORE * +FLAGS.SILENT (\\Deleted)", "EXPUNGE", "MOVE 2 Work"])
        try await dovecot.run(["SELECT Lists.swift", "STORE 1:* FLAGS.SILENT (rare \\Answered)", "CLOSE"])
        // Delivered, seen by nobody but for their number; and after that, some of which Dovecot has not heard.
        for name in ["1700000001.M2P1.host", "1700000001.M1P1.host,S=2", "1600000000.x"] { try account.deliver(name, "x\n") }
        dovecot.own()
    }

    @Test(arguments: ["", ":UTF-8"])
    func `UIDs, flags, keywords, dates, sizes and subscriptions are the same, and Dovecot's files too`(_ options: String) async throws {
        let account = try MaildirAccount()
        let dovecot = try Dovecot(in: account.directory, options: options)
        try await Self.fill(dovecot, account)
        let before = try await dovecot.view(Self.mailboxes)
        let subscribed = try await dovecot.run(["LSUB \"\" *"]).compactMap { $0.firstMatch(of: /^\* LSUB \([^)]*\) "." "?([^"]+)"?$/).map { String($0.1) } }
        #expect(before.values.map(\.messages.count).reduce(0, +) > 40 && subscribed.count == 4)
        let theirs = try Self.files(account)
        #expect(theirs.count > 20)

        let store = try account.openMaildir()
        for name in Self.mailboxes {
            let mailbox = try store.open(MailboxName(ModifiedUTF7.decode(Array(name.utf8))!)!, readOnly: false)
            #expect(try Dovecot.view(mailbox) == before[name], "\(name)")
            #expect(try mailbox.claimRecent() == [])
            #expect(mailbox.highestModSequence.rawValue > 1_000_000_000_000)
        }
        #expect(try store.names().sorted() == Self.mailboxes.map { ModifiedUTF7.decode(Array($0.utf8))! }.sorted())
        #expect(try store.subscriptions().map(\.string).sorted() == subscribed.map { ModifiedUTF7.decode(Array($0.utf8))! }.sorted())
        while try store.tidy() {}
        // Work, and another look.
        let next = try #require(before["INBOX"]).uidNext
        #expect(try store.append("more\r\n").rawValue == next)
        try store.create("New", use: nil)
        #expect(try store.status("New", wantsSize: false).uidValidity.rawValue > before.values.map(\.uidValidity).max()!)
        for name in Self.mailboxes.dropFirst() {
            let mailbox = try account.openMaildir().open(MailboxName(ModifiedUTF7.decode(Array(name.utf8))!)!, readOnly: true)
            #expect(try Dovecot.view(mailbox) == before[name], "\(name)")
        }
        #expect(try Self.files(account) == theirs)
        #expect(!account.log.all.contains { $0.hasPrefix("warning") || $0.hasPrefix("error") }, "\(account.log.all)")
    }

    /// Dovecot's own files.
    static func files(_ account: MaildirAccount) throws -> [String: Data] {
        var files: [String: Data] = [:]
        for path in FileManager.default.enumerator(atPath: account.path)?.compactMap({ $0 as? String }) ?? [] {
            let name = (path as NSString).lastPathComponent
            guard name.hasPrefix("dovecot") || name == "subscriptions" || name == "maildirfolder" else { continue }
            if path.hasPrefix(".New/") { continue }
            files[path] = try Data(contentsOf: URL(fileURLWithPath: account.path + "/" + path))
        }
        return files
    }
}
