/// SASLprep (RFC 4013): one spelling for what looks the same, so that a password is the same on every keyboard.
///
/// Code points that Unicode 3.2 did not know are let through as they are, as in a query: newer letters and pictures are
/// passwords like any.
public enum SASLprep {
    /// UTF-8 in, UTF-8 out. `nil` for what is no UTF-8, has a character that it must not have (§2.3), or goes both ways (§2.4).
    ///
    /// The caller wipes what is returned, if it is a secret.
    public static func prepare(_ bytes: some Collection<UInt8>) -> [UInt8]? {
        // §3: ASCII stays as it is, but for control characters.
        if bytes.allSatisfy({ (0x20...0x7E).contains($0) }) { return Array(bytes) }
        return prepare(bytes, CharacterData())
    }

    /// What is known of characters: made anew each time that it is needed, which is seldom.
    struct CharacterData {
        let normalization = Normalization()
        fileprivate let rightToLeft = Runs(SASLprepTables.rightToLeft)
        fileprivate let leftToRight = Runs(SASLprepTables.leftToRight)
    }

    static func prepare(_ bytes: some Collection<UInt8>, _ data: CharacterData) -> [UInt8]? {
        var points: [UInt32] = []
        points.reserveCapacity(bytes.count)
        defer { points.wipe() }
        var decoder = UTF8()
        var source = bytes.makeIterator()
        decoding: while true {
            switch decoder.decode(&source) {
            case .scalarValue(let scalar): append(scalar.value, to: &points)
            case .emptyInput: break decoding
            case .error: return nil
            }
        }
        var normal = data.normalization.compose(points)
        defer { normal.wipe() }
        guard !normal.contains(where: isProhibited), goesOneWay(normal, data) else { return nil }
        var result: [UInt8] = []
        result.reserveCapacity(4 * normal.count)
        for point in normal {
            guard let scalar = Unicode.Scalar(point) else { return nil }
            result += UTF8.encode(scalar)!
        }
        return result
    }

    /// §2.1: nothing, a space, or itself.
    private static func append(_ point: UInt32, to points: inout [UInt32]) {
        switch point {
        // RFC 3454 table C.1.2, which goes before B.1.
        case 0xA0, 0x1680, 0x2000...0x200B, 0x202F, 0x205F, 0x3000: points.append(0x20)
        case 0xAD, 0x34F, 0x1806, 0x180B...0x180D, 0x200C, 0x200D, 0x2060, 0xFE00...0xFE0F, 0xFEFF: break
        default: points.append(point)
        }
    }

    /// §2.3: RFC 3454 tables C.1.2 to C.9.
    private static func isProhibited(_ point: UInt32) -> Bool {
        switch point {
        case 0...0x1F, 0x7F...0xA0, 0x340, 0x341, 0x6DD, 0x70F, 0x1680, 0x180E, 0x2000...0x200F, 0x2028...0x202F, 0x205F...0x2063,
             0x206A...0x206F, 0x2FF0...0x2FFB, 0x3000, 0xD800...0xF8FF, 0xFDD0...0xFDEF, 0xFEFF, 0xFFF9...0xFFFF,
             0x1D173...0x1D17A, 0xE0001, 0xE0020...0xE007F, 0xF0000...: true
        default: point & 0xFFFE == 0xFFFE
        }
    }

    /// §2.4: what is written from right to left begins and ends so, and has nothing in it that is not.
    private static func goesOneWay(_ points: [UInt32], _ data: CharacterData) -> Bool {
        guard let first = points.first, let last = points.last, points.contains(where: { data.rightToLeft.contains($0) }) else {
            return true
        }
        return !points.contains { data.leftToRight.contains($0) } && data.rightToLeft.contains(first)
            && data.rightToLeft.contains(last)
    }
}

/// Code points of one kind.
private struct Runs {
    private var runs: [ClosedRange<UInt32>] = []

    init(_ table: StaticString) {
        var numbers = TableReader(table)
        var last: UInt32 = 0
        while let gap = numbers.next(), let length = numbers.next() {
            runs.append(last + gap ... last + gap + length)
            last += gap + length
        }
    }

    func contains(_ point: UInt32) -> Bool { runs.contains { $0.contains(point) } }
}

/// The numbers of one of `SASLprepTables`.
struct TableReader {
    private var bytes: ArraySlice<UInt8>

    init(_ table: StaticString) {
        bytes = (table.withUTF8Buffer { Base64.decode($0) } ?? [])[...]
    }

    mutating func next() -> UInt32? {
        var value: UInt32 = 0
        var shift: UInt32 = 0
        while let byte = bytes.popFirst() {
            value |= UInt32(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        return nil
    }
}

extension [UInt32] {
    /// Overwrites what nobody else holds.
    mutating func wipe() {
        for index in indices { self[index] = 0 }
    }
}
