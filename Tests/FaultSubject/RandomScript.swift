import CFaults
import Glibc
import IMAPTypes
import MailStore
import Maildir

/// A generator whose run can be repeated (SplitMix64).
struct Chance: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }

    /// True once in so many times.
    mutating func once(in count: Int) -> Bool { number(1...count) == 1 }

    mutating func some<T>(of all: [T], atMost limit: Int) -> [T] {
        Array(all.shuffled(using: &self).prefix(number(1...limit)))
    }
}

/// What sessions of one user may do, in any order, while something goes wrong at any time.
///
/// Two processes may run one each at the same time: both use the mailboxes that were there before, but each changes only
/// messages whose texts begin with its name, and other mailboxes only if it has made them. So what must be true of them does not
/// depend on who was faster.
final class RandomScript: Steps {
    private var chance: Chance
    private let isAlone: Bool
    private let fault: Fault?
    /// Seconds for which expunged messages are kept.
    private let delay: Int64
    private var stores: [MaildirStore?] = [nil, nil]
    private var sessions: [Session?] = [nil, nil]
    private var count = 0
    /// By mailbox, what was expunged and must be there to be undeleted.
    private var kept: [String: Set<String>] = [:]

    private struct Session {
        let box: String
        let open: any OpenMailbox
    }

    init(_ path: String, _ facts: Facts, _ model: Model, seed: UInt64, who: String, isAlone: Bool, fault: Fault?, delay: Int64) {
        chance = Chance(seed)
        self.isAlone = isAlone
        self.fault = fault
        self.delay = delay
        super.init(path, facts, model, who: who)
    }

    // MARK: The Maildir before

    private static let common = ["inbox", "work", "child"]

    /// - Parameter isFull: whether the next changes make an index due.
    func prepare(isFull: Bool) throws {
        let store = try openStore()
        note("+box\tinbox\tINBOX")
        try create(store, "work", "Work")
        try create(store, "child", "Work.Child")
        for name in ["a", "b"] {
            for index in 1...3 { try append(store, "inbox", ["\(name)-old-\(index)"], index == 2 ? .seen : [], []) }
            try append(store, "work", ["\(name)-work-1", "\(name)-work-2"], .flagged, ["project"])
            try append(store, "child", ["\(name)-child-1"], [], [])
            try deliver("inbox", "\(name)-delivered", name: "1001.M1P1\(name).host")
        }
        for box in Self.common {
            let open = try open(store, box)
            guard isFull, box == "inbox", let first = open.uids.first else { continue }
            let keyword = FlagSet(keywords: [Keyword("k1")!])
            var status = stat()
            while stat(path + "/imapd.log", &status) == 0, status.st_size < 64_000 {
                _ = try open.store([first], FlagChange(.add, keyword), unchangedSince: nil)
                _ = try open.store([first], FlagChange(.remove, keyword), unchangedSince: nil)
            }
        }
        try subscribe(store, "Work", true)
    }

    // MARK: Trouble

    private var steps = 0
    private var troubleAt = 0
    /// The call that is to go wrong, counted from when that was decided; 0: none.
    private var armed = 0

    /// Whether nothing can go wrong until the next step.
    private var isPeace: Bool { armed == 0 }

    private func makeTrouble() {
        guard let fault else { return }
        if armed > 0 {
            // After a single failure there is peace, and what went wrong for long gets right again some day.
            if fault.isLasting ? faults_count() >= armed && chance.once(in: 3) : faults_count() >= armed {
                faults_disarm()
                armed = 0
            } else {
                return
            }
        } else if steps < troubleAt {
            return
        }
        if steps > troubleAt, !chance.once(in: 3) { return }
        armed = chance.number(1...[4, 16, 64].randomElement(using: &chance)!)
        faults_arm(armed, fault.kind, fault.error)
    }

    override func step(_ name: String, _ body: () throws -> Void) {
        facts.note("# \(name)")
        do { try body() } catch {
            facts.note(isPeace ? "! \(name) failed although nothing went wrong: \(error)" : "# \(name) failed: \(error)")
        }
    }

    /// What another program does.
    func act() {
        switch fault {
        case .foreignFlag: changeName()
        case .foreignRemoval: removeFile()
        default: try? deliver("inbox", newText(), name: newName())
        }
    }

    // MARK: The script

    func run(_ length: Int) {
        troubleAt = chance.number(0...length - 1)
        for index in 0..<length {
            steps = index
            makeTrouble()
            perform()
        }
        faults_disarm()
        armed = 0
        for me in 0...1 where stores[me] != nil {
            step("close") {
                sessions[me] = nil
                while try stores[me]!.tidy() {}
            }
        }
    }

    private func perform() {
        let me = chance.number(0...1)
        guard let store = stores[me] else {
            return step("log in") {
                let store = try openStore(expungeDelay: delay)
                stores[me] = store
                try select(me, store, chance.once(in: 3) ? anyBox() : "inbox")
            }
        }
        guard let session = sessions[me], !chance.once(in: 12) else {
            return step("select") { try select(me, store, anyBox()) }
        }
        let box = session.box, open = session.open
        switch chance.number(0...38) {
        case 0...3: step("append") { try append(store, anyBox(), [newText()], anyFlags(), anyKeywords()) }
        case 4: step("multiappend") {
            try append(store, anyBox(), (0...chance.number(1...4)).map { _ in newText() }, anyFlags(), anyKeywords())
        }
        case 5...8: step("refresh") { try refresh(session) }
        case 9...13: step("store") {
            let action = [FlagChange.Action.add, .remove, .replace].randomElement(using: &chance)!
            try setFlags(open, box, texts(box), action, anyFlags(), anyKeywords())
        }
        case 14...16: step("expunge") {
            let gone = try expunge(open, box, texts(box))
            if delay > 0 { kept[box, default: []].formUnion(gone) }
        }
        case 17, 18: step("copy") {
            let target = anyBox()
            try copy(open, box, texts(box, for: target), to: target)
        }
        case 19, 20: step("move") {
            let target = anyBox()
            if target != box { try move(open, box, texts(box, for: target), to: target) }
        }
        case 21: step("create") { try makeBox(store) }
        case 22: step("delete") { try removeBox(store) }
        case 23, 24: step("rename") { try renameBox(store) }
        case 25: step("subscribe") {
            try subscribe(store, who + ["x", "y", "z"].randomElement(using: &chance)!, chance.once(in: 2))
        }
        case 26, 27: step("tidy") { while try store.tidy(), !chance.once(in: 4) {} }
        case 28: step("recent") { _ = try open.claimRecent() }
        case 29: step("status") { _ = try store.status(name(anyBox()), wantsSize: chance.once(in: 2)) }
        case 30, 31: step("deliver") {
            try deliver(["inbox", "work"].filter(mayUse).randomElement(using: &chance)!, newText(), name: newName())
        }
        case 32: step("a name is changed") { changeName() }
        case 33: step("undelete") { try bringBack(store, box) }
        case 34: step("import") { try bring(store, anyBox(), [newText(), newText()], anyFlags(), anyKeywords()) }
        case 35: step("keep") { keepPieces(open) }
        case 36: step("log out") {
            sessions[me] = nil
            stores[me] = nil
        }
        case 37:
            if isAlone, fault != .delivery, freeName() != nil, chance.once(in: 2) {
                step("rename INBOX") { try renameInbox(store, to: newBox(), freeName()!) }
            } else {
                step("a file is removed") { removeFile() }
            }
        default: step("details") { for uid in open.uids { _ = try? open.details(uid) } }
        }
    }

    // MARK: Choosing

    private func newText() -> String {
        count += 1
        return chance.once(in: 60) ? "\(who)-large-\(count)" : "\(who)-\(count)"
    }

    private func newName() -> String {
        count += 1
        return "200\(count).M1P1\(who).host"
    }

    private func newBox() -> String {
        count += 1
        return "\(who)\(count)"
    }

    private func owns(_ text: String) -> Bool { isAlone || text.hasPrefix(who + "-") }

    private func mayUse(_ box: String) -> Bool {
        model.boxes[box]?.isCertain == true && (isAlone || Self.common.contains(box) || box.hasPrefix(who))
    }

    private func mayChange(_ box: String) -> Bool { mayUse(box) && box != "inbox" && (isAlone || !Self.common.contains(box)) }

    private func anyBox() -> String { model.boxes.keys.filter(mayUse).sorted().randomElement(using: &chance)! }

    private func anyFlags() -> SystemFlags { SystemFlags(rawValue: UInt8(chance.number(0...31))) }

    private func anyKeywords() -> [String] { chance.once(in: 2) ? [] : chance.some(of: (1...9).map { "k\($0)" }, atMost: 3) }

    /// Messages of ours, such as never were in `target`.
    private func texts(_ box: String, for target: String? = nil) -> [String] {
        let here = model.boxes[box]!.messages.filter { text, message in
            owns(text) && message.mayBe && message.uid != nil && target.map { model.boxes[$0]!.messages[text] == nil } != false
        }
        return chance.some(of: here.keys.sorted(), atMost: 4)
    }

    /// A name that no mailbox has or may have.
    private func freeName() -> String? {
        let taken = model.boxes.values.filter(\.mayBe).reduce(into: Set<String>()) { $0.formUnion($1.names) }
        let names = ["Alpha", "Beta", "Alpha.One", "Beta.Two.Three", "Gamma"].map { (isAlone ? "" : who) + $0 }
        return names.filter { !taken.contains($0) }.randomElement(using: &chance)
    }

    // MARK: Steps

    private func select(_ me: Int, _ store: MaildirStore, _ box: String) throws {
        sessions[me] = nil
        let session = Session(box: box, open: try open(store, box))
        sessions[me] = session
        check(session)
        if chance.once(in: 3) { _ = try session.open.changeDescriptor() }
    }

    private func refresh(_ session: Session) throws {
        session.open.forget(try session.open.refresh().expunged)
        try look(session.open, session.box)
        check(session)
    }

    /// What is certain is there.
    private func check(_ session: Session) {
        guard let expected = model.boxes[session.box] else { return }
        for (text, message) in expected.messages where owns(text) && message.isCertain && !model.unsure.contains(text) {
            guard let uid = message.uid.flatMap({ UID($0) }) else { continue }
            guard session.open.metadata(uid)?.isExpunged == false else {
                facts.note("! \(text) is not in \(session.box)")
                continue
            }
            let flags = session.open.flags(uid)
            if !message.flags.contains(flags), !model.loose.contains(text) {
                facts.note("! \(session.box): \(text) has the flags \"\(flags)\", not one of \(message.flags.sorted())")
            }
        }
    }

    private func makeBox(_ store: MaildirStore) throws {
        guard let name = freeName() else { return }
        try create(store, newBox(), name)
    }

    private func removeBox(_ store: MaildirStore) throws {
        guard let box = model.boxes.keys.filter(mayChange).sorted().randomElement(using: &chance) else { return }
        for me in 0...1 where sessions[me]?.box == box { sessions[me] = nil }
        kept[box] = nil
        try delete(store, box)
    }

    private func renameBox(_ store: MaildirStore) throws {
        guard let box = model.boxes.keys.filter(mayChange).sorted().randomElement(using: &chance), let new = freeName()
        else { return }
        let old = model.boxes[box]!.names.first!
        var moves = [(box: box, from: old, to: new)]
        for (child, known) in model.boxes where known.mayBe && known.names.contains(where: { $0.hasPrefix(old + ".") }) {
            guard known.isCertain, let name = known.names.first else { return }
            moves.append((child, name, new + name.dropFirst(old.count)))
        }
        let taken = model.boxes.values.filter(\.mayBe).reduce(into: Set<String>()) { $0.formUnion($1.names) }
        guard !new.hasPrefix(old + "."), moves.allSatisfy({ !taken.contains($0.to) }) else { return }
        if chance.once(in: 2) {
            for me in 0...1 where moves.contains(where: { $0.box == sessions[me]?.box }) { sessions[me] = nil }
        }
        try rename(store, moves)
    }

    private func bringBack(_ store: MaildirStore, _ box: String) throws {
        guard mayUse(box) else { return }
        var found: [(message: ExpungedMessage, text: String)] = []
        let from = try name(box)
        for message in try store.expunged(from: from) {
            let content: any MessageContent
            do throws(StoreError) {
                content = try store.content(message, from: from)
            } catch {
                // The other process has just brought it back; if it is ours, it is missed below.
                if case .messageGone = error { continue }
                throw error
            }
            guard let text = try content.text else {
                facts.note("! what was expunged from \(box) has bytes that nobody wrote")
                continue
            }
            if owns(text) { found.append((message, text)) }
        }
        // A full disk keeps nothing.
        if fault?.error == nil || fault?.error == 0 {
            let lost = kept[box, default: []].subtracting(found.map(\.text)).subtracting(model.unsure)
            if !lost.isEmpty { facts.note("! \(lost) cannot be brought back into \(box)") }
        }
        let target = anyBox()
        let chosen = found.filter { model.boxes[target]!.messages[$0.text] == nil }.prefix(3)
        guard !chosen.isEmpty else { return }
        kept[box]?.subtract(chosen.map(\.text))
        try undelete(store, Array(chosen), from: box, to: target)
    }

    // MARK: Another program

    /// A file of ours in cur/ of some mailbox.
    private func anyFile() -> (folder: String, name: String, text: String)? {
        guard let box = Self.common.filter(mayUse).randomElement(using: &chance), let name = try? name(box) else { return nil }
        let folder = (name.isInbox ? path : path + "/." + name.string) + "/cur/"
        for name in Disk.names(folder).shuffled(using: &chance) {
            if let text = Texts.text(Disk.read(folder + name)), owns(text) { return (folder, name, text) }
        }
        return nil
    }

    private func changeName() {
        faults_pause()
        defer { faults_resume() }
        guard let file = anyFile(), let base = file.name.split(separator: ":").first else { return }
        note("+loose\t\(file.text)")
        let letters = ["", "S", "FS", "RS", "T"].randomElement(using: &chance)!
        Glibc.rename(file.folder + file.name, file.folder + base + ":2," + letters)
    }

    private func removeFile() {
        faults_pause()
        defer { faults_resume() }
        guard let file = anyFile() else { return }
        note("+unsure\t\(file.text)")
        unlink(file.folder + file.name)
    }
}
