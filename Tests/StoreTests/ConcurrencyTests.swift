import CLinux
import Foundation
import Glibc
import IMAPTypes
@testable import Maildir
import MailStore
import Synchronization
import TestSupport
import Testing

/// Several sessions at the same time: threads here, but as separate as processes, for each opens every file for itself.
@Suite struct ConcurrencyTests {
    /// Runs `body` in so many threads and waits for all.
    static func inThreads(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Void) throws {
        let problems = Mutex<[any Error]>([])
        let done = DispatchGroup()
        for index in 0..<count {
            done.enter()
            let thread = Thread {
                do { try body(index) } catch { problems.withLock { $0.append(error) } }
                done.leave()
            }
            thread.stackSize = 1 << 20
            thread.start()
        }
        done.wait()
        if let first = problems.withLock({ $0.first }) { throw first }
    }

    @Test func `Appends and deliveries at the same time all arrive, each with a UID of its own`() throws {
        let account = try MaildirAccount()
        let first = try account.openStore().open(.inbox, readOnly: false)
        let uids = Mutex<[UID]>([])
        let rounds = 25
        try Self.inThreads(4) { thread in
            let store = try account.openMaildir()
            let open = try store.open(.inbox, readOnly: false)
            for round in 0..<rounds {
                if thread == 0 {
                    try account.deliver("\(round).\(thread)", "delivered \(round)\n")
                    _ = try open.refresh()
                } else {
                    let uid = try store.append("appended \(thread) \(round)\r\n")
                    uids.withLock { $0.append(uid) }
                    if round % 5 == 0 { _ = try open.refresh() }
                }
            }
        }
        _ = try first.refresh()
        let texts = try first.uids.map { try first.text($0) }
        #expect(texts.count == 4 * rounds)
        #expect(Set(texts).count == 4 * rounds)
        let given = uids.withLock { $0 }
        #expect(Set(given).count == 3 * rounds)
        #expect(Set(given).isSubset(of: Set(first.uids)))
        for (uid, text) in zip(first.uids, texts) where text.hasPrefix("appended") { #expect(given.contains(uid)) }
        #expect(account.log.all == [])
    }

    @Test func `Flags, expunges, checkpoints and new sessions at the same time end in one state`() throws {
        let account = try MaildirAccount()
        let store = try account.openMaildir()
        _ = try store.append((0..<60).map { Array("message \($0)\r\n".utf8) }, to: .inbox)
        let removed = Mutex<Set<UID>>([])
        try Self.inThreads(4) { thread in
            var random = SeededGenerator(UInt64(thread))
            let store = try account.openMaildir()
            var open = try store.open(.inbox, readOnly: false) as! OpenMaildir
            for round in 0..<40 {
                let changes = try open.refresh()
                for uid in changes.expunged { #expect(try open.text(uid).hasPrefix("message")) }
                open.forget(changes.expunged)
                let some = open.uids.filter { _ in Int.random(in: 0..<6, using: &random) == 0 }
                switch round % 8 {
                case 0...3:
                    let flags = FlagSet(system: .seen, keywords: [Keyword("k\(thread)")!])
                    let change = FlagChange(Bool.random(using: &random) ? .add : .remove, flags)
                    _ = try open.store(some, change, unchangedSince: nil)
                case 4:
                    let gone = try open.expunge(Array(some.prefix(1)))
                    open.forget(gone)
                    for uid in gone { #expect(removed.withLock { $0.insert(uid).inserted }, "it was expunged twice") }
                case 5:
                    _ = try store.tidy()
                case 6:
                    let mailbox = open.mailbox
                    try mailbox.locked { () throws(StoreError) in try mailbox.checkpoint() }
                default:
                    open = try store.open(.inbox, readOnly: false) as! OpenMaildir
                }
            }
        }
        let a = try account.openStore().open(.inbox, readOnly: false)
        #expect(Set(a.uids) == Set((1...60).map { UID($0)! }).subtracting(removed.withLock { $0 }))
        for uid in a.uids { #expect(try a.text(uid) == "message \(uid.rawValue - 1)\r\n") }
        let status = try account.openStore().status(.inbox, wantsSize: false)
        #expect(status.messages == a.uids.count)
        #expect(status.unseen == a.uids.count { !a.flags($0)!.contains(.seen) })
        let final = try account.openMaildir()
        let b = try final.open(.inbox, readOnly: false)
        while try final.tidy() {}
        for uid in a.uids {
            #expect(b.flags(uid) == a.flags(uid))
            #expect(b.keywordNames(uid) == a.keywordNames(uid))
        }
        #expect(account.names("cur").count == a.uids.count)
        #expect(account.log.all == [])
    }

    @Test func `A message that two sessions move is moved once`() throws {
        let account = try MaildirAccount()
        let store = try account.openStore()
        let texts = (0..<40).map { "message \($0)\r\n" }
        let all = try store.append(texts.map { Array($0.utf8) }, to: .inbox)
        let moved = Mutex<[UID]>([])
        for name in ["x0", "x1", "x2"] { try store.create(MailboxName(name)!, use: nil) }
        try Self.inThreads(3) { thread in
            let store = try account.openStore()
            let open = try store.open(.inbox, readOnly: false)
            for uid in all {
                let result = try open.move([uid], to: MailboxName("x\(thread)")!)
                #expect(result.source.count == result.destination.count)
                moved.withLock { $0 += result.source }
            }
        }
        #expect(moved.withLock { $0.sorted() } == all)
        var found: [String] = []
        for name in ["x0", "x1", "x2", "INBOX"] {
            let open = try account.openStore().open(MailboxName(name)!, readOnly: true)
            found += try open.uids.map { try open.text($0) }
        }
        #expect(found.sorted() == texts.sorted())
    }

    @Test func `Messages that are moved to and fro at the same time do not stop each other`() throws {
        let account = try MaildirAccount()
        let store = try account.openStore()
        try store.create("x", use: nil)
        let texts = (0..<12).map { "message \($0)\r\n" }
        _ = try store.append(texts.map { Array($0.utf8) }, to: .inbox)
        try Self.inThreads(3) { thread in
            let (from, to): (MailboxName, MailboxName) = thread == 0 ? ("INBOX", "x") : thread == 1 ? ("x", "INBOX") : ("x", "x")
            let store = try account.openStore()
            let open = try store.open(from, readOnly: false)
            for _ in 0..<30 {
                open.forget(try open.refresh().expunged)
                open.forget(try open.move(Array(open.uids.prefix(5)), to: to).source)
            }
        }
        var found: [String] = []
        for name in ["x", "INBOX"] {
            let open = try account.openStore().open(MailboxName(name)!, readOnly: true)
            found += try open.uids.map { try open.text($0) }
        }
        #expect(found.sorted() == texts.sorted())
    }

    @Test func `Mailboxes are made and removed by several at once`() throws {
        let account = try MaildirAccount()
        let validities = Mutex<Set<UIDValidity>>([])
        let made = Mutex<Int>(0)
        try Self.inThreads(4) { thread in
            let store = try account.openMaildir()
            for round in 0..<10 {
                let name = MailboxName("box\(round % 3)")!
                do {
                    try store.create(name, use: nil)
                    made.withLock { $0 += 1 }
                    let validity = try store.status(name, wantsSize: false).uidValidity
                    #expect(validities.withLock { $0.insert(validity).inserted })
                    try store.append("x\r\n", to: name)
                    try store.delete(name)
                } catch StoreError.mailboxExists, StoreError.noSuchMailbox {}
            }
        }
        #expect(made.withLock { $0 } > 0)
        let leftovers = try FileManager.default.contentsOfDirectory(atPath: account.path).filter { $0.hasPrefix("..") }
        #expect(leftovers == [])
    }

    @Test func `A session that finds its mailbox deleted holds up no other`() throws {
        let account = try MaildirAccount()
        let store = try account.openMaildir()
        try store.create("x", use: nil)
        let a = try account.openMaildir().open("x", readOnly: false), b = try account.openMaildir().open("x", readOnly: false)
        let lockFile = try #require((b as? OpenMaildir)?.mailbox.directory.lockFile)
        try store.delete("x")
        #expect(throws: StoreError.self) { try a.add(.seen, to: [1]) }
        // Without waiting: who waits for what is never given back, waits for ever.
        #expect(clinux_lock(lockFile.file.raw, LockFile.Byte.writer.rawValue, 1, 0) == 0)
        lockFile.unlock(.writer)
        #expect(throws: StoreError.self) { try b.add(.seen, to: [1]) }
    }

    @Test func `An appended message is told while it is waited for`() throws {
        let account = try MaildirAccount()
        let a = try account.openStore().open(.inbox, readOnly: false)
        let descriptor = try a.changeDescriptor()
        _ = try a.refresh()
        try Self.inThreads(1) { _ in
            try account.openStore().append("x\r\n")
        }
        var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        #expect(Glibc.poll(&poll, 1, 10_000) == 1)
        #expect(try a.refresh().added == [1])
    }
}
