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
        try await dovecot.run((mailboxes.dropFirst() + ["Gone"]).map { "CREATE \($0)" }
                              + ["INBOX", "Lists.swift", "Entw&APw-rfe", "Gone"].map { "SUBSCRIBE \($0)" } + ["DELETE Gone"])
        var appends: [String] = []
        for number in 0..<40 {
            let flags = ["", "\\Seen", "\\Seen \\Answered", "\\Flagged work", "\\Draft \\Deleted", "$Forwarded \\Seen",
                         "home work $MDNSent"][number % 7]
            let zone = number % 2 == 0 ? "+0000" : "-0930"
            let date = String(format: "%02d-Feb-%d 10:%02d:00 %@", 1 + number % 28, 1999 + number % 20, number, zone)
            let line = "line of \(number)\r\n"
            let text = "Subject: message \(number)\r\n\r\n" + String(repeating: line, count: number * number % 50)
            appends.append(Dovecot.append(mailboxes[[0, 0, 1, 2, 3][number % 5]], flags, date, text))
        }
        try await dovecot.run(appends)
        try await dovecot.run(["SELECT INBOX", "STORE 2:4 +FLAGS.SILENT (\\Seen home)", "STORE 3 -FLAGS (\\Seen work)",
                               "COPY 1:6 Work", "COPY 2 Lists.swift"])
        try await dovecot.run(["SELECT INBOX", "UID STORE 5,9 +FLAGS.SILENT (\\Deleted)", "EXPUNGE"])
        try await dovecot.run(["SELECT INBOX", "STORE * +FLAGS.SILENT (\\Deleted)", "EXPUNGE", "MOVE 2 Work"])
        try await dovecot.run(["SELECT Lists.swift", "STORE 1:* FLAGS.SILENT (rare \\Answered)", "CLOSE"])
        // Delivered, seen by nobody but for their number; and after that, some of which Dovecot has not heard.
        for name in ["1700000001.M2P1.host", "1700000001.M1P1.host,S=2", "1600000000.x"] { try account.deliver(name, "x\n") }
        dovecot.own()
    }

    @Test(arguments: ["", ":UTF-8"])
    func `UIDs, flags, keywords, dates, sizes and subscriptions stay, and Dovecot's files do`(_ options: String) async throws {
        let account = try MaildirAccount()
        let dovecot = try Dovecot(in: account.directory, options: options)
        try await Self.fill(dovecot, account)
        let before = try await dovecot.view(Self.mailboxes)
        let subscribed = try await dovecot.subscriptions()
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
        #expect(try store.subscriptions().map(\.string).sorted() == subscribed.map
            { ModifiedUTF7.decode(Array($0.utf8))! }.sorted())
        // What it copied is one message, with one id.
        func texts(_ name: MailboxName) throws -> [ObjectID: String] {
            let mailbox = try store.open(name, readOnly: true)
            // Copied and moved later, a message is there twice.
            return try Dictionary(mailbox.uids.map { (try mailbox.identity($0).id, try mailbox.text($0)) }) { first, second in
                #expect(first == second)
                return first
            }
        }
        let originals = try texts(.inbox), copies = try texts("Work")
        #expect(originals.keys.contains { copies[$0] != nil })
        for (id, text) in copies { #expect(originals[id] == nil || originals[id] == text) }
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

    /// What stands before the names is the session's; between their levels, it is the store's.
    @Test(arguments: ["INBOX.", "INBOX/"])
    func `Names are those that it showed behind its prefix`(_ prefix: String) async throws {
        let account = try MaildirAccount(separator: prefix.last!)
        let dovecot = try Dovecot(in: account.directory, prefix: prefix)
        let separator = String(prefix.last!)
        let names = ["Sent", "Work", "Work\(separator)Projects", "Entw&APw-rfe"].map { prefix + $0 }
        try await dovecot.run(names.map { "CREATE \($0)" } + names.dropFirst().map { "SUBSCRIBE \($0)" } + names.map {
            Dovecot.append($0, "\\Seen", "01-Jan-2020 00:00:00 +0000", "x\r\n")
        })
        let before = try await dovecot.view(names)
        let shown = try await dovecot.run(["LIST \"\" \(prefix)*", "LSUB \"\" \(prefix)*"])
        func told(_ command: String) -> [String] {
            shown.compactMap { $0.firstMatch(of: /^\* (\w+) \([^)]*\) "[.\/]" "?([^"]+)"?$/) }.filter { $0.1 == command }
                .map { ModifiedUTF7.decode(Array($0.2.utf8))! }.sorted()
        }
        let store = try account.openMaildir()
        #expect(told("LIST").count == 4 && told("LSUB").count == 3)
        #expect(try store.names().filter { $0 != "INBOX" }.map { prefix + $0 }.sorted() == told("LIST"))
        #expect(try store.subscriptions().map { prefix + $0.string }.sorted() == told("LSUB"))
        for name in names {
            let local = MailboxName(ModifiedUTF7.decode(Array(name.dropFirst(prefix.count).utf8))!)!
            #expect(try Dovecot.view(store.open(local, readOnly: false)) == before[name])
        }
    }

    // MARK: And back

    /// Everything of ours in the form of `Dovecot.view`.
    private func view(_ store: MaildirStore) throws -> [String: Dovecot.View] {
        var views: [String: Dovecot.View] = [:]
        for entry in try store.mailboxes() {
            let name = String(decoding: ModifiedUTF7.encode(entry.name.string), as: UTF8.self)
            views[name] = try Dovecot.view(try store.open(entry.name, readOnly: true))
        }
        return views
    }

    private func check(_ store: MaildirStore, _ dovecot: Dovecot) async throws {
        let before = try view(store)
        var sequences: [String: UInt64] = [:]
        for name in before.keys {
            let mailbox = MailboxName(ModifiedUTF7.decode(Array(name.utf8))!)!
            sequences[name] = try store.status(mailbox, wantsSize: false).highestModSequence.rawValue
        }
        let validities = before.values.map(\.uidValidity)
        let subscribed = try store.subscriptions().map { String(decoding: ModifiedUTF7.encode($0.string), as: UTF8.self) }
        let result = try store.exportDovecot()
        #expect(result.mailboxes == before.count && result.messages == before.values.map(\.messages.count).reduce(0, +))
        #expect(result.lostKeywords.isEmpty)
        #expect(try view(store) == before)
        dovecot.own()
        let after = try await dovecot.view(before.keys.sorted())
        for (name, view) in before { #expect(after[name] == view, "\(name)") }
        // Mod-sequences go on, UIDs go on, UIDVALIDITYs go on.
        for name in before.keys {
            let lines = try await dovecot.run(["SELECT \(name) (CONDSTORE)"])
            let highest = try #require(lines.compactMap { $0.firstMatch(of: /HIGHESTMODSEQ (\d+)\]/).flatMap
                { UInt64($0.1) } }.first)
            #expect(highest >= sequences[name]!, "\(name)")
        }
        #expect(Set(try await dovecot.subscriptions()) == Set(subscribed))
        let append = Dovecot.append("INBOX", "", "01-Jan-2020 00:00:00 +0000", "x\r\n")
        let lines = try await dovecot.run([append, "CREATE Newest", "SELECT Newest"])
        let inbox = try #require(before["INBOX"])
        #expect(lines.contains { $0.contains("APPENDUID \(inbox.uidValidity) \(inbox.uidNext)]") }, "\(lines)")
        let newest = try #require(lines.compactMap { $0.firstMatch(of: /UIDVALIDITY (\d+)\] UIDs/).flatMap
            { UInt32($0.1) } }.first)
        #expect(newest > validities.max()!)
    }

    @Test func `A mailbox of ours goes to Dovecot as it is`() async throws {
        let account = try MaildirAccount()
        let dovecot = try Dovecot(in: account.directory)
        let store = try account.openMaildir()
        for name in ["Lists.swift", "Entw\u{FC}rfe", "R&D", "Empty"] { try store.create(MailboxName(name)!, use: nil) }
        for name in ["INBOX", "Lists.swift", "Entw\u{FC}rfe", "Gone"] { try store.subscribe(MailboxName(name)!) }
        for number in 0..<30 {
            let flags: SystemFlags = [[], .seen, [.seen, .answered], .flagged, [.draft, .deleted]][number % 5]
            try store.append("Subject: \(number)\r\n\r\n" + String(repeating: "text\r\n", count: number),
                             to: MailboxName(["INBOX", "Lists.swift", "R&D"][number % 3])!, flags,
                             keywords: number % 4 == 0 ? ["k\(number)", "work"] : [],
                                 date: 1_000_000_000 + Int64(number) * 86_000)
        }
        do {
            let inbox = try store.open(.inbox, readOnly: false)
            _ = try inbox.copy([1, 3], to: "Entw\u{FC}rfe")
            _ = try inbox.expunge([2, 10])
            let late = FlagSet(system: .seen, keywords: [Keyword("late")!])
            _ = try inbox.store([4], FlagChange(.add, late), unchangedSince: nil)
        }
        try account.deliver("1700000000.M1P1.host", "delivered\n")
        try account.deliver("1700000000.M2P1.host", "delivered\n", to: "R&-D", flags: "PS")
        try await check(store, dovecot)
    }

    @Test func `What came from Dovecot and was changed here goes back`() async throws {
        let account = try MaildirAccount()
        let dovecot = try Dovecot(in: account.directory)
        try await Self.fill(dovecot, account)
        _ = try await dovecot.view(Self.mailboxes)
        let store = try account.openMaildir()
        do {
            let inbox = try store.open(.inbox, readOnly: false)
            let uids = inbox.uids
            let fresh = FlagSet(system: .answered, keywords: [Keyword("fresh")!]), work = FlagSet(keywords: [Keyword("work")!])
            _ = try inbox.store(Array(uids[0...3]), FlagChange(.replace, fresh), unchangedSince: nil)
            _ = try inbox.store(Array(uids[3...6]), FlagChange(.remove, work), unchangedSince: nil)
            _ = try inbox.expunge([uids[7]])
            _ = try inbox.move([uids[8]], to: "Work")
            try store.append("ours\r\n", keywords: ["home", "other"])
        }
        try store.create("Ours", use: nil)
        try store.subscribe("Ours")
        try await check(store, dovecot)
    }

    @Test func `Keywords that find no letter are told of, and a letter without meaning gets none`() throws {
        let left = try TakeOverTests.Left()
        try left.write("dovecot-uidlist", "3 V1000 N9\n5 P W7 :1.a\n")
        try left.write("dovecot-keywords", "1 unused\n")
        try left.messages(["cur/1.a:2,Fz"])
        let store = try left.account.openMaildir()
        try store.append("x\r\n", keywords: (0..<26).map { "k\($0)" })
        let result = try store.exportDovecot()
        #expect(result.lostKeywords.mapValues { $0.count } == [.inbox: 2])
        let root = left.account.folder()
        let keywords = try String(contentsOf: root.appendingPathComponent("dovecot-keywords"), encoding: .utf8)
        #expect(keywords.split(separator: "\n").count == 25 && keywords.contains("1 unused\n") && !keywords.contains("25 "))
        #expect(left.account.names("cur").first == "1.a:2,Fz")
        #expect(left.account.names("cur").last?.hasSuffix(":2,acdefghijklmnopqrstuvwxy") == true)
        let list = try String(contentsOf: root.appendingPathComponent("dovecot-uidlist"), encoding: .utf8).split(separator: "\n")
        #expect(list.count == 3 && list[0].hasPrefix("3 V1000 N10 G") && list[1] == "5 P W7 :1.a" && list[2].hasPrefix("9 :"))
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
