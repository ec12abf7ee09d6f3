import Foundation
import Glibc
import IMAPTypes
@testable import Maildir
import MailStore
import TestSupport
import Testing

/// A Maildir on a file system of its own, of 512 KiB. Mounting one takes root.
@Suite(.enabled(if: hasNameSpaces, "needs root that may mount")) struct FullDiskTests {
    final class SmallDisk {
        let account: MaildirAccount

        init?() throws {
            guard geteuid() == 0 else { return nil }
            account = try MaildirAccount()
            try FileManager.default.createDirectory(atPath: account.path, withIntermediateDirectories: true)
            guard mount("tmpfs", account.path, "tmpfs", 0, "size=512k") == 0 else { return nil }
        }

        deinit { umount2(account.path, 2) }

        /// Writes until nothing more fits.
        func fill() throws {
            let file = open(account.folder().appendingPathComponent("ballast").path, O_WRONLY | O_CREAT | O_APPEND, 0o600)
            defer { close(file) }
            let page = [UInt8](repeating: 0, count: 4096)
            while write(file, page, page.count) > 0 {}
            #expect(errno == ENOSPC)
        }

        func empty() throws { try account.remove("ballast") }
    }

    @Test func `A full disk loses nothing and leaves nothing half done`() throws {
        guard let disk = try SmallDisk() else { return }
        let account = disk.account
        let store = try account.openMaildir()
        for index in 1...5 { try store.append("message \(index)\r\n") }
        let a = try store.open(.inbox, readOnly: false)
        try disk.fill()

        let large = String(repeating: "x", count: 20_000) + "\r\n"
        #expect(throws: StoreError.self) { try store.append(large) }
        #expect(throws: StoreError.self) { try store.append([Array(large.utf8), Array("small".utf8)], to: .inbox) }
        #expect(account.names("tmp") == [])
        #expect(account.names("cur").count == 5)
        // What needs a page more than there is, is refused or done, never half.
        for _ in 0..<200 {
            let before = a.flags(1)!
            do {
                let change = FlagChange(before.contains(.seen) ? .remove : .add, FlagSet(system: .seen))
                _ = try a.store([1], change, unchangedSince: nil)
                #expect(a.flags(1) != before)
            } catch { #expect(a.flags(1) == before) }
        }
        let flags = a.flags(1)
        #expect(throws: StoreError.self) { try store.create("x", use: nil) }
        #expect(try store.names() == ["INBOX"])

        // Another session gets in, reads, and makes room.
        let other = try account.openMaildir()
        let b = try other.open(.inbox, readOnly: false)
        #expect(b.uids == [1, 2, 3, 4, 5])
        #expect(b.flags(1) == flags)
        #expect(try b.text(5) == "message 5\r\n")
        _ = try? b.expunge([5])

        try disk.empty()
        let c = try account.openStore().open(.inbox, readOnly: false)
        _ = try c.refresh()
        for uid in c.uids { #expect(try c.text(uid) == "message \(uid.rawValue)\r\n") }
        #expect(c.uids.starts(with: [1, 2, 3, 4]))
        let uid = try store.append("message 6\r\n")
        #expect(uid > 5)
        _ = try a.refresh()
        #expect(try a.text(uid) == "message 6\r\n")
        #expect(account.names("tmp") == [])
        while try store.tidy() {}
        #expect(try c.refresh().added == [uid])
    }

    @Test func `Messages can be expunged though others have the mailbox open`() throws {
        guard let disk = try SmallDisk() else { return }
        let store = try disk.account.openMaildir(), other = try disk.account.openMaildir()
        for index in 1...5 { try store.append("message \(index)\r\n") }
        let a = try store.open(.inbox, readOnly: false), b = try other.open(.inbox, readOnly: true)
        try disk.fill()
        #expect(try a.expunge([2, 3]) == [2, 3])
        #expect(try b.refresh().expunged == [2, 3])
        #expect(try b.text(4) == "message 4\r\n")
    }

    @Test func `Every write may be the one that does not fit`() throws {
        guard let disk = try SmallDisk() else { return }
        let account = disk.account
        var texts: [UID: String] = [:]
        do {
            let store = try account.openMaildir()
            for index in 1...3 { texts[try store.append("message \(index)\r\n")] = "message \(index)\r\n" }
        }
        for round in 0..<40 {
            try disk.fill()
            // A little more room each round, so that another write is the first that fails.
            let file = account.folder().appendingPathComponent("ballast").path
            let size = (try FileManager.default.attributesOfItem(atPath: file)[.size] as! Int)
            #expect(truncate(file, max(0, size - 4096 * (round % 10))) == 0)
            if let store = try? account.openMaildir(), let open = try? store.open(.inbox, readOnly: false) as? OpenMaildir {
                let text = "round \(round)\r\n"
                if let uid = try? store.append(text) {
                    #expect(texts[uid] == nil, "UID \(uid.rawValue) was given again")
                    texts[uid] = text
                }
                _ = try? open.refresh()
                _ = try? open.add(.flagged, to: open.uids)
                try? open.mailbox.locked { () throws(StoreError) in try open.mailbox.checkpoint() }
                _ = try? store.tidy()
                if round % 3 == 0, let first = open.uids.first, let gone = try? open.expunge([first]) {
                    for uid in gone { texts[uid] = nil }
                }
            }
            try disk.empty()
            let store = try account.openMaildir()
            let open = try store.open(.inbox, readOnly: false)
            // What was refused may be there or not; what was acknowledged is.
            for uid in texts.keys where !open.uids.contains(uid) && open.uids.count < texts.count {
                Issue.record("UID \(uid.rawValue) is gone")
            }
            for uid in open.uids {
                if let text = texts[uid] { #expect(try open.text(uid) == text) } else { texts[uid] = try open.text(uid) }
            }
            for uid in texts.keys where !open.uids.contains(uid) { texts[uid] = nil }
        }
    }
}
