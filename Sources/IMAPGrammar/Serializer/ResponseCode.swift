import IMAPTypes

/// resp-text-code (RFC 9051 §7.1, RFC 5530, RFC 7162, RFC 6154, RFC 8474).
public enum ResponseCode: Sendable {
    case alert, alreadyExists, authenticationFailed, authorizationFailed, cannot, clientBug, closed, contactAdmin
    case corruption, expired, expungeIssued, hasChildren, inUse, limit, nonexistent, noPerm, overQuota, parse
    case privacyRequired, readOnly, readWrite, serverBug, tooBig, tryCreate, uidNotSticky, unavailable, unknownCTE, useAttr
    case notSaved
    /// RFC 7162 §3.1.2.2.
    case noModSeq
    case appendUID(UIDValidity, UIDSet)
    case badCharset([String])
    case capability([String])
    /// Source and destination UIDs, pair by pair in the given order.
    case copyUID(UIDValidity, source: [UID], destination: [UID])
    case highestModSeq(ModSequence)
    /// RFC 8474 §4.
    case mailboxID(ObjectID)
    /// By sequence number or UID, as the command named its messages.
    case modified([UInt32])
    case permanentFlags(SystemFlags, [Keyword], canCreate: Bool)
    case uidNext(UInt32)
    case uidValidity(UIDValidity)
    /// RFC 3501 §7.1.
    case unseen(SequenceNumber)
}

/// The condition at the end of a command (RFC 9051 §7.1).
public enum Condition: Sendable {
    case ok, no, bad
}
