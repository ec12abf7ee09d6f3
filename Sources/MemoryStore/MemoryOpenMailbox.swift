import Glibc
import IMAPTypes
import MailStore
import SystemPackage

/// One session's picture of a mailbox.
final class MemoryOpenMailbox: OpenMailbox {
    let name: MailboxName
    let isReadOnly: Bool
    private let account: MemoryAccount
    private let mailbox: MemoryMailbox

    private var picture: [MemoryRecord] = []
    private(set) var uidNext: UInt32 = 1
    private(set) var highestModSequence = ModSequence.zero
    private(set) var keywords: [Keyword] = []
    /// Messages whose flags others had changed when we changed them: the client has not heard of that.
    private var overtaken = UIDSet()
    /// Where `metadata` found its last message: the next one is likely beside it.
    private var lastFound = 0
    /// Read and write end of the pipe that tells of changes.
    private var pipe: (read: Int32, write: Int32)?

    init(account: MemoryAccount, mailbox: MemoryMailbox, name: MailboxName, readOnly: Bool) throws(StoreError) {
        self.account = account
        self.mailbox = mailbox
        self.name = name
        isReadOnly = readOnly
        _ = try refresh()
    }

    deinit {
        guard let pipe else { return }
        mailbox.withLock { state in state.watchers[pipe.read] = nil }
        close(pipe.read)
        close(pipe.write)
    }

    var uidValidity: UIDValidity { mailbox.uidValidity }

    var id: ObjectID { mailbox.id }

    var uids: [UID] { picture.map(\.uid) }

    private func index(of uid: UID) -> Int? {
        for near in [lastFound, lastFound + 1] where near < picture.count && picture[near].uid == uid {
            lastFound = near
            return near
        }
        guard let found = picture.index(of: uid) else { return nil }
        lastFound = found
        return found
    }

    func metadata(_ uid: UID) -> MessageMetadata? {
        guard let at = index(of: uid) else { return nil }
        let record = picture[at]
        return MessageMetadata(flags: record.flags, keywords: record.keywords, modSequence: record.modSequence,
                               isExpunged: record.isExpunged)
    }

    func details(_ uid: UID) throws(StoreError) -> MessageDetails {
        guard let at = index(of: uid) else { throw .messageGone(uid) }
        let record = picture[at]
        return MessageDetails(internalDate: record.message.internalDate, size: record.message.size)
    }

    func identity(_ uid: UID) throws(StoreError) -> MessageIdentity {
        guard let at = index(of: uid) else { throw .messageGone(uid) }
        return MessageIdentity(id: picture[at].message.id, saveDate: picture[at].saveDate)
    }

    func content(_ uid: UID) throws(StoreError) -> any MessageContent {
        guard let at = index(of: uid) else { throw .messageGone(uid) }
        return MemoryContent(picture[at].message)
    }

    func source(_ uid: UID) -> (any MessageSource)? { index(of: uid).map { picture[$0].message } }

    func forget(_ uids: [UID]) {
        let set = UIDSet(uids)
        picture.removeAll { set.contains($0.uid) && $0.isExpunged }
    }

    func claimRecent() throws(StoreError) -> [UID] {
        mailbox.withLock { state in
            let from = state.recentFrom
            if !isReadOnly { state.recentFrom = max(from, uidNext) }
            return picture[picture.position(of: UID(from)!)...].filter { !$0.isExpunged }.map(\.uid)
        }
    }

    func expunged(since modSequence: ModSequence) throws(StoreError) -> UIDSet {
        mailbox.withLock { state in UIDSet(state.expunged.lazy.filter { $0.at > modSequence }.map(\.uid)) }
    }
}

// MARK: - What others do

extension MemoryOpenMailbox {
    func refresh() throws(StoreError) -> MailboxChanges {
        drainPipe()
        return try mailbox.withLock { (state) throws(StoreError) in
            guard !state.isDeleted else { throw .noSuchMailbox(name) }
            var changes = MailboxChanges()
            if state.highestModSequence > highestModSequence { merge(state, into: &changes) }
            if !overtaken.isEmpty {
                overtaken.formUnion(UIDSet(changes.flagged))
                changes.flagged = overtaken.filter { uid in index(of: uid).map { !picture[$0].isExpunged } ?? false }
                overtaken = UIDSet()
            }
            return changes
        }
    }

    /// Both lists ascend, so one walk finds what is new, gone or different.
    private func merge(_ state: borrowing MemoryMailbox.State, into changes: inout MailboxChanges) {
        var current = 0
        for at in picture.indices {
            let old = picture[at]
            if current < state.records.count, state.records[current].uid == old.uid {
                let new = state.records[current]
                if new.modSequence != old.modSequence {
                    picture[at] = new
                    if new.flags != old.flags || new.keywords != old.keywords { changes.flagged.append(old.uid) }
                }
                current += 1
            } else if !old.isExpunged {
                picture[at].isExpunged = true
                changes.expunged.append(old.uid)
            }
        }
        for record in state.records[current...] {
            picture.append(record)
            changes.added.append(record.uid)
        }
        uidNext = state.uidNext
        keywords = state.keywords
        highestModSequence = state.highestModSequence
    }

    func changeDescriptor() throws(StoreError) -> Int32 {
        if let pipe { return pipe.read }
        var ends: [Int32] = [-1, -1]
        guard Glibc.pipe(&ends) == 0 else { throw .io(Errno(rawValue: errno), doing: "pipe") }
        for end in ends {
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
        pipe = (ends[0], ends[1])
        mailbox.withLock { state in
            state.watchers[ends[0]] = ends[1]
            if state.highestModSequence > highestModSequence || state.isDeleted {
                var byte: UInt8 = 1
                _ = write(ends[1], &byte, 1)
            }
        }
        return ends[0]
    }

    private func drainPipe() {
        guard let pipe else { return }
        var bytes = [UInt8](repeating: 0, count: 256)
        while read(pipe.read, &bytes, bytes.count) == bytes.count {}
    }
}

// MARK: - What this session does

extension MemoryOpenMailbox {
    func store(_ uids: [UID], _ change: FlagChange, unchangedSince: ModSequence?) throws(StoreError) -> StoreResult {
        guard !isReadOnly else { throw .readOnly }
        return try mailbox.withLock { (state) throws(StoreError) in
            var result = StoreResult()
            for uid in uids where index(of: uid) != nil {
                guard let at = state.records.index(of: uid) else { continue }
                if let unchangedSince, state.records[at].modSequence > unchangedSince {
                    result.modified.append(uid)
                } else {
                    result.stored.append(uid)
                }
            }
            guard !result.stored.isEmpty else { return result }
            // What is only removed need not be known.
            var wanted = change.flags.keywords
            if change.action == .remove { wanted.formIntersection(state.keywords) }
            let keywords = try state.indexes(of: wanted)
            self.keywords = state.keywords
            var modSequence: ModSequence?
            for uid in result.stored {
                guard let at = state.records.index(of: uid), let mine = index(of: uid) else { continue }
                var record = state.records[at]
                if record.flags != picture[mine].flags || record.keywords != picture[mine].keywords { overtaken.insert(uid) }
                record.apply(change.action, change.flags.system, keywords)
                if record.flags != state.records[at].flags || record.keywords != state.records[at].keywords {
                    let now = modSequence ?? state.tick()
                    modSequence = now
                    record.modSequence = now
                    state.records[at] = record
                }
                picture[mine] = record
            }
            return result
        }
    }

    func expunge(_ uids: [UID]) throws(StoreError) -> [UID] {
        guard !isReadOnly else { throw .readOnly }
        let gone = mailbox.withLock { state in state.remove(uids.filter { index(of: $0) != nil }) }
        for uid in gone { if let at = index(of: uid) { picture[at].isExpunged = true } }
        return gone
    }

    func copy(_ uids: [UID], to name: MailboxName) throws(StoreError) -> CopyResult {
        let target = try account.mailbox(name)
        let originals = mailbox.withLock { state in
            uids.compactMap { uid -> (UID, (message: MemoryMessage, flags: SystemFlags, keywords: Set<Keyword>))? in
                guard index(of: uid) != nil, let at = state.records.index(of: uid) else { return nil }
                let record = state.records[at]
                let keywords = state.keywords.indices.filter { record.keywords[$0] }.map { state.keywords[$0] }
                return (uid, (record.message, record.flags, Set(keywords)))
            }
        }
        let copies = try target.withLock { (state) throws(StoreError) in try state.add(originals.map { $0.1 }) }
        return CopyResult(uidValidity: target.uidValidity, source: originals.map { $0.0 }, destination: copies)
    }

    func move(_ uids: [UID], to name: MailboxName) throws(StoreError) -> CopyResult {
        guard !isReadOnly else { throw .readOnly }
        let result = try copy(uids, to: name)
        _ = try expunge(result.source)
        return result
    }
}

extension MemoryRecord {
    mutating func apply(_ action: FlagChange.Action, _ system: SystemFlags, _ keywords: KeywordSet) {
        switch action {
        case .replace:
            flags = system
            self.keywords = keywords
        case .add:
            flags.formUnion(system)
            self.keywords.low |= keywords.low
            self.keywords.high |= keywords.high
        case .remove:
            flags.subtract(system)
            self.keywords.low &= ~keywords.low
            self.keywords.high &= ~keywords.high
        }
    }
}
