import IMAPTypes

/// sequence-set (RFC 9051 §9), before a mailbox gives "*" and "$" their meaning.
public enum SequenceSet: Hashable, Sendable {
    /// "$": the result of the last SEARCH with RETURN (SAVE).
    case lastCommand
    /// In the client's order; may overlap and descend ("9:3" is "3:9").
    case ranges([SeqRange])
}

/// seq-range (RFC 9051 §9). A single number is a range from itself to itself.
public struct SeqRange: Hashable, Sendable {
    public var first: SeqNumber
    public var last: SeqNumber

    public init(_ first: SeqNumber, _ last: SeqNumber) {
        self.first = first
        self.last = last
    }
}

/// seq-number (RFC 9051 §9).
public enum SeqNumber: Hashable, Sendable {
    case number(UInt32)
    /// "*"
    case largest
}
