import CFaults
import Glibc
import IMAPTypes
import Logging
import MailStore
import Maildir

/// Opens a Maildir afresh and compares it with what must be true of it.
struct Verifier {
    let path: String
    let facts: Facts
    let model: Model
    private(set) var problems: [String] = []
    /// What may be lost.
    let losses: Losses

    /// What somebody has done to the files of ours that no program does.
    struct Losses: OptionSet {
        let rawValue: UInt8
        /// Something has to be repaired, and logged.
        static let repair = Losses(rawValue: 1 << 0)
        /// A message may have another UID, which nobody had.
        static let uids = Losses(rawValue: 1 << 1)
        /// Flags may be those of an earlier time.
        static let flags = Losses(rawValue: 1 << 2)
        static let subscriptions = Losses(rawValue: 1 << 3)
        /// UIDVALIDITY may be another; then all UIDs are.
        static let validity = Losses(rawValue: 1 << 4)
    }

    init(_ path: String, _ facts: Facts, _ model: Model, losses: Losses = []) {
        self.path = path
        self.facts = facts
        self.model = model
        self.losses = losses
    }

    private mutating func expect(_ condition: Bool, _ problem: @autoclosure () -> String) {
        if !condition { problems.append(problem()) }
    }

    /// A mailbox as it is.
    private struct Seen {
        var name: MailboxName
        var validity: UIDValidity
        var texts: [UID: String] = [:]
        var flags: [UID: String] = [:]
        var uidNext: UInt32
    }

    mutating func verify() {
        // What another program did in the last second need not be seen yet.
        faults_shift_clock(2)
        problems = model.contradictions
        do {
            let store = try openStore()
            let first = try look(store)
            for (box, expected) in model.boxes { compare(box, expected, first[box]) }
            for text in model.kept.subtracting(model.unsure) {
                expect(first.values.contains { $0.texts.values.contains(text) }, "\(text) is nowhere")
            }
            let subscriptions = Set(try store.subscriptions().map(\.string))
            for (name, allowed) in model.subscribed where !losses.contains(.subscriptions) {
                expect(allowed.contains(subscriptions.contains(name)), "\(name) is subscribed: \(subscriptions.contains(name))")
            }
            // It is the same for the next session, and after the work that can wait.
            while try store.tidy() {}
            let second = try look(try openStore())
            for (box, seen) in first {
                expect(second[box]?.texts == seen.texts, "\(box) is another for the next session: \(seen.texts), then "
                       + "\(second[box]?.texts ?? [:])")
                expect(second[box]?.flags == seen.flags, "\(box) has other flags for the next session: \(seen.flags), then "
                       + "\(second[box]?.flags ?? [:])")
                expect(second[box]?.validity == seen.validity, "\(box) has another UIDVALIDITY for the next session")
            }
            try serve(store, first)
            try findLeftovers()
        } catch {
            problems.append("it does not serve: \(error)")
        }
        if !losses.contains(.repair) {
            for line in facts.lines where ["# warning", "# error", "# critical"].contains(where: line.hasPrefix) {
                problems.append("logged: \(line)")
            }
        }
    }

    private func openStore() throws -> MaildirStore {
        let facts = facts
        return try MaildirStore(path: path, expungeDelay: 0, logger: Logger(label: "verifier") { _ in FactLogger(facts) })
    }

    private mutating func look(_ store: MaildirStore) throws -> [String: Seen] {
        let names = Set(try store.mailboxes().map(\.name.string))
        var seen: [String: Seen] = [:]
        // A mailbox may have the name of one that was deleted.
        let living = model.boxes.values.filter(\.mayBe).reduce(into: Set<String>()) { $0.formUnion($1.names) }
        for (box, expected) in model.boxes {
            var here = expected.names.intersection(names)
            if !expected.mayBe { here.subtract(living) }
            expect(here.count <= 1, "\(box) is there twice: \(here)")
            guard let name = here.first.flatMap({ MailboxName($0) }) else { continue }
            let open = try store.open(name, readOnly: false)
            var found = Seen(name: name, validity: open.uidValidity, uidNext: open.uidNext)
            for uid in open.uids {
                guard let text = try open.text(uid) else {
                    problems.append("\(box) has a message that nobody wrote: UID \(uid.rawValue)")
                    continue
                }
                found.texts[uid] = text
                found.flags[uid] = open.flags(uid)
            }
            seen[box] = found
        }
        let known = model.boxes.values.reduce(into: Set<String>()) { $0.formUnion($1.names) }
        expect(names.isSubset(of: known), "there are mailboxes that nobody made: \(names.subtracting(known))")
        return seen
    }

    private mutating func compare(_ box: String, _ expected: Model.Box, _ seen: Seen?) {
        guard let seen else { return expect(expected.mayNotBe, "the mailbox \(box) is gone") }
        expect(expected.mayBe, "the mailbox \(box) was deleted and is there")
        var isAnother = false
        if let validity = expected.validity, UIDValidity(validity) != seen.validity {
            isAnother = losses.contains(.validity) && validity < seen.validity.rawValue
            expect(isAnother, "\(box) has another UIDVALIDITY: \(validity), now \(seen.validity)")
        }
        var uids: [String: UID] = [:]
        for (uid, text) in seen.texts {
            expect(uids.updateValue(uid, forKey: text) == nil, "\(text) is in \(box) twice")
            if let known = expected.uids[uid.rawValue], !isAnother {
                expect(known == text, "\(box): UID \(uid.rawValue) was \(known) and is \(text)")
            }
            expect(expected.messages[text] != nil, "\(box) has \(text), which nobody put there")
            expect(uid.rawValue < seen.uidNext, "\(box): UIDNEXT \(seen.uidNext) with UID \(uid.rawValue)")
        }
        for (text, message) in expected.messages where !model.unsure.contains(text) {
            guard let uid = uids[text] else {
                expect(message.mayNotBe, "\(text) is gone from \(box)")
                continue
            }
            expect(message.mayBe, "\(text) was removed from \(box) and is there")
            if let known = message.uid, known != uid.rawValue, !isAnother {
                let isNew = losses.contains(.uids) && uid.rawValue > expected.uids.keys.max() ?? 0
                expect(isNew, "\(box): \(text) had UID \(known) and has \(uid.rawValue)")
            }
            if model.loose.contains(text) || losses.contains(.flags) { continue }
            let flags = seen.flags[uid] ?? ""
            let wanted = message.flags.sorted()
            expect(wanted.contains(flags), "\(box): \(text) has the flags \"\(flags)\", not one of \(wanted)")
        }
        for group in expected.groups.values where group.count > 1 {
            let here = group.filter { uids[$0] != nil }
            let gone = group.filter { expected.messages[$0]?.mayBe == false || model.unsure.contains($0) }
            expect(here.isEmpty || here.count + gone.count >= group.count, "of \(group), only \(here) came into \(box)")
        }
    }

    /// Every mailbox takes a message, its flags, and lets it go again; and no UID is given again.
    private mutating func serve(_ store: MaildirStore, _ seen: [String: Seen]) throws {
        for (box, found) in seen {
            let expected = model.boxes[box]!
            let isSame = expected.validity == nil || UIDValidity(expected.validity!) == found.validity
            let largest = max(isSame ? expected.uids.keys.max() ?? 0 : 0, found.texts.keys.max()?.rawValue ?? 0)
            let bytes = Texts.bytes("after")
            let transaction = try store.beginAppend(to: found.name)
            try transaction.begin(flags: FlagSet(), date: nil, size: UInt64(bytes.count))
            try transaction.write(bytes)
            try transaction.end()
            let uid = try transaction.commit().uids[0]
            expect(uid.rawValue > largest, "\(box): UID \(uid.rawValue) was given again")
            let open = try store.open(found.name, readOnly: false)
            expect(open.uids.last == uid, "\(box): an appended message is not there")
            _ = try open.store([uid], FlagChange(.add, FlagSet(system: .draft)), unchangedSince: nil)
            expect(open.flags(uid) == "draft", "\(box): a flag is not set")
            let gone = try open.expunge([uid])
            expect(gone == [uid], "\(box): a message is not removed")
            open.forget([uid])
            expect(open.uids == found.texts.keys.sorted(), "\(box): other messages than before")
            let status = try store.status(found.name, wantsSize: true)
            expect(status.messages == found.texts.count, "\(box): STATUS counts \(status.messages), not \(found.texts.count)")
            let unseen = found.flags.values.count { !$0.contains("seen") }
            expect(status.unseen == unseen, "\(box): STATUS counts \(status.unseen) unseen, not \(unseen)")
            expect(status.size == found.texts.values.reduce(0) { $0 + UInt64(Texts.bytes($1).count) }, "\(box): STATUS SIZE")
        }
    }

    /// Two days later nothing of ours lies about.
    private mutating func findLeftovers() throws {
        faults_shift_clock(48 * 3600)
        let store = try openStore()
        for name in try store.mailboxes().map(\.name) {
            let open = try store.open(name, readOnly: false)
            while try store.tidy() {}
            _ = open.uids
        }
        try store.create(MailboxName("Brief")!, use: nil)
        try store.delete(MailboxName("Brief")!)
        faults_shift_clock(0)
        for folder in Disk.names(path) where folder.hasPrefix(".") {
            expect(!folder.hasPrefix(".."), "\(folder) is left")
            let inside = Disk.names(path + "/" + folder)
            for name in ["imapd.expunged", "imapd.undelete"] {
                expect(!inside.contains(name), "\(folder)/\(name) is left")
            }
            expect(Disk.names(path + "/" + folder + "/tmp").isEmpty, "files are left in \(folder)/tmp")
        }
        let tmp = Disk.names(path + "/tmp")
        expect(tmp.isEmpty, "files are left in tmp: \(tmp)")
        for name in ["imapd.expunged", "imapd.undelete"] { expect(!Disk.names(path).contains(name), "\(name) is left") }
    }
}
