/// A message's unique identifier in its mailbox (RFC 9051 §2.3.1.1): 1 to 2^32 - 1, ascending, never reused.
public struct UID: Hashable, Comparable, Sendable {
    public let rawValue: UInt32

    /// `nil` for 0, which is no UID.
    public init?(_ rawValue: UInt32) {
        guard rawValue > 0 else { return nil }
        self.rawValue = rawValue
    }

    /// Of a number that is known not to be 0.
    @inlinable
    package init(nonzero rawValue: UInt32) {
        assert(rawValue > 0)
        self.rawValue = rawValue
    }

    public static let first = UID(1)!
    public static let last = UID(UInt32.max)!

    public static func < (a: UID, b: UID) -> Bool { a.rawValue < b.rawValue }
}

/// A message's position in one session's view of its mailbox (RFC 9051 §2.3.1.2), from 1.
///
/// There is no conversion to a `UID` but through that view.
public struct SequenceNumber: Hashable, Comparable, Sendable {
    public let rawValue: UInt32

    /// `nil` for 0, which is no position.
    public init?(_ rawValue: UInt32) {
        guard rawValue > 0 else { return nil }
        self.rawValue = rawValue
    }

    public static func < (a: SequenceNumber, b: SequenceNumber) -> Bool { a.rawValue < b.rawValue }
}

/// What a mailbox's UIDs are valid with (RFC 9051 §2.3.1.1): 1 to 2^32 - 1.
public struct UIDValidity: Hashable, Comparable, Sendable {
    public let rawValue: UInt32

    public init?(_ rawValue: UInt32) {
        guard rawValue > 0 else { return nil }
        self.rawValue = rawValue
    }

    public static func < (a: UIDValidity, b: UIDValidity) -> Bool { a.rawValue < b.rawValue }
}

/// A modification sequence (RFC 7162 §3.1.1): 1 to 2^63 - 1, and 0 where "before everything" is meant.
public struct ModSequence: Hashable, Comparable, Sendable {
    public let rawValue: UInt64

    /// `nil` beyond 63 bits.
    public init?(_ rawValue: UInt64) {
        guard rawValue <= UInt64(Int64.max) else { return nil }
        self.rawValue = rawValue
    }

    public static let zero = ModSequence(0)!

    public static func < (a: ModSequence, b: ModSequence) -> Bool { a.rawValue < b.rawValue }
}
