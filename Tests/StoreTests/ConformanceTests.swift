import Glibc
import IMAPTypes
import MailStore
import Testing

/// What the protocol promises, of every store.
@Suite struct ConformanceTests {
    static let message = "Subject: one\r\n\r\nHello\r\n"

    // MARK: Ids

    @Test(arguments: StoreKind.allCases)
    func `A message keeps its id through COPY, MOVE and RENAME`(_ kind: StoreKind) throws {
        let store = try kind.makeAccount().openStore()
        for text in ["one", "two", "one"] { try store.append(text + "\r\n") }
        let made = try store.create("A", use: nil)
        let inbox = try store.open(.inbox, readOnly: false)
        func ids(_ mailbox: any OpenMailbox) throws -> [ObjectID] { try mailbox.uids.map { try mailbox.identity($0).id } }
        let before = try ids(inbox)
        #expect(Set(before).count == 3, "what came twice are two messages")
        _ = try inbox.copy([1, 2], to: "A")
        _ = try inbox.copy([2], to: .inbox)
        _ = try inbox.move([3], to: "A")
        try store.rename("A", to: "B")
        let b = try store.open("B", readOnly: true)
        #expect(try ids(b) == before)
        #expect(b.id == made)
        _ = try inbox.refresh()
        inbox.forget([3])
        #expect(try ids(inbox) == [before[0], before[1], before[1]])
        #expect(try store.status("B", wantsSize: false).id == made)
        #expect(try store.status(.inbox, wantsSize: false).id == inbox.id)
        #expect(inbox.id != made)
        #expect(throws: StoreError.self) { try b.identity(9) }
    }

    // MARK: Mailboxes

    @Test(arguments: StoreKind.allCases)
    func `A new account has an empty INBOX`(_ kind: StoreKind) throws {
        let store = try kind.makeAccount().openStore()
        #expect(try store.names() == ["INBOX"])
        let inbox = try store.open(.inbox, readOnly: false)
        #expect(inbox.uids == [])
        #expect(inbox.uidNext == 1)
        #expect(inbox.highestModSequence >= ModSequence(1)!)
    }

    @Test(arguments: StoreKind.allCases)
    func `Mailboxes are made, listed and deleted`(_ kind: StoreKind) throws {
        let account = try kind.makeAccount()
        let store = try account.openStore()
        let child = MailboxName("a\(store.separator)b")!
        try store.create(child, use: nil)
        #expect(try store.names() == ["INBOX", child.string])
        #expect(try !store.exists("a"))
        try store.create("a", use: nil)
        #expect(throws: StoreError.self) { try store.create("a", use: nil) }
        try store.delete("a")
        #expect(try store.names() == ["INBOX", child.string])
        #expect(try account.openStore().exists(child))
        #expect(throws: StoreError.self) { try store.delete("a") }
        #expect(throws: StoreError.self) { try store.delete(.inbox) }
        #expect(throws: StoreError.self) { try store.open("nothing", readOnly: true) }
    }

    @Test(arguments: StoreKind.allCases, [
        "Entwürfe", "日本語", "a&b", "&", "x y", "~peter", "100%*", "\u{1F4EB}", "INBOX2", "..", ".", "a/", "/a", "a.b.c",
    ])
    func `Names come back as they were given, or are refused`(_ kind: StoreKind, _ text: String) throws {
        let account = try kind.makeAccount()
        let store = try account.openStore()
        let name = MailboxName(text)!
        if name.levels(separator: store.separator).contains(where: \.isEmpty) {
            #expect(throws: StoreError.self) { try store.create(name, use: nil) }
            #expect(try store.names() == ["INBOX"])
        } else {
            try store.create(name, use: nil)
            #expect(try account.openStore().names().contains(text))
            try store.append(Self.message, to: name)
            #expect(try store.status(name, wantsSize: false).messages == 1)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `A use belongs to one mailbox and goes along with RENAME`(_ kind: StoreKind) throws {
        let account = try kind.makeAccount()
        let store = try account.openStore()
        try store.create("Gesendet", use: .sent)
        #expect(throws: StoreError.self) { try store.create("Sent", use: .sent) }
        try store.rename("Gesendet", to: "Sent")
        #expect(try account.openStore().mailboxes().first { $0.name == "Sent" }?.use == .sent)
        try store.delete("Sent")
        try store.create("Sent", use: nil)
        #expect(try store.mailboxes().first { $0.name == "Sent" }?.use == nil)
    }

    @Test(arguments: StoreKind.allCases)
    func `RENAME takes along children, UIDs and UIDVALIDITY`(_ kind: StoreKind) throws {
        let store = try kind.makeAccount().openStore()
        let s = store.separator
        try store.create("old", use: nil)
        try store.create(MailboxName("old\(s)child")!, use: nil)
        try store.append(Self.message, to: "old")
        let before = try store.open("old", readOnly: true).uidValidity
        try store.rename("old", to: MailboxName("new\(s)name")!)
        #expect(try store.names() == ["INBOX", "new\(s)name", "new\(s)name\(s)child"])
        let mailbox = try store.open(MailboxName("new\(s)name")!, readOnly: true)
        #expect(mailbox.uids == [1])
        #expect(mailbox.uidValidity == before)
        #expect(throws: StoreError.self) { try store.rename(MailboxName("new\(s)name")!, to: .inbox) }
        #expect(throws: StoreError.self) { try store.rename("nothing", to: "something") }
    }

    @Test(arguments: StoreKind.allCases)
    func `Renaming INBOX moves its messages and leaves it empty`(_ kind: StoreKind) throws {
        let store = try kind.makeAccount().openStore()
        try store.append(Self.message, to: .inbox, .seen)
        try store.rename(.inbox, to: "archive")
        #expect(try store.status(.inbox, wantsSize: false).messages == 0)
        let archive = try store.open("archive", readOnly: true)
        #expect(archive.uids == [1])
        #expect(archive.flags(1) == .seen)
        #expect(try archive.text(1) == Self.message)
    }

    @Test(arguments: StoreKind.allCases)
    func `A mailbox made again has another UIDVALIDITY`(_ kind: StoreKind) throws {
        let store = try kind.makeAccount().openStore()
        var seen = Set<UIDValidity>()
        for _ in 0..<5 {
            try store.create("x", use: nil)
            #expect(seen.insert(try store.status("x", wantsSize: false).uidValidity).inserted)
            try store.delete("x")
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `Subscriptions do not depend on mailboxes`(_ kind: StoreKind) throws {
        let account = try kind.makeAccount()
        let store = try account.openStore()
        try store.subscribe("later")
        try store.subscribe("later")
        try store.subscribe(.inbox)
        #expect(Set(try account.openStore().subscriptions()) == ["later", .inbox])
        try store.unsubscribe("later")
        try store.unsubscribe("never")
        #expect(try account.openStore().subscriptions() == [.inbox])
    }

    // MARK: APPEND

    @Test(arguments: StoreKind.allCases)
    func `APPEND keeps bytes, flags, keywords and date`(_ kind: StoreKind) throws {
        let account = try kind.makeAccount()
        let store = try account.openStore()
        let uid = try store.append(Self.message, to: .inbox, [.seen, .flagged], keywords: ["$Work", "b"], date: 1_000_000_000)
        #expect(uid == 1)
        let inbox = try account.openStore().open(.inbox, readOnly: false)
        #expect(inbox.uids == [1])
        #expect(inbox.flags(1) == [.seen, .flagged])
        #expect(inbox.keywordNames(1) == ["$Work", "b"])
        #expect(try inbox.text(1) == Self.message)
        let details = try inbox.details(1)
        #expect(details.internalDate == 1_000_000_000)
        #expect(details.size == UInt64(Self.message.utf8.count))
        #expect(inbox.uidNext == 2)
    }

    @Test(arguments: StoreKind.allCases)
    func `MULTIAPPEND is all or none`(_ kind: StoreKind) throws {
        let store = try kind.makeAccount().openStore()
        let dropped = try store.beginAppend(to: .inbox)
        try dropped.begin(flags: FlagSet(), date: nil, size: 3)
        try [UInt8]("abc".utf8).withUnsafeBytes { try dropped.write($0) }
        try dropped.end()
        dropped.abandon()
        #expect(try store.status(.inbox, wantsSize: false).messages == 0)
        let uids = try store.append([[UInt8]("one".utf8), [UInt8]("two".utf8), [UInt8]("three".utf8)], to: .inbox)
        #expect(uids == [1, 2, 3])
        let inbox = try store.open(.inbox, readOnly: true)
        #expect(try inbox.uids.map { try inbox.text($0) } == ["one", "two", "three"])
    }

    @Test(arguments: StoreKind.allCases, [
        "", "a", "\r\n", "a\r\nb", "a\r\n\r\n", "\r\r\n", "a\rb\r", "\r", "\r\r", "\r\r\r\n\r\n", "a\u{0}b\r\n", "ä\r\n",
    ])
    func `Every literal comes back as it came, in pieces of any size`(_ kind: StoreKind, _ text: String) throws {
        let store = try kind.makeAccount().openStore()
        let bytes = Array(text.utf8)
        for chunk in 1...3 {
            let append = try store.beginAppend(to: .inbox)
            try append.begin(flags: FlagSet(), date: nil, size: UInt64(bytes.count))
            for start in stride(from: 0, to: bytes.count, by: chunk) {
                try bytes[start..<min(start + chunk, bytes.count)].withUnsafeBytes { try append.write($0) }
            }
            try append.end()
            _ = try append.commit()
        }
        let inbox = try store.open(.inbox, readOnly: true)
        for uid in inbox.uids {
            #expect(try inbox.text(uid) == text)
            #expect(try inbox.details(uid).size == UInt64(bytes.count))
        }
        #expect(inbox.uids.count == 3)
    }

    // MARK: Several sessions

    @Test(arguments: StoreKind.allCases)
    func `A session's picture changes in refresh only`(_ kind: StoreKind) throws {
        let account = try kind.makeAccount()
        let store = try account.openStore(), other = try account.openStore()
        try store.append(Self.message)
        let a = try store.open(.inbox, readOnly: false), b = try other.open(.inbox, readOnly: false)
        try store.append(Self.message)
        #expect(a.uids == [1])
        #expect(a.metadata(2) == nil)
        #expect(try a.refresh().added == [2])
        #expect(a.uids == [1, 2])
        #expect(try a.refresh().isEmpty)
        try a.add(.seen, to: [1])
        #expect(try a.refresh().isEmpty, "its own change is no news")
        let changes = try b.refresh()
        #expect(changes.added == [2])
        #expect(changes.flagged == [1])
        #expect(b.flags(1) == .seen)
    }

    @Test(arguments: StoreKind.allCases)
    func `An expunged message stays readable until it is forgotten`(_ kind: StoreKind) throws {
        let account = try kind.makeAccount()
        let store = try account.openStore(), other = try account.openStore()
        try store.append(Self.message)
        try store.append("two\r\n")
        let a = try store.open(.inbox, readOnly: false), b = try other.open(.inbox, readOnly: false)
        #expect(try a.expunge([1]) == [1])
        #expect(a.uids == [1, 2])
        a.forget([1])
        #expect(a.uids == [2])
        #expect(a.metadata(1) == nil)
        #expect(b.metadata(1)?.isExpunged == false)
        #expect(try b.text(1) == Self.message)
        #expect(try b.refresh().expunged == [1])
        #expect(b.uids == [1, 2])
        #expect(b.metadata(1)?.isExpunged == true)
        #expect(try b.text(1) == Self.message)
        #expect(try b.details(1).size == UInt64(Self.message.utf8.count))
        #expect(try b.add(.seen, to: [1, 2]).stored == [2])
        b.forget([1])
        #expect(b.uids == [2])
        #expect(try b.refresh().isEmpty)
        #expect(throws: StoreError.self) { try b.content(1) }
    }

    @Test(arguments: StoreKind.allCases)
    func `What was expunged before the mailbox is opened is not in it`(_ kind: StoreKind) throws {
        let account = try kind.makeAccount()
        let store = try account.openStore()
        for _ in 1...3 { try store.append(Self.message) }
        let before = try store.open(.inbox, readOnly: false)
        #expect(try before.expunge([2]) == [2])
        let after = try account.openStore().open(.inbox, readOnly: false)
        #expect(after.uids == [1, 3])
        #expect(after.metadata(2) == nil)
        #expect(try after.refresh().isEmpty)
    }

    @Test(arguments: StoreKind.allCases)
    func `What came and went between two looks was never there`(_ kind: StoreKind) throws {
        let account = try kind.makeAccount()
        let store = try account.openStore(), other = try account.openStore()
        let a = try store.open(.inbox, readOnly: false)
        let b = try other.open(.inbox, readOnly: false)
        try other.append(Self.message)
        _ = try b.refresh()
        _ = try b.expunge([1])
        #expect(try a.refresh().isEmpty)
        #expect(a.uids == [])
        #expect(a.uidNext == 2)
    }

    @Test(arguments: StoreKind.allCases)
    func `The descriptor wakes and refresh settles it`(_ kind: StoreKind) throws {
        let account = try kind.makeAccount()
        let a = try account.openStore().open(.inbox, readOnly: false)
        let descriptor = try a.changeDescriptor()
        func isReadable() -> Bool {
            var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            return Glibc.poll(&poll, 1, 0) == 1
        }
        _ = try a.refresh()
        #expect(!isReadable())
        try account.openStore().append(Self.message)
        #expect(isReadable())
        #expect(isReadable())
        #expect(try a.refresh().added == [1])
        #expect(!isReadable())
    }

    // MARK: \Recent

    @Test(arguments: StoreKind.allCases)
    func `One session has a message as recent`(_ kind: StoreKind) throws {
        let account = try kind.makeAccount()
        let store = try account.openStore()
        try store.append(Self.message)
        try store.append(Self.message)
        #expect(try store.status(.inbox, wantsSize: false).recent == 2)
        #expect(try store.open(.inbox, readOnly: true).claimRecent() == [1, 2])
        let a = try store.open(.inbox, readOnly: false)
        #expect(try a.claimRecent() == [1, 2])
        #expect(try a.claimRecent() == [])
        #expect(try account.openStore().open(.inbox, readOnly: false).claimRecent() == [])
        #expect(try store.status(.inbox, wantsSize: false).recent == 0)
        try store.append(Self.message)
        #expect(try a.claimRecent() == [], "it is not in the picture yet")
        _ = try a.refresh()
        #expect(try a.claimRecent() == [3])
    }

    // MARK: Flags

    @Test(arguments: StoreKind.allCases)
    func `Flags are replaced, added and removed`(_ kind: StoreKind) throws {
        let account = try kind.makeAccount()
        let store = try account.openStore()
        for _ in 1...3 { try store.append(Self.message, to: .inbox, .answered) }
        let a = try store.open(.inbox, readOnly: false)
        func change(_ action: FlagChange.Action, _ flags: SystemFlags, _ keywords: [String]) throws -> StoreResult {
            let set = FlagSet(system: flags, keywords: Set(keywords.map { Keyword($0)! }))
            return try a.store([1, 3, 9], FlagChange(action, set), unchangedSince: nil)
        }
        #expect(try change(.add, .seen, ["k"]).stored == [1, 3])
        #expect(a.flags(1) == [.answered, .seen])
        #expect(a.flags(2) == .answered)
        #expect(a.keywordNames(3) == ["k"])
        #expect(try change(.remove, .answered, ["K", "unknown"]).stored == [1, 3])
        #expect(a.flags(3) == .seen)
        #expect(a.keywordNames(3) == [])
        _ = try change(.replace, [.draft, .deleted], ["x"])
        #expect(a.flags(1) == [.draft, .deleted])
        let b = try account.openStore().open(.inbox, readOnly: true)
        #expect(b.flags(1) == [.draft, .deleted])
        #expect(b.keywordNames(1) == ["x"])
        let status = try store.status(.inbox, wantsSize: true)
        #expect(status.messages == 3 && status.unseen == 3 && status.deleted == 2)
        #expect(status.size == UInt64(3 * Self.message.utf8.count))
    }

    @Test(arguments: StoreKind.allCases)
    func `UNCHANGEDSINCE leaves alone what changed later`(_ kind: StoreKind) throws {
        let store = try kind.makeAccount().openStore()
        try store.append(Self.message)
        try store.append(Self.message)
        let a = try store.open(.inbox, readOnly: false)
        let before = a.highestModSequence
        try a.add(.seen, to: [1])
        _ = try a.refresh()
        #expect(a.highestModSequence > before)
        #expect(a.metadata(1)!.modSequence > before)
        #expect(a.metadata(2)!.modSequence <= before)
        let result = try a.store([1, 2], FlagChange(.add, FlagSet(system: .flagged)), unchangedSince: before)
        #expect(result.stored == [2])
        #expect(result.modified == [1])
        _ = try a.refresh()
        let after = a.highestModSequence
        try a.add(.flagged, to: [2])
        _ = try a.refresh()
        #expect(a.highestModSequence == after, "nothing changed")
    }

    @Test(arguments: StoreKind.allCases)
    func `There is an end to keywords`(_ kind: StoreKind) throws {
        let store = try kind.makeAccount().openStore()
        try store.append(Self.message)
        let a = try store.open(.inbox, readOnly: false)
        for index in 0..<KeywordSet.capacity {
            _ = try a.store([1], FlagChange(.add, FlagSet(keywords: [Keyword("k\(index)")!])), unchangedSince: nil)
        }
        #expect(throws: StoreError.self) {
            try a.store([1], FlagChange(.add, FlagSet(system: .seen, keywords: [Keyword("more")!])), unchangedSince: nil)
        }
        #expect(a.keywordNames(1)?.count == KeywordSet.capacity)
        #expect(a.flags(1) == [])
    }

    @Test(arguments: StoreKind.allCases)
    func `A mailbox opened read-only is not changed`(_ kind: StoreKind) throws {
        let store = try kind.makeAccount().openStore()
        try store.append(Self.message)
        let a = try store.open(.inbox, readOnly: true)
        #expect(a.isReadOnly)
        #expect(throws: StoreError.self) { try a.add(.seen, to: [1]) }
        #expect(throws: StoreError.self) { try a.expunge([1]) }
        #expect(throws: StoreError.self) { try a.move([1], to: .inbox) }
    }

    // MARK: EXPUNGE, COPY, MOVE

    @Test(arguments: StoreKind.allCases)
    func `EXPUNGE is remembered`(_ kind: StoreKind) throws {
        let account = try kind.makeAccount()
        let store = try account.openStore()
        for _ in 1...5 { try store.append(Self.message) }
        let a = try store.open(.inbox, readOnly: false)
        let before = a.highestModSequence
        #expect(try a.expunge([2, 3, 7]) == [2, 3])
        let between = a.highestModSequence
        #expect(try a.expunge([5]) == [5])
        a.forget([2, 3, 5])
        #expect(a.uids == [1, 4])
        #expect(Array(try a.expunged(since: before)) == [2, 3, 5])
        #expect(try a.expunged(since: between).contains(5))
        let b = try account.openStore().open(.inbox, readOnly: true)
        #expect(Array(try b.expunged(since: before)) == [2, 3, 5])
        #expect(b.uidNext == 6)
        try store.append(Self.message)
        #expect(try a.refresh().added == [6])
    }

    @Test(arguments: StoreKind.allCases)
    func `COPY takes along flags, keywords and date`(_ kind: StoreKind) throws {
        let store = try kind.makeAccount().openStore()
        try store.create("x", use: nil)
        try store.append("zero\r\n", to: "x", keywords: ["other"])
        try store.append(Self.message, to: .inbox, .seen, keywords: ["k"], date: 1_234_567_890)
        try store.append("two\r\n")
        let a = try store.open(.inbox, readOnly: true)
        let result = try a.copy([1, 2, 3], to: "x")
        #expect(result.source == [1, 2])
        #expect(result.destination == [2, 3])
        let x = try store.open("x", readOnly: true)
        #expect(result.uidValidity == x.uidValidity)
        #expect(x.flags(2) == .seen)
        #expect(x.keywordNames(2) == ["k"])
        #expect(x.keywordNames(1) == ["other"])
        #expect(try x.details(2).internalDate == 1_234_567_890)
        #expect(try x.text(2) == Self.message)
        #expect(try x.text(3) == "two\r\n")
        #expect(a.uids == [1, 2])
        #expect(throws: StoreError.self) { try a.copy([1], to: "nothing") }
    }

    @Test(arguments: StoreKind.allCases)
    func `MOVE removes what it copied`(_ kind: StoreKind) throws {
        let store = try kind.makeAccount().openStore()
        try store.create("x", use: nil)
        for text in ["one\r\n", "two\r\n", "three\r\n"] { try store.append(text) }
        let a = try store.open(.inbox, readOnly: false)
        let result = try a.move([1, 3], to: "x")
        #expect(result.source == [1, 3])
        a.forget(result.source)
        #expect(a.uids == [2])
        let x = try store.open("x", readOnly: true)
        #expect(try x.uids.map { try x.text($0) } == ["one\r\n", "three\r\n"])
        #expect(try store.status(.inbox, wantsSize: false).messages == 1)
    }

    @Test(arguments: StoreKind.allCases)
    func `COPY into the same mailbox is news`(_ kind: StoreKind) throws {
        let store = try kind.makeAccount().openStore()
        try store.append(Self.message)
        let a = try store.open(.inbox, readOnly: false)
        #expect(try a.copy([1], to: .inbox).destination == [2])
        #expect(a.uids == [1])
        #expect(try a.refresh().added == [2])
        #expect(try a.text(2) == Self.message)
    }

    @Test(arguments: StoreKind.allCases)
    func `Tidying comes to an end and changes nothing`(_ kind: StoreKind) throws {
        let account = try kind.makeAccount()
        let store = try account.openStore()
        for _ in 0..<20 { try store.append(Self.message) }
        let a = try store.open(.inbox, readOnly: false)
        try a.add(.seen, to: a.uids)
        var rounds = 0
        while try store.tidy() {
            rounds += 1
            try #require(rounds < 100)
        }
        #expect(try a.refresh().isEmpty)
        for uid in a.uids {
            #expect(a.flags(uid) == .seen)
            #expect(try a.text(uid) == Self.message)
        }
    }
}
