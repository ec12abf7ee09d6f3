import IMAPTypes
import MailStore
import MemoryStore
import Synchronization

/// Things that can wait: three to begin with.
final class Work: Sendable {
    private let count = Atomic(3)
    var left: Int { count.load(ordering: .relaxed) }
    /// Whether there is more to do.
    func doSome() -> Bool {
        guard left > 0 else { return false }
        return count.subtract(1, ordering: .relaxed).newValue > 0
    }
}

/// A store in memory with something to tidy up, or with trouble.
final class OddStore: MailStore {
    private let store = MemoryAccount().openStore()
    private let work: Work
    private let trouble: Trouble

    init(_ work: Work = Work(), trouble: Trouble = Trouble()) {
        self.work = work
        self.trouble = trouble
    }

    func tidy() throws(StoreError) -> Bool { work.doSome() }

    func open(_ name: MailboxName, readOnly: Bool) throws(StoreError) -> any OpenMailbox {
        OddMailbox(try store.open(name, readOnly: readOnly), trouble)
    }

    var separator: Character { store.separator }
    func mailboxes() throws(StoreError) -> [MailboxEntry] { try store.mailboxes() }
    func subscriptions() throws(StoreError) -> [MailboxName] { try store.subscriptions() }
    func subscribe(_ name: MailboxName) throws(StoreError) { try store.subscribe(name) }
    func unsubscribe(_ name: MailboxName) throws(StoreError) { try store.unsubscribe(name) }
    func exists(_ name: MailboxName) throws(StoreError) -> Bool { try store.exists(name) }
    func create(_ name: MailboxName, use: SpecialUse?) throws(StoreError) -> ObjectID { try store.create(name, use: use) }
    func delete(_ name: MailboxName) throws(StoreError) { try store.delete(name) }
    func rename(_ name: MailboxName, to newName: MailboxName) throws(StoreError) { try store.rename(name, to: newName) }
    func status(_ name: MailboxName, wantsSize: Bool) throws(StoreError) -> MailboxStatus {
        try store.status(name, wantsSize: wantsSize)
    }
    func beginAppend(to name: MailboxName) throws(StoreError) -> any AppendTransaction { try store.beginAppend(to: name) }
}

/// What a store cannot do for now.
final class Trouble: Sendable {
    let cannotRefresh = Atomic(false)
    let cannotClaimRecent = Atomic(false)
    /// Called in the session's thread after every refresh.
    let whenRefreshed = Mutex<@Sendable () -> Void>({})

    init(refresh: Bool = false, claimRecent: Bool = false) {
        cannotRefresh.store(refresh, ordering: .relaxed)
        cannotClaimRecent.store(claimRecent, ordering: .relaxed)
    }

    func check(_ flag: borrowing Atomic<Bool>) throws(StoreError) {
        if flag.load(ordering: .relaxed) { throw .corrupt("a test") }
    }
}

private final class OddMailbox: OpenMailbox {
    private let mailbox: any OpenMailbox
    private let trouble: Trouble

    init(_ mailbox: any OpenMailbox, _ trouble: Trouble) {
        self.mailbox = mailbox
        self.trouble = trouble
    }

    func refresh() throws(StoreError) -> MailboxChanges {
        try trouble.check(trouble.cannotRefresh)
        defer { trouble.whenRefreshed.withLock { $0() } }
        return try mailbox.refresh()
    }

    func claimRecent() throws(StoreError) -> [UID] {
        try trouble.check(trouble.cannotClaimRecent)
        return try mailbox.claimRecent()
    }

    var name: MailboxName { mailbox.name }
    var isReadOnly: Bool { mailbox.isReadOnly }
    var uidValidity: UIDValidity { mailbox.uidValidity }
    var id: ObjectID { mailbox.id }
    var uidNext: UInt32 { mailbox.uidNext }
    var highestModSequence: ModSequence { mailbox.highestModSequence }
    var keywords: [Keyword] { mailbox.keywords }
    var uids: [UID] { mailbox.uids }
    func metadata(_ uid: UID) -> MessageMetadata? { mailbox.metadata(uid) }
    func details(_ uid: UID) throws(StoreError) -> MessageDetails { try mailbox.details(uid) }
    func identity(_ uid: UID) throws(StoreError) -> MessageIdentity { try mailbox.identity(uid) }
    func content(_ uid: UID) throws(StoreError) -> any MessageContent { try mailbox.content(uid) }
    func forget(_ uids: [UID]) { mailbox.forget(uids) }
    func changeDescriptor() throws(StoreError) -> Int32 { try mailbox.changeDescriptor() }
    func store(_ uids: [UID], _ change: FlagChange, unchangedSince: ModSequence?) throws(StoreError) -> StoreResult {
        try mailbox.store(uids, change, unchangedSince: unchangedSince)
    }
    func expunge(_ uids: [UID]) throws(StoreError) -> [UID] { try mailbox.expunge(uids) }
    func copy(_ uids: [UID], to name: MailboxName) throws(StoreError) -> CopyResult { try mailbox.copy(uids, to: name) }
    func move(_ uids: [UID], to name: MailboxName) throws(StoreError) -> CopyResult { try mailbox.move(uids, to: name) }
    func expunged(since modSequence: ModSequence) throws(StoreError) -> UIDSet { try mailbox.expunged(since: modSequence) }
}
