/// 128 bits that name a mailbox, a message or a thread for ever (RFC 8474).
public struct ObjectID: Hashable, Sendable {
    public var low: UInt64
    public var high: UInt64

    public init(low: UInt64, high: UInt64) {
        self.low = low
        self.high = high
    }

    public static func random() -> ObjectID {
        ObjectID(low: .random(in: .min ... .max), high: .random(in: .min ... .max))
    }

    /// 32 digits, in lower case.
    public var hexadecimal: String { Self.digits(high) + Self.digits(low) }

    /// `nil` unless `digits` are what `hexadecimal` writes.
    public init?(hexadecimal digits: some Collection<UInt8>) {
        guard digits.count == 32 else { return nil }
        var value: UInt128 = 0
        for digit in digits {
            switch digit {
            case 0x30...0x39: value = value << 4 | UInt128(digit - 0x30)
            case 0x61...0x66: value = value << 4 | UInt128(digit - 0x57)
            default: return nil
            }
        }
        self.init(low: UInt64(truncatingIfNeeded: value), high: UInt64(truncatingIfNeeded: value >> 64))
    }

    private static func digits(_ value: UInt64) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: 16 - text.utf8.count) + text
    }
}
