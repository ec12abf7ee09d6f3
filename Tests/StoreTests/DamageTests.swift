import Foundation
import IMAPTypes
@testable import Maildir
import MailStore
import TestSupport
import Testing

/// What is left when files are cut, flipped, deleted or replaced by old ones.
@Suite struct DamageTests {
    @Test func `What a writer took back is not mistaken for a torn end`() throws {
        let account = try MaildirAccount()
        let store = try account.openMaildir()
        for index in 1...3 { try store.append("message \(index)\r\n") }
        let a = try store.open(.inbox, readOnly: false)
        let files = ["imapd.log", "imapd.lock"].map { account.folder().appendingPathComponent($0) }
        let before = try files.map { try Data(contentsOf: $0) }
        // A session reads what another has written and cannot sync, and so takes back.
        _ = try account.openMaildir().open(.inbox, readOnly: false).add(.seen, to: [1])
        #expect(try a.refresh().flagged == [1])
        for (file, bytes) in zip(files, before) {
            let handle = try FileHandle(forWritingTo: file)
            try handle.write(contentsOf: bytes)
            try handle.truncate(atOffset: UInt64(bytes.count))
        }
        // In its place there is something longer now, which was synced.
        let keyword = FlagChange(.add, FlagSet(system: .flagged, keywords: [Keyword("a-long-keyword")!]))
        _ = try account.openMaildir().open(.inbox, readOnly: false).store([2], keyword, unchangedSince: nil)
        #expect(try a.refresh().flagged == [1, 2])
        for mailbox in [a, try account.openMaildir().open(.inbox, readOnly: true)] {
            #expect(mailbox.flags(1) == [] && mailbox.flags(2) == .flagged && mailbox.keywordNames(2) == ["a-long-keyword"])
        }
        #expect(account.log.all == [])
    }

    @Test func `All files of a mailbox are lost, and a repair is cut short: no UID is given again`() throws {
        let account = try MaildirAccount()
        let next = try {
            let store = try account.openMaildir()
            for index in 1...3 { try store.append("message \(index)\r\n") }
            return try store.open(.inbox, readOnly: true).uidNext
        }()
        for name in account.names("").filter({ $0.hasPrefix("imapd.") && $0 != "imapd.account" }) { try account.remove(name) }
        let obstacle = account.folder().appendingPathComponent("imapd.index.tmp")
        try FileManager.default.createDirectory(at: obstacle, withIntermediateDirectories: false)
        #expect(throws: StoreError.self) { try account.openMaildir().open(.inbox, readOnly: true) }
        try FileManager.default.removeItem(at: obstacle)
        let a = try account.openMaildir().open(.inbox, readOnly: true)
        #expect(a.uids.count == 3 && a.uids.allSatisfy { $0.rawValue >= next })
    }

    /// A Maildir with some history, and what a session knows of it.
    struct Scene {
        let account: MaildirAccount
        var texts: [UID: String] = [:]
        var flags: [UID: SystemFlags] = [:]
        var uidNext: UInt32 = 1
        var uidValidity: UIDValidity
        /// Every UID that was ever given, and to which message.
        var given: [UID: String] = [:]

        /// `checkpointed`: whether the first half is in the index, the rest in the log.
        init(checkpointed: Bool = true) throws {
            account = try MaildirAccount()
            let store = try account.openMaildir()
            for index in 1...6 { try store.append("message \(index)\r\n", to: .inbox, index % 2 == 0 ? .seen : []) }
            let a = try store.open(.inbox, readOnly: false) as! OpenMaildir
            for uid in a.uids { given[uid] = try a.text(uid) }
            _ = try a.claimRecent()
            try a.add(.flagged, to: [2, 3])
            _ = try a.store([1], FlagChange(.add, FlagSet(keywords: [Keyword("k")!])), unchangedSince: nil)
            if checkpointed { try a.mailbox.locked { () throws(StoreError) in try a.mailbox.checkpoint() } }
            _ = try a.expunge([5])
            try account.deliver("9.x", "message 7\n")
            _ = try a.refresh()
            given[7] = try a.text(7)
            try a.add(.answered, to: [4])
            while try store.tidy() {}
            for uid in a.uids {
                Array("kept".utf8).withUnsafeBytes { bytes in
                    var pieces = KeptPieces()
                    pieces.items = bytes
                    a.keep(uid, pieces)
                }
            }
            a.saveKept()
            try a.add(.deleted, to: [6])
            let message = try store.append("message 8\r\n")
            given[message] = "message 8\r\n"
            _ = try a.refresh()
            a.forget([5])
            for uid in a.uids {
                texts[uid] = try a.text(uid)
                flags[uid] = a.flags(uid)
            }
            uidNext = a.uidNext
            uidValidity = a.uidValidity
        }

        /// Opens the mailbox and looks whether everything is there. Returns it.
        @discardableResult
        func check(sameUIDs: Bool, sameFlags: Bool = false, _ what: String) throws -> any OpenMailbox {
            let store = try account.openStore()
            let a = try store.open(.inbox, readOnly: false)
            _ = try a.refresh()
            #expect(try a.uids.map { try a.text($0) }.sorted() == texts.values.sorted(), "\(what)")
            #expect(a.uidValidity == uidValidity, "\(what)")
            for uid in a.uids {
                let text = try a.text(uid)
                if let kept = a.kept(uid, .items) { #expect(kept.elementsEqual("kept".utf8), "\(what)") }
                if let known = given[uid] { #expect(text == known, "\(what): UID \(uid.rawValue) was given again") }
                if sameUIDs { #expect(texts[uid] == text, "\(what)") }
                if sameFlags { #expect(a.flags(uid) == flags[uid], "\(what)") }
            }
            if sameUIDs { #expect(a.uidNext >= uidNext, "\(what)") }
            // It serves.
            let uid = try store.append("after\r\n")
            #expect(given[uid] == nil, "\(what): UID \(uid.rawValue) was given again")
            _ = try a.refresh()
            #expect(a.uids.last == uid, "\(what)")
            try a.add(.draft, to: [uid])
            #expect(try a.expunge([uid]) == [uid])
            while try store.tidy() {}
            let again = try account.openStore().open(.inbox, readOnly: true)
            #expect(try again.uids.map { try again.text($0) }.sorted() == texts.values.sorted(), "\(what)")
            return a
        }

        func url(_ name: String) -> URL { account.folder().appendingPathComponent(name) }

        /// A copy of the Maildir, hard links and all times as they are.
        func copy() throws -> Scene {
            var other = self
            other = Scene(copying: self)
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/bin/cp")
            process.arguments = ["-a", account.path, other.account.path]
            try process.run()
            process.waitUntilExit()
            return other
        }

        private init(copying scene: Scene) {
            account = try! MaildirAccount()
            texts = scene.texts
            flags = scene.flags
            given = scene.given
            uidNext = scene.uidNext
            uidValidity = scene.uidValidity
        }
    }

    static let sideFiles = ["imapd.log", "imapd.index", "imapd.lock", "imapd.account"]
    static let oldFiles = ["imapd.log.old", "imapd.index.old", "imapd.log.spare"]
    /// What tells nothing that another file does not tell.
    static let otherFiles = oldFiles + ["imapd.cache"]

    @Test(arguments: [true, false])
    func `Nothing is wrong with a whole mailbox`(_ checkpointed: Bool) throws {
        let scene = try Scene(checkpointed: checkpointed)
        try scene.check(sameUIDs: true, sameFlags: true, "whole")
        #expect(scene.account.log.all.isEmpty)
    }

    @Test(arguments: sideFiles + otherFiles)
    func `One file is deleted`(_ name: String) throws {
        let scene = try Scene()
        try FileManager.default.removeItem(at: scene.url(name))
        try scene.check(sameUIDs: true, sameFlags: true, name)
    }

    @Test func `The log is deleted under a session`() throws {
        let scene = try Scene()
        let a = try scene.account.openStore().open(.inbox, readOnly: false)
        try FileManager.default.removeItem(at: scene.url("imapd.log"))
        let b = try scene.account.openStore().open(.inbox, readOnly: false)
        #expect(try a.refresh().isEmpty)
        try b.add(.draft, to: [1])
        #expect(try a.refresh().flagged == [1])
        #expect(a.uids == b.uids)
    }

    @Test func `A checkpoint that is cut short between index and log is finished`() throws {
        let scene = try Scene()
        let a = try scene.account.openMaildir().open(.inbox, readOnly: false)
        let b = try scene.account.openMaildir().open(.inbox, readOnly: false) as! OpenMaildir
        try FileManager.default.linkItem(at: scene.url("imapd.log"), to: scene.url("kept"))
        try b.mailbox.locked { () throws(StoreError) in try b.mailbox.checkpoint() }
        #expect(rename(scene.url("kept").path, scene.url("imapd.log").path) == 0)
        // A session that has the mailbox open goes on with the log that it knows.
        try a.add(.draft, to: [1])
        var expected = scene
        expected.flags[1]!.insert(.draft)
        let c = try expected.check(sameUIDs: true, sameFlags: true, "cut short")
        #expect(scene.account.log.all == [])
        #expect(try a.refresh().flagged == [])
        try a.add(.answered, to: [2])
        #expect(try c.refresh().flagged == [2])
    }

    @Test(arguments: [0, 600, 4096, 8192, 20_000])
    func `An index that is cut short under a session is made anew`(_ length: Int) throws {
        let account = try MaildirAccount()
        let store = try account.openMaildir()
        let texts = (0..<400).map { "message \($0)\r\n" }
        let uids = try store.append(texts.map { Array($0.utf8) }, to: .inbox)
        let b = try store.open(.inbox, readOnly: false) as! OpenMaildir
        try b.add(.seen, to: Array(uids[100..<300]))
        try b.mailbox.locked { () throws(StoreError) in try b.mailbox.checkpoint() }
        let after = try store.append("after\r\n")
        let a = try account.openMaildir().open(.inbox, readOnly: false)
        #expect(a.flags(uids[250]) == .seen)
        let index = account.folder().appendingPathComponent("imapd.index").path
        #expect(truncate(index, off_t(length)) == 0)
        // Whatever it shows now, it goes on.
        for uid in a.uids { _ = a.metadata(uid) }
        _ = try a.refresh()
        #expect(a.uids == uids + [after])
        for (uid, text) in zip(uids, texts) {
            #expect(try a.text(uid) == text)
            #expect(a.flags(uid) == (uids[100..<300].contains(uid) ? .seen : []))
        }
        try a.add(.flagged, to: [uids[0], uids[399]])
        let c = try account.openMaildir().open(.inbox, readOnly: false)
        #expect(c.uids == a.uids && c.flags(uids[399]) == .flagged && c.flags(uids[299]) == .seen)
        _ = try b.refresh()
        #expect(b.flags(uids[0]) == .flagged)
    }

    @Test func `A cache that is cut short under a session is forgotten`() throws {
        let account = try MaildirAccount()
        let store = try account.openStore()
        let uids = try store.append((0..<40).map { Array("message \($0)\r\n".utf8) }, to: .inbox)
        let a = try store.open(.inbox, readOnly: false)
        let record = [UInt8](repeating: 7, count: 1000)
        func keep(_ uid: UID) {
            record.withUnsafeBytes { bytes in
                var pieces = KeptPieces()
                pieces.items = bytes
                a.keep(uid, pieces)
            }
        }
        uids.forEach(keep)
        a.saveKept()
        #expect(a.kept(uids[39], .items)?.count == 1000)
        #expect(truncate(account.folder().appendingPathComponent("imapd.cache").path, 5000) == 0)
        for uid in uids { if let kept = a.kept(uid, .items) { #expect(kept.elementsEqual(record)) } }
        _ = try a.refresh()
        for uid in uids { #expect(a.kept(uid, .items) == nil) }
        uids.forEach(keep)
        a.saveKept()
        _ = try a.refresh()
        for uid in uids { #expect(a.kept(uid, .items)?.elementsEqual(record) == true) }
    }

    @Test func `A log that ends after an announcement takes no message away`() throws {
        let scene = try Scene(checkpointed: false)
        let before = try Data(contentsOf: scene.url("imapd.log")).count
        let store = try scene.account.openStore()
        _ = try store.append([Array("message 9\r\n".utf8), Array("message 10\r\n".utf8)], to: .inbox)
        // Where the announcement ends: its length is in its frame.
        let log = try Data(contentsOf: scene.url("imapd.log"))
        let length = log[(before + 4)..<(before + 8)].reversed().reduce(0) { $0 << 8 | Int($1) }
        for name in ["imapd.lock", "imapd.log.spare"] { try FileManager.default.removeItem(at: scene.url(name)) }
        try log.prefix(before + 16 + length).write(to: scene.url("imapd.log"))
        let open = try scene.account.openStore().open(.inbox, readOnly: false)
        #expect(try open.uids.suffix(2).map { try open.text($0) } == ["message 9\r\n", "message 10\r\n"])
    }

    @Test func `Only the account's file is left`() throws {
        let scene = try Scene()
        for name in Self.sideFiles.dropLast() + Self.oldFiles { try FileManager.default.removeItem(at: scene.url(name)) }
        let a = try scene.check(sameUIDs: false, "all but the account")
        #expect(a.uids.first! >= UID(scene.uidNext)!)
        #expect(scene.account.log.all.contains { $0.contains("missing or damaged") })
    }

    @Test func `No file is left, and UIDVALIDITY is new`() throws {
        let scene = try Scene()
        for name in Self.sideFiles + Self.oldFiles { try FileManager.default.removeItem(at: scene.url(name)) }
        let a = try scene.account.openStore().open(.inbox, readOnly: false)
        #expect(try a.uids.map { try a.text($0) }.sorted() == scene.texts.values.sorted())
        // Seconds may be the same; what counts is that the files are all gone.
        #expect(a.uidValidity >= scene.uidValidity)
    }

    @Test(arguments: [true, false])
    func `The log is cut at every byte`(_ checkpointed: Bool) throws {
        let scene = try Scene(checkpointed: checkpointed)
        let whole = try Data(contentsOf: scene.url("imapd.log"))
        let stepping = max(1, whole.count / (40 * thoroughness))
        for length in stride(from: 0, to: whole.count, by: stepping) {
            let copy = try scene.copy()
            try whole.prefix(length).write(to: copy.url("imapd.log"))
            try copy.check(sameUIDs: false, "cut at \(length)")
        }
    }

    @Test(arguments: sideFiles + otherFiles)
    func `A bit flips anywhere`(_ name: String) throws {
        let scene = try Scene()
        let whole = try Data(contentsOf: scene.url(name))
        let stepping = max(1, whole.count / (25 * thoroughness))
        for at in stride(from: 0, to: whole.count, by: stepping) {
            let copy = try scene.copy()
            var bytes = whole
            bytes[at] ^= 1 << (at % 8)
            try bytes.write(to: copy.url(name))
            // The spare is another name of the log.
            let isLog = ["imapd.log", "imapd.log.spare"].contains(name)
            try copy.check(sameUIDs: !isLog, sameFlags: !isLog, "\(name), byte \(at)")
        }
    }

    @Test(arguments: sideFiles + otherFiles + ["imapd.subscriptions"])
    func `Garbage in place of a file`(_ name: String) throws {
        for seed in 0..<(4 * thoroughness) {
            let scene = try Scene()
            var generator = SeededGenerator(UInt64(seed))
            let count = Int.random(in: 0...3000, using: &generator)
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
            try Data(bytes).write(to: scene.url(name))
            let tellsUIDs = Self.sideFiles.contains(name) || name == "imapd.log.spare"
            try scene.check(sameUIDs: !tellsUIDs, "\(name), seed \(seed)")
            _ = try scene.account.openStore().subscriptions()
        }
    }

    @Test func `Old copies of files are put back`() throws {
        let scene = try Scene()
        let old = try scene.copy()
        let store = try scene.account.openMaildir()
        let a = try store.open(.inbox, readOnly: false) as! OpenMaildir
        var given = scene.given
        for index in 9...12 { given[try store.append("message \(index)\r\n")] = "message \(index)\r\n" }
        try a.mailbox.locked { () throws(StoreError) in try a.mailbox.checkpoint() }
        given[try store.append("message 13\r\n")] = "message 13\r\n"
        _ = try a.refresh()
        var now = scene
        now.given = given
        now.texts = Dictionary(uniqueKeysWithValues: try a.uids.map { ($0, try a.text($0)) })
        for names in [["imapd.log"], ["imapd.index"], ["imapd.cache"], ["imapd.log.spare"], ["imapd.log.old"],
                      ["imapd.index.old"], ["imapd.lock"], ["imapd.account"], ["imapd.log", "imapd.index"],
                      ["imapd.log", "imapd.index", "imapd.lock"]] {
            let copy = try now.copy()
            for name in names {
                try FileManager.default.removeItem(at: copy.url(name))
                try FileManager.default.copyItem(at: old.url(name), to: copy.url(name))
            }
            // The log's second name leads to the present one, unless what tells so is old too.
            try copy.check(sameUIDs: !names.contains("imapd.lock") || names.count == 1, "old \(names)")
        }
    }

    @Test func `A mailbox's whole directory is put back, and no UID is given again`() throws {
        let account = try MaildirAccount()
        let store = try account.openStore()
        try store.create("x", use: nil)
        try store.append("one\r\n", to: "x")
        let backup = account.directory.path("backup")
        try FileManager.default.copyItem(atPath: account.folder("x").path, toPath: backup)
        var largest: UID = 1
        let many = [[UInt8]](repeating: Array("more\r\n".utf8), count: 300)
        for _ in 0..<5 { largest = try store.append(many, to: "x").last! }
        try FileManager.default.removeItem(at: account.folder("x"))
        try FileManager.default.moveItem(atPath: backup, toPath: account.folder("x").path)
        let uid = try account.openStore().append("new\r\n", to: "x")
        #expect(uid > largest)
        #expect(account.log.all.contains { $0.contains("older than they were") })
    }

    @Test(arguments: [true, false])
    func `A backup is put back, and no UID is given again`(_ isWhole: Bool) throws {
        let account = try MaildirAccount()
        let store = try account.openMaildir()
        try store.create("x", use: nil)
        try store.append("one\r\n", to: "x")
        let backup = account.directory.path("backup"), what = isWhole ? account.path : account.folder("x").path
        try FileManager.default.copyItem(atPath: what, toPath: backup)
        let gone = try store.append("two\r\n", to: "x")
        let before = try store.open("x", readOnly: true).highestModSequence
        try FileManager.default.removeItem(atPath: what)
        try FileManager.default.moveItem(atPath: backup, toPath: what)
        let restored = try account.openMaildir(), x = try restored.open("x", readOnly: false)
        #expect(x.uids == [1])
        #expect(try restored.append("three\r\n", to: "x") > gone)
        #expect(x.highestModSequence > before)
        #expect(account.log.all.contains { $0.contains("of a backup") })
        // That is seen once.
        let count = account.log.all.count, next = try restored.open("x", readOnly: false).uidNext
        #expect(try account.openMaildir().open("x", readOnly: false).uidNext == next)
        #expect(account.log.all.count == count)
    }

    @Test func `A session notices that its files were made anew under it`() throws {
        let scene = try Scene()
        let a = try scene.account.openStore().open(.inbox, readOnly: false)
        for name in Self.sideFiles.dropLast() + Self.oldFiles { try FileManager.default.removeItem(at: scene.url(name)) }
        let b = try scene.account.openStore().open(.inbox, readOnly: false)
        let changes = try a.refresh()
        #expect(changes.expunged == scene.texts.keys.sorted())
        #expect(changes.added == b.uids)
        a.forget(changes.expunged)
        #expect(a.uids == b.uids)
        try a.add(.draft, to: [a.uids[0]])
        #expect(try b.refresh().flagged == [a.uids[0]])
    }

    @Test func `Names are left alone when the mailbox turns out to be another`() throws {
        let scene = try Scene()
        let store = try scene.account.openMaildir()
        let a = try store.open(.inbox, readOnly: false)
        try a.add(.flagged, to: [a.uids.last!])
        // It has fewer rows now, and no session has gone on from one to the other.
        let other = try scene.account.openMaildir()
        _ = try other.open(.inbox, readOnly: false).expunge(Array(a.uids.dropLast()))
        _ = try other.rebuild(.inbox)
        while try store.tidy() {}
        _ = try a.refresh()
        #expect(a.uids.filter { a.metadata($0)?.isExpunged == false } == [8])
        while try store.tidy() {}
        #expect(scene.account.names("cur").map { $0.hasSuffix(":2,F") } == [true])
    }

    @Test func `A session that missed a checkpoint goes on`() throws {
        let scene = try Scene()
        let a = try scene.account.openStore().open(.inbox, readOnly: false)
        let other = try scene.account.openMaildir()
        let b = try other.open(.inbox, readOnly: false) as! OpenMaildir
        try b.add(.draft, to: [1])
        try b.mailbox.locked { () throws(StoreError) in try b.mailbox.checkpoint() }
        _ = try b.expunge([2])
        try b.mailbox.locked { () throws(StoreError) in try b.mailbox.checkpoint() }
        try other.append("new\r\n")
        let changes = try a.refresh()
        #expect(changes.flagged == [1])
        #expect(changes.expunged == [2])
        #expect(changes.added.count == 1)
        #expect(try a.text(2) == "message 2\r\n")
        #expect(a.flags(1)?.contains(.draft) == true)
        a.forget([2])
        #expect(a.uids == b.uids.filter { $0 != 2 } + changes.added)
    }

    @Test func `Sizes that were looked up are remembered`() throws {
        let account = try MaildirAccount()
        _ = try account.openStore()
        for index in 0..<20 { try account.deliver("\(index).x", String(repeating: "x\n", count: index)) }
        func sizes() throws -> [UInt64] {
            let store = try account.openMaildir()
            let a = try store.open(.inbox, readOnly: false) as! OpenMaildir
            let sizes = try a.uids.map { try a.details($0).size }
            for uid in a.uids { #expect(try a.text(uid).utf8.count == Int(try a.details(uid).size)) }
            while try store.tidy() {}
            return sizes
        }
        let expected = (0..<20).map { UInt64(3 * $0) }
        #expect(try sizes() == expected)
        for name in account.names("new") {
            // Not allowed, and a way to see that nobody counts again.
            try Data("other".utf8).write(to: account.folder().appendingPathComponent("new/" + name))
        }
        let a = try account.openStore().open(.inbox, readOnly: true)
        #expect(try a.uids.map { try a.details($0).size } == expected)
        #expect(try account.openStore().status(.inbox, wantsSize: true).size == expected.reduce(0, +))
        #expect(account.log.all == [])
    }

    @Test func `A rename of ours that a crash prevented is done by the next session`() throws {
        let account = try MaildirAccount()
        let store = try account.openStore()
        for _ in 0..<3 { try store.append("x\r\n") }
        try store.open(.inbox, readOnly: false).add(.seen, to: [1, 3])
        let next = try account.openStore()
        let a = try next.open(.inbox, readOnly: false)
        while try next.tidy() {}
        #expect(account.names("cur").filter { $0.hasSuffix(":2,S") }.count == 2)
        #expect(try a.refresh().isEmpty)
    }
}
