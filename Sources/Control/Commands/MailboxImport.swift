import Glibc
import IMAPTypes
import MailStore
import Maildir

/// One mailbox of another server comes in.
struct MailboxImport {
    private let client: IMAPClient
    private let memory: ImportMemory
    private let store: MaildirStore
    private let name: MailboxName
    private let origin: ImportMemory.Origin
    private let importer: MaildirImport
    private var known: ImportMemory.Known
    private var count = ImportCount(changed: 0, expunged: 0)
    /// What an administrator should know of it though it went well.
    private(set) var warning: String?

    /// Messages that are asked for with one command, and noted as here when all of them are.
    private static let batch = 200
    /// What came for so long need not be noted at once.
    private static let forgettable = Duration.seconds(2)

    /// Opens it there; makes it here if there is none.
    init(
        _ mailbox: RemoteMailbox, _ server: String, _ client: IMAPClient, _ memory: ImportMemory, _ name: MailboxName,
        _ store: MaildirStore
    ) throws(ControlFailure) {
        self.client = client
        self.memory = memory
        self.store = store
        self.name = name
        origin = ImportMemory.Origin(server: server, mailbox: mailbox.raw, uidValidity: try client.examine(mailbox))
        do throws(StoreError) {
            if try !store.exists(name) {
                do throws(StoreError) {
                    try store.create(name, use: mailbox.use)
                } catch .specialUseTaken {
                    try store.create(name, use: nil)
                }
            }
            importer = try MaildirImport(store, into: name)
        } catch {
            throw ControlFailure(error)
        }
        known = memory.known(origin, in: importer.target)
    }

    mutating func run(expunge: Bool, quiet: Bool) throws(ControlFailure) -> ImportCount {
        let (uids, flags) = try client.messages()
        var missing = uids
        missing.subtract(known.uids)
        count.alreadyThere = uids.count - missing.count
        try bring(missing, quiet: quiet)
        try follow(flags, but: missing)
        if expunge { try removeGone(uids) }
        count.imported = importer.imported
        count.alreadyThere += importer.alreadyThere
        return count
    }

    // MARK: Messages

    private mutating func bring(_ missing: UIDSet, quiet: Bool) throws(ControlFailure) {
        guard !missing.isEmpty else { return }
        do throws(ControlFailure) {
            try bringBatches(missing, quiet: quiet)
        } catch {
            // What came need not come again. The first failure is the one to tell.
            try? remember()
            throw error
        }
        try remember()
    }

    private func remember() throws(ControlFailure) {
        do throws(StoreError) { try memory.set(known, origin, in: importer.target) } catch { throw ControlFailure(error) }
    }

    private mutating func bringBatches(_ missing: UIDSet, quiet: Bool) throws(ControlFailure) {
        var remembered = ContinuousClock.now
        let bar = Progress(name.string, total: missing.count, quiet: quiet)
        var batch = UIDSet()
        var left = missing.count
        for uid in missing {
            batch.insert(uid)
            left -= 1
            guard batch.count == Self.batch || left == 0 else { continue }
            let flags = try fetch(batch, bar)
            do throws(StoreError) {
                try importer.commit()
                known.uids.formUnion(batch)
                for place in importer.takePlaces().sorted(by: { $0.number < $1.number }) {
                    if let there = UID(place.number) { known.places.insert(there, at: place.uid) }
                }
                for (value, uids) in flags { known.note(uids, value) }
            } catch {
                throw ControlFailure(error)
            }
            batch = UIDSet()
            // Whoever kills us has some messages come again, which are recognized.
            if ContinuousClock.now - remembered > Self.forgettable {
                try remember()
                remembered = ContinuousClock.now
            }
        }
    }

    /// Returns which flags they came with.
    private func fetch(_ uids: UIDSet, _ bar: Progress) throws(ControlFailure) -> [FlagSet: UIDSet] {
        var isBegun = false
        var flags: [FlagSet: UIDSet] = [:]
        func begin() {
            if !isBegun { importer.begin(flags: FlagSet(), date: 0) }
            isBegun = true
        }
        func write(_ bytes: UnsafeRawBufferPointer) throws(ControlFailure) {
            begin()
            do throws(StoreError) { try importer.write(bytes) } catch { throw ControlFailure(error) }
        }
        try client.fetch(uids, body: write) { (message) throws(ControlFailure) in
            begin()
            if let content = message.content {
                let result = content.withUnsafeBytes { bytes in Result { () throws(ControlFailure) in try write(bytes) } }
                try result.get()
            }
            importer.describe(flags: message.flags, date: message.date ?? Int64(time(nil)))
            do throws(StoreError) { try importer.end(number: message.uid.rawValue) } catch { throw ControlFailure(error) }
            flags[message.flags, default: UIDSet()].insert(message.uid)
            isBegun = false
            bar.advance()
        }
        return flags
    }

    // MARK: What became of those that are here

    /// Brings changes of flags since they were last looked at; what was changed here only stays as it is.
    private mutating func follow(_ flags: [FlagSet: UIDSet], but brought: UIDSet) throws(ControlFailure) {
        var changes: [(new: FlagSet, old: FlagSet, uids: UIDSet)] = []
        for (new, uids) in flags {
            for (old, before) in known.flags where old != new {
                var changed = uids
                changed.formIntersection(before)
                changed.subtract(brought)
                if !changed.isEmpty { changes.append((new, old, changed)) }
            }
        }
        guard !changes.isEmpty else { return }
        do throws(StoreError) {
            let mailbox = try store.open(name, readOnly: false)
            for change in changes {
                let here = change.uids.compactMap { known.places[$0] }.sorted()
                let added = change.new.without(change.old), removed = change.old.without(change.new)
                if !added.isEmpty { _ = try mailbox.store(here, FlagChange(.add, added), unchangedSince: nil) }
                let stored = try mailbox.store(here, FlagChange(.remove, removed), unchangedSince: nil).stored
                count.changed = (count.changed ?? 0) + stored.count
                known.note(change.uids, change.new)
            }
            while try store.tidy() {}
        } catch {
            throw ControlFailure(error)
        }
        try remember()
    }

    /// Removes what came from there and is there no more.
    private mutating func removeGone(_ uids: UIDSet) throws(ControlFailure) {
        var gone = known.places.uids
        gone.subtract(uids)
        guard !gone.isEmpty else { return }
        // A server that does not tell all of its messages has not lost the others.
        guard uids.count >= Int(client.selectedCount) else {
            warning = "\(name.string): nothing is removed, as the server has told of \(uids.count) messages, and has "
                + "\(client.selectedCount)"
            return
        }
        do throws(StoreError) {
            let mailbox = try store.open(name, readOnly: false)
            count.expunged = try mailbox.expunge(gone.compactMap { known.places[$0] }.sorted()).count
            while try store.tidy() {}
            known.forget(gone)
        } catch {
            throw ControlFailure(error)
        }
        try remember()
    }
}

extension FlagSet {
    fileprivate var isEmpty: Bool { system.isEmpty && keywords.isEmpty }

    fileprivate func without(_ other: FlagSet) -> FlagSet {
        FlagSet(system: system.subtracting(other.system), keywords: keywords.subtracting(other.keywords))
    }
}
