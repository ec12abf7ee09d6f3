/// Modified UTF-7 (RFC 3501 §5.1.3), in which IMAP4rev1 writes mailbox names and Maildir++ those of folders.
///
/// Printable US-ASCII stands for itself, "&" is "&-", and everything else is UTF-16 in a base64 with "," for "/",
/// between "&" and "-".
public enum ModifiedUTF7 {
    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,".utf8)

    /// Characters for which `escapes` holds are written in base64 although they could stand for themselves.
    public static func encode(_ string: Substring, escaping escapes: (UInt8) -> Bool = { _ in false }) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(string.utf8.count)
        // Bits of UTF-16 not yet written: the low `waiting` bits of `bits`.
        var bits: UInt32 = 0, waiting = 0
        var isShifted = false
        func digit(_ value: UInt32) { result.append(digits[Int(value & 63)]) }
        func unshift() {
            guard isShifted else { return }
            if waiting > 0 { digit(bits << UInt32(6 - waiting)) }
            bits = 0
            waiting = 0
            isShifted = false
            result.append(UInt8(ascii: "-"))
        }
        for unit in string.utf16 {
            if (0x20...0x7E).contains(unit), !escapes(UInt8(unit)) {
                unshift()
                result.append(UInt8(unit))
                if unit == UInt16(UInt8(ascii: "&")) { result.append(UInt8(ascii: "-")) }
                continue
            }
            if !isShifted { result.append(UInt8(ascii: "&")) }
            isShifted = true
            bits = bits << 16 | UInt32(unit)
            waiting += 16
            while waiting >= 6 {
                waiting -= 6
                digit(bits >> UInt32(waiting))
            }
            bits &= (1 << UInt32(waiting)) - 1
        }
        unshift()
        return result
    }

    public static func encode(_ string: String, escaping escapes: (UInt8) -> Bool = { _ in false }) -> [UInt8] {
        encode(string[...], escaping: escapes)
    }

    /// `nil` if this is not modified UTF-7. Needless shifts, which others write, mean what they say.
    public static func decode(_ bytes: some Collection<UInt8>) -> String? {
        // Of the shift that we are in, the bits that are not yet a unit; `nil` outside.
        var shift: (bits: UInt32, waiting: Int)?
        var isFirstOfShift = false
        var units: [UInt16] = []
        for byte in bytes {
            switch (shift, byte) {
            case (nil, UInt8(ascii: "&")):
                shift = (0, 0)
                isFirstOfShift = true
            case (nil, 0x20...0x7E):
                units.append(UInt16(byte))
            case (nil, _):
                return nil
            case (let (bits, waiting)?, UInt8(ascii: "-")):
                guard waiting < 6, bits == 0 else { return nil }
                if isFirstOfShift { units.append(UInt16(UInt8(ascii: "&"))) }
                shift = nil
            case (var (bits, waiting)?, _):
                guard let value = value(of: byte) else { return nil }
                isFirstOfShift = false
                bits = bits << 6 | value
                waiting += 6
                if waiting >= 16 {
                    waiting -= 16
                    units.append(UInt16(truncatingIfNeeded: bits >> UInt32(waiting)))
                    bits &= (1 << UInt32(waiting)) - 1
                }
                shift = (bits, waiting)
            }
        }
        // A surrogate alone is no character.
        return shift == nil ? String(validating: units, as: UTF16.self) : nil
    }

    /// `nil` unless `bytes` are exactly what `encode` makes of some string: every name has one form, so printable characters
    /// in base64, needless shifts and left-over bits are refused as §5.1.3 demands.
    public static func decodeCanonical(_ bytes: some Collection<UInt8>) -> String? {
        guard let string = decode(bytes), encode(string).elementsEqual(bytes) else { return nil }
        return string
    }

    private static func value(of byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(byte - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(byte - UInt8(ascii: "a") + 26)
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0") + 52)
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: ","): 63
        default: nil
        }
    }
}
