/// A keyword of the grammar, in upper case, of at most 21 bytes: one number, so that to compare or look it up is cheap.
struct Word: Hashable, Sendable {
    private var packed: UInt128 = 0

    private static let longest = 128 / 6

    /// `nil` for what is longer than every keyword, or has bytes that none has.
    init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count <= Self.longest else { return nil }
        for byte in bytes {
            // Six bits each, none of them 0: letters, digits, punctuation.
            let letter = byte.uppercased
            guard (0x21...0x5F).contains(letter) else { return nil }
            packed = packed << 6 | UInt128(letter - 0x20)
        }
    }

    init(_ string: String) {
        guard let word = Word(string.utf8) else { preconditionFailure("no keyword: \(string)") }
        self = word
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
