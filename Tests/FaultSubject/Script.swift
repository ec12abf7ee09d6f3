import CFaults
import Glibc
import IMAPTypes
import Logging
import MailStore
import Maildir

/// Everything that a session can do to a Maildir, once, and always in the same way.
///
/// Before a step its facts are noted with `?`, after it with `+`. A step that fails is left at that, and the next follows.
final class Script {
    let path: String
    let facts: Facts
    var model: Model
    private let logger: Logger

    init(_ path: String, _ facts: Facts, _ model: Model) {
        self.path = path
        self.facts = facts
        self.model = model
        logger = Logger(label: "subject") { _ in FactLogger(facts) }
    }

    func openStore(expungeDelay: Int64? = nil) throws -> MaildirStore {
        try MaildirStore(path: path, expungeDelay: expungeDelay, logger: logger)
    }

    private func note(_ line: String) {
        facts.note(line)
        model.take(line)
    }

    private func step(_ name: String, _ body: () throws -> Void) {
        facts.note("# \(name)")
        do { try body() } catch { facts.note("# \(name) failed: \(error)") }
    }

    // MARK: The Maildir before

    /// What the script finds. Nothing goes wrong here.
    func prepare() throws {
        let store = try openStore()
        note("+box\tinbox\tINBOX")
        for (box, name) in [("work", "Work"), ("doomed", "Doomed"), ("parent", "Parent"), ("child", "Parent.Child")] {
            try store.create(MailboxName(name)!, use: nil)
            note("+box\t\(box)\t\(name)")
        }
        // Where the messages of INBOX go in the end.
        note("?box\tarchive\tArchive")
        for index in 1...9 { try append(store, "inbox", ["old-\(index)"], index % 2 == 0 ? .seen : [], []) }
        for index in 1...3 { try append(store, "work", ["work-\(index)"], [], index == 1 ? ["project"] : []) }
        try append(store, "doomed", ["doomed-1"], [], [])
        try append(store, "child", ["child-1"], .flagged, ["kept"])
        for box in ["inbox", "work", "doomed", "parent", "child"] { _ = try open(store, box) }
        // So much that the next changes make an index due.
        let inbox = try open(store, "inbox"), keyword = FlagSet(keywords: [Keyword("often")!])
        for _ in 0..<240 {
            _ = try inbox.store([1, 3].map { UID($0)! }, FlagChange(.add, keyword), unchangedSince: nil)
            _ = try inbox.store([1, 3].map { UID($0)! }, FlagChange(.remove, keyword), unchangedSince: nil)
        }
        try store.subscribe(MailboxName("Work")!)
        note("+subscribe\tWork")
        for index in 1...2 {
            Disk.deliver("delivered-\(index)", to: path, name: "100\(index).M1P1.host")
            note("+add\tinbox\t\tdelivered-\(index)\t\tnone")
        }
    }

    // MARK: The script

    func run() {
        var store: MaildirStore!, inbox: (any OpenMailbox)?, other: (any OpenMailbox)?, otherStore: MaildirStore?
        step("open") { store = try openStore() }
        if store == nil { return }
        step("select") { inbox = try open(store, "inbox") }
        step("watch") { _ = try inbox?.changeDescriptor() }
        step("recent") { _ = try inbox?.claimRecent() }
        step("append") { try append(store, "inbox", ["append-1"], .flagged, ["new"]) }
        step("append a large one") { try append(store, "inbox", ["large-1"], [], []) }
        step("multiappend") { try append(store, "work", ["multi-1", "multi-2", "multi-3"], .seen, []) }
        step("multiappend of many") { try append(store, "work", (1...9).map { "many-\($0)" }, [], []) }
        step("store") { try setFlags(inbox, "inbox", ["old-1", "old-2", "old-4", "append-1"], .add, .answered, ["new", "other"]) }
        step("copy") { try copy(inbox, ["old-1", "old-3"], to: "work") }
        step("open another session") {
            otherStore = try openStore()
            other = try otherStore.map { try open($0, "inbox") }
        }
        step("move") { try move(inbox, ["old-2", "old-5", "append-1"], to: "work") }
        step("expunge") { try expunge(inbox, ["old-6", "old-7"]) }
        step("refresh the other") {
            if let other { other.forget(try other.refresh().expunged) }
        }
        step("keep") {
            guard let inbox else { return }
            for uid in inbox.uids {
                Array("kept \(uid.rawValue)".utf8).withUnsafeBytes { bytes in
                    var pieces = KeptPieces()
                    pieces.items = bytes
                    inbox.keep(uid, pieces)
                }
            }
            inbox.saveKept()
        }
        step("tidy") { while try store.tidy() {} }
        step("end the other") {
            other = nil
            while try otherStore?.tidy() == true {}
            otherStore = nil
        }
        step("expunge alone") { try expunge(inbox, ["old-8"]) }
        step("expunge and keep") {
            let keeping = try openStore(expungeDelay: 86_400)
            try expunge(try open(keeping, "inbox"), ["old-9"])
        }
        step("undelete") { try undelete(["old-9"], to: "work") }
        step("create") {
            note("?box\tnew\tNew")
            try store.create(MailboxName("New")!, use: .archive)
            note("+box\tnew\tNew")
        }
        step("append to the new one") { try append(store, "new", ["new-1"], .draft, ["unfinished"]) }
        step("subscribe") {
            note("?subscribe\tNew")
            try store.subscribe(MailboxName("New")!)
            note("+subscribe\tNew")
        }
        step("rename") { try rename(store, [("new", "New", "Renamed")]) }
        step("append to the renamed one") { try append(store, "new", ["new-2"], [], [], at: "Renamed") }
        step("rename with a child") {
            try rename(store, [("parent", "Parent", "Elders"), ("child", "Parent.Child", "Elders.Child")])
        }
        step("delete") {
            note("?delete\tdoomed")
            try store.delete(MailboxName("Doomed")!)
            note("+delete\tdoomed")
        }
        step("unsubscribe") {
            note("?unsubscribe\tWork")
            try store.unsubscribe(MailboxName("Work")!)
            note("+unsubscribe\tWork")
        }
        step("a delivery") {
            faults_pause()
            Disk.deliver("delivered-3", to: path, name: "1003.M1P1.host")
            faults_resume()
            note("+add\tinbox\t\tdelivered-3\t\tnone")
            if let inbox {
                inbox.forget(try inbox.refresh().expunged)
                try look(inbox, "inbox")
            }
        }
        step("store again") { try setFlags(inbox, "inbox", ["delivered-1", "old-4"], .replace, .seen, []) }
        step("status") { _ = try store.status(MailboxName("Work")!, wantsSize: true) }
        step("tidy again") { while try store.tidy() {} }
        step("close") { inbox = nil }
        step("rename INBOX") { try renameInbox(store) }
        step("tidy at the end") { while try store.tidy() {} }
    }

    // MARK: Steps

    private func name(_ box: String) -> MailboxName {
        MailboxName(["inbox": "INBOX", "work": "Work", "doomed": "Doomed", "parent": "Parent", "child": "Parent.Child",
                     "new": "New"][box]!)!
    }

    private func open(_ store: MaildirStore, _ box: String) throws -> any OpenMailbox {
        let open = try store.open(name(box), readOnly: false)
        note("+validity\t\(box)\t\(open.uidValidity.rawValue)")
        try look(open, box)
        return open
    }

    /// Notes which message has which UID.
    private func look(_ open: any OpenMailbox, _ box: String) throws {
        for uid in open.uids where model.boxes[box]!.uids[uid.rawValue] == nil {
            guard let text = try open.text(uid) else { continue }
            note("+uid\t\(box)\t\(uid.rawValue)\t\(text)")
        }
    }

    private func uids(_ open: any OpenMailbox, _ box: String, _ texts: [String]) -> [(uid: UID, text: String)] {
        let known = model.boxes[box]!.messages
        return texts.compactMap { text in known[text]?.uid.flatMap { UID($0) }.map { ($0, text) } }
            .filter { open.metadata($0.uid)?.isExpunged == false }.sorted { $0.uid < $1.uid }
    }

    private var groups = 0

    private func append(
        _ store: MaildirStore, _ box: String, _ texts: [String], _ flags: SystemFlags, _ keywords: [String],
        at other: String? = nil
    ) throws {
        groups += 1
        let all = FlagSet(system: flags, keywords: Set(keywords.map { Keyword($0)! }))
        let words = ([(SystemFlags.answered, "answered"), (.flagged, "flagged"), (.deleted, "deleted"), (.seen, "seen"),
                      (.draft, "draft")].filter { flags.contains($0.0) }.map(\.1) + keywords.sorted()).joined(separator: " ")
        for text in texts { note("?add\t\(box)\t\t\(text)\t\(words)\t\(groups)") }
        let transaction = try store.beginAppend(to: other.map { MailboxName($0)! } ?? name(box))
        for text in texts {
            let bytes = Texts.bytes(text)
            try transaction.begin(flags: all, date: 1_000_000_000, size: UInt64(bytes.count))
            try transaction.write(bytes)
            try transaction.end()
        }
        let uids = try transaction.commit().uids
        for (uid, text) in zip(uids, texts) { note("+add\t\(box)\t\(uid.rawValue)\t\(text)\t\(words)\t\(groups)") }
    }

    private func setFlags(
        _ open: (any OpenMailbox)?, _ box: String, _ texts: [String], _ action: FlagChange.Action, _ flags: SystemFlags,
        _ keywords: [String]
    ) throws {
        guard let open else { return }
        let change = FlagChange(action, FlagSet(system: flags, keywords: Set(keywords.map { Keyword($0)! })))
        let chosen = uids(open, box, texts)
        // A model of its own: what the store says afterwards is not to be believed.
        let words = ["answered", "flagged", "deleted", "seen", "draft"]
        let added = (flags == .answered ? ["answered"] : ["seen"]) + keywords
        func after(_ before: String) -> String {
            let all = action == .replace ? Set(added) : Set(before.split(separator: " ").map(String.init)).union(added)
            return (words.filter(all.contains) + all.subtracting(words).sorted()).joined(separator: " ")
        }
        let expected = chosen.map { ($0.text, after(open.flags($0.uid))) }
        for (text, flags) in expected { note("?flags\t\(box)\t\(text)\t\(flags)") }
        _ = try open.store(chosen.map(\.uid), change, unchangedSince: nil)
        for (text, flags) in expected { note("+flags\t\(box)\t\(text)\t\(flags)") }
    }

    private func copy(_ open: (any OpenMailbox)?, _ texts: [String], to box: String) throws {
        guard let open else { return }
        groups += 1
        let chosen = uids(open, "inbox", texts)
        for (uid, text) in chosen { note("?add\t\(box)\t\t\(text)\t\(open.flags(uid))\t\(groups)") }
        let result = try open.copy(chosen.map(\.uid), to: name(box))
        told(result, chosen, open, box)
    }

    /// Notes what COPY or MOVE has acknowledged.
    private func told(_ result: CopyResult, _ chosen: [(uid: UID, text: String)], _ open: any OpenMailbox, _ box: String) {
        let texts = Dictionary(uniqueKeysWithValues: chosen.map { ($0.uid, $0.text) })
        for (source, destination) in zip(result.source, result.destination) {
            note("+add\t\(box)\t\(destination.rawValue)\t\(texts[source]!)\t\(open.flags(source))\t\(groups)")
        }
    }

    private func move(_ open: (any OpenMailbox)?, _ texts: [String], to box: String) throws {
        guard let open else { return }
        groups += 1
        let chosen = uids(open, "inbox", texts)
        for (uid, text) in chosen {
            note("?add\t\(box)\t\t\(text)\t\(open.flags(uid))\t\(groups)")
            // Not one that a failed command has removed already.
            if model.boxes["inbox"]?.messages[text]?.mayNotBe == false { note("+kept\t\(text)") }
            note("?remove\tinbox\t\(text)")
        }
        let result = try open.move(chosen.map(\.uid), to: name(box))
        told(result, chosen, open, box)
        for (uid, text) in chosen where result.source.contains(uid) { note("+remove\tinbox\t\(text)") }
        open.forget(result.source)
    }

    private func expunge(_ open: (any OpenMailbox)?, _ texts: [String]) throws {
        guard let open else { return }
        let chosen = uids(open, "inbox", texts)
        for (_, text) in chosen { note("?remove\tinbox\t\(text)") }
        let gone = try open.expunge(chosen.map(\.uid))
        for (uid, text) in chosen where gone.contains(uid) { note("+remove\tinbox\t\(text)") }
        open.forget(gone)
    }

    /// What `expunge` has removed, and is all that is kept, comes into another mailbox.
    private func undelete(_ texts: [String], to box: String) throws {
        let keeping = try openStore(expungeDelay: 86_400), messages = try keeping.expunged(from: .inbox)
        groups += 1
        for text in texts { note("?add\t\(box)\t\t\(text)\t\t\(groups)") }
        let uids = try keeping.undelete(messages, from: .inbox, to: name(box))
        for (uid, text) in zip(uids, texts) { note("+add\t\(box)\t\(uid.rawValue)\t\(text)\t\t\(groups)") }
    }

    private func rename(_ store: MaildirStore, _ moves: [(box: String, from: String, to: String)]) throws {
        for move in moves { note("?rename\t\(move.box)\t\(move.to)") }
        try store.rename(MailboxName(moves[0].from)!, to: MailboxName(moves[0].to)!)
        for move in moves { note("+rename\t\(move.box)\t\(move.to)") }
    }

    private func renameInbox(_ store: MaildirStore) throws {
        groups += 1
        let inbox = try open(store, "inbox")
        let all = inbox.uids.compactMap { uid in model.boxes["inbox"]!.uids[uid.rawValue].map { (uid, $0) } }
        for (uid, text) in all {
            note("?add\tarchive\t\t\(text)\t\(inbox.flags(uid))\t\(groups)")
            // Not one that a failed command has removed already.
            if model.boxes["inbox"]?.messages[text]?.mayNotBe == false { note("+kept\t\(text)") }
            note("?remove\tinbox\t\(text)")
        }
        try store.rename(.inbox, to: MailboxName("Archive")!)
        note("+box\tarchive\tArchive")
        for (uid, text) in all {
            note("+add\tarchive\t\t\(text)\t\(inbox.flags(uid))\t\(groups)")
            note("+remove\tinbox\t\(text)")
        }
    }
}
