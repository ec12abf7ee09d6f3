import CFaults
import Glibc
import IMAPTypes
import MailStore
import Maildir

/// A Maildir with a past: of every time, there is a copy of the files that imapd keeps beside messages.
private final class History: Steps {
    /// Directories with copies, oldest first.
    private(set) var backups: [(path: String, model: Model)] = []

    func live(copiesTo directory: String) throws {
        func backUp() {
            backups.append(("\(directory)/backup-\(backups.count)", model))
            Disk.removeTree(backups.last!.path)
            Disk.copyTree(path, to: backups.last!.path)
        }
        /// What comes after a backup, and is gone in the end.
        func receive(_ text: String) throws {
            let other = try openStore(expungeDelay: 0)
            try append(other, "inbox", [text], [], [])
            try expunge(try open(other, "inbox"), "inbox", [text])
        }
        let store = try openStore(expungeDelay: 0)
        note("+box\tinbox\tINBOX")
        try create(store, "work", "Work")
        try subscribe(store, "Work", true)
        for index in 1...4 { try append(store, "inbox", ["old-\(index)"], index % 2 == 0 ? .seen : [], index == 3 ? ["k1"] : []) }
        try append(store, "work", ["work-1", "work-2"], .flagged, ["project"])
        var inbox: (any OpenMailbox)? = try open(store, "inbox")
        _ = try inbox!.claimRecent()
        backUp()
        try receive("brief-1")
        // Twice so much that an index is due: then there is one, and one before it.
        for round in 0..<2 {
            let keyword = FlagSet(keywords: [Keyword("k2")!]), first = [inbox!.uids[0]]
            var status = stat()
            let before = Disk.read(path + "/imapd.index")
            while stat(path + "/imapd.log", &status) == 0, status.st_size <= 1 << 16 {
                _ = try inbox!.store(first, FlagChange(.add, keyword), unchangedSince: nil)
                _ = try inbox!.store(first, FlagChange(.remove, keyword), unchangedSince: nil)
            }
            while try store.tidy() {}
            guard Disk.read(path + "/imapd.index") != before else { fatalError("no index was made") }
            try append(store, "inbox", ["middle-\(round)"], .answered, [])
            _ = try inbox!.refresh()
            keepPieces(inbox)
            backUp()
            try receive("brief-\(round + 2)")
        }
        _ = try inbox!.refresh()
        try setFlags(inbox, "inbox", ["old-1", "old-4"], .add, .answered, ["k3"])
        try expunge(inbox, "inbox", ["old-2"])
        try deliver("inbox", "delivered", name: "1001.M1P1.host")
        faults_shift_clock(2)
        _ = try inbox!.refresh()
        try look(inbox!, "inbox")
        while try store.tidy() {}
        backUp()
        try move(inbox, "inbox", ["old-3"], to: "work")
        try copy(inbox, "inbox", ["old-1"], to: "work")
        try setFlags(inbox, "inbox", ["middle-1"], .replace, .deleted, [])
        try append(store, "inbox", ["last-1", "last-2"], .draft, ["k4"])
        try subscribe(store, "Other", true)
        backUp()
        try receive("brief-4")
        _ = try inbox!.refresh()
        try setFlags(inbox, "inbox", ["last-1"], .add, .seen, [])
        for name in ["INBOX", "Work"] { _ = try store.status(MailboxName(name)!, wantsSize: true) }
        keepPieces(try open(store, "work"))
        inbox = nil
        while try store.tidy() {}
        faults_shift_clock(0)
    }
}

/// The files that imapd keeps beside messages are cut at every byte, changed bit by bit, deleted, and replaced by older ones.
final class DamageRounds: Rounds {
    private var template: String { directory + "/template" }
    private let model: Model
    private let backups: [(path: String, model: Model)]

    enum Damage {
        case cut(String, Int)
        case flip(String, at: Int, bit: UInt8)
        case delete([String])
        /// Replaced by what they were in a backup.
        case old([String], Int)
        /// A mailbox with its messages as it was in a backup; `nil`: the whole Maildir.
        case restored(folder: String?, Int)

        var what: String {
            switch self {
            case .cut(let name, let length): "\(name) cut at \(length)"
            case .flip(let name, let at, let bit): "\(name), byte \(at), bit \(bit)"
            case .delete(let names): "\(names) deleted"
            case .old(let names, let backup): "\(names) as in backup \(backup)"
            case .restored(let folder, let backup): "\(folder ?? "all") restored from backup \(backup)"
            }
        }
    }

    override init(_ directory: String) {
        let history = History(directory + "/template", Facts(), Model())
        Disk.removeTree(directory + "/template")
        do { try history.live(copiesTo: directory) } catch { fatalError("the Maildir cannot be made: \(error)") }
        model = history.model
        backups = history.backups
        super.init(directory)
    }

    private static let own = ["imapd.log", "imapd.index", "imapd.lock", "imapd.cache", "imapd.log.old", "imapd.index.old",
                              "imapd.log.spare"]
    private static let common = ["imapd.account", "imapd.status", "imapd.subscriptions"]

    /// Every damage there is, those of one kind after the other.
    private func all() -> [Damage] {
        var all: [Damage] = []
        func isThere(_ name: String, _ root: String) -> Bool { access(root + "/" + name, F_OK) == 0 }
        for folder in ["", ".Work/"] {
            let names = (Self.own.map { folder + $0 } + (folder.isEmpty ? Self.common : [])).filter { isThere($0, template) }
            for name in names {
                let bytes = Disk.read(template + "/" + name), isLong = bytes.count > 20_000
                for length in stride(from: 0, to: bytes.count, by: isLong ? 61 : 1) { all.append(.cut(name, length)) }
                let header = min(bytes.count, name.hasSuffix("index") ? 640 : 160)
                for at in 0..<header { for bit in 0..<8 { all.append(.flip(name, at: at, bit: UInt8(bit))) } }
                for at in stride(from: header, to: bytes.count, by: isLong ? 67 : 1) {
                    all.append(.flip(name, at: at, bit: UInt8(at % 8)))
                }
                all.append(.delete([name]))
                for backup in backups.indices where isThere(name, backups[backup].path) { all.append(.old([name], backup)) }
                for other in names where other > name {
                    all.append(.delete([name, other]))
                    for backup in backups.indices where [name, other].allSatisfy({ isThere($0, backups[backup].path) }) {
                        all.append(.old([name, other], backup))
                    }
                }
            }
            let own = names.filter { !Self.common.contains($0) }
            all.append(.delete(own))
            for backup in backups.indices { all.append(.old(own.filter { isThere($0, backups[backup].path) }, backup)) }
            for left in own {
                let others = own.filter { $0 != left }
                all.append(.delete(others))
                for backup in backups.indices { all.append(.old(others.filter { isThere($0, backups[backup].path) }, backup)) }
            }
        }
        for backup in backups.indices { for folder in ["", ".Work/", nil] { all.append(.restored(folder: folder, backup)) } }
        return all
    }

    /// Whether all went well.
    func run(from first: Int, by stride: Int) -> Bool {
        let all = all()
        var isFine = true
        for index in Swift.stride(from: first - 1, to: all.count, by: stride) where !round(all[index], index + 1) {
            isFine = false
        }
        print("rounds \(rounds), hits \(rounds), calls \(all.count)")
        return isFine
    }

    private func round(_ damage: Damage, _ number: Int) -> Bool {
        begin(template)
        facts.note("# \(damage.what)")
        switch damage {
        case .cut(let name, let length):
            truncate(maildir + "/" + name, off_t(length))
        case .flip(let name, let at, let bit):
            var byte = Disk.read(maildir + "/" + name)[at] ^ 1 << bit
            let file = open(maildir + "/" + name, O_WRONLY)
            pwrite(file, &byte, 1, off_t(at))
            close(file)
        case .delete(let names):
            for name in names { unlink(maildir + "/" + name) }
        case .old(let names, let backup):
            for name in names {
                unlink(maildir + "/" + name)
                Disk.write(Disk.read(backups[backup].path + "/" + name), to: maildir + "/" + name)
            }
        case .restored(let folder, let backup):
            return restore(folder, backup, number)
        }
        return check(model, [], losses: losses(damage), "damage \(number)")
    }

    /// Then all is as it was, but the UIDs that were given since are not given again.
    private func restore(_ folder: String?, _ backup: Int, _ number: Int) -> Bool {
        let (source, old) = backups[backup]
        var expected = model
        if let folder {
            for name in Disk.names(maildir + "/" + folder) where ["cur", "new"].contains(name) || Self.own.contains(name) {
                Disk.removeTree(maildir + "/" + folder + name)
                unlink(maildir + "/" + folder + name)
            }
            Disk.copyTree(source + "/" + folder, to: maildir + "/" + folder) { name in
                ["cur", "new"].contains(name) || Self.own.contains(name)
            }
        } else {
            Disk.removeTree(maildir)
            Disk.copyTree(source, to: maildir)
            expected.subscribed = old.subscribed
        }
        for (folderOfBox, box) in [("", "inbox"), (".Work/", "work")] where folder == nil || folder == folderOfBox {
            expected.boxes[box]!.messages = old.boxes[box]!.messages
        }
        expected.kept = []
        return check(expected, [], "damage \(number)")
    }

    /// What may be lost with it: nothing that any other file tells.
    private func losses(_ damage: Damage) -> Verifier.Losses {
        let names: [String], isWhole: Bool
        switch damage {
        case .cut(let name, _), .flip(let name, _, _): (names, isWhole) = ([name], false)
        case .delete(let some), .old(let some, _): (names, isWhole) = (some, true)
        case .restored: return []
        }
        let kinds = Set(names.map { $0.split(separator: "/").last.map(String.init) ?? $0 })
        var losses: Verifier.Losses = []
        if kinds.contains("imapd.subscriptions") { losses.insert(.subscriptions) }
        // What is only derived, and what only says how far others go.
        if kinds.isSubset(of: ["imapd.cache", "imapd.status", "imapd.subscriptions"]) { return losses }
        losses.insert(.repair)
        let tellLog: Set = ["imapd.log", "imapd.log.spare"]
        // A log has two names, which a cut and a bit do not respect.
        if !isWhole, !kinds.isDisjoint(with: tellLog) { losses.formUnion([.uids, .flags]) }
        if isWhole, kinds.isSuperset(of: tellLog) { losses.formUnion([.uids, .flags]) }
        // Which of two logs is the present one, the mark tells; and the last index with its log is only kept once.
        if isWhole, kinds.contains("imapd.lock") || kinds.contains("imapd.index"), kinds.count > 1 {
            losses.formUnion([.uids, .flags])
        }
        return losses
    }
}
