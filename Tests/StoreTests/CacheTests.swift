import Foundation
import IMAPTypes
@testable import Maildir
import MailStore
import Testing

/// `imapd.cache`: what it gives is what it was given for that message, or nothing.
@Suite struct CacheTests {
    private static func record(_ uid: UID, _ more: Int = 40) -> [UInt8] {
        Array("record of \(uid.rawValue) ".utf8) + Array(repeating: UInt8(truncatingIfNeeded: uid.rawValue), count: more)
    }

    /// The first bytes, which are the same in every record of a message, are keys and fields.
    fileprivate static func pieces(_ bytes: [UInt8], _ body: (KeptPieces) -> Void) {
        bytes.withUnsafeBytes { bytes in
            var pieces = KeptPieces()
            pieces.keys = UnsafeRawBufferPointer(rebasing: bytes[..<4])
            pieces.fields = UnsafeRawBufferPointer(rebasing: bytes[4..<10])
            pieces.items = UnsafeRawBufferPointer(rebasing: bytes[10...])
            body(pieces)
        }
    }

    /// A mailbox with some messages.
    private func account(_ count: Int = 6) throws -> MaildirAccount {
        let account = try MaildirAccount()
        _ = try account.openStore().append((1...count).map { Array("message \($0)\r\n".utf8) }, to: .inbox)
        return account
    }

    private func open(_ account: MaildirAccount, _ name: MailboxName = .inbox) throws -> OpenMaildir {
        try account.openStore().open(name, readOnly: false) as! OpenMaildir
    }

    private func file(_ account: MaildirAccount) -> URL { account.folder().appendingPathComponent("imapd.cache") }

    @Test func whatIsKeptIsThereForOthers() throws {
        let account = try account()
        let a = try open(account), b = try open(account)
        #expect(a.keptBytes(1) == nil && b.keptBytes(1) == nil)
        for uid in a.uids { a.keep(uid, Self.record(uid)) }
        #expect(a.keptBytes(3) == Self.record(3))
        #expect(b.keptBytes(3) == nil)
        a.saveKept()
        _ = try b.refresh()
        for uid in b.uids {
            #expect(a.keptBytes(uid) == Self.record(uid))
            #expect(b.keptBytes(uid) == Self.record(uid))
        }
        b.keep(2, Self.record(2, 99))
        #expect(b.keptBytes(2) == Self.record(2, 99))
        b.saveKept()
        _ = try a.refresh()
        #expect(a.keptBytes(2) == Self.record(2, 99))
        #expect(a.keptBytes(77) == nil)
        let c = try open(account)
        for uid in c.uids.reversed() { #expect(c.keptBytes(uid) == (uid == 2 ? Self.record(2, 99) : Self.record(uid))) }
        a.keep(1, [UInt8](repeating: 1, count: longestKept + 1))
        #expect(a.keptBytes(1) == Self.record(1))
    }

    @Test func copiesTakeItAlong() throws {
        let account = try account()
        let store = try account.openStore()
        try store.create("Other", use: nil)
        let a = try store.open(.inbox, readOnly: false)
        for uid in a.uids { a.keep(uid, Self.record(uid)) }
        a.saveKept()
        let result = try a.copy([2, 4], to: "Other")
        let b = try open(account, "Other")
        #expect(result.destination.map { b.keptBytes($0) } == [Self.record(2), Self.record(4)])
        _ = try a.expunge([4])
        #expect(a.keptBytes(4) == nil)
    }

    @Test func whatIsAppendedIsKept() throws {
        let account = try account()
        let store = try account.openStore()
        let transaction = try store.beginAppend(to: .inbox)
        for number in 7...9 {
            let text = "message \(number)\r\n"
            try transaction.begin(flags: FlagSet(), date: nil, size: UInt64(text.utf8.count))
            try transaction.write(Array(text.utf8))
            #expect(transaction.written() == nil)
            try transaction.end()
            // As it is stored.
            let content = try #require(transaction.written())
            var bytes = [UInt8](repeating: 0, count: 100)
            let count = try bytes.withUnsafeMutableBytes { try content.read(at: 0, into: $0) }
            #expect(bytes[..<count].elementsEqual("message \(number)\n".utf8) && content.size == UInt64(count))
            if number != 8 { Self.pieces(Self.record(UID(UInt32(number))!)) { transaction.keep($0) } }
        }
        #expect(try transaction.commit().uids == [7, 8, 9])
        while try store.tidy() {}
        let a = try open(account)
        #expect(a.keptBytes(7) == Self.record(7) && a.keptBytes(8) == nil && a.keptBytes(9) == Self.record(9))
    }

    @Test func whatIsNotCommittedIsNotKept() throws {
        let account = try account()
        let store = try account.openStore()
        let transaction = try store.beginAppend(to: .inbox)
        try transaction.begin(flags: FlagSet(), date: nil, size: 3)
        try transaction.write(Array("abc".utf8))
        try transaction.end()
        Self.pieces(Self.record(7)) { transaction.keep($0) }
        transaction.abandon()
        _ = try store.append("message 7\r\n")
        while try store.tidy() {}
        #expect(try open(account).keptBytes(7) == nil)
    }

    @Test func anotherMailboxHasOthers() throws {
        let account = try account()
        let store = try account.openStore()
        try store.create("Other", use: nil)
        _ = try store.append((1...6).map { Array("other \($0)\r\n".utf8) }, to: "Other")
        let a = try store.open(.inbox, readOnly: false)
        for uid in a.uids { a.keep(uid, Self.record(uid)) }
        a.saveKept()
        try FileManager.default.copyItem(at: file(account), to: account.folder("Other").appendingPathComponent("imapd.cache"))
        let b = try open(account, "Other")
        for uid in b.uids {
            #expect(b.keptBytes(uid) == nil)
            b.keep(uid, Self.record(uid, 7))
        }
        b.saveKept()
        #expect(try open(account, "Other").keptBytes(5) == Self.record(5, 7))
    }

    /// Two batches, the second of which replaces records of the first.
    private func sample() throws -> (MaildirAccount, Data) {
        let account = try account(4)
        let a = try open(account)
        for uid in a.uids { a.keep(uid, Self.record(uid, 5)) }
        a.saveKept()
        for uid in a.uids.prefix(2) { a.keep(uid, Self.record(uid, 9)) }
        a.saveKept()
        return (account, try Data(contentsOf: file(account)))
    }

    private func check(_ account: MaildirAccount, _ what: String) throws {
        let a = try open(account)
        for uid in a.uids {
            let found = a.keptBytes(uid)
            #expect(found == nil || found == Self.record(uid, 5) || found == Self.record(uid, 9), "\(what)")
        }
        // And it is mended by being used.
        for uid in a.uids where a.keptBytes(uid) == nil { a.keep(uid, Self.record(uid, 5)) }
        a.saveKept()
        let b = try open(account)
        for uid in b.uids { #expect(b.keptBytes(uid) != nil, "\(what), mended: \(uid.rawValue)") }
    }

    @Test func bytesThatFlip() throws {
        let (account, whole) = try sample()
        for at in whole.indices {
            var damaged = whole
            damaged[at] ^= UInt8(1 << (at % 8))
            try damaged.write(to: file(account), options: .atomic)
            try check(account, "byte \(at)")
        }
    }

    @Test func cutAnywhere() throws {
        let (account, whole) = try sample()
        for length in 0...whole.count {
            try whole.prefix(length).write(to: file(account), options: .atomic)
            try check(account, "cut to \(length)")
        }
        // Pages that a power cut left without their bytes.
        for start in stride(from: 0, to: whole.count, by: 8) {
            var torn = whole
            torn.resetBytes(in: start..<whole.count)
            try torn.write(to: file(account), options: .atomic)
            try check(account, "zeros from \(start)")
        }
    }

    @Test func deletedWhileInUse() throws {
        let (account, _) = try sample()
        let a = try open(account)
        #expect(a.keptBytes(1) != nil)
        try FileManager.default.removeItem(at: file(account))
        _ = try a.refresh()
        #expect(a.keptBytes(1) == nil)
        a.keep(1, Self.record(1))
        a.saveKept()
        #expect(try open(account).keptBytes(1) == Self.record(1))
        try FileManager.default.removeItem(at: file(account))
        try FileManager.default.createDirectory(at: file(account), withIntermediateDirectories: false)
        _ = try a.refresh()
        #expect(a.keptBytes(1) == nil)
        a.keep(1, Self.record(1))
        a.saveKept()
        #expect(try a.bytes(1).isEmpty == false)
    }

    /// What is of no more use goes when the file is written anew, and sessions that have the old one mapped go on.
    @Test func writtenAnew() throws {
        let account = try account(1500)
        let a = try open(account), b = try open(account)
        let uids = a.uids
        for uid in uids { a.keep(uid, Self.record(uid)) }
        a.saveKept()
        #expect(b.keptBytes(7) == Self.record(7))
        _ = try b.refresh()
        // Twice as many as there are messages, then some: every record in a batch of its own.
        for uid in uids { b.keep(uid, Self.record(uid, 50)) }
        b.saveKept()
        let before = try Data(contentsOf: file(account)).count
        _ = try a.expunge(Array(uids.prefix(700)))
        _ = try b.refresh()
        b.compactCacheIfDue()
        #expect(try Data(contentsOf: file(account)).count < before / 2)
        for uid in uids.dropFirst(700) { #expect(b.keptBytes(uid) == Self.record(uid, 50)) }
        #expect(a.keptBytes(uids[800]) == Self.record(uids[800]) || a.keptBytes(uids[800]) == Self.record(uids[800], 50))
        _ = try a.refresh()
        for uid in uids.dropFirst(700) { #expect(a.keptBytes(uid) == Self.record(uid, 50)) }
        // It is whole to its end: what comes next is appended.
        let attributes = try FileManager.default.attributesOfItem(atPath: file(account).path)
        let c = try open(account)
        c.keep(uids[900], Self.record(uids[900], 60))
        c.saveKept()
        let after = try FileManager.default.attributesOfItem(atPath: file(account).path)
        #expect(after[.systemFileNumber] as? Int == attributes[.systemFileNumber] as? Int)
        #expect(after[.size] as! Int > attributes[.size] as! Int)
        #expect(try open(account).keptBytes(uids[900]) == Self.record(uids[900], 60))
    }

    @Test func largeBatches() throws {
        let account = try account(60)
        let a = try open(account)
        for uid in a.uids { a.keep(uid, Self.record(uid, 60_000)) }
        a.saveKept()
        let b = try open(account)
        // 1 MiB and 4 KiB for each message: then it has what it may have.
        #expect(try Data(contentsOf: file(account)).count <= (1 << 20) + 60 * 4096)
        #expect(b.uids.contains { b.keptBytes($0) != nil })
        for uid in b.uids { if let found = b.keptBytes(uid) { #expect(found == Self.record(uid, 60_000)) } }
    }

    @Test func sessionsAtTheSameTime() async throws {
        let account = try account(300)
        await withTaskGroup(of: Void.self) { group in
            for session in 0..<4 {
                group.addTask {
                    guard let a = try? open(account) else {
                        Issue.record("not opened")
                        return
                    }
                    for round in 0..<10 {
                        for uid in a.uids where (Int(uid.rawValue) + round) % 4 == session {
                            if let found = a.keptBytes(uid) {
                                #expect(found.starts(with: Self.record(uid, 0)))
                            } else {
                                a.keep(uid, Self.record(uid, round))
                            }
                        }
                        a.saveKept()
                        _ = try? a.refresh()
                        if round % 3 == session % 3 { a.cache?.compactIfDue(messages: -10_000) { _, _ in true } }
                    }
                }
            }
        }
        let a = try open(account)
        for uid in a.uids { if let found = a.keptBytes(uid) { #expect(found.starts(with: Self.record(uid, 0))) } }
        #expect(a.uids.contains { a.keptBytes($0) != nil })
    }
}

extension OpenMailbox {
    fileprivate func keep(_ uid: UID, _ bytes: [UInt8]) { CacheTests.pieces(bytes) { keep(uid, $0) } }

    /// `nil` unless every piece is there.
    fileprivate func keptBytes(_ uid: UID) -> [UInt8]? {
        var bytes: [UInt8] = []
        for piece in KeptPiece.allCases {
            guard let found = kept(uid, piece) else { return nil }
            bytes += found
        }
        return bytes
    }
}
