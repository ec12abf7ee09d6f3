/// The system flags of RFC 9051 §2.3.2, but for \Recent, which belongs to a session and not to a message.
public struct SystemFlags: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let answered = SystemFlags(rawValue: 1 << 0)
    public static let flagged = SystemFlags(rawValue: 1 << 1)
    public static let deleted = SystemFlags(rawValue: 1 << 2)
    public static let seen = SystemFlags(rawValue: 1 << 3)
    public static let draft = SystemFlags(rawValue: 1 << 4)

    public static let all: SystemFlags = [.answered, .flagged, .deleted, .seen, .draft]
}

/// A keyword (RFC 9051 §2.3.2): an atom of 1 to 255 bytes.
///
/// Compares without regard to ASCII case, and keeps the case that it was made with.
public struct Keyword: Sendable {
    public let name: String

    /// `nil` unless `bytes` are an atom (RFC 9051 §9, `atom`) of at most 255 bytes.
    public init?(_ bytes: some Collection<UInt8>) {
        guard (1...255).contains(bytes.count), bytes.allSatisfy(\.isAtomCharacter) else { return nil }
        name = String(decoding: bytes, as: UTF8.self)
    }

    public init?(_ name: String) { self.init(Array(name.utf8)) }
}

extension Keyword: Hashable {
    public static func == (a: Keyword, b: Keyword) -> Bool {
        a.name.utf8.elementsEqual(b.name.utf8) { lowercased($0) == lowercased($1) }
    }

    public func hash(into hasher: inout Hasher) {
        for byte in name.utf8 { hasher.combine(Self.lowercased(byte)) }
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 {
        (0x41...0x5A).contains(byte) ? byte | 0x20 : byte
    }
}

/// The flags of a command or of an appended message, by name.
public struct FlagSet: Hashable, Sendable {
    public var system: SystemFlags
    public var keywords: Set<Keyword>

    public init(system: SystemFlags = [], keywords: Set<Keyword> = []) {
        self.system = system
        self.keywords = keywords
    }
}

/// The keywords of one message: a set of indexes (0 to 127) into its mailbox's table of keywords.
public struct KeywordSet: Hashable, Sendable {
    public static let capacity = 128
    public var low: UInt64 = 0
    public var high: UInt64 = 0

    public init() {}

    public var isEmpty: Bool { low == 0 && high == 0 }

    /// Whether `index`, 0 to 127, is in the set.
    public subscript(index: Int) -> Bool {
        get { index < 64 ? low >> UInt64(index) & 1 == 1 : high >> UInt64(index - 64) & 1 == 1 }
        set {
            let bit = UInt64(1) << UInt64(index % 64)
            switch (index < 64, newValue) {
            case (true, true): low |= bit
            case (true, false): low &= ~bit
            case (false, true): high |= bit
            case (false, false): high &= ~bit
            }
        }
    }
}

/// The indexes in the set, ascending.
extension KeywordSet: Sequence {
    public struct Iterator: IteratorProtocol {
        var low: UInt64
        var high: UInt64

        public mutating func next() -> Int? {
            if low != 0 {
                defer { low &= low - 1 }
                return low.trailingZeroBitCount
            }
            guard high != 0 else { return nil }
            defer { high &= high - 1 }
            return 64 + high.trailingZeroBitCount
        }
    }

    public func makeIterator() -> Iterator { Iterator(low: low, high: high) }
}
