/// Modified UTF-7, in which IMAP4rev1 writes mailbox names (RFC 3501 §5.1.3).
///
/// Printable US-ASCII stands for itself, "&" is "&-", and everything else is UTF-16 in a base64 with "," for "/",
/// between "&" and "-".
public enum ModifiedUTF7 {
    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,".utf8)

    public static func encode(_ string: String) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(string.utf8.count)
        // Bits of UTF-16 not yet written: the low `waiting` bits of `bits`.
        var bits: UInt32 = 0, waiting = 0
        var isShifted = false
        func digit(_ value: UInt32) { result.append(digits[Int(value & 63)]) }
        func unshift() {
            if waiting > 0 { digit(bits << UInt32(6 - waiting)) }
            bits = 0
            waiting = 0
            isShifted = false
            result.append(UInt8(ascii: "-"))
        }
        for unit in string.utf16 {
            if (0x20...0x7E).contains(unit) {
                if isShifted { unshift() }
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
        if isShifted { unshift() }
        return result
    }

    /// `nil` unless `bytes` are exactly what `encode` would have made of some string: every name has one form, so
    /// printable characters in base64, needless shifts and left-over bits are refused as §5.1.3 demands.
    public static func decode(_ bytes: some Sequence<UInt8>) -> String? {
        var result = ""
        var isShifted = false
        // The UTF-16 of the shift that we are in, and the bits of it that are not yet a unit.
        var units: [UInt16] = []
        var bits: UInt32 = 0, waiting = 0
        // Whether a shift has just ended: another may not follow at once.
        var afterShift = false
        var isFirstOfShift = false
        for byte in bytes {
            switch (isShifted, byte) {
            case (false, UInt8(ascii: "&")):
                isShifted = true
                isFirstOfShift = true
            case (false, 0x20...0x7E):
                result.unicodeScalars.append(Unicode.Scalar(byte))
                afterShift = false
            case (false, _):
                return nil
            case (true, UInt8(ascii: "-")) where isFirstOfShift:
                result.unicodeScalars.append("&")
                isShifted = false
                afterShift = false
            case (true, UInt8(ascii: "-")):
                guard !afterShift, waiting < 6, bits == 0, let text = decoded(units) else { return nil }
                result.append(text)
                units.removeAll(keepingCapacity: true)
                waiting = 0
                isShifted = false
                afterShift = true
            case (true, _):
                guard let value = value(of: byte) else { return nil }
                isFirstOfShift = false
                bits = bits << 6 | value
                waiting += 6
                if waiting >= 16 {
                    waiting -= 16
                    let unit = UInt16(truncatingIfNeeded: bits >> UInt32(waiting))
                    if (0x20...0x7E).contains(unit) { return nil }
                    units.append(unit)
                    bits &= (1 << UInt32(waiting)) - 1
                }
            }
        }
        return isShifted ? nil : result
    }

    /// `nil` for a lone surrogate, and for nothing.
    private static func decoded(_ units: [UInt16]) -> String? {
        units.isEmpty ? nil : String(validating: units, as: UTF16.self)
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
