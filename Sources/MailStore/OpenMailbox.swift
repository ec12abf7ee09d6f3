import IMAPTypes

/// A mailbox that a session has selected.
///
/// It holds a picture of the mailbox that changes only in `refresh()` and by the session's own commands. A message that
/// somebody expunged stays readable here, metadata and content, until the session has told its client of it and calls
/// `forget(_:)` (RFC 9051 §7.5.1, RFC 2180 §4.1).
///
/// Every list of UIDs, given or returned, is ascending without duplicates. UIDs that the mailbox does not hold are ignored.
public protocol OpenMailbox: AnyObject {
    var name: MailboxName { get }
    var isReadOnly: Bool { get }
    var uidValidity: UIDValidity { get }
    /// MAILBOXID (RFC 8474 §4).
    var id: ObjectID { get }
    /// The UID that the next message will get; `UInt32.max` at the end.
    var uidNext: UInt32 { get }
    var highestModSequence: ModSequence { get }
    /// The mailbox's keywords, in the order of the indexes in `MessageMetadata.keywords`. Grows only.
    var keywords: [Keyword] { get }

    /// All messages in the picture, those included that are expunged and not yet forgotten.
    var uids: [UID] { get }
    /// The first `limit` of these for which `test` holds.
    func uids(_ test: MetadataTest, atMost limit: Int) -> [UID]
    /// Cheap: called for every message of a FETCH or SEARCH, ascending as a rule.
    func metadata(_ uid: UID) -> MessageMetadata?
    /// What names the message, and when it came. Throws `.messageGone` if that is not known any more.
    func identity(_ uid: UID) throws(StoreError) -> MessageIdentity
    /// INTERNALDATE, RFC822.SIZE: may have to look at the file the first time.
    func details(_ uid: UID) throws(StoreError) -> MessageDetails
    /// The message's bytes. Throws `.messageGone` if there are none any more.
    func content(_ uid: UID) throws(StoreError) -> any MessageContent
    /// The same for another thread, without a look at the message: where it was when it was last seen.
    func source(_ uid: UID) -> (any MessageSource)?

    /// Takes into the picture what others did since the last call: other sessions, deliveries, other programs.
    func refresh() throws(StoreError) -> MailboxChanges
    /// The session has told its client that these are gone.
    func forget(_ uids: [UID])
    /// Becomes readable when `refresh()` may have something to tell; for `poll(2)`. Level-triggered: it stays readable
    /// until `refresh()` is called. Watching begins with the first call.
    func changeDescriptor() throws(StoreError) -> Int32

    /// Takes the messages that no session had as \Recent so far (RFC 3501 §2.3.2): for SELECT, and again when new messages
    /// arrive in a selected mailbox. A read-only mailbox looks only: they stay recent for the next.
    func claimRecent() throws(StoreError) -> [UID]

    /// Changes flags, of those messages only whose mod-sequence is not beyond `unchangedSince`.
    func store(_ uids: [UID], _ change: FlagChange, unchangedSince: ModSequence?) throws(StoreError) -> StoreResult
    /// Removes messages for good, whatever their flags. Returns those that it removed; they stay in the picture until `forget`.
    func expunge(_ uids: [UID]) throws(StoreError) -> [UID]
    /// Copies with flags, keywords and internal date: all or, if it throws, none.
    func copy(_ uids: [UID], to name: MailboxName) throws(StoreError) -> CopyResult
    /// As `copy`, then `expunge` of the originals; each message is in one place or the other at any moment.
    func move(_ uids: [UID], to name: MailboxName) throws(StoreError) -> CopyResult

    /// UIDs expunged after `modSequence`, as far as the store remembers (RFC 7162 §3.2.10.2): at least these, and
    /// possibly more that were expunged before; never one that is still there.
    func expunged(since modSequence: ModSequence) throws(StoreError) -> UIDSet

    /// A piece of what `keep` was given for the message, by this or an earlier session; `nil` if it is not known any more.
    ///
    /// Valid until the next call of a method that can throw, or of `keep` or `saveKept`.
    func kept(_ uid: UID, _ piece: KeptPiece) -> UnsafeRawBufferPointer?
    /// Keeps bytes that were derived from the message's content, in place of those kept before. They may be lost at any time,
    /// and more than `longestKept` are not kept at all; but they are never given for another message, nor with other bytes.
    func keep(_ uid: UID, _ pieces: KeptPieces)
    /// Lets other sessions have what was kept. To be called at the end of a command.
    func saveKept()
    /// Whether `keep` does anything.
    var isKeeping: Bool { get }
}

/// Bytes that a store keeps of one message's content, at most.
public let longestKept = 1 << 16

/// What is kept of a message comes in pieces, so that a command reads only what it needs. What they mean is the session's affair.
public enum KeptPiece: Int, CaseIterable, Sendable {
    /// Small, and asked for of message after message.
    case keys
    case fields
    case items
}

/// What is kept of one message; a piece may be empty.
public struct KeptPieces {
    public var keys = UnsafeRawBufferPointer(start: nil, count: 0)
    public var fields = UnsafeRawBufferPointer(start: nil, count: 0)
    public var items = UnsafeRawBufferPointer(start: nil, count: 0)

    public init() {}

    /// Pieces of these bytes, for as long as `body` runs.
    public static func with(_ keys: [UInt8], _ fields: [UInt8], _ items: [UInt8], _ body: (KeptPieces) -> Void) {
        keys.withUnsafeBytes { keys in
            fields.withUnsafeBytes { fields in
                items.withUnsafeBytes { items in
                    var pieces = KeptPieces()
                    pieces.keys = keys
                    pieces.fields = fields
                    pieces.items = items
                    body(pieces)
                }
            }
        }
    }

    public subscript(piece: KeptPiece) -> UnsafeRawBufferPointer {
        get {
            switch piece {
            case .keys: keys
            case .fields: fields
            case .items: items
            }
        }
        set {
            switch piece {
            case .keys: keys = newValue
            case .fields: fields = newValue
            case .items: items = newValue
            }
        }
    }

    /// Bytes of all pieces.
    public var count: Int { keys.count + fields.count + items.count }
}

/// A store that keeps nothing.
extension OpenMailbox {
    public func kept(_ uid: UID, _ piece: KeptPiece) -> UnsafeRawBufferPointer? { nil }
    public func keep(_ uid: UID, _ pieces: KeptPieces) {}
    public func saveKept() {}
    public var isKeeping: Bool { false }
}

/// What is known of a message without looking at it.
public struct MessageMetadata: Sendable {
    public var flags: SystemFlags
    public var keywords: KeywordSet
    public var modSequence: ModSequence
    /// Whether it is still in the picture only because it was not yet forgotten.
    public var isExpunged: Bool

    public init(flags: SystemFlags, keywords: KeywordSet, modSequence: ModSequence, isExpunged: Bool) {
        self.flags = flags
        self.keywords = keywords
        self.modSequence = modSequence
        self.isExpunged = isExpunged
    }
}

/// What is known of a message without looking at it, and never changes while it is in the mailbox.
public struct MessageIdentity: Sendable {
    /// EMAILID (RFC 8474 §5.1): the same for a copy as for its original, and for no message of other content or INTERNALDATE.
    public var id: ObjectID
    /// SAVEDATE (RFC 8514 §3): when the message came into this mailbox, in seconds since the epoch.
    public var saveDate: Int64

    public init(id: ObjectID, saveDate: Int64) {
        self.id = id
        self.saveDate = saveDate
    }
}

public struct MessageDetails: Sendable {
    /// INTERNALDATE, in seconds since the epoch.
    public var internalDate: Int64
    /// RFC822.SIZE: bytes with every line end as CRLF. Always what `content` will give.
    public var size: UInt64

    public init(internalDate: Int64, size: UInt64) {
        self.internalDate = internalDate
        self.size = size
    }
}

/// What `refresh()` took in.
public struct MailboxChanges: Sendable {
    /// New messages.
    public var added: [UID] = []
    /// Messages that are gone; readable until forgotten.
    public var expunged: [UID] = []
    /// Messages with other flags or keywords than before, by others than this session; none of the above.
    public var flagged: [UID] = []

    public init() {}
    public var isEmpty: Bool { added.isEmpty && expunged.isEmpty && flagged.isEmpty }
}

public struct FlagChange: Sendable {
    public enum Action: Sendable { case replace, add, remove }
    public var action: Action
    public var flags: FlagSet

    public init(_ action: Action, _ flags: FlagSet) {
        self.action = action
        self.flags = flags
    }
}

public struct StoreResult: Sendable {
    /// Messages whose flags were set as asked, also where that changed nothing.
    public var stored: [UID] = []
    /// Messages left alone because of `unchangedSince`.
    public var modified: [UID] = []

    public init() {}
}

public struct CopyResult: Sendable {
    public var uidValidity: UIDValidity
    /// Originals that were copied, and beside each its copy's UID. Shorter than asked for where an original was gone.
    public var source: [UID]
    public var destination: [UID]

    public init(uidValidity: UIDValidity, source: [UID], destination: [UID]) {
        self.uidValidity = uidValidity
        self.source = source
        self.destination = destination
    }
}

/// A message's bytes as stored: line ends may be LF or CRLF, even mixed; whoever sends them makes each a CRLF.
public protocol MessageContent: AnyObject {
    /// Bytes as stored.
    var size: UInt64 { get }
    /// Reads at `offset` (0 to `size`) into `buffer`: at least one byte, 0 only at the end.
    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(StoreError) -> Int
    /// Reads from the beginning, all that `buffer` has room for: if that is less, it is all of the message. To be called first, it
    /// may spare a look at the size.
    func readBeginning(into buffer: UnsafeMutableRawBufferPointer) throws(StoreError) -> Int
}

extension MessageContent {
    public func readBeginning(into buffer: UnsafeMutableRawBufferPointer) throws(StoreError) -> Int {
        let wanted = Int(min(UInt64(buffer.count), size))
        var count = 0
        while count < wanted {
            let got = try read(at: UInt64(count), into: UnsafeMutableRawBufferPointer(rebasing: buffer[count..<wanted]))
            if got == 0 { break }
            count += got
        }
        return count
    }
}
