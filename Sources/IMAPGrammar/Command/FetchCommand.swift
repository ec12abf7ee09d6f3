import IMAPTypes

public struct FetchCommand: Hashable, Sendable {
    public var set: SequenceSet
    public var byUID: Bool
    /// Macros expanded, in the client's order.
    public var attributes: [FetchAttribute]
    /// CHANGEDSINCE (RFC 7162 §3.1.4.1); 0 is allowed: real clients send it.
    public var changedSince: ModSequence?
    /// VANISHED (RFC 7162 §3.2.6).
    public var vanished = false

    public init(set: SequenceSet, byUID: Bool, attributes: [FetchAttribute]) {
        self.set = set
        self.byUID = byUID
        self.attributes = attributes
    }
}

/// RFC 9051 §6.4.5, RFC 3501 §6.4.5 (RFC822…), RFC 7162 (MODSEQ), RFC 8514 (SAVEDATE), RFC 8474 (EMAILID, THREADID),
/// RFC 8970 (PREVIEW).
public enum FetchAttribute: Hashable, Sendable {
    case envelope, flags, internalDate, uid, modSeq, saveDate, emailID, threadID
    /// `lazy`: only if that takes no time (RFC 8970 §4.1).
    case preview(lazy: Bool)
    /// BODY without a section: BODYSTRUCTURE without extension data.
    case body
    case bodyStructure
    /// RFC822 and RFC822.TEXT; `peek` for RFC822.PEEK and RFC822.TEXT.PEEK (RFC 1730 §6.4.5), answered by the same names.
    case rfc822(peek: Bool), rfc822Text(peek: Bool)
    case rfc822Header, rfc822Size
    case bodySection(Section, Partial?, peek: Bool)
    /// BINARY and BINARY.PEEK (RFC 9051 §6.4.5.3); an empty part is the whole message.
    case binary(part: [UInt32], Partial?, peek: Bool)
    case binarySize(part: [UInt32])
}

/// section-spec (RFC 9051 §9): `part` empty and `text` nil is the whole message.
public struct Section: Hashable, Sendable {
    public var part: [UInt32]
    public var text: SectionText?

    public init(part: [UInt32] = [], text: SectionText? = nil) {
        self.part = part
        self.text = text
    }
}

public enum SectionText: Hashable, Sendable {
    case header
    /// HEADER.FIELDS (…) with names as the client wrote them.
    case headerFields([[UInt8]])
    case headerFieldsNot([[UInt8]])
    case text
    /// Only after a part number.
    case mime
}

/// <offset.count> (RFC 9051 §9, `partial`): offset from 0, count from 1.
public struct Partial: Hashable, Sendable {
    public var offset: UInt64
    public var count: UInt64

    public init(offset: UInt64, count: UInt64) {
        self.offset = offset
        self.count = count
    }
}
