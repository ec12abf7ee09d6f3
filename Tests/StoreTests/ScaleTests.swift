import Foundation
import IMAPTypes
@testable import Maildir
import MailStore
import TestSupport
import Testing

/// What commands cost does not grow with the mailbox: counted, not timed.
@Suite struct ScaleTests {
    struct Cost: Equatable {
        var calls = 0, opens = 0, read = 0, written = 0, listed = 0, memory = 0
    }

    /// What `FaultSubject` says of each command.
    private func costs(_ arguments: [String]) async throws -> [String: Cost] {
        let directory = try TemporaryDirectory()
        let outcome = try await Program.beside("FaultSubject").run([directory.path("")] + arguments)
        #expect(outcome.status == 0, "\(outcome)")
        var costs: [String: Cost] = [:]
        for line in outcome.output.split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            guard words.count == 15 else { continue }
            let numbers = stride(from: 2, to: 14, by: 2).map { Int(words[$0]) ?? -1 }
            costs[words[0]] = Cost(calls: numbers[0], opens: numbers[1], read: numbers[2], written: numbers[3],
                                   listed: numbers[4], memory: numbers[5])
        }
        return costs
    }

    @Test func `A command costs the same in a mailbox of any size`() async throws {
        async let small = costs(["scale", "1500"])
        async let large = costs(["scale", "12000"])
        let (a, b) = try await (small, large)
        #expect(a.count >= 18 && Set(a.keys) == Set(b.keys))
        for (name, cost) in b where name != "take-over" {
            let other = try #require(a[name])
            // A scan or a checkpoint of the larger would be a hundred thousand bytes.
            #expect(abs(cost.calls - other.calls) <= 3 && cost.opens == other.opens, "\(name): \(other), \(cost)")
            #expect(abs(cost.read - other.read) < 300, "\(name): \(other), \(cost)")
            #expect(abs(cost.written - other.written) < 300, "\(name): \(other), \(cost)")
            #expect(cost.listed < 200 && other.listed < 200, "\(name): \(other), \(cost)")
        }
        // KiB that the session has to itself: a few bytes a message.
        #expect(try #require(b["close"]).memory - #require(a["close"]).memory < 100)
        #expect(try #require(b["noop"]).calls <= 6)
    }

    @Test func `LIST with STATUS opens no mailbox that has not changed`() async throws {
        async let small = costs(["list", "20"])
        async let large = costs(["list", "120"])
        let (a, b) = try await (small, large)
        for name in ["list", "list-second", "list-after"] {
            // The Maildir, the account's files, and what STATUS remembers.
            #expect(try #require(b[name]).opens <= 5, "\(name): \(b)")
            #expect(try #require(b[name]).calls - #require(a[name]).calls <= 100 * 5, "\(name): \(a), \(b)")
        }
        let changed = try #require(b["list-two-changed"]).opens - #require(b["list"]).opens
        #expect((10...24).contains(changed))
        #expect(try #require(a["create"]).calls == #require(b["create"]).calls)
    }

    @Test func `Mailboxes that were changed and closed do not stay open, if there is no silence`() throws {
        let account = try MaildirAccount()
        let store = try account.openStore()
        let names = (0..<40).map { MailboxName("m\($0)")! }
        for name in names {
            try store.create(name, use: nil)
            try store.append("x\r\n", to: name)
        }
        func change(_ name: MailboxName, _ flags: SystemFlags) throws {
            let mailbox = try store.open(name, readOnly: false)
            try mailbox.add(flags, to: [1])
        }
        for flags: SystemFlags in [.seen, .flagged, .answered, .draft] { for name in names.prefix(2) { try change(name, flags) } }
        #expect(account.openDescriptors < 60)
        for name in names { try change(name, .deleted) }
        #expect(account.openDescriptors < 120)
        // What was forgotten is done when there is time.
        while try store.tidy() {}
        for name in names {
            let mailbox = try store.open(name, readOnly: false)
            while try store.tidy() {}
            #expect(mailbox.flags(1)?.contains(.deleted) == true)
        }
        #expect(names.allSatisfy { account.names("cur", in: $0.string).allSatisfy { $0.hasSuffix("T") } })
    }

    // MARK: What STATUS remembers

    @Test(arguments: ["delivery", "append", "flags", "rename", "foreign", "garbage", "cut", "gone"])
    func `STATUS tells of every change`(_ change: String) throws {
        let account = try MaildirAccount()
        let store = try account.openStore()
        try store.create("x", use: nil)
        for text in ["1\r\n", "2\r\n"] { try store.append(text, to: "x") }
        let file = account.folder().appendingPathComponent("imapd.status")
        // The directories were changed just now: nothing is remembered as long as another change could hide.
        #expect(try store.status("x", wantsSize: true).messages == 2)
        let old = Date(timeIntervalSinceNow: -100)
        for part in ["cur", "new"] {
            let path = account.folder("x").appendingPathComponent(part).path
            try FileManager.default.setAttributes([.modificationDate: old], ofItemAtPath: path)
        }
        #expect(try store.status("x", wantsSize: true).size == 6)
        let first = try account.openStore().status("x", wantsSize: true)
        #expect(FileManager.default.fileExists(atPath: file.path))
        var name: MailboxName = "x", messages = 2, unseen = 2
        switch change {
        case "delivery":
            try account.deliver("1.a", "3\n", to: "x")
            (messages, unseen) = (3, 3)
        case "append":
            try account.openStore().append("3\r\n", to: "x")
            (messages, unseen) = (3, 3)
        case "flags":
            try account.openStore().open("x", readOnly: false).add(.seen, to: [1])
            unseen = 1
        case "rename":
            try account.openStore().rename("x", to: "y")
            #expect(throws: StoreError.self) { try store.status("x", wantsSize: false) }
            name = "y"
        case "foreign":
            try account.remove("cur/" + account.names("cur", in: "x")[0], in: "x")
            (messages, unseen) = (1, 1)
        case "garbage": try Data((0..<500).map { _ in UInt8.random(in: 0...255) }).write(to: file)
        case "cut": try Data(contentsOf: file).dropLast(7).write(to: file)
        default: try FileManager.default.removeItem(at: file)
        }
        for store in [store, try account.openStore()] {
            let status = try store.status(name, wantsSize: true)
            #expect(status.messages == messages && status.unseen == unseen, "\(change)")
            #expect(status.uidValidity == first.uidValidity && status.id == first.id)
            #expect(status.uidNext == (messages == 3 ? 4 : 3))
        }
    }

    // MARK: Messages that arrive together

    @Test func `Many messages of one APPEND do not hold many files open`() throws {
        let account = try MaildirAccount()
        let store = try account.openMaildir()
        let transaction = try store.beginAppend(to: .inbox)
        let tmp = account.folder().appendingPathComponent("tmp").path
        let descriptors = "/proc/self/fd"
        var most = 0
        for index in 0..<400 {
            try transaction.begin(flags: FlagSet(), date: nil, size: 5)
            try transaction.write(Array("\(index)\r\n".utf8))
            try transaction.end()
            guard index % 50 == 49 else { continue }
            let open = try FileManager.default.contentsOfDirectory(atPath: descriptors).count { number in
                (try? FileManager.default.destinationOfSymbolicLink(atPath: descriptors + "/" + number))?.hasPrefix(tmp) == true
            }
            most = max(most, open)
        }
        #expect(most > 0 && most <= 130)
        let uids = try transaction.commit().uids
        #expect(uids.count == 400)
        let open = try store.open(.inbox, readOnly: true)
        for (index, uid) in uids.enumerated() { #expect(try open.text(uid) == "\(index)\r\n") }
        #expect(try FileManager.default.contentsOfDirectory(atPath: tmp).isEmpty)
    }

    // MARK: Expunges

    @Test func `Expunges are remembered by the hundred thousand`() {
        var memory = ExpungeMemory()
        for index in 1...UInt32(ExpungeMemory.capacity) { memory.append(2 * index...2 * index, UInt64(index) + 10) }
        #expect(memory.forgotten == 0)
        #expect(memory.since(10)?.count == ExpungeMemory.capacity)
        let next = UInt32(ExpungeMemory.capacity) + 1
        memory.append(2 * next...2 * next, UInt64(next) + 10)
        // The older half is forgotten, and it is known which.
        #expect(memory.ranges.count >= ExpungeMemory.capacity / 2 && memory.ranges.count <= ExpungeMemory.capacity / 2 + 1)
        #expect(memory.since(memory.forgotten - 1) == nil)
        #expect(memory.since(memory.forgotten)?.count == memory.ranges.count)
        #expect(memory.since(UInt64(next) + 9).map { Array($0) } == [UID(2 * next)!])
    }

    @Test func `Beyond what is remembered, every UID that is not there is told`() throws {
        let account = try MaildirAccount()
        let store = try account.openMaildir()
        let uids = try store.append((0..<8).map { Array("\($0)\r\n".utf8) }, to: .inbox)
        let a = try store.open(.inbox, readOnly: false) as! OpenMaildir
        let start = a.highestModSequence
        _ = try a.expunge([uids[1]])
        let between = a.highestModSequence
        _ = try a.expunge([uids[4], uids[7]])
        #expect(try a.expunged(since: between).map { $0 } == [uids[4], uids[7]])
        a.table.forgetExpunges(upTo: between.rawValue)
        #expect(try a.expunged(since: between).map { $0 } == [uids[4], uids[7]])
        #expect(try a.expunged(since: start).map { $0 } == [uids[1], uids[4], uids[7]])
        // Also after a checkpoint, and for another session.
        try a.mailbox.locked { () throws(StoreError) in try a.mailbox.checkpoint() }
        let b = try account.openStore().open(.inbox, readOnly: false)
        #expect(try b.expunged(since: between).map { $0 } == [uids[4], uids[7]])
        #expect(try b.expunged(since: start).map { $0 } == [uids[1], uids[4], uids[7]])
    }
}
