import Foundation
import Glibc
import IMAPTypes
@testable import Maildir
import MailStore
import Testing
import TestSupport

@Suite struct CheckTests {
    /// An account that clients have used: two mailboxes, flags, a keyword, an index and a cache.
    static func used() throws -> ControlAccount {
        let account = try ControlAccount()
        let store = try account.store()
        try store.create("Work", use: nil)
        for number in 0..<20 {
            try store.append("Subject: \(number)\r\n\r\n" + String(repeating: "text\r\n", count: number),
                             to: number % 2 == 0 ? .inbox : "Work", number % 3 == 0 ? .seen : [], number % 5 == 0 ? ["five"] : [],
                             date: 1_000_000_000 + Int64(number))
        }
        try store.subscribe("Work")
        for name in [MailboxName.inbox, "Work"] {
            let mailbox = try #require(try store.open(name, readOnly: false) as? OpenMaildir)
            for uid in mailbox.uids {
                Array("kept of \(uid)".utf8).withUnsafeBytes {
                    var pieces = KeptPieces()
                    pieces.items = $0
                    mailbox.keep(uid, pieces)
                }
            }
            mailbox.saveKept()
            try mailbox.mailbox.locked { () throws(StoreError) in try mailbox.mailbox.checkpoint() }
            _ = try mailbox.store([1], FlagChange(.add, FlagSet(system: .flagged)), unchangedSince: nil)
        }
        while try store.tidy() {}
        return account
    }

    /// What happens to a Maildir, and what `check` calls it. Paths are those of INBOX, which is what each is about.
    struct Damage: Sendable, CustomTestStringConvertible {
        let kind: Finding.Kind
        let fixable: Bool
        let make: @Sendable (ControlAccount) throws -> Void
        var testDescription: String { kind.rawValue }

        init(_ kind: Finding.Kind, fixable: Bool = true, _ make: @escaping @Sendable (ControlAccount) throws -> Void) {
            self.kind = kind
            self.fixable = fixable
            self.make = make
        }
    }

    static let damages: [Damage] = [
        Damage(.logMissing) { try $0.remove("imapd.log") },
        Damage(.logDamaged) { try $0.damage("imapd.log", at: 20) },
        Damage(.logTorn) { account in
            let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: account.file("imapd.log")))
            try handle.seekToEnd()
            try handle.write(contentsOf: Data([0x32, 0x4E, 0x58, 0x54, 1, 2, 3]))
        },
        Damage(.logShort) { account in
            let size = try FileManager.default.attributesOfItem(atPath: account.file("imapd.log"))[.size] as! Int
            truncate(account.file("imapd.log"), size / 2)
        },
        Damage(.indexMissing) { try $0.remove("imapd.index") },
        Damage(.indexDamaged) { try $0.damage("imapd.index", at: 700) },
        Damage(.indexForeign) { account in
            try account.remove("imapd.index")
            try FileManager.default.copyItem(atPath: account.file(".Work/imapd.index"), toPath: account.file("imapd.index"))
        },
        Damage(.oldCopy) { account in
            let files = ["imapd.log", "imapd.index", "imapd.lock"]
            for file in files {
                try FileManager.default.copyItem(atPath: account.file(file), toPath: account.directory.path(file))
            }
            let store = try account.store()
            for number in 0..<1100 where number % 100 == 0 {
                let transaction = try store.beginAppend(to: .inbox)
                for _ in 0..<100 {
                    try transaction.begin(flags: FlagSet(), date: nil, size: 2)
                    try transaction.write(Array("x\n".utf8))
                    try transaction.end()
                }
                _ = try transaction.commit()
            }
            for file in files {
                try account.remove(file)
                try FileManager.default.copyItem(atPath: account.directory.path(file), toPath: account.file(file))
            }
        },
        Damage(.cacheDamaged) { try $0.damage("imapd.cache", at: 70) },
        Damage(.accountMissing) { try $0.remove("imapd.account") },
        Damage(.accountDamaged) { try $0.damage("imapd.account", at: 12) },
        Damage(.expungedLeft) { account in
            try FileManager.default.createDirectory(atPath: account.file("imapd.expunged"), withIntermediateDirectories: true)
            try account.write("gone\n", to: "imapd.expunged/3")
        },
        Damage(.arrivals) { try $0.write("new\n", to: "new/1700000000.M1P1.host") },
        Damage(.vanished) { try $0.remove("cur/" + #require($0.names("cur").first)) },
        Damage(.unnoticed) { account in
            // The log knows the directory's time for settled, and the time is put back.
            account.touch("cur", 1_600_000_000)
            _ = try account.store().status(.inbox, wantsSize: false)
            try account.write("x\n", to: "cur/1700000000.M1P1.host:2,S")
            account.touch("cur", 1_600_000_000)
        },
        Damage(.wrongKnownSize) { account in
            let name = try #require(account.names("cur").first)
            let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: account.file("cur/\(name)")))
            try handle.seekToEnd()
            try handle.write(contentsOf: Data("added by a filter\n".utf8))
        },
        Damage(.duplicateName) { account in
            let name = try #require(account.names("cur").first)
            try account.write("another\n", to: "new/" + name.components(separatedBy: ":")[0])
        },
        Damage(.impossibleName) { try $0.write("x\n", to: "cur/:2,S") },
        Damage(.noInfo) { account in
            try account.write("x\n", to: "cur/1700000000.M1P1.host")
            _ = try account.store().open(.inbox, readOnly: true)
        },
        Damage(.wrongSizeField, fixable: false) { try $0.write("x\n", to: "cur/1700000000.M1P1.host,S=77:2,S") },
        Damage(.lostLetter, fixable: false) { account in
            try account.write("0 known\n", to: "dovecot-keywords")
            try account.write("x\n", to: "cur/1700000000.M1P1.host:2,Sac")
        },
        Damage(.wrongMode) { chmod($0.file("cur/" + (try $0.names("cur").first!)), 0o200) },
        Damage(.writableByOthers) { chmod($0.file("new"), 0o777) },
        Damage(.symbolicLink, fixable: false) {
            try FileManager.default.createSymbolicLink(atPath: $0.file(".Out"), withDestinationPath: "/usr")
        },
        Damage(.strangeFile, fixable: false) {
            try FileManager.default.createDirectory(atPath: $0.file("cur/directory"), withIntermediateDirectories: true)
        },
        Damage(.missingDirectory) { try $0.remove("tmp") },
        Damage(.hiddenFolder, fixable: false) { account in
            try FileManager.default.createDirectory(atPath: account.file(".a..b/cur"), withIntermediateDirectories: true)
        },
        Damage(.staleSubscription, fixable: false) { try $0.store().subscribe("Gone") },
    ]

    @Test func `A used account is clean, and looking changes nothing`() async throws {
        let account = try Self.used()
        let before = try account.snapshot()
        let outcome = try await account.imapctl("check")
        #expect(outcome.status == 0 && outcome.output.contains("nothing is wrong"), "\(outcome)")
        #expect(try account.snapshot() == before)
    }

    @Test(arguments: damages)
    func `What is wrong is found, and nothing is changed but with --fix`(_ damage: Damage) async throws {
        let account = try Self.used()
        try damage.make(account)
        let before = try account.snapshot()
        let (kinds, outcome) = try await account.check()
        let found = try #require(kinds[damage.kind.rawValue], "\(outcome)")
        #expect(outcome.status == (kinds.values.allSatisfy(\.note) ? 0 : 1), "\(outcome)")
        #expect(try account.snapshot() == before)
        #expect(found.count >= 1 && !found.examples.isEmpty)

        let (left, fixed) = try await account.check("--fix")
        #expect((left[damage.kind.rawValue]?.fixed ?? false) == damage.fixable, "\(fixed)")
        let (again, last) = try await account.check()
        #expect((again[damage.kind.rawValue] == nil) == damage.fixable, "\(last)")
    }

    @Test(arguments: damages.filter { $0.fixable && ![.vanished, .wrongKnownSize, .oldCopy].contains($0.kind) })
    func `A repair keeps every message, with its UID, flags and keywords`(_ damage: Damage) async throws {
        let account = try Self.used()
        let before = try account.view()
        try damage.make(account)
        _ = try await account.check("--fix")
        let after = try account.view()
        // Flags that the log alone had are in the names too; what came is behind what was there.
        #expect(Array(after.prefix(before.count)) == before)
    }

    @Test func `What a delivery or a crash has left is found once it is old`() throws {
        let account = try Self.used()
        try account.write("half\n", to: "tmp/1700000000.M1P1.host")
        for file in ["imapd.index.tmp", "imapd.index.damaged", "imapd.log.repair"] { try account.write("x", to: file) }
        try FileManager.default.createDirectory(atPath: account.file("..imapd.making.1"), withIntermediateDirectories: true)
        func kinds(after hours: Int64) throws -> [Finding.Kind: Int] {
            let inspection = try MaildirInspection(path: account.path, time: now() / 1_000_000_000 + hours * 3600)
            var findings = try inspection.check()
            try inspection.forEachMailbox { findings += $0.check(readsMessages: true) {} }
            return Dictionary(findings.map { ($0.kind, $0.count) }, uniquingKeysWith: +)
        }
        #expect(try kinds(after: 0) == [:])
        #expect(try kinds(after: 2) == [.leftover: 4])
        #expect(try kinds(after: 37) == [.leftover: 4, .oldTemporary: 1])
    }

    @Test func `There may be more mailboxes than files that can be open`() async throws {
        let account = try ControlAccount()
        let store = try account.store()
        for number in 1...60 { try store.create(try #require(MailboxName("box \(number)")), use: nil) }
        let shell = try Program("sh", package: "dash")
        for command in ["check", "mailboxes", "quota", "import maildir \(account.path)"] {
            let path = command.hasPrefix("import") ? account.directory.path("other") : account.path
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            let line = "ulimit -n 60; exec \(Program.imapctl.path) \(command) --maildir \(path)"
            let outcome = try await shell.run(["-c", line])
            #expect(outcome.status == 0, "\(outcome)")
        }
    }

    @Test func `A named pipe in the place of a file stops nobody`() async throws {
        let account = try Self.used()
        for file in ["imapd.index", "imapd.log.tmp"] {
            try? account.remove(file)
            #expect(mkfifo(account.file(file), 0o600) == 0)
        }
        let found = try await account.imapctl("check", "--json")
        #expect(found.status == 1 && found.output.contains("\"index-damaged\""), "\(found)")
        // The pipe in the way of a new log is the administrator's to remove.
        #expect(try await account.imapctl("check", "--fix").status == 1)
        try account.remove("imapd.log.tmp")
        let fixed = try await account.imapctl("check", "--fix")
        #expect(fixed.status == 0, "\(fixed)")
    }

    @Test(.enabled(if: geteuid() == 0, "needs root: to become another user"))
    func `A folder that its owner cannot look into is found, and opened`() async throws {
        let user = try await SystemUser()
        let account = try Self.used()
        try FileManager.default.copyItem(atPath: account.path, toPath: user.home + "/Maildir")
        for file in try FileManager.default.subpathsOfDirectory(atPath: user.home + "/Maildir") + [""] {
            lchown(user.home + "/Maildir/" + file, user.uid, user.gid)
        }
        chmod(user.home + "/Maildir/.Work", 0)
        let found = try await Program.imapctl.run(["check", "--user", user.name])
        #expect(found.status == 1 && found.output.contains("(.Work)"), "\(found)")
        let fixed = try await Program.imapctl.run(["check", "--fix", "--user", user.name])
        #expect(fixed.status == 0 && fixed.output.contains("repaired: account: "), "\(fixed)")
        #expect(try await Program.imapctl.run(["mailboxes", "--user", user.name]).output.contains("Work"))
    }

    @Test(.enabled(if: geteuid() == 0, "needs root: to give files away"))
    func `What belongs to somebody else is found`() async throws {
        let account = try Self.used()
        chown(account.file("cur/" + (try #require(account.names("cur").first))), 65534, 65534)
        let (kinds, outcome) = try await account.check("--fix")
        #expect(outcome.status == 1 && kinds["wrong-owner"]?.count == 1, "\(outcome)")
    }

    @Test(.enabled(if: geteuid() == 0, "needs root: to become another user"))
    func `Root becomes the user, or the owner of the Maildir, for good`() async throws {
        let user = try await SystemUser()
        let account = try Self.used()
        func tree() throws -> [String] {
            try FileManager.default.subpathsOfDirectory(atPath: user.home + "/Maildir").map { user.home + "/Maildir/" + $0 }
        }
        try FileManager.default.copyItem(atPath: account.path, toPath: user.home + "/Maildir")
        for file in try [user.home + "/Maildir"] + tree() { lchown(file, user.uid, user.gid) }
        try FileManager.default.removeItem(atPath: user.home + "/Maildir/imapd.index")
        // What the user may not write, root must not either.
        mkdir(user.home + "/Maildir/.Locked", 0o755)
        mkdir(user.home + "/Maildir/.Locked/cur", 0o755)
        let outcome = try await Program.imapctl.run(["check", "--fix", "--user", user.name])
        #expect(outcome.status == 1 && outcome.output.contains("repaired: INBOX: imapd's index is missing"), "\(outcome)")
        #expect(outcome.output.contains("problem: Locked: "), "\(outcome)")
        for file in try tree() where !file.contains(".Locked") {
            var status = stat()
            #expect(lstat(file, &status) == 0 && status.st_uid == user.uid && status.st_gid == user.gid, "\(file)")
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: user.home + "/Maildir/.Locked") == ["cur"])
        try FileManager.default.removeItem(atPath: user.home + "/Maildir/.Locked")

        try FileManager.default.removeItem(atPath: user.home + "/Maildir/imapd.index")
        let second = try await Program.imapctl.run(["check", "--fix", "--maildir", user.home + "/Maildir"])
        #expect(second.status == 0, "\(second)")
        for file in try tree() {
            var status = stat()
            #expect(lstat(file, &status) == 0 && status.st_uid == user.uid, "\(file)")
        }
        let everybody = try await Program.imapctl.run(["check", "--all", "--json", "--maildir-path", user.home + "/Maildir"])
        #expect(everybody.output.split(separator: "\n").contains {
            $0.contains("\"user\":\"\(user.name)\"") && $0.contains("\"clean\":true")
        })
    }

    @Test(.enabled(if: geteuid() != 0, "not as root, who may be anybody"))
    func `Only root may work on the mail of others`() async throws {
        for arguments in [["check", "--user", "root"], ["check", "--all"]] {
            let outcome = try await Program.imapctl.run(arguments)
            #expect(outcome.status == 2 && outcome.errors.contains("root"), "\(outcome)")
        }
    }

    @Test func `A file that another program changed is told as it is now`() async throws {
        let account = try Self.used()
        let damage = try #require(Self.damages.first { $0.kind == .wrongKnownSize })
        try damage.make(account)
        _ = try await account.check("--fix")
        let mailbox = try account.store().open(.inbox, readOnly: true)
        for uid in mailbox.uids {
            let text = try mailbox.text(uid)
            #expect(try mailbox.details(uid).size == UInt64(text.utf8.count + text.filter { $0 == "\n" }.count))
        }
        let sizes = try mailbox.uids.map { try mailbox.details($0).size }.reduce(0, +)
        #expect(try account.store().status(.inbox, wantsSize: true).size == sizes)
    }

    @Test func `Beside a session that has the mailbox open nothing looks wrong`() async throws {
        let account = try Self.used()
        let store = try account.store()
        let session = try store.open(.inbox, readOnly: false)
        _ = try session.store(session.uids, FlagChange(.replace, FlagSet(system: .answered)), unchangedSince: nil)
        let other = try account.store().open(.inbox, readOnly: false)
        _ = try other.expunge([1, 3])
        #expect(account.path.isEmpty == false && FileManager.default.fileExists(atPath: account.file("imapd.expunged/1")))
        let (kinds, outcome) = try await account.check()
        #expect(kinds.isEmpty, "\(outcome)")
        _ = try await account.check("--fix")
        #expect(try session.text(1).hasPrefix("Subject: 0"))
    }

    @Test func `Words for people name the mailbox and the repair`() async throws {
        let account = try Self.used()
        try account.remove(".Work/imapd.index")
        let outcome = try await account.imapctl("check")
        #expect(outcome.status == 1)
        let line = "problem: Work: imapd's index is missing (.Work/imapd.index); --fix repairs it"
        #expect(outcome.output.contains(line), "\(outcome)")
        let fixed = try await account.imapctl("check", "--fix")
        #expect(fixed.status == 0 && fixed.output.contains("repaired: Work: imapd's index is missing"), "\(fixed)")
    }

    @Test func `No Maildir is a failure, and makes none`() async throws {
        let account = try ControlAccount()
        for command in ["check", "mailboxes"] {
            let outcome = try await account.imapctl(command)
            #expect(outcome.status == 2 && outcome.errors.contains("there is no Maildir at"), "\(outcome)")
        }
        #expect(!FileManager.default.fileExists(atPath: account.path))
    }

    @Test func `A Maildir that nobody has served is clean, and stays so`() async throws {
        let account = try ControlAccount()
        for part in ["cur", "new", "tmp"] {
            try FileManager.default.createDirectory(atPath: account.file(part), withIntermediateDirectories: true)
        }
        try account.write("x\n", to: "new/1700000000.M1P1.host")
        let before = try account.snapshot()
        #expect(try await account.check().outcome.status == 0)
        #expect(try account.snapshot() == before)
    }
}
