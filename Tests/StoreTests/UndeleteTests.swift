import Foundation
import Glibc
import IMAPTypes
import Logging
@testable import Maildir
import MailStore
import Testing
import TestSupport

/// Expunged messages that are kept for a while.
@Suite struct UndeleteTests {
    let directory: TemporaryDirectory
    var path: String { directory.path("Maildir") }

    init() throws { directory = try TemporaryDirectory() }

    func store(delay: Int64? = 86_400) throws -> MaildirStore {
        try MaildirStore(path: path, expungeDelay: delay, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    func append(_ store: MaildirStore, _ text: String, _ flags: FlagSet = FlagSet(), date: Int64 = 1_000_000_000) throws {
        let transaction = try store.beginAppend(to: .inbox)
        try transaction.begin(flags: flags, date: date, size: UInt64(text.utf8.count))
        try transaction.write(Array(text.utf8))
        try transaction.end()
        _ = try transaction.commit()
    }

    func text(_ content: any MessageContent) throws -> String {
        var bytes = [UInt8](repeating: 0, count: Int(content.size))
        let count = try bytes.withUnsafeMutableBytes { try content.read(at: 0, into: $0) }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    var kept: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: path + "/imapd.undelete")) ?? []).sorted() }

    @Test func `Directories for expunged messages stay while somebody may put one there`() throws {
        let store = try store()
        try append(store, "one\n")
        var a: (any OpenMailbox)? = try store.open(.inbox, readOnly: false)
        var b: (any OpenMailbox)? = try self.store().open(.inbox, readOnly: false)
        let directory = try #require(a as? OpenMaildir).mailbox.directory
        let made = [Graveyard.open(directory, create: true), UndeleteDirectory.open(directory, create: true)]
        b = nil
        for handle in made { #expect(handle?.status()?.st_nlink ?? 0 > 0) }
        #expect(try a?.expunge([UID(1)]) == [UID(1)])
        #expect(kept.contains { $0.contains(".1..") })
        a = nil
        #expect(!FileManager.default.fileExists(atPath: path + "/imapd.expunged"))
        _ = (a, b)
    }

    /// While `expunge-delay` is set, a message that others still see gets a second name before it loses its first.
    @Test func `What a crash has left among the expunged brings no message back`() throws {
        var delayed: MaildirStore? = try store()
        try append(try #require(delayed), "one\n")
        delayed = nil
        let a = try store(delay: 0).open(.inbox, readOnly: false), b = try store(delay: 0).open(.inbox, readOnly: false)
        let name = try #require(try FileManager.default.contentsOfDirectory(atPath: path + "/cur").first)
        try FileManager.default.createDirectory(atPath: path + "/imapd.expunged", withIntermediateDirectories: false)
        #expect(link(path + "/cur/" + name, path + "/imapd.expunged/1") == 0)
        #expect(try a.expunge([UID(1)]) == [UID(1)])
        #expect(try FileManager.default.contentsOfDirectory(atPath: path + "/cur") == [])
        #expect(try text(b.content(UID(1))) == "one\n")
        #expect(try store(delay: 0).open(.inbox, readOnly: false).uids == [])
    }

    @Test func `What was expunged can be seen and comes back as new, with all but its UID`() throws {
        let store = try store()
        let flags = FlagSet(system: [.seen, .deleted, .flagged], keywords: [Keyword("later")!, Keyword("$x")!])
        try append(store, "one\n", flags)
        try append(store, "two\n")
        let inbox = try store.open(.inbox, readOnly: false)
        let id = try inbox.identity(UID(1)).id
        inbox.forget(try inbox.expunge([UID(1)]))
        let messages = try store.expunged(from: .inbox)
        let message = try #require(messages.first)
        #expect(messages.count == 1 && message.uid == 1 && message.date == 1_000_000_000 && message.size == 4)
        #expect(message.flags == FlagSet(system: [.seen, .flagged], keywords: flags.keywords))
        #expect(abs(message.time - Int64(time(nil))) < 600)
        #expect(try text(store.content(message, from: .inbox)) == "one\n")

        #expect(try store.undelete(messages, from: .inbox, to: .inbox) == [UID(3)])
        #expect(try inbox.refresh().added == [UID(3)])
        let metadata = try #require(inbox.metadata(UID(3)))
        #expect(metadata.flags == [.seen, .flagged])
        #expect(Set(metadata.keywords.map { inbox.keywords[$0] }) == flags.keywords)
        #expect(try inbox.details(UID(3)).internalDate == 1_000_000_000)
        // EMAILID is the message's (RFC 8474 §5.1), as for a copy.
        #expect(try inbox.identity(UID(3)).id == id)
        #expect(try text(inbox.content(UID(3))) == "one\n")
        #expect(try store.expunged(from: .inbox).isEmpty)
        // Once more, there is nothing.
        #expect(try store.undelete(messages, from: .inbox, to: .inbox).isEmpty)
    }

    @Test func `Who has the mailbox open reads the message until its client knows`() throws {
        let store = try store()
        try append(store, "one\n")
        let inbox = try store.open(.inbox, readOnly: false), other = try self.store().open(.inbox, readOnly: false)
        inbox.forget(try inbox.expunge([UID(1)]))
        #expect(try other.refresh().expunged == [UID(1)])
        #expect(try text(other.content(UID(1))) == "one\n")
        #expect(try store.expunged(from: .inbox).count == 1)
    }

    @Test func `They can go to another mailbox, and hundreds at a time`() throws {
        let store = try store()
        for number in 0..<450 { try append(store, "\(number)\n") }
        try store.create(MailboxName("Saved"), use: nil)
        let inbox = try store.open(.inbox, readOnly: false)
        inbox.forget(try inbox.expunge(inbox.uids))
        let messages = try store.expunged(from: .inbox)
        #expect(messages.map(\.uid.rawValue) == Array(1...450))
        #expect(try store.undelete(messages, from: .inbox, to: MailboxName("Saved")).count == 450)
        let saved = try store.open(MailboxName("Saved"), readOnly: true)
        #expect(try saved.uids.map { try text(saved.content($0)) } == (0..<450).map { "\($0)\n" })
    }

    @Test func `What is moved is not kept, and without a delay nothing is`() throws {
        let store = try store()
        try append(store, "moved\n")
        try store.create(MailboxName("Work"), use: nil)
        let inbox = try store.open(.inbox, readOnly: false)
        _ = try inbox.move([UID(1)], to: MailboxName("Work"))
        #expect(try store.expunged(from: .inbox).isEmpty)
        for delay in [nil, 0] as [Int64?] {
            let other = try self.store(delay: delay)
            try append(other, "gone\n")
            let open = try other.open(.inbox, readOnly: false)
            _ = try open.expunge(open.uids)
        }
        #expect(try store.expunged(from: .inbox).isEmpty && kept.isEmpty)
    }

    @Test func `It goes for good when the time is over, and at once when nothing is kept any more`() throws {
        do {
            let store = try store()
            for _ in 0..<3 { try append(store, "x\n") }
            let inbox = try store.open(.inbox, readOnly: false)
            _ = try inbox.expunge([UID(1), UID(2)])
        }
        #expect(kept.count == 3 && kept.last == "purged", "\(kept)")
        // One of them was expunged long ago, and it was long ago that somebody looked.
        let old = "\(time(nil) - 90_000)" + kept[0].drop { $0 != "." }
        #expect(rename(path + "/imapd.undelete/" + kept[0], path + "/imapd.undelete/" + old) == 0)
        _ = try store().open(.inbox, readOnly: false)
        #expect(kept.count == 3, "not looked at again within the hour")
        try Data("1000".utf8).write(to: URL(fileURLWithPath: path + "/imapd.undelete/purged"))
        // Whoever does not know the delay does not decide.
        _ = try store(delay: nil).open(.inbox, readOnly: false)
        #expect(kept.count == 3)
        _ = try store().open(.inbox, readOnly: false)
        #expect(kept.count == 2 && !kept.contains(old))
        _ = try store(delay: 0).open(.inbox, readOnly: true)
        #expect(!FileManager.default.fileExists(atPath: path + "/imapd.undelete"))
    }

    @Test func `Names are read back, and others are not mistaken for them`() {
        var row = MessageRow(uid: 4_294_967_295, id: ObjectID(low: 0, high: 0))
        row.flags = .all
        row.keywords.high = .max
        row.keywords.low = 1
        for base in ["1.M2P3.host,S=4", "a=b.c", String(repeating: "x", count: 240)] {
            let name = UndeleteDirectory.fileName(row, base: Array(base.utf8), time: 1_763_722_800)
            let entry = UndeleteDirectory.entry(name)
            #expect(name.count <= 255 && entry?.uid == row.uid && entry?.flags == row.flags && entry?.keywords == row.keywords)
            #expect(entry?.time == 1_763_722_800)
            #expect(String(decoding: entry?.base ?? [], as: UTF8.self) == (base.count < 100 ? base : ""))
        }
        for name in ["purged", "1.2.S=x", "1.0.S.=x", "x.1.S.=x", "-1.1.S.=x", "1.1.S.zz=x", "1.1.S.1=x", "..="] {
            #expect(UndeleteDirectory.entry(Array(name.utf8)) == nil, "\(name)")
        }
    }
}
