import IMAPTypes
import SystemPackage

/// One user's mail, as one session sees it. Not shared between threads: each session opens its own.
///
/// A store knows UIDs only; sequence numbers are the session's. All its work is done when a call returns:
/// what was appended, copied or moved is on the disk (fsync) and will survive a power cut.
public protocol MailStore: AnyObject {
    /// Between the levels of a name: "." or "/".
    var separator: Character { get }

    /// Every mailbox that exists, INBOX among them, in no order. Parents that exist only as part of
    /// a name are not listed.
    func mailboxes() throws(StoreError) -> [MailboxEntry]
    /// Every subscribed name, whether or not there is such a mailbox.
    func subscriptions() throws(StoreError) -> [MailboxName]
    /// Does nothing if the name is subscribed already. The mailbox need not exist.
    func subscribe(_ name: MailboxName) throws(StoreError)
    /// Does nothing if the name is not subscribed.
    func unsubscribe(_ name: MailboxName) throws(StoreError)

    func exists(_ name: MailboxName) throws(StoreError) -> Bool
    /// Parents need not exist and are not created as mailboxes. Returns the mailbox's id.
    @discardableResult
    func create(_ name: MailboxName, use: SpecialUse?) throws(StoreError) -> ObjectID
    /// Deletes this mailbox and its messages; its children remain.
    func delete(_ name: MailboxName) throws(StoreError)
    /// Renames a mailbox with its children; UIDs, UIDVALIDITY and mailbox ids go along. Renaming INBOX moves its
    /// messages into a new mailbox and leaves INBOX empty (RFC 9051 §6.3.6).
    func rename(_ name: MailboxName, to newName: MailboxName) throws(StoreError)

    /// What STATUS tells, without opening the mailbox for a session: nothing becomes less recent.
    func status(_ name: MailboxName, wantsSize: Bool) throws(StoreError) -> MailboxStatus
    /// For SELECT, EXAMINE.
    func open(_ name: MailboxName, readOnly: Bool) throws(StoreError) -> any OpenMailbox
    /// For APPEND. Nothing is seen of it before its `commit()`.
    func beginAppend(to name: MailboxName) throws(StoreError) -> any AppendTransaction

    /// For work that can wait, done while the session is otherwise idle and before it ends.
    /// Returns whether there is more to do.
    func tidy() throws(StoreError) -> Bool

    /// What it has cost so far.
    var work: StoreWork { get }
}

/// What a store has done since it was opened.
public struct StoreWork: Sendable, Equatable {
    /// fsync(2) and fdatasync(2).
    public var syncs: UInt64 = 0
    /// What was asked about messages and known (`OpenMailbox.kept`); and messages that had to be read, and are known now.
    public var cacheHits: UInt64 = 0
    public var cacheMisses: UInt64 = 0

    public init() {}
}

extension MailStore {
    /// A store without files.
    public var work: StoreWork { StoreWork() }
}

public struct MailboxEntry: Sendable {
    public var name: MailboxName
    public var use: SpecialUse?

    public init(name: MailboxName, use: SpecialUse? = nil) {
        self.name = name
        self.use = use
    }
}

public struct MailboxStatus: Sendable {
    public var messages: Int = 0
    public var recent: Int = 0
    public var unseen: Int = 0
    public var deleted: Int = 0
    /// 2^32 after the last possible UID would not fit; then `UInt32.max`.
    public var uidNext: UInt32 = 1
    public var uidValidity: UIDValidity
    /// MAILBOXID (RFC 8474 §4): no other mailbox of the account has it, or had it before.
    public var id: ObjectID
    public var highestModSequence: ModSequence = ModSequence(1)!
    /// Sum of all RFC822.SIZEs, in bytes; only if it was asked for.
    public var size: UInt64?

    public init(uidValidity: UIDValidity, id: ObjectID) {
        self.uidValidity = uidValidity
        self.id = id
    }
}

/// A store of its own for every session, for the user that has logged in.
public protocol MailStoreProvider: Sendable {
    /// `home` is the user's home directory, where there is one.
    func openStore(user: String, home: String?) throws(StoreError) -> any MailStore

    /// The directories, open and made if need be, that hold all that the user's store will ever touch by name: for whoever
    /// shuts himself up in them before he opens it. The caller closes them.
    func directories(user: String, home: String?) throws(StoreError) -> [FileDescriptor]
}

extension MailStoreProvider {
    /// A store without files.
    public func directories(user: String, home: String?) throws(StoreError) -> [FileDescriptor] { [] }
}
