import IMAPTypes

/// What STATUS asks, and the state of the directories: it stands in the index and, brought up to date, in every
/// transaction of the log, so that its last record tells all of it.
struct Summary: Equatable {
    /// The largest so far; 1 in a mailbox in which nothing happened yet.
    var modSequence: UInt64 = 1
    /// 1 to 2^32; the latter means that there are no more.
    var uidNext: UInt64 = 1
    /// UIDs below this were set aside in the account's file. If that knows of more, the mailbox's files are an old copy.
    var ceiling: UInt64 = 1
    /// The largest UID that a session has had as \Recent.
    var claimed: UInt32 = 0
    var messages: UInt32 = 0
    var unseen: UInt32 = 0
    var deleted: UInt32 = 0
    /// Messages with a UID above `claimed`.
    var recent: UInt32 = 0
    /// Messages whose size is not known, and the sum of the others' RFC822.SIZEs.
    var unsized: UInt32 = 0
    var size: UInt64 = 0
    var new = DirectoryState()
    var cur = DirectoryState()
}

/// When new/ or cur/ was last known to agree with the log.
struct DirectoryState: Equatable {
    /// Its modification time then, in nanoseconds since the epoch.
    var modified: Int64 = -1
    /// When the scan that says so began.
    var verified: Int64 = -1

    /// Within this time of a change the modification time may hide another: clocks tick, and file servers' clocks differ.
    static let margin: Int64 = 1_000_000_000

    /// Whether nothing can have changed unseen, if its modification time is still the same.
    var isSettled: Bool { verified > modified &+ Self.margin }
}

extension Summary {
    func write(to writer: inout ByteWriter) {
        writer.number(modSequence)
        writer.number(uidNext)
        writer.number(ceiling)
        writer.number(claimed)
        writer.number(messages)
        writer.number(unseen)
        writer.number(deleted)
        writer.number(recent)
        writer.number(unsized)
        writer.number(size)
        writer.number(new.modified)
        writer.number(new.verified)
        writer.number(cur.modified)
        writer.number(cur.verified)
    }

    /// Values out of range are brought into it.
    init(from reader: inout ByteReader) {
        modSequence = min(max(reader.number(), 1), UInt64(Int64.max) - 1)
        uidNext = min(max(reader.number(), 1), 1 << 32)
        ceiling = min(max(reader.number(), 1), 1 << 33)
        claimed = reader.number()
        messages = reader.number()
        unseen = reader.number()
        deleted = reader.number()
        recent = reader.number()
        unsized = reader.number()
        size = reader.number()
        new = DirectoryState(modified: reader.number(), verified: reader.number())
        cur = DirectoryState(modified: reader.number(), verified: reader.number())
    }
}

/// What the summary counts of one message.
extension Summary {
    mutating func count(_ flags: SystemFlags, uid: UInt32, size: UInt64?, by sign: Int) {
        func add(_ number: inout UInt32, _ condition: Bool) {
            guard condition else { return }
            if sign > 0 { number &+= 1 } else if number > 0 { number -= 1 }
        }
        add(&messages, true)
        add(&unseen, !flags.contains(.seen))
        add(&deleted, flags.contains(.deleted))
        add(&recent, uid > claimed)
        add(&unsized, size == nil)
        if let size { self.size = sign > 0 ? self.size &+ size : self.size &- size }
    }

    mutating func recount(_ old: SystemFlags, _ new: SystemFlags) {
        if old.contains(.seen), !new.contains(.seen) { unseen &+= 1 }
        if !old.contains(.seen), new.contains(.seen), unseen > 0 { unseen -= 1 }
        if !old.contains(.deleted), new.contains(.deleted) { deleted &+= 1 }
        if old.contains(.deleted), !new.contains(.deleted), deleted > 0 { deleted -= 1 }
    }
}
