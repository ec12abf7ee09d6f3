import Glibc

/// The fields of a header that is in memory, as it is stored.
public struct HeaderBlock {
    public struct Field {
        /// The name, without the colon.
        public var name: Range<Int>
        /// From the name to the end of the last line, its line end included.
        public var whole: Range<Int>
        /// Folded; with the white space and the line ends around it.
        public var value: Range<Int>
    }

    private let bytes: UnsafeRawBufferPointer
    private var at = 0

    /// `bytes` must outlive this; they begin with the first field and end with the empty line, or before.
    public init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// The next field. What is no field, nor the continuation of one, is skipped, as `MessageParser` skips it.
    public mutating func next() -> Field? {
        while at < bytes.count {
            let start = at
            var end = lineEnd(start)
            at = end
            var count = start
            while count < end, bytes[count] > SP, bytes[count] < 0x7F, bytes[count] != UInt8(ascii: ":") { count &+= 1 }
            var colon = count
            while colon < end, bytes[colon] == SP || bytes[colon] == HT { colon &+= 1 }
            // Only the start of a line can be a name; see `Limits`.
            guard count > start, colon < end, bytes[colon] == UInt8(ascii: ":"), colon - start < Limits.lineStart else {
                continue
            }
            while end < bytes.count, bytes[end] == SP || bytes[end] == HT { end = lineEnd(end) }
            at = end
            return Field(name: start..<count, whole: start..<end, value: colon + 1..<end)
        }
        return nil
    }

    private func lineEnd(_ start: Int) -> Int {
        guard let base = bytes.baseAddress, let found = memchr(base + start, Int32(LF), bytes.count - start) else {
            return bytes.count
        }
        return UnsafeRawPointer(found) - base + 1
    }

    /// `value` without the white space and line ends around it, if it is one line of ASCII without encoded words: as people read
    /// it. `nil` if it is not.
    public static func plain(_ value: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        var start = 0, end = value.count
        while start < end, value[start].isSpace { start &+= 1 }
        while end > start, value[end &- 1].isSpace { end &-= 1 }
        guard start < end else { return UnsafeRawBufferPointer(rebasing: value[start..<end]) }
        let plain = UnsafeRawBufferPointer(rebasing: value[start..<end])
        let base = plain.baseAddress!
        guard isASCII(plain), memchr(base, Int32(LF), plain.count) == nil else { return nil }
        var at = 0
        while at < plain.count, let found = memchr(base + at, Int32(UInt8(ascii: "=")), plain.count - at) {
            at = UnsafeRawPointer(found) - base + 1
            if at < plain.count, plain[at] == UInt8(ascii: "?") { return nil }
        }
        return plain
    }

    /// Appends `value` unfolded: without line ends, and without white space at its ends.
    public static func unfold(_ value: UnsafeRawBufferPointer, into output: inout [UInt8]) {
        var start = 0, end = value.count
        while start < end, value[start].isSpace { start &+= 1 }
        while end > start, value[end &- 1].isSpace { end &-= 1 }
        while start < end, let found = memchr(value.baseAddress! + start, Int32(LF), end - start) {
            let feed = UnsafeRawPointer(found) - value.baseAddress!
            let textEnd = feed > start && value[feed - 1] == CR ? feed - 1 : feed
            output.append(contentsOf: UnsafeRawBufferPointer(rebasing: value[start..<textEnd]))
            start = feed + 1
        }
        output.append(contentsOf: UnsafeRawBufferPointer(rebasing: value[start..<end]))
    }

    /// HEADER.FIELDS and HEADER.FIELDS.NOT (RFC 9051 §6.4.5.1): appends the fields whose names are, or are not, among
    /// `names`, in any case, and the empty line that ends a header; with CRLF for every line end.
    public static func select(_ names: [[UInt8]], isNot: Bool, from header: UnsafeRawBufferPointer, into output: inout [UInt8]) {
        var block = HeaderBlock(header)
        while let field = block.next() {
            guard isNamed(header, field.name, among: names) != isNot else { continue }
            appendLines(UnsafeRawBufferPointer(rebasing: header[field.whole]), to: &output)
        }
        output.append(CR)
        output.append(LF)
    }

    /// Whether a field's name is one of `names`, in any case.
    private static func isNamed(_ header: UnsafeRawBufferPointer, _ name: Range<Int>, among names: [[UInt8]]) -> Bool {
        guard let start = header.baseAddress?.assumingMemoryBound(to: CChar.self) else { return false }
        for wanted in names where wanted.count == name.count {
            let isSame = wanted.withUnsafeBytes { wanted in
                guard let wanted = wanted.baseAddress?.assumingMemoryBound(to: CChar.self) else { return true }
                return strncasecmp(start + name.lowerBound, wanted, name.count) == 0
            }
            if isSame { return true }
        }
        return false
    }

    /// Appends lines with CRLF for every line end, one for the last line included.
    public static func appendLines(_ lines: UnsafeRawBufferPointer, to output: inout [UInt8]) {
        var start = 0
        while start < lines.count {
            var end = lines.count, next = lines.count
            if let found = memchr(lines.baseAddress! + start, Int32(LF), lines.count - start) {
                end = UnsafeRawPointer(found) - lines.baseAddress!
                next = end + 1
                if end > start, lines[end - 1] == CR { end -= 1 }
            }
            output.append(contentsOf: UnsafeRawBufferPointer(rebasing: lines[start..<end]))
            output.append(CR)
            output.append(LF)
            start = next
        }
    }
}
