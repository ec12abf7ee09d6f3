import Foundation
import Glibc
import IMAPTypes
@testable import Maildir
import MailStore
import Testing

/// The first open of a Maildir that Dovecot or Courier served until then.
@Suite struct TakeOverTests {
    /// A Maildir that we have not seen.
    final class Left {
        let account: MaildirAccount
        private var written: [String: Data] = [:]

        init(separator: Character = ".") throws {
            account = try MaildirAccount(separator: separator)
            try makeFolder("")
        }

        func makeFolder(_ name: String, parts: [String] = ["cur", "new", "tmp"]) throws {
            for part in parts {
                try FileManager.default.createDirectory(at: account.folder(name).appendingPathComponent(part),
                    withIntermediateDirectories: true)
            }
        }

        /// A file of the other server. `age` seconds ago it was changed.
        func write(_ name: String, _ text: String, in folder: String = "", age: TimeInterval = 0) throws {
            let url = account.folder(folder).appendingPathComponent(name)
            try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: url)
            try FileManager.default.setAttributes([.modificationDate: Date(timeIntervalSinceNow: -age)], ofItemAtPath: url.path)
            written[url.path] = Data(text.utf8)
        }

        /// Messages, by the names of their files; their text is that name.
        func messages(_ names: [String], in folder: String = "") throws {
            for name in names { try Data("\(name)\n".utf8).write(to: account.folder(folder).appendingPathComponent(name)) }
        }

        /// Whether the other server's files are as they were.
        func areUntouched() throws -> Bool {
            try written.allSatisfy { path, data in try Data(contentsOf: URL(fileURLWithPath: path)) == data }
        }

        func open(_ name: MailboxName = .inbox) throws -> OpenMaildir {
            try #require(try account.openMaildir().open(name, readOnly: false) as? OpenMaildir)
        }

        /// "UID text" of each message.
        func messages(_ mailbox: OpenMaildir) throws -> [String] {
            try mailbox.uids.map { try "\($0.rawValue) \(mailbox.text($0).dropLast())" }
        }
    }

    static let guid = "3085f01b7f11094c501100008c4a11c1"

    @Test func `All that Dovecot knew of a mailbox stays`() throws {
        let left = try Left()
        try left.write("dovecot-uidlist", """
            3 V1000 N5 G\(Self.guid)
            3 :1.a
            5 :2.b,S=2
            9 :4.gone
            12 G1.a S9 :3.c

            """)
        try left.write("dovecot-keywords", "0 $Forwarded\n3 work\n")
        try left.messages(["cur/1.a:2,FSad", "new/2.b,S=2", "cur/3.c:2,", "new/0.late", "cur/8.later:2,Rd"])
        let a = try left.open()
        #expect(a.uidValidity == UIDValidity(1000))
        // Deliveries that Dovecot did not see come behind.
        #expect(try left.messages(a) == ["3 cur/1.a:2,FSad", "5 new/2.b,S=2", "12 cur/3.c:2,", "13 new/0.late",
            "14 cur/8.later:2,Rd"])
        #expect(a.uidNext == 15)
        #expect(a.flags(3) == [.flagged, .seen] && a.flags(14) == .answered && a.flags(12) == [])
        #expect(a.keywordNames(3) == ["$Forwarded", "work"] && a.keywordNames(14) == ["work"] && a.keywordNames(5) == [])
        #expect(a.keywords.map(\.name) == ["$Forwarded", "work"])
        #expect(try a.claimRecent() == [])
        #expect(try left.account.openStore().status(.inbox, wantsSize: true).recent == 0)
        #expect(a.mailbox.state.log.header.mailboxID == ObjectID(low: 0x5011_0000_8C4A_11C1, high: 0x3085_F01B_7F11_094C))
        // A copy and its original are one message.
        #expect(a.table.id(a.table.row(12)!) == a.table.id(a.table.row(3)!))
        // What a client remembers of Dovecot's mod-sequences lies behind all of this.
        #expect(a.highestModSequence.rawValue > 1_000_000_000_000)
        #expect(a.uids.allSatisfy { a.metadata($0)!.modSequence.rawValue > 1_000_000_000_000 })
        let gone = try a.expunged(since: ModSequence(77)!)
        #expect(gone.contains(9) && gone.contains(1) && gone.contains(11) && !gone.contains(5))
        // It stays so, and goes on.
        while try left.account.openStore().tidy() {}
        let again = try left.open()
        #expect(try left.messages(again).count == 5 && again.keywordNames(3) == ["$Forwarded", "work"])
        #expect(try again.expunged(since: ModSequence(77)!).contains(9))
        #expect(try left.account.openStore().append("x\r\n") == 15)
        #expect(try left.areUntouched())
        #expect(left.account.log.all.contains("notice: Taken over from Dovecot"))
        #expect(!left.account.log.all.contains { $0.hasPrefix("warning") })
    }

    @Test func `STATUS takes over as SELECT does`() throws {
        let left = try Left()
        try left.write("dovecot-uidlist", "3 V1000 N7\n3 :1.a\n")
        try left.messages(["cur/1.a:2,S"])
        let status = try left.account.openStore().status(.inbox, wantsSize: true)
        #expect(status.uidValidity == UIDValidity(1000) && status.uidNext == 7 && status.messages == 1 && status.unseen == 0)
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var list: String
        /// Files, and the messages that are to be seen.
        var files: [String]
        var messages: [String]
        var next: UInt32
        var warns = false
    }

    @Test(arguments: [
        Case(testDescription: "a torn last line", list: "3 V1000 N5\n5 :1.a\n6 :2.b", files: ["cur/1.a:2,", "cur/2.b:2,"],
             messages: ["5 cur/1.a:2,", "7 cur/2.b:2,"], next: 8),
        Case(testDescription: "the same name twice", list: "3 V1000 N5\n5 :1.a\n6 :2.b\n7 :1.a\n8 :1.a\n",
             files: ["cur/1.a:2,", "cur/2.b:2,"],
             messages: ["6 cur/2.b:2,", "8 cur/1.a:2,"], next: 9),
        Case(testDescription: "the next UID beyond the last", list: "3 V1000 N500\n5 :1.a\n", files: ["cur/1.a:2,", "new/2.b"],
             messages: ["5 cur/1.a:2,", "500 new/2.b"], next: 501),
        Case(testDescription: "flags in the list", list: "3 V1000 N9\n5 :1.a:2,FS\n", files: ["cur/1.a:2,S"],
             messages: ["5 cur/1.a:2,S"], next: 9),
        Case(testDescription: "version 1", list: "1 1000 9\n5 1.a\n7 2.b\n", files: ["cur/1.a:2,S", "cur/2.b"],
             messages: ["5 cur/1.a:2,S", "7 cur/2.b"], next: 9),
        Case(testDescription: "out of order", list: "3 V1000 N9\n7 :2.b\n5 :1.a\n", files: ["cur/1.a:2,S", "cur/2.b:2,"],
             messages: ["5 cur/1.a:2,S", "7 cur/2.b:2,"], next: 9, warns: true),
        Case(testDescription: "one UID for two files", list: "3 V1000 N9\n5 :1.a\n5 :2.b\n6 :3.c\n",
             files: ["cur/1.a:2,", "cur/2.b:2,", "cur/3.c:2,"],
             messages: ["6 cur/3.c:2,", "9 cur/1.a:2,", "10 cur/2.b:2,"], next: 11, warns: true),
        Case(testDescription: "lines of rubbish", list: "3 V1000 N9\n5 :1.a\n\0\u{1}\n\n7 :2.b\n",
             files: ["cur/1.a:2,", "cur/2.b:2,"],
             messages: ["5 cur/1.a:2,", "7 cur/2.b:2,"], next: 9, warns: true),
        Case(testDescription: "sizes in names that are wrong or odd",
             list: "3 V1000 N9\n1 :1.a,S=999\n2 :2.b,S=12x,W=\n3 :3.c,U=5\n",
             files: ["cur/1.a,S=999:2,", "cur/2.b,S=12x,W=:2,S", "cur/3.c,U=5:2,"],
             messages: ["1 cur/1.a,S=999:2,", "2 cur/2.b,S=12x,W=:2,S", "3 cur/3.c,U=5:2,"], next: 9),
        Case(testDescription: "info parts of all kinds", list: "3 V1000 N9\n1 :1\n2 :2\n3 :3\n4 :4\n5 :5\n",
             files: ["cur/1:1,x", "cur/2:2,SF", "cur/3:2,FPSa,extra", "cur/4:x:2,S", "new/5:2,F"],
             messages: ["1 cur/1:1,x", "2 cur/2:2,SF", "3 cur/3:2,FPSa,extra", "4 cur/4:x:2,S", "5 new/5:2,F"], next: 9),
    ])
    func `UIDs stay with their files`(_ item: Case) throws {
        let left = try Left()
        try left.write("dovecot-uidlist", item.list)
        try left.messages(item.files)
        let a = try left.open()
        #expect(a.uidValidity == UIDValidity(1000))
        #expect(try left.messages(a) == item.messages)
        #expect(a.uidNext == item.next)
        #expect(left.account.log.all.contains { $0.hasPrefix("warning: dovecot-uidlist is damaged") } == item.warns)
        #expect(try left.areUntouched())
        // Nothing of it changes by looking again.
        #expect(try left.messages(try left.open()) == item.messages)
    }

    @Test func `A list without UIDVALIDITY costs the UIDs, not the keywords`() throws {
        let left = try Left()
        try left.write("dovecot-uidlist", "3 N5\n5 :1.a\n")
        try left.write("dovecot-keywords", "0 work\n")
        try left.messages(["cur/1.a:2,Sa"])
        let a = try left.open()
        #expect(a.uidValidity.rawValue > 1_700_000_000)
        #expect(a.uids == [1] && a.keywordNames(1) == ["work"])
        #expect(left.account.log.all.contains { $0.hasPrefix("warning: The first line of dovecot-uidlist cannot be understood") })
    }

    @Test func `A list that cannot be read keeps the mailbox closed`() throws {
        let left = try Left()
        try left.messages(["cur/1.a:2,"])
        try FileManager.default.createSymbolicLink(atPath: left.account.folder().appendingPathComponent("dovecot-uidlist").path,
                                                   withDestinationPath: "elsewhere")
        let error = #expect(throws: StoreError.self) { try left.open() }
        guard case .io(_, let doing)? = error else { return #expect(Bool(false), "\(String(describing: error))") }
        #expect(doing == "opening dovecot-uidlist")
        // Once it is there, all is well.
        try left.account.remove("dovecot-uidlist")
        try left.write("dovecot-uidlist", "3 V1000 N9\n5 :1.a\n")
        #expect(try left.messages(try left.open()) == ["5 cur/1.a:2,"])
    }

    @Test(arguments: [
        ("3 V1000 N9 G\(TakeOverTests.guid)\n5 :1.a\n", 40), ("1 1000 40\n5 1.a\n", 40),
        ("3 V999 N9\n5 :1.a\n", 9), ("3 V1000 N50\n5 :1.a\n", 50),
    ] as [(String, UInt32)])
    func `The next UID is never less than that in Dovecot's index`(_ list: String, _ next: UInt32) throws {
        let left = try Left()
        try left.write("dovecot-uidlist", list)
        try left.messages(["cur/1.a:2,"])
        var header = [UInt8](repeating: 0, count: 120)
        header[0] = 7
        header.withUnsafeMutableBytes {
            $0.storeBytes(of: 1000, toByteOffset: 24, as: UInt32.self)
            $0.storeBytes(of: 40, toByteOffset: 28, as: UInt32.self)
        }
        try Data(header).write(to: left.account.folder().appendingPathComponent("dovecot.index"))
        #expect(try left.open().uidNext == next)
    }

    @Test func `Of two servers the last one counts`() throws {
        for (age, validity) in [(10.0, 2000), (-10.0, 1000)] {
            let left = try Left()
            try left.write("dovecot-uidlist", "3 V1000 N9\n5 :1.a\n", age: 100 - age)
            try left.write("courierimapuiddb", "1 2000 19\n6 1.a\n", age: 100 - age - age)
            try left.messages(["cur/1.a:2,S"])
            let a = try left.open()
            #expect(a.uidValidity.rawValue == UInt32(validity))
            #expect(a.uids == [validity == 1000 ? 5 : 6])
            let name = validity == 1000 ? "Dovecot" : "Courier"
            let line = "notice: Dovecot and Courier have both served the mailbox: \(name) did so last and counts"
            #expect(left.account.log.all.contains(line))
            #expect(try left.areUntouched())
        }
    }

    @Test func `Courier's UIDs and keywords stay`() throws {
        let left = try Left()
        try left.makeFolder("Sent")
        try left.write("courierimapuiddb", "1 732531200 5012\n17 1.a\n18 2.b\n19 3.c\n20 4.d\n21 5.e\n", in: "Sent")
        try left.write("courierimapkeywords/:list", "work\n$Forwarded\nHome\n\n1.a:0 2\n2.b:1\n3.c:0\n4.d:7 1\ngone:0\n",
            in: "Sent")
        // Newer than the list: the one without a time, then the larger time. Empty: none.
        try left.write("courierimapkeywords/2.b", "", in: "Sent")
        try left.write("courierimapkeywords/.5000.2.b", "work\n", in: "Sent")
        try left.write("courierimapkeywords/.5000.3.c", "home\n", in: "Sent")
        try left.write("courierimapkeywords/.12000.3.c", "new\nHOME\n", in: "Sent")
        try left.write("courierimapkeywords/.04999.3.c", "work\n", in: "Sent")
        try left.write("courierimapkeywords/.tmp.1.a", "wrong\n", in: "Sent")
        // A small letter is somebody else's here.
        try left.messages(["cur/1.a:2,S", "cur/2.b:2,", "cur/3.c:2,a", "cur/4.d:2,F", "cur/5.e:2,", "new/6.f"], in: "Sent")
        let a = try left.open("Sent")
        #expect(a.uidValidity == UIDValidity(732_531_200) && a.uidNext == 5013)
        #expect(a.uids == [17, 18, 19, 20, 21, 5012])
        #expect(a.keywordNames(17) == ["work", "Home"])
        #expect(a.keywordNames(18) == [])
        #expect(a.keywordNames(19) == ["new", "Home"])
        #expect(a.keywordNames(20) == ["$Forwarded"])
        #expect(a.keywordNames(21) == [])
        #expect(try a.claimRecent() == [])
        #expect(try left.areUntouched())
        #expect(left.account.log.all.contains("notice: Taken over from Courier"))
    }

    @Test func `Cut short, it is done again`() throws {
        let left = try Left()
        try left.write("dovecot-uidlist", "3 V1000 N9 G\(Self.guid)\n5 :1.a\n7 :2.b\n")
        try left.write("dovecot-keywords", "0 work\n")
        try left.messages(["cur/1.a:2,a", "cur/2.b:2,"])
        let id = try left.open().mailbox.state.log.header.mailboxID
        for afterAccount in [false, true] {
            // As the power went before there was an index.
            for name in ["imapd.index", "imapd.lock", "imapd.log", "imapd.log.spare"] { try left.account.remove(name) }
            if !afterAccount { try left.account.remove("imapd.account") }
            var header = LogHeader(generation: 1, uidValidity: 1000, mailboxID: id, summary: Summary())
            header.baseGeneration = .max
            try Data(header.bytes()).write(to: left.account.folder().appendingPathComponent("imapd.log.repair"))
            let a = try left.open()
            #expect(a.uids == [5, 7] && a.keywordNames(5) == ["work"] && a.uidNext == 9)
            #expect(a.mailbox.state.log.header.mailboxID == id)
        }
    }

    @Test func `What we have done since counts, not the other server's list`() throws {
        let left = try Left()
        try left.write("dovecot-uidlist", "3 V1000 N9\n5 :1.a\n7 :2.b\n")
        try left.messages(["cur/1.a:2,", "cur/2.b:2,"])
        do {
            let a = try left.open()
            _ = try a.expunge([7])
            try left.account.openStore().append("x\r\n")
        }
        // Whatever somebody does with theirs.
        try left.write("dovecot-uidlist", "3 V4000 N4\n1 :1.a\n")
        let a = try left.open()
        #expect(a.uidValidity == UIDValidity(1000) && a.uids == [5, 9])
        // Not even if all of ours is lost.
        let ours = ["imapd.index", "imapd.log", "imapd.lock", "imapd.index.old", "imapd.log.old", "imapd.log.spare"]
        for name in ours { try? left.account.remove(name) }
        let repaired = try left.open()
        #expect(repaired.uidValidity == UIDValidity(1000) && repaired.uids.allSatisfy { $0.rawValue > 9 })
    }

    @Test func `Letters were read once: keywords live on without them, and they stay in the names`() throws {
        let left = try Left()
        try left.write("dovecot-uidlist", "3 V1000 N9\n5 :1.a\n7 :2.b\n")
        try left.write("dovecot-keywords", "0 work\n1 home\n")
        try left.messages(["cur/1.a:2,Sab", "cur/2.b:2,a"])
        let store = try left.account.openStore()
        let a = try store.open(.inbox, readOnly: false)
        // A program that does not know letters drops them.
        try left.account.rename("cur/1.a:2,Sab", to: "cur/1.a:2,FS")
        #expect(try a.refresh().flagged == [5])
        #expect(a.keywordNames(5) == ["work", "home"] && a.flags(5) == [.flagged, .seen])
        _ = try a.store([7], FlagChange(.remove, FlagSet(keywords: [Keyword("work")!])), unchangedSince: nil)
        try a.add(.seen, to: [7])
        while try store.tidy() {}
        #expect(left.account.names("cur") == ["1.a:2,FS", "2.b:2,Sa"])
        #expect(try left.account.openStore().open(.inbox, readOnly: true).keywordNames(7) == [])
    }

    @Test func `Folders that were copied whole do not share an id`() throws {
        let left = try Left()
        for name in ["One", "Two"] {
            try left.makeFolder(name)
            try left.write("dovecot-uidlist", "3 V1000 N9 G\(Self.guid)\n", in: name)
        }
        let one = try left.open("One").mailbox.state.log.header.mailboxID
        let two = try left.open("Two").mailbox.state.log.header.mailboxID
        #expect(one == ObjectID(low: 0x5011_0000_8C4A_11C1, high: 0x3085_F01B_7F11_094C))
        #expect(two != one)
        #expect(try left.open("Two").uidValidity == UIDValidity(1000))
    }

    @Test(arguments: [
        (["dovecot-uidvalidity": "f0000000"], 0xF000_0001),
        (["dovecot-uidvalidity": "e0000000", "dovecot-uidvalidity.e0000007": ""], 0xE000_0008),
        (["dovecot-uidvalidity": "ffffffff"], 0xF000_0001), (["dovecot-uidvalidity": "rubbish!"], 1_700_000_000),
        (["dovecot-uidvalidity": "", "dovecot-uidvalidity.+0000007": ""], 1_700_000_000),
        (["dovecot-uidvalidity": "5"], 1_700_000_000),
    ] as [([String: String], UInt32)])
    func `A new mailbox gets a UIDVALIDITY that Dovecot never gave`(_ files: [String: String], _ least: UInt32) throws {
        let left = try Left()
        for (name, text) in files { try left.write(name, text) }
        let store = try left.account.openStore()
        try store.create("New", use: nil)
        let first = try store.status("New", wantsSize: false).uidValidity.rawValue
        #expect(first >= least && first - least < (least > 0xE000_0000 ? 1 : 1_000_000_000))
        try store.create("Newer", use: nil)
        #expect(try store.status("Newer", wantsSize: false).uidValidity.rawValue > first)
        #expect(try left.areUntouched())
    }

    @Test func `The largest UIDVALIDITY in a list leaves others for new mailboxes`() throws {
        let left = try Left()
        try left.write("dovecot-uidlist", "3 V4294967295 N9\n5 :1.a\n")
        try left.messages(["cur/1.a:2,"])
        let store = try left.account.openStore()
        #expect(try store.open(.inbox, readOnly: false).uidValidity.rawValue == .max)
        try store.create("New", use: nil)
        #expect(try store.status("New", wantsSize: false).uidValidity.rawValue > 1_700_000_000)
    }

    @Test func `Keywords beyond what a mailbox can have are told of`() throws {
        let left = try Left()
        try left.write("courierimapuiddb", "1 1000 9\n5 1.a\n")
        try left.write("courierimapkeywords/:list", (0..<200).map { "k\($0)\n" }.joined() + "\n1.a:1 127 128 199\n")
        try left.messages(["cur/1.a:2,"])
        #expect(try left.open().keywordNames(5) == ["k1", "k127"])
        #expect(left.account.log.all.contains("warning: Keywords of Courier could not be taken over"))
    }

    @Test func `Folders are found as another server left them`() throws {
        let left = try Left()
        try left.makeFolder("Entw&APw-rfe")
        try left.makeFolder("Entw\u{FC}rfe.2026")
        try left.makeFolder("R&D")
        try left.makeFolder("A&-B")
        try left.makeFolder("&2D3cqA-")
        try left.makeFolder("~home")
        try left.makeFolder("two words")
        try left.makeFolder("foo\\2ebar")
        try left.makeFolder("\(String(repeating: "x", count: 200))")
        try left.makeFolder("Old", parts: ["cur"])
        try left.write(".dovecot.sieve", "keep;")
        try left.write("maildirfolder", "")
        for name in ["dovecot-uidlist", "dovecot-uidlist.lock", ".dovecot.lda-dupes", "dovecot.list.index.log"] {
            try left.write(name, "3 V1000 N1\n")
        }
        try left.makeFolder(".DOVECOT-TRASHED")
        let elsewhere = left.account.directory.url.appendingPathComponent("elsewhere/cur")
        try FileManager.default.createDirectory(at: elsewhere, withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(at: left.account.folder("Linked"),
            withDestinationURL: elsewhere.deletingLastPathComponent())
        let store = try left.account.openStore()
        #expect(try store.names() == ["A&B", "Entw\u{FC}rfe", "Entw\u{FC}rfe.2026", "INBOX", "Linked", "Old", "R&D",
                                      "foo\\2ebar", "two words",
                                      String(repeating: "x", count: 200), "~home", "\u{1F4A8}"].sorted())
        for entry in try store.mailboxes() { _ = try store.open(entry.name, readOnly: false) }
    }

    @Test func `What is not understood makes no mailbox unusable`() throws {
        var random = SystemRandomNumberGenerator()
        for round in 0..<60 {
            let left = try Left()
            for name in ["dovecot-uidlist", "dovecot-keywords", "dovecot-uidvalidity", "courierimapuiddb", "dovecot.index",
                         "subscriptions", "courierimapsubscribed", "courierimapkeywords/:list", "courierimapkeywords/1.a",
                         "courierimapkeywords/.7.1.a"] {
                if Bool.random(using: &random) { continue }
                let characters: [UInt8] = Array("3 1VNG:057 \n\n\tab.,&-\\".utf8) + [0, 1, 7, 0xFF]
                let bytes = (0..<Int.random(in: 0..<200, using: &random)).map { _ in characters.randomElement(using: &random)! }
                try left.write(name, "")
                try Data((name.hasSuffix("uidlist") ? Array("3 V7 N5\n".utf8) : []) + bytes)
                    .write(to: left.account.folder().appendingPathComponent(name))
            }
            try left.messages(["cur/1.a:2,Sab", "new/2.b"])
            let a = try left.open()
            #expect(a.uids.count == 2, "\(round)")
            _ = try left.account.openStore().subscriptions()
            try left.account.openStore().create("New", use: nil)
            try left.account.openStore().subscribe("New")
            #expect(try left.account.openStore().subscriptions().contains("New"))
        }
    }
}

/// Subscriptions that Dovecot or Courier left.
@Suite struct TakeOverSubscriptionsTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var files: [String: String]
        var expected: [String]
        var folders: [String] = []
    }

    @Test(arguments: [
        Case(testDescription: "none", files: [:], expected: []),
        Case(testDescription: "version 1", files: ["subscriptions": "INBOX\nLists.swift\nEntw&APw-rfe\nGone\n"],
             expected: ["INBOX", "Lists.swift", "Entw\u{FC}rfe", "Gone"]),
        Case(testDescription: "version 1 without an end", files: ["subscriptions": "INBOX\nSent"], expected: ["INBOX", "Sent"]),
        Case(testDescription: "version 2", files: ["subscriptions": "V\t2\n\nINBOX\nLists\tswift\nEntw&APw-rfe\tSub\nA&-B\n"],
             expected: ["INBOX", "Lists.swift", "Entw\u{FC}rfe.Sub", "A&B"]),
        Case(testDescription: "version 2, empty", files: ["subscriptions": "V\t2\n\n"], expected: []),
        Case(testDescription: "version 2 with names that are none",
             files: ["subscriptions": "V\t2\n\na\u{1}nb\n\u{1}0\nc\u{1}td\nok\n\t\n.x\n"], expected: ["ok"]),
        Case(testDescription: "names in UTF-8", files: ["subscriptions": "V\t2\n\nEntw\u{FC}rfe\tSub\n"],
             expected: ["Entw\u{FC}rfe.Sub"]),
        Case(testDescription: "twice", files: ["subscriptions": "A\nB\nA\n"], expected: ["A", "B"]),
        Case(testDescription: "a prefix that was written down", files: ["subscriptions": "INBOX.Sent\nINBOX.Other\n"],
             expected: ["Sent", "INBOX.Other"],
             folders: ["Sent"]),
        Case(testDescription: "a folder below INBOX", files: ["subscriptions": "INBOX.Sent\n"], expected: ["INBOX.Sent"],
             folders: ["Sent", "INBOX.Sent"]),
        Case(testDescription: "Courier's",
             files: ["courierimapsubscribed": "INBOX\ninbox.Sent\nINBOX.Lists.swift\n#shared.x.y\nOther\nINBOX.Entw&APw-rfe\n"],
             expected: ["INBOX", "Sent", "Lists.swift", "Entw\u{FC}rfe"]),
        Case(testDescription: "Courier's in UTF-8", files: ["courierimapsubscribed": "INBOX.Entw\u{FC}rfe\n"],
             expected: ["Entw\u{FC}rfe"]),
    ])
    func `Subscriptions stay`(_ item: Case) throws {
        let left = try TakeOverTests.Left()
        for folder in item.folders { try left.makeFolder(folder) }
        for (name, text) in item.files { try left.write(name, text) }
        let store = try left.account.openStore()
        #expect(try store.subscriptions().map(\.string) == item.expected)
        #expect(try left.areUntouched())
        // From now on they are ours.
        for name in item.files.keys { try left.write(name, "Changed\n") }
        #expect(try store.subscriptions().map(\.string) == item.expected)
        try store.subscribe("Further")
        #expect(try store.subscriptions().map(\.string) == item.expected + ["Further"])
    }

    @Test func `The first change of ours begins with theirs`() throws {
        let left = try TakeOverTests.Left()
        try left.write("subscriptions", "INBOX\nLists.swift\n")
        let store = try left.account.openStore()
        try store.unsubscribe("INBOX")
        #expect(try store.subscriptions().map(\.string) == ["Lists.swift"])
    }

    @Test func `The separator does not matter`() throws {
        let left = try TakeOverTests.Left(separator: "/")
        try left.write("subscriptions", "V\t2\n\nLists\tswift\n")
        #expect(try left.account.openStore().subscriptions().map(\.string) == ["Lists/swift"])
    }

    @Test(arguments: [true, false])
    func `The later of two lists counts`(_ isDovecotLater: Bool) throws {
        let left = try TakeOverTests.Left()
        try left.write("subscriptions", "D\n", age: isDovecotLater ? 10 : 20)
        try left.write("courierimapsubscribed", "INBOX.C\n", age: 15)
        #expect(try left.account.openStore().subscriptions().map(\.string) == [isDovecotLater ? "D" : "C"])
        let name = isDovecotLater ? "Dovecot" : "Courier"
        let line = "notice: Both Dovecot and Courier have left subscriptions: those of \(name) are newer and count"
        #expect(left.account.log.all.contains(line))
    }
}
