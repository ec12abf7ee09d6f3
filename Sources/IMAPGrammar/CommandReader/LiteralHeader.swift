/// `{size}`, `{size+}`, `~{size}` or `~{size+}` (RFC 9051 §4.3, §9; RFC 4466 §3; RFC 7888).
public struct LiteralHeader: Hashable, Sendable {
    /// Bytes: up to 2^63 - 1; `UInt64.max` for a number beyond.
    public var size: UInt64
    /// Whether the client waits for "+" before it sends the bytes.
    public var isSynchronizing: Bool
    /// literal8: the bytes may have NUL among them.
    public var isBinary: Bool

    public init(size: UInt64, isSynchronizing: Bool, isBinary: Bool) {
        self.size = size
        self.isSynchronizing = isSynchronizing
        self.isBinary = isBinary
    }
}

extension LiteralHeader {
    /// A line's end that may be a header is looked at no further back than this, so that a line that is being skipped
    /// need not be kept. A number with so many digits is beyond any size, leading zeros or not.
    static let longest = 64

    /// The header that `line`, which ends in LF, ends with, and its length with the line end.
    ///
    /// A literal follows a space or "(" everywhere in the grammar; a "{5}" at the end of a word announces nothing.
    static func atEnd(of line: ArraySlice<UInt8>) -> (header: LiteralHeader, length: Int)? {
        let line = line.suffix(longest)
        var at = line.endIndex
        /// Steps back over `byte`.
        func back(_ byte: Unicode.Scalar) -> Bool {
            guard at > line.startIndex, line[at - 1] == UInt8(ascii: byte) else { return false }
            at -= 1
            return true
        }
        guard back("\n") else { return nil }
        _ = back("\r")
        guard back("}") else { return nil }
        let isSynchronizing = !back("+")
        let end = at
        while at > line.startIndex, line[at - 1].isDigit { at -= 1 }
        guard at < end else { return nil }
        let digits = line[at..<end]
        guard at > line.startIndex else {
            return (LiteralHeader(size: .max, isSynchronizing: isSynchronizing, isBinary: false), line.count)
        }
        guard back("{") else { return nil }
        let isBinary = back("~")
        guard at == line.startIndex || line[at - 1] == UInt8(ascii: " ") || line[at - 1] == UInt8(ascii: "(") else { return nil }
        return (LiteralHeader(size: value(of: digits), isSynchronizing: isSynchronizing, isBinary: isBinary),
                line.endIndex - at)
    }

    /// `UInt64.max` for what is no number64.
    private static func value(of digits: ArraySlice<UInt8>) -> UInt64 {
        var value: UInt64 = 0
        for digit in digits {
            let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tens.addingReportingOverflow(UInt64(digit - 0x30))
            guard !overflow, !carry, sum <= UInt64(Int64.max) else { return .max }
            value = sum
        }
        return value
    }
}
