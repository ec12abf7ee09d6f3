import CFaults
import Glibc
import IMAPTypes
import Logging
import MailStore
import Maildir

/// What a session can do to a Maildir, each with its facts.
///
/// Before a step its facts are noted with `?`, after it with `+`. A step that fails is left at that, and the next follows.
class Steps {
    let path: String
    let facts: Facts
    private(set) var model: Model
    /// Begins the names of groups.
    let who: String
    let logger: Logger
    private var groups = 0

    init(_ path: String, _ facts: Facts, _ model: Model, who: String = "") {
        self.path = path
        self.facts = facts
        self.model = model
        self.who = who
        logger = Logger(label: "subject") { _ in FactLogger(facts) }
    }

    func openStore(expungeDelay: Int64? = nil) throws -> MaildirStore {
        try MaildirStore(path: path, expungeDelay: expungeDelay, logger: logger)
    }

    func note(_ line: String) {
        facts.note(line)
        model.take(line)
    }

    func step(_ name: String, _ body: () throws -> Void) {
        facts.note("# \(name)")
        do { try body() } catch { facts.note("# \(name) failed: \(error)") }
    }

    private func newGroup() -> String {
        groups += 1
        return "\(who)\(groups)"
    }

    // MARK: Looking

    /// What the mailbox is called now, as far as that is known.
    func name(_ box: String, _ store: MaildirStore? = nil) throws -> MailboxName {
        let names = model.boxes[box]!.names.compactMap { MailboxName($0) }
        if names.count > 1, let found = try names.first(where: { try store?.exists($0) == true }) { return found }
        return names[0]
    }

    func open(_ store: MaildirStore, _ box: String) throws -> any OpenMailbox {
        let open = try store.open(name(box, store), readOnly: false)
        note("+validity\t\(box)\t\(open.uidValidity.rawValue)")
        try look(open, box)
        return open
    }

    /// Notes which message has which UID.
    func look(_ open: any OpenMailbox, _ box: String) throws {
        for uid in open.uids where model.boxes[box]!.uids[uid.rawValue] == nil {
            let found: String?
            // Another process may be quicker.
            do { found = try open.text(uid) } catch StoreError.messageGone { continue }
            guard let text = found else {
                facts.note("! \(box): UID \(uid.rawValue) has bytes that nobody wrote")
                continue
            }
            note("+uid\t\(box)\t\(uid.rawValue)\t\(text)")
        }
    }

    func uids(_ open: any OpenMailbox, _ box: String, _ texts: [String]) -> [(uid: UID, text: String)] {
        let known = model.boxes[box]!.messages
        return texts.compactMap { text in known[text]?.uid.flatMap { UID($0) }.map { ($0, text) } }
            .filter { open.metadata($0.uid)?.isExpunged == false }.sorted { $0.uid < $1.uid }
    }

    // MARK: Messages

    static func words(_ flags: SystemFlags, _ keywords: some Sequence<String>) -> String {
        words(Set(Flags.names.filter { flags.contains($0.0) }.map(\.1)).union(keywords))
    }

    private static func words(_ all: Set<String>) -> String {
        let names = Flags.names.map(\.1)
        return (names.filter(all.contains) + all.subtracting(names).sorted()).joined(separator: " ")
    }

    func append(_ store: MaildirStore, _ box: String, _ texts: [String], _ flags: SystemFlags, _ keywords: [String]) throws {
        let group = newGroup()
        let all = FlagSet(system: flags, keywords: Set(keywords.map { Keyword($0)! })), words = Self.words(flags, keywords)
        let name = try name(box, store)
        for text in texts { note("?add\t\(box)\t\t\(text)\t\(words)\t\(group)") }
        let transaction = try store.beginAppend(to: name)
        for text in texts {
            let bytes = Texts.bytes(text)
            try transaction.begin(flags: all, date: 1_000_000_000, size: UInt64(bytes.count))
            try transaction.write(bytes)
            try transaction.end()
        }
        let uids = try transaction.commit().uids
        for (uid, text) in zip(uids, texts) { note("+add\t\(box)\t\(uid.rawValue)\t\(text)\t\(words)\t\(group)") }
    }

    /// As `imapctl import` does.
    func bring(_ store: MaildirStore, _ box: String, _ texts: [String], _ flags: SystemFlags, _ keywords: [String]) throws {
        let group = newGroup(), words = Self.words(flags, keywords), name = try name(box, store)
        for text in texts { note("?add\t\(box)\t\t\(text)\t\(words)\t\(group)") }
        let bringing = try MaildirImport(store, into: name)
        for text in texts {
            bringing.begin(flags: FlagSet(system: flags, keywords: Set(keywords.map { Keyword($0)! })), date: 1_000_000_000)
            try Texts.bytes(text).withUnsafeBytes { try bringing.write($0) }
            try bringing.end()
        }
        try bringing.commit()
        for text in texts { note("+add\t\(box)\t\t\(text)\t\(words)\t\(group)") }
    }

    func setFlags(
        _ open: (any OpenMailbox)?, _ box: String, _ texts: [String], _ action: FlagChange.Action, _ flags: SystemFlags,
        _ keywords: [String]
    ) throws {
        guard let open else { return }
        let change = FlagChange(action, FlagSet(system: flags, keywords: Set(keywords.map { Keyword($0)! })))
        let chosen = uids(open, box, texts)
        let changed = Set(Self.words(flags, keywords).split(separator: " ").map(String.init))
        // What the store says afterwards is not to be believed, nor, where it is known, what it says now: that may be of a moment
        // ago. After a command that failed, there are several that it may be.
        let expected = chosen.map { uid, text in
            var before = model.boxes[box]!.messages[text]!.flags
            if before.isEmpty || model.loose.contains(text) { before = [open.flags(uid)] }
            let after = before.map { flags in
                let all = Set(flags.split(separator: " ").map(String.init))
                return switch action {
                case .replace: Self.words(changed)
                case .add: Self.words(all.union(changed))
                case .remove: Self.words(all.subtracting(changed))
                }
            }
            return (uid: uid, text: text, flags: Set(after).sorted())
        }
        for (_, text, all) in expected { for flags in all { note("?flags\t\(box)\t\(text)\t\(flags)") } }
        let stored = Set(try open.store(chosen.map(\.uid), change, unchangedSince: nil).stored)
        for (uid, text, all) in expected {
            if stored.contains(uid) {
                note("+flags\t\(box)\t\(text)\t\(all[0])")
                for flags in all[1...] { note("?flags\t\(box)\t\(text)\t\(flags)") }
            } else if model.boxes[box]!.messages[text]!.isCertain, !model.unsure.contains(text) {
                facts.note("! \(box): the flags of \(text) were not set")
            }
        }
    }

    func copy(_ open: (any OpenMailbox)?, _ box: String, _ texts: [String], to target: String) throws {
        guard let open else { return }
        let group = newGroup(), chosen = uids(open, box, texts), name = try name(target)
        for (uid, text) in chosen {
            noteCopy("?add", target, text, of: uid, in: open, box, part(group, box, text))
        }
        told(try open.copy(chosen.map(\.uid), to: name), chosen, open, box, target, group)
    }

    /// Notes a copy, with the flags that it may have.
    private func noteCopy(
        _ fact: String, _ target: String, as copy: UID? = nil, _ text: String, of uid: UID, in open: any OpenMailbox,
        _ box: String, _ group: String
    ) {
        let known = model.boxes[box]!.messages[text]?.flags ?? []
        let all = known.isEmpty || model.loose.contains(text) ? [open.flags(uid)] : known.sorted()
        note("\(fact)\t\(target)\t\(copy.map { "\($0.rawValue)" } ?? "")\t\(text)\t\(all[0])\t\(group)")
        for flags in all[1...] { note("?flags\t\(target)\t\(text)\t\(flags)") }
    }

    /// The group of a copy: one that a command which failed may have removed from its mailbox may be missing among them.
    private func part(_ group: String, _ box: String, _ text: String) -> String {
        model.boxes[box]?.messages[text]?.isCertain == true && !model.unsure.contains(text) ? group : "\(group)-\(text)"
    }

    /// Notes what COPY or MOVE has acknowledged.
    private func told(
        _ result: CopyResult, _ chosen: [(uid: UID, text: String)], _ open: any OpenMailbox, _ box: String, _ target: String,
        _ group: String
    ) {
        let texts = Dictionary(uniqueKeysWithValues: chosen.map { ($0.uid, $0.text) })
        for (source, destination) in zip(result.source, result.destination) {
            let text = texts[source]!
            noteCopy("+add", target, as: destination, text, of: source, in: open, box, group)
        }
    }

    /// Not one that a failed command has removed already.
    private func keep(_ box: String, _ text: String) {
        if model.boxes[box]?.messages[text]?.mayNotBe == false { note("+kept\t\(text)") }
    }

    func move(_ open: (any OpenMailbox)?, _ box: String, _ texts: [String], to target: String) throws {
        guard let open else { return }
        let group = newGroup(), chosen = uids(open, box, texts), name = try name(target)
        for (uid, text) in chosen {
            noteCopy("?add", target, text, of: uid, in: open, box, part(group, box, text))
            keep(box, text)
            note("?remove\t\(box)\t\(text)")
        }
        let result = try open.move(chosen.map(\.uid), to: name)
        told(result, chosen, open, box, target, group)
        for (uid, text) in chosen where result.source.contains(uid) { note("+remove\t\(box)\t\(text)") }
        open.forget(result.source)
    }

    @discardableResult
    func expunge(_ open: (any OpenMailbox)?, _ box: String, _ texts: [String]) throws -> [String] {
        guard let open else { return [] }
        let chosen = uids(open, box, texts)
        for (_, text) in chosen {
            note("?remove\t\(box)\t\(text)")
            note("+released\t\(text)")
        }
        let gone = try open.expunge(chosen.map(\.uid))
        let removed = chosen.filter { gone.contains($0.uid) }.map(\.text)
        for text in removed { note("+remove\t\(box)\t\(text)") }
        open.forget(gone)
        return removed
    }

    /// What `expunge` has removed, and is all that is kept, comes into another mailbox.
    func undelete(
        _ store: MaildirStore, _ messages: [(message: ExpungedMessage, text: String)], from box: String, to target: String
    ) throws {
        let group = newGroup(), from = try name(box, store), to = try name(target, store)
        for (message, text) in messages {
            note("?add\t\(target)\t\t\(text)\t\(Self.words(message.flags.system, message.flags.keywords.map(\.name)))\t\(group)")
        }
        let uids = try store.undelete(messages.map(\.message), from: from, to: to)
        for (uid, (message, text)) in zip(uids, messages) {
            note("+add\t\(target)\t\(uid.rawValue)\t\(text)\t"
                 + "\(Self.words(message.flags.system, message.flags.keywords.map(\.name)))\t\(group)")
        }
    }

    func keepPieces(_ open: (any OpenMailbox)?) {
        guard let open else { return }
        for uid in open.uids {
            Array("kept \(uid.rawValue)".utf8).withUnsafeBytes { bytes in
                var pieces = KeptPieces()
                pieces.items = bytes
                open.keep(uid, pieces)
            }
        }
        open.saveKept()
    }

    // MARK: Mailboxes

    func create(_ store: MaildirStore, _ box: String, _ name: String, use: SpecialUse? = nil) throws {
        note("?box\t\(box)\t\(name)")
        try store.create(MailboxName(name)!, use: use)
        note("+box\t\(box)\t\(name)")
    }

    func delete(_ store: MaildirStore, _ box: String) throws {
        let name = try name(box, store)
        note("?delete\t\(box)")
        for text in model.boxes[box]!.messages.keys { note("+released\t\(text)") }
        try store.delete(name)
        note("+delete\t\(box)")
    }

    func rename(_ store: MaildirStore, _ moves: [(box: String, from: String, to: String)]) throws {
        for move in moves { note("?rename\t\(move.box)\t\(move.to)") }
        try store.rename(MailboxName(moves[0].from)!, to: MailboxName(moves[0].to)!)
        for move in moves { note("+rename\t\(move.box)\t\(move.to)") }
    }

    func renameInbox(_ store: MaildirStore, to target: String, _ name: String) throws {
        let group = newGroup()
        let inbox = try open(store, "inbox")
        let all = inbox.uids.compactMap { uid in model.boxes["inbox"]!.uids[uid.rawValue].map { (uid, $0) } }
        if model.boxes[target] == nil { note("?box\t\(target)\t\(name)") }
        for (uid, text) in all {
            noteCopy("?add", target, text, of: uid, in: inbox, "inbox", part(group, "inbox", text))
            keep("inbox", text)
            note("?remove\tinbox\t\(text)")
        }
        try store.rename(.inbox, to: MailboxName(name)!)
        note("+box\t\(target)\t\(name)")
        for (uid, text) in all {
            noteCopy("+add", target, text, of: uid, in: inbox, "inbox", group)
            note("+remove\tinbox\t\(text)")
        }
    }

    func subscribe(_ store: MaildirStore, _ name: String, _ isWanted: Bool) throws {
        let fact = isWanted ? "subscribe" : "unsubscribe"
        note("?\(fact)\t\(name)")
        try isWanted ? store.subscribe(MailboxName(name)!) : store.unsubscribe(MailboxName(name)!)
        note("+\(fact)\t\(name)")
    }

    // MARK: Other programs

    func deliver(_ box: String, _ text: String, name file: String) throws {
        let name = try name(box)
        faults_pause()
        Disk.deliver(text, to: name.isInbox ? path : path + "/." + name.string, name: file)
        faults_resume()
        note("+add\t\(box)\t\t\(text)\t\tnone")
    }
}
