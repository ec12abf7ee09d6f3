/// A keyword of the grammar, in upper case, of at most 16 bytes: one number, so that to compare or look it up is cheap.
struct Word: Hashable, Sendable {
    private var packed: UInt128 = 0

    /// `nil` for more than 16 bytes: longer than every keyword.
    init?(_ bytes: ArraySlice<UInt8>) {
        guard bytes.count <= 16 else { return nil }
        for byte in bytes { push(byte) }
    }

    init(_ string: String) {
        precondition(string.utf8.count <= 16)
        for byte in string.utf8 { push(byte) }
    }

    private mutating func push(_ byte: UInt8) {
        packed = packed << 8 | UInt128(byte.uppercased)
    }
}

extension UInt8 {
    /// "A" to "Z" for "a" to "z", every other byte itself.
    var uppercased: UInt8 { (0x61...0x7A).contains(self) ? self & ~0x20 : self }

    var isDigit: Bool { (0x30...0x39).contains(self) }
}

/// The words that may stand in one place of the grammar, each a case of `Meaning` whose raw value it is.
struct Vocabulary<Meaning: RawRepresentable & CaseIterable & Sendable>: Sendable where Meaning.RawValue == String {
    private let meanings: [Word: Meaning]

    init(_: Meaning.Type) {
        meanings = Dictionary(uniqueKeysWithValues: Meaning.allCases.map { (Word($0.rawValue), $0) })
    }

    subscript(word: Word?) -> Meaning? { word.flatMap { meanings[$0] } }
}
