import Glibc
import IMAPTypes
import MailStore
import Synchronization

/// A mailbox as all sessions share it.
final class MemoryMailbox: Sendable {
    let uidValidity: UIDValidity
    let id = ObjectID.random()
    let use: SpecialUse?
    private let state = Mutex(State())

    init(uidValidity: UIDValidity, use: SpecialUse?) {
        self.uidValidity = uidValidity
        self.use = use
    }

    func withLock<Result: Sendable, Failure: Error>(
        _ body: (inout State) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        // Mutex hands its value on as `sending`, which a generic closure cannot promise; the state is Sendable anyway.
        try state.withLock { (state: inout State) throws(Failure) -> Result in try body(&state) }
    }

    struct State: Sendable {
        /// Ascending by UID.
        var records: [MemoryRecord] = []
        var uidNext: UInt32 = 1
        var highestModSequence = ModSequence(1)!
        var keywords: [Keyword] = []
        /// What is gone, and when it went.
        var expunged: [(uid: UID, at: ModSequence)] = []
        /// Messages from this UID on were never \Recent in any session.
        var recentFrom: UInt32 = 1
        var isDeleted = false
        /// Pipes of the sessions that wait for a change, by their read ends.
        var watchers: [Int32: Int32] = [:]
    }
}

extension MemoryMailbox.State {
    /// The next mod-sequence; whoever watches is told.
    mutating func tick() -> ModSequence {
        highestModSequence = ModSequence(highestModSequence.rawValue + 1)!
        for watcher in watchers.values {
            var byte: UInt8 = 1
            // A full pipe is readable already.
            _ = write(watcher, &byte, 1)
        }
        return highestModSequence
    }

    /// The indexes of keywords, with room made for those that are new.
    mutating func indexes(of wanted: Set<Keyword>) throws(StoreError) -> KeywordSet {
        var set = KeywordSet()
        let new = wanted.filter { !keywords.contains($0) }
        guard keywords.count + new.count <= KeywordSet.capacity else { throw .tooManyKeywords }
        keywords += new.sorted { $0.name < $1.name }
        for keyword in wanted { set[keywords.firstIndex(of: keyword)!] = true }
        return set
    }

    /// Adds messages with one mod-sequence; returns their UIDs.
    mutating func add(
        _ messages: [(message: MemoryMessage, flags: SystemFlags, keywords: Set<Keyword>)]
    ) throws(StoreError) -> [UID] {
        guard !messages.isEmpty else { return [] }
        guard messages.count <= Int(UInt32.max - uidNext) else {
            throw .notPermitted(reason: "The mailbox has no UIDs left")
        }
        // All keywords first, so that either all messages are added or none.
        _ = try indexes(of: messages.reduce(into: []) { $0.formUnion($1.keywords) })
        let modSequence = tick()
        let now = Int64(time(nil))
        var uids: [UID] = []
        for new in messages {
            let uid = UID(uidNext)!
            records.append(MemoryRecord(uid: uid, flags: new.flags, keywords: try indexes(of: new.keywords),
                                        modSequence: modSequence, saveDate: now, message: new.message))
            uids.append(uid)
            uidNext += 1
        }
        return uids
    }

    /// Removes those of the messages that are there; returns them.
    mutating func remove(_ uids: some Sequence<UID>) -> [UID] {
        let gone = uids.filter { records.index(of: $0) != nil }
        guard !gone.isEmpty else { return [] }
        let modSequence = tick()
        let set = UIDSet(gone)
        records.removeAll { set.contains($0.uid) }
        expunged += gone.map { ($0, modSequence) }
        return gone
    }

    func status(of mailbox: MemoryMailbox, wantsSize: Bool) -> MailboxStatus {
        var status = MailboxStatus(uidValidity: mailbox.uidValidity, id: mailbox.id)
        status.messages = records.count
        status.uidNext = uidNext
        status.highestModSequence = highestModSequence
        status.size = wantsSize ? 0 : nil
        for record in records {
            if record.uid.rawValue >= recentFrom { status.recent += 1 }
            if !record.flags.contains(.seen) { status.unseen += 1 }
            if record.flags.contains(.deleted) { status.deleted += 1 }
            if wantsSize { status.size! += record.message.size }
        }
        return status
    }
}
