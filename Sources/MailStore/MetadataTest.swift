import IMAPTypes

/// A question about flags, keywords and mod-sequence that a store can ask of all its messages at once. A new one holds for all.
public struct MetadataTest: Sendable, Equatable {
    /// The flags that matter, and those of them that must be set; the others must not.
    public private(set) var flags: SystemFlags = []
    public private(set) var setFlags: SystemFlags = []
    public private(set) var keywords = KeywordSet()
    public private(set) var setKeywords = KeywordSet()
    /// The mod-sequence must be larger.
    public private(set) var above: ModSequence?

    public init() {}

    public init(above: ModSequence) { self.above = above }

    /// Whether it holds for every message.
    public var isTrivial: Bool { flags.isEmpty && keywords.isEmpty && above == nil }

    /// All of `flags` must be set, or, of one flag, not. False if that contradicts what is required already, or cannot be asked.
    public mutating func require(_ flags: SystemFlags, isSet: Bool) -> Bool {
        // "Not all of these" is no question about each.
        guard isSet || flags.rawValue.nonzeroBitCount == 1, self.flags.isDisjoint(with: flags) else { return false }
        self.flags.formUnion(flags)
        if isSet { setFlags.formUnion(flags) }
        return true
    }

    /// As above, of a keyword by its index.
    public mutating func require(keyword: Int, isSet: Bool) -> Bool {
        guard (0..<KeywordSet.capacity).contains(keyword), !keywords[keyword] else { return false }
        keywords[keyword] = true
        setKeywords[keyword] = isSet
        return true
    }

    public mutating func require(above modSequence: ModSequence) {
        above = max(modSequence, above ?? .zero)
    }

    @inlinable @inline(__always)
    public func holds(_ flags: SystemFlags, _ keywords: KeywordSet, _ modSequence: UInt64) -> Bool {
        flags.rawValue & self.flags.rawValue == setFlags.rawValue
            && keywords.low & self.keywords.low == setKeywords.low && keywords.high & self.keywords.high == setKeywords.high
            && modSequence >= least
    }

    public func holds(_ metadata: MessageMetadata) -> Bool {
        holds(metadata.flags, metadata.keywords, metadata.modSequence.rawValue)
    }

    /// The least mod-sequence for which it holds.
    @inlinable
    public var least: UInt64 { above.map { $0.rawValue + 1 } ?? 0 }
}

extension OpenMailbox {
    /// One message after the other; a store with columns is faster.
    public func uids(_ test: MetadataTest, atMost limit: Int) -> [UID] {
        var result: [UID] = []
        for uid in uids {
            guard result.count < limit else { break }
            if let metadata = metadata(uid), test.holds(metadata) { result.append(uid) }
        }
        return result
    }
}
