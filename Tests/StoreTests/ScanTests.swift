import Foundation
import Glibc
import IMAPTypes
@testable import Maildir
import MailStore
import Synchronization
import Testing

/// What other programs do to a Maildir.
@Suite struct ScanTests {
    @Test func `A delivery is found, in the order of its name`() throws {
        let account = try MaildirAccount()
        let store = try account.openStore()
        let a = try store.open(.inbox, readOnly: false)
        try account.deliver("1700000000.M20P1.host", "two\n")
        try account.deliver("1700000000.M3P9.host", "one\n")
        try account.deliver("1600000000.x", "zero\n")
        try account.deliver("1700000001.M1P1.host,S=5", "three\n", flags: "FS")
        #expect(try store.status(.inbox, wantsSize: false).messages == 4)
        #expect(try a.refresh().added == [1, 2, 3, 4])
        #expect(try a.uids.map { try a.text($0) } == ["zero\r\n", "one\r\n", "two\r\n", "three\r\n"])
        #expect(a.flags(4) == [.flagged, .seen])
        #expect(a.flags(1) == [])
    }

    @Test func `Each delivery is found at once, however fast they follow`() throws {
        let account = try MaildirAccount()
        let store = try account.openStore()
        let a = try store.open(.inbox, readOnly: false)
        for round in 1...50 {
            try account.deliver("17.M\(round)", "x\n")
            #expect(try a.refresh().added == [UID(UInt32(round))!])
            if round % 7 == 0 {
                _ = try a.claimRecent()
                while try store.tidy() {}
            }
        }
        #expect(try a.refresh().isEmpty)
    }

    @Test func `A claimed message leaves new/ and keeps its UID`() throws {
        let account = try MaildirAccount()
        let store = try account.openStore()
        try account.deliver("1.a", "x\n")
        let readOnly = try store.open(.inbox, readOnly: true)
        #expect(try readOnly.claimRecent() == [1])
        while try store.tidy() {}
        #expect(account.names("new") == ["1.a"])
        let a = try store.open(.inbox, readOnly: false)
        #expect(try a.claimRecent() == [1])
        while try store.tidy() {}
        #expect(account.names("new") == [])
        #expect(account.names("cur") == ["1.a:2,"])
        #expect(try a.refresh().isEmpty)
        #expect(a.uids == [1])
        #expect(try readOnly.refresh().isEmpty)
        #expect(try readOnly.text(1) == "x\r\n")
    }

    @Test func `Flags follow the names that others give, and names the flags that we give`() throws {
        let account = try MaildirAccount()
        let store = try account.openStore()
        try account.deliver("1.a", "x\n", flags: "S")
        let a = try store.open(.inbox, readOnly: false)
        #expect(a.flags(1) == .seen)
        try account.rename("cur/1.a:2,S", to: "cur/1.a:2,FS")
        #expect(try a.refresh().flagged == [1])
        #expect(a.flags(1) == [.flagged, .seen])
        try a.add(.answered, to: [1])
        #expect(account.names("cur") == ["1.a:2,FS"], "renames wait")
        while try store.tidy() {}
        #expect(account.names("cur") == ["1.a:2,FRS"])
        #expect(try a.refresh().isEmpty)
    }

    @Test func `What another program changes and what we have pending are merged`() throws {
        let account = try MaildirAccount()
        let store = try account.openStore()
        try account.deliver("1.a", "x\n", flags: "S")
        let a = try store.open(.inbox, readOnly: false)
        try a.add(.answered, to: [1])
        try account.rename("cur/1.a:2,S", to: "cur/1.a:2,FT")
        #expect(try a.refresh().flagged == [1])
        #expect(a.flags(1) == [.answered, .flagged, .deleted])
        while try store.tidy() {}
        #expect(account.names("cur") == ["1.a:2,FRT"])
        #expect(try a.text(1) == "x\r\n")
    }

    @Test func `Letters that we do not know stay`() throws {
        let account = try MaildirAccount()
        let store = try account.openStore()
        try account.deliver("1.a", "x\n", flags: "PSab")
        try account.deliver("2.b", "y\n", flags: "SF")
        try account.deliver("3.c,S=2,W=3", "z\n", flags: "S,extra")
        let a = try store.open(.inbox, readOnly: false)
        #expect(a.uids.map { a.flags($0)! } == [.seen, [.seen, .flagged], .seen])
        try a.add(.flagged, to: [1, 3])
        while try store.tidy() {}
        #expect(account.names("cur") == ["1.a:2,FPSab", "2.b:2,SF", "3.c,S=2,W=3:2,FS,extra"])
        #expect(try account.openStore().open(.inbox, readOnly: true).flags(1) == [.flagged, .seen])
    }

    @Test func `A renamed file is read without a scan`() throws {
        let account = try MaildirAccount()
        let a = try account.openStore().open(.inbox, readOnly: false)
        try account.deliver("1.a", "x\n")
        _ = try a.refresh()
        try account.rename("new/1.a", to: "cur/1.a:2,S")
        #expect(try a.text(1) == "x\r\n")
        #expect(try a.expunge([1]) == [1])
        #expect(account.names("cur") == [])
    }

    @Test func `COPY takes a file that was renamed, and leaves out one that is gone`() throws {
        let account = try MaildirAccount()
        let store = try account.openStore()
        _ = try store.create("There", use: nil)
        for name in ["1.a", "2.b", "3.c", "4.d"] { try account.deliver(name, name + "\n", flags: "") }
        let a = try store.open(.inbox, readOnly: false)
        try account.rename("cur/2.b:2,", to: "cur/2.b:2,FS")
        try account.remove("cur/3.c:2,")
        let result = try a.copy([1, 2, 3, 4], to: "There")
        #expect(result.source == [1, 2, 4])
        let there = try store.open("There", readOnly: true)
        #expect(result.destination == there.uids)
        #expect(try there.uids.map { try there.text($0) } == ["1.a\r\n", "2.b\r\n", "4.d\r\n"])
        #expect(account.names("tmp", in: "There") == [])
    }

    @Test func `Who opens a mailbox does not wait for whoever gives files other names`() throws {
        let account = try MaildirAccount()
        let store = try account.openMaildir()
        try account.deliver("1.a", "x\n", flags: "")
        let a = try #require(try store.open(.inbox, readOnly: false) as? OpenMaildir)
        let isOpen = DispatchSemaphore(value: 0)
        let opened = Mutex<[UID]?>(nil)
        let thread = Thread {
            if let another = try? account.openMaildir(), let b = try? another.open(.inbox, readOnly: false) {
                opened.withLock { $0 = b.uids }
                isOpen.signal()
                // Afterwards it is looked at.
                _ = try? b.refresh()
                opened.withLock { $0 = b.uids }
            }
            isOpen.signal()
        }
        try a.mailbox.locked { () throws(StoreError) in
            _ = try? account.deliver("2.b", "y\n", flags: "S")
            thread.start()
            #expect(isOpen.wait(timeout: .now() + 60) == .success)
            #expect(opened.withLock { $0 } == [1])
        }
        #expect(isOpen.wait(timeout: .now() + 60) == .success)
        #expect(opened.withLock { $0 } == [1, 2])
    }

    @Test func `Thousands of messages that come at once get UIDs beyond those that were set aside`() throws {
        let account = try MaildirAccount()
        let store = try account.openStore()
        let a = try store.open(.inbox, readOnly: false)
        let first = account.folder("").appendingPathComponent(try account.deliver("1.a", "x\n")).path
        for number in 0..<3000 {
            #expect(link(first, account.folder("").path + "/cur/\(2 + number).b:2,S") == 0)
        }
        _ = try a.refresh()
        #expect(a.uids.count == 3001 && a.uids.last == 3001)
        #expect(try account.openStore().open(.inbox, readOnly: true).uids == a.uids)
    }

    @Test func `A removed file is expunged, and another message never gets its UID`() throws {
        let account = try MaildirAccount()
        let store = try account.openStore()
        for name in ["1.a", "2.b", "3.c"] { try account.deliver(name, "x\n") }
        let a = try store.open(.inbox, readOnly: false)
        try account.remove("new/3.c")
        try account.remove("new/1.a")
        #expect(try a.refresh().expunged == [1, 3])
        #expect(throws: StoreError.self) { try a.content(3) }
        a.forget([1, 3])
        #expect(a.uids == [2])
        try account.deliver("4.d", "x\n")
        #expect(try a.refresh().added == [4])
        let validity = a.uidValidity
        try account.remove("new/2.b")
        try account.remove("new/4.d")
        let b = try account.openStore().open(.inbox, readOnly: false)
        #expect(b.uids == [])
        #expect(b.uidNext == 5)
        #expect(b.uidValidity == validity)
    }

    @Test func `A folder that was renamed without a word keeps its use`() throws {
        let account = try MaildirAccount()
        let store = try account.openStore()
        try store.create("a", use: .sent)
        let uid = try store.append("x\r\n", to: "a")
        let validity = try store.status("a", wantsSize: false).uidValidity
        // As if the power had gone between the two steps of RENAME.
        try FileManager.default.moveItem(at: account.folder("a"), to: account.folder("b"))
        let other = try account.openStore()
        let b = try other.open("b", readOnly: true)
        #expect(b.uids == [uid])
        #expect(b.uidValidity == validity)
        #expect(try other.mailboxes().first { $0.name == "b" }?.use == .sent)
        #expect(throws: StoreError.self) { try other.create("c", use: .sent) }
    }

    @Test func `A mailbox that is deleted under a session is gone for it`() throws {
        let account = try MaildirAccount()
        let store = try account.openStore(), other = try account.openStore()
        try store.create("a", use: nil)
        try store.append("x\r\n", to: "a")
        let a = try store.open("a", readOnly: false)
        try other.delete("a")
        #expect(throws: StoreError.self) { try a.refresh() }
        #expect(throws: StoreError.self) { try a.add(.seen, to: [1]) }
        #expect(throws: StoreError.self) { try store.append("y\r\n", to: "a") }
        #expect(try !store.exists("a"))
        try other.create("a", use: nil)
        #expect(try store.append("z\r\n", to: "a") == 1)
        #expect(throws: StoreError.self) { try a.refresh() }
        #expect(try store.status("a", wantsSize: false).messages == 1)
    }

    @Test func `A mailbox that is renamed under a session goes on for it`() throws {
        let account = try MaildirAccount()
        let store = try account.openStore(), other = try account.openStore()
        try store.create("a", use: nil)
        try store.append("x\r\n", to: "a")
        let a = try store.open("a", readOnly: false)
        try other.rename("a", to: "b")
        try a.add(.seen, to: [1])
        try other.append("y\r\n", to: "b")
        #expect(try a.refresh().added == [2])
        #expect(try other.open("b", readOnly: true).flags(1) == .seen)
        #expect(throws: StoreError.self) { try store.append("z\r\n", to: "a") }
    }

    @Test func `What is no message is not shown`() throws {
        let account = try MaildirAccount()
        _ = try account.openStore()
        let directory = account.folder().appendingPathComponent("cur/directory")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        try account.deliver(".hidden", "x\n")
        try FileManager.default.createSymbolicLink(
            at: account.folder().appendingPathComponent("cur/link:2,"), withDestinationURL: URL(fileURLWithPath: "/etc/passwd"))
        #expect(mkfifo(account.folder().appendingPathComponent("cur/1.fifo:2,").path, 0o600) == 0)
        let a = try account.openStore().open(.inbox, readOnly: false)
        #expect(a.uids == [])
    }

    @Test func `A name that cannot stand is given up for another`() throws {
        let account = try MaildirAccount()
        let a = try account.openStore().open(.inbox, readOnly: false)
        try account.deliver("1.a\nb", "line\n")
        try account.deliver(":2,S", "colon\n")
        _ = try a.refresh()
        _ = try a.refresh()
        #expect(try Set(a.uids.map { try a.text($0) }) == ["line\r\n", "colon\r\n"])
        #expect(account.log.all.count == 2)
    }

    @Test func `Two messages of one base name are two messages`() throws {
        let account = try MaildirAccount()
        _ = try account.openStore()
        try account.deliver("1.a", "one\n", flags: "S")
        try account.deliver("1.a", "two\n", flags: "FS")
        let a = try account.openStore().open(.inbox, readOnly: false)
        _ = try a.refresh()
        _ = try a.refresh()
        #expect(try Set(a.uids.map { try a.text($0) }) == ["one\r\n", "two\r\n"])
        try account.deliver("1.a", "three\n", flags: "T")
        _ = try a.refresh()
        _ = try a.refresh()
        #expect(try Set(a.uids.map { try a.text($0) }) == ["one\r\n", "two\r\n", "three\r\n"])
        #expect(try a.refresh().isEmpty)
    }

    @Test func `Our renames in a large mailbox are no reason to read it again, those of others are`() throws {
        let account = try MaildirAccount()
        _ = try account.openStore()
        for index in 0..<1200 { try Data().write(to: account.folder().appendingPathComponent("cur/\(index).x:2,")) }
        // Long ago, so that it need not be doubted.
        var times = [timeval(tv_sec: 1_700_000_000, tv_usec: 0), timeval(tv_sec: 1_700_000_000, tv_usec: 0)]
        #expect(utimes(account.folder().appendingPathComponent("cur").path, &times) == 0)
        let store = try account.openMaildir()
        let a = try store.open(.inbox, readOnly: false) as! OpenMaildir
        #expect(a.mailbox.state.summary.cur.isSettled)
        try a.add(.seen, to: Array(a.uids.prefix(700)))
        while try store.tidy() {}
        #expect(a.mailbox.state.summary.cur.isSettled)
        #expect(!a.mailbox.isScanDue || account.names("new").isEmpty)
        #expect(account.names("cur").count { $0.hasSuffix(":2,S") } == 700)
        #expect(try account.openStore().open(.inbox, readOnly: true).uids.count == 1200)

        try a.add(.flagged, to: Array(a.uids.prefix(700)))
        _ = try store.tidy()
        try account.rename("cur/1199.x:2,", to: "cur/1199.x:2,T")
        while try store.tidy() {}
        #expect(!a.mailbox.state.summary.cur.isSettled)
    }

    @Test func `Our own changes cause no news for ourselves`() throws {
        let account = try MaildirAccount()
        let store = try account.openStore()
        try store.create("x", use: nil)
        for _ in 0..<5 { try store.append("x\r\n") }
        let a = try store.open(.inbox, readOnly: false)
        _ = try a.claimRecent()
        try a.add(.seen, to: [1, 2])
        _ = try a.copy([1], to: "x")
        _ = try a.expunge([3])
        while try store.tidy() {}
        #expect(try a.refresh().isEmpty)
    }

    @Test func `The order of arrival is by seconds, microseconds, bytes`() {
        let names = ["9.x", "10.M5P1.h", "10.M40P1.h", "10.P3.h", "11.M1", "x"]
        let keys = names.map { Array($0.utf8).withUnsafeBytes { FileName.ArrivalKey($0) } }
        #expect(keys[0] < keys[1])
        #expect(keys[1] < keys[2])
        #expect(keys[3] < keys[1])
        #expect(keys[2] < keys[4])
        #expect(keys[5] < keys[0])
    }

    @Test func `Many that arrive at once are ordered as few are`() throws {
        let account = try MaildirAccount()
        _ = try account.openStore()
        var names: [String] = []
        for second in ["7", "1700000000", "1700000001", "1700090000", "123456789012345678", "x"] {
            for rest in ["M5", "M999999", "M123456789012", "P1", ""] {
                for number in 0..<50 { names.append("\(second).\(rest)Q\(number).host") }
            }
        }
        // The directory has them in an order of its own.
        for name in names { try account.deliver(name, "x\n", flags: "") }
        let expected = names.map { Array($0.utf8) }.map { name in (name.withUnsafeBytes { FileName.ArrivalKey($0) }, name) }
            .sorted { $0.0 != $1.0 ? $0.0 < $1.0 : $0.1.lexicographicallyPrecedes($1.1) }
        let a = try account.openMaildir().open(.inbox, readOnly: true) as! OpenMaildir
        #expect((0..<a.table.count).map { a.table.baseName($0) } == expected.map(\.1))
    }

    @Test func `The save date is the time in the name, and stays if side files are lost`() throws {
        let account = try MaildirAccount()
        let store = try account.openStore()
        try account.deliver("1700000000.M1P1.host", "x\n")
        try account.deliver("99999999999.M1P1.host", "from the future\n")
        try account.deliver("5.eml", "no time at all\n")
        let start = Int64(time(nil))
        try store.append("old\r\n", date: 1)
        let a = try store.open(.inbox, readOnly: false)
        let dates = try a.uids.map { try a.identity($0).saveDate }
        #expect(dates.count == 4)
        #expect(dates.contains(1_700_000_000))
        #expect(dates.filter { (start...Int64(time(nil))).contains($0) }.count == 3)
        try store.create("B", use: nil)
        _ = try a.copy(a.uids, to: "B")
        let b = try store.open("B", readOnly: false)
        #expect(try b.uids.allSatisfy { try b.identity($0).saveDate >= start }, "a copy came when it was made")

        let before = try Dictionary(uniqueKeysWithValues: a.uids.map { (try a.text($0), try a.identity($0).saveDate) })
        for name in try FileManager.default.contentsOfDirectory(atPath: account.path) where name.hasPrefix("imapd.") {
            try account.remove(name)
        }
        let again = try account.openStore().open(.inbox, readOnly: false)
        for uid in again.uids where try again.text(uid).hasPrefix("x") || again.text(uid).hasPrefix("old") {
            #expect(try again.identity(uid).saveDate == before[again.text(uid)])
        }
    }

    @Test func `Ids stay if side files are lost, those of copies too`() throws {
        let account = try MaildirAccount()
        let store = try account.openStore()
        try account.deliver("1700000000.M1P1.host,S=2", "delivered\n")
        try store.append("appended\r\n")
        try store.create("B", use: nil)
        try store.create("C", use: nil)
        func ids(_ name: MailboxName, _ store: any MailStore) throws -> [String: ObjectID] {
            let open = try store.open(name, readOnly: false)
            return try Dictionary(uniqueKeysWithValues: open.uids.map { (try open.text($0), try open.identity($0).id) })
        }
        let before = try ids(.inbox, store)
        #expect(before.count == 2)
        let a = try store.open(.inbox, readOnly: false)
        _ = try a.copy(a.uids, to: "B")
        let b = try store.open("B", readOnly: false)
        _ = try b.move(b.uids, to: "C")
        #expect(try ids("C", store) == before)
        for folder in ["", "B", "C"] {
            let path = account.folder(folder).path
            for name in try FileManager.default.contentsOfDirectory(atPath: path) where name.hasPrefix("imapd.") {
                try FileManager.default.removeItem(atPath: path + "/" + name)
            }
        }
        let again = try account.openStore()
        #expect(try ids(.inbox, again) == before)
        #expect(try ids("C", again) == before)
    }

    @Test(arguments: [
        (",G=AAAAAAAAAAAAAAAAAAAAAB", 1), (",S=5,G=AAAAAAAAAAAAAAAAAAAAAB,W=6", 1), (",G=x,G=AAAAAAAAAAAAAAAAAAAAAC", 2),
        (",G=", nil), (",G=AAAAAAAAAAAAAAAAAAAAA", nil), (",G=AAAAAAAAAAAAAAAAAAAAABC", nil), ("G=AAAAAAAAAAAAAAAAAAAAAB", nil),
        (",G=AAAAAAAAAAAAAAAAAAAA.B", nil), (",G=zzzzzzzzzzzzzzzzzzzzzz", nil), (",", nil), ("", nil),
    ] as [(String, UInt64?)])
    func `The id of a copy stands in its name`(_ fields: String, _ low: UInt64?) {
        let name = Array("1700000000.M1P1.host\(fields)".utf8)
        #expect(name.withUnsafeBytes { FileName.carriedID(of: $0) } == low.map { ObjectID(low: $0, high: 0) })
    }

    @Test func `An id in a name comes back`() {
        for _ in 0..<1000 {
            let id = ObjectID.random()
            let name = Array("1700000000.M1P1.host".utf8) + FileName.field(carrying: id)
            #expect(name.withUnsafeBytes { FileName.carriedID(of: $0) } == id)
        }
    }

    @Test(arguments: [true, false])
    func `A folder that is a copy of another has an id of its own`(_ isOpenedFirst: Bool) throws {
        let account = try MaildirAccount()
        let store = try account.openStore()
        let id = try store.create("A", use: nil)
        try store.append("one\r\n", to: "A")
        try store.open("A", readOnly: false).add(.seen, to: [1])
        try FileManager.default.copyItem(at: account.folder("A"), to: account.folder("B"))
        let other = isOpenedFirst ? try store.open("B", readOnly: false).id : try store.status("B", wantsSize: false).id
        #expect(other != id)
        #expect(try store.status("A", wantsSize: false).id == id)
        let again = try account.openStore()
        #expect(try again.status("B", wantsSize: false).id == other)
        let b = try again.open("B", readOnly: false)
        #expect(b.uids == [1] && b.flags(1) == .seen && b.id == other)
        #expect(try b.identity(1).id == again.open("A", readOnly: true).identity(1).id, "the messages are the same")
    }

    @Test(arguments: [
        ("", [], true, false), (":2,", [], true, true), (":2,S", [.seen], true, true), (":2,DFRST", SystemFlags.all, true, true),
        (":2,SF", [.seen, .flagged], false, true), (":2,PS", [.seen], false, true), (":1,S", [], false, true),
        (":", [], false, true),
        (":2,S,F", [.seen], false, true), (":x:2,S", [.seen], false, true), (":2,SS", [.seen], false, true),
        (":2", [], false, true),
        (":2,a", [], false, true),
    ] as [(String, SystemFlags, Bool, Bool)])
    func `The info part of a name`(_ text: String, _ flags: SystemFlags, _ isPlain: Bool, _ isPresent: Bool) {
        let info = Array(text.utf8).withUnsafeBytes { FileName.info($0) }
        #expect(info.flags == flags)
        #expect(info.isPlain == isPlain)
        #expect(info.isPresent == isPresent)
        #expect(!isPlain || !isPresent || FileName.info(Array(text.utf8), with: flags) == Array(text.utf8))
    }
}
