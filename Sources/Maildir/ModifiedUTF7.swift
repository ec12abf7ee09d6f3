/// Modified UTF-7 (RFC 3501 §5.1.3), in which Maildir++ writes folder names.
enum ModifiedUTF7 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,".utf8)

    /// Characters for which `escapes` holds are written in base64 although they could stand for themselves.
    static func encode(_ string: some StringProtocol, escaping escapes: (UInt8) -> Bool = { _ in false }) -> [UInt8] {
        var result: [UInt8] = []
        var shifted: [UInt16] = []
        func flush() {
            guard !shifted.isEmpty else { return }
            result.append(UInt8(ascii: "&"))
            var bits: UInt32 = 0, count: UInt32 = 0
            for unit in shifted {
                bits = bits << 16 | UInt32(unit)
                count += 16
                while count >= 6 {
                    count -= 6
                    result.append(alphabet[Int(bits >> count & 0x3F)])
                }
                bits &= (1 << count) - 1
            }
            if count > 0 { result.append(alphabet[Int(bits << (6 - count) & 0x3F)]) }
            result.append(UInt8(ascii: "-"))
            shifted = []
        }
        for unit in string.utf16 {
            guard (0x20...0x7E).contains(unit), !escapes(UInt8(unit)) else {
                shifted.append(unit)
                continue
            }
            flush()
            result.append(UInt8(unit))
            if unit == 0x26 { result.append(UInt8(ascii: "-")) }
        }
        flush()
        return result
    }

    /// `nil` if the bytes are not modified UTF-7.
    static func decode(_ bytes: some Collection<UInt8>) -> String? {
        var units: [UInt16] = []
        var iterator = bytes.makeIterator()
        while let byte = iterator.next() {
            guard (0x20...0x7E).contains(byte) else { return nil }
            guard byte == UInt8(ascii: "&") else {
                units.append(UInt16(byte))
                continue
            }
            var bits: UInt32 = 0, count: UInt32 = 0, isEmpty = true
            while true {
                guard let next = iterator.next() else { return nil }
                if next == UInt8(ascii: "-") { break }
                guard let value = value(next) else { return nil }
                isEmpty = false
                bits = bits << 6 | value
                count += 6
                if count >= 16 {
                    count -= 16
                    units.append(UInt16(bits >> count & 0xFFFF))
                    bits &= (1 << count) - 1
                }
            }
            if isEmpty {
                units.append(0x26)
            } else if count >= 6 || bits != 0 {
                return nil
            }
        }
        // A surrogate alone is no character.
        var decoder = UTF16()
        var scalars = String.UnicodeScalarView()
        var source = units.makeIterator()
        while true {
            switch decoder.decode(&source) {
            case .scalarValue(let scalar): scalars.append(scalar)
            case .emptyInput: return String(scalars)
            case .error: return nil
            }
        }
    }

    private static func value(_ byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(byte) - 65
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(byte) - 71
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte) + 4
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: ","): 63
        default: nil
        }
    }
}
