import IMAPTypes

/// Writes responses (RFC 9051 §7, §9) into a buffer, for a session to send.
///
/// The parser's mirror: a method writes its rule. The caller says what, the serializer chooses how: quoted or literal,
/// modified UTF-7 or UTF-8.
public struct Serializer: Sendable {
    /// What was written and not yet removed.
    public internal(set) var bytes: [UInt8] = []
    /// How names and strings are written.
    public var mode: WireMode

    public init(mode: WireMode = []) {
        self.mode = mode
    }

    public var count: Int { bytes.count }
    public var isEmpty: Bool { bytes.isEmpty }

    /// Forgets what was written: it has been sent.
    ///
    /// The buffer is kept for the next response, unless it grew beyond what is usual.
    public mutating func removeAll() {
        bytes.removeAll(keepingCapacity: bytes.capacity <= Self.largestIdleBuffer)
    }

    private static let largestIdleBuffer = 262_144

    /// Gives back what is not needed while nothing is said, if nothing is kept there.
    public mutating func releaseBuffer() {
        if bytes.isEmpty { bytes = [] }
    }

    mutating func reserve(_ count: Int) {
        if bytes.capacity - bytes.count < count { bytes.reserveCapacity(max(2 * bytes.capacity, bytes.count + count)) }
    }

    // MARK: - Bytes

    /// Bytes that are right as they are: part of the grammar, or serialized before.
    public mutating func write(_ text: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    public mutating func write(_ bytes: UnsafeRawBufferPointer) {
        self.bytes.append(contentsOf: bytes)
    }

    public mutating func write(_ bytes: [UInt8]) {
        self.bytes.append(contentsOf: bytes)
    }

    /// At most `count` bytes, which `body` puts into the buffer it is handed, and counts.
    public mutating func write(atMost count: Int, _ body: (UnsafeMutableRawBufferPointer) -> Int) {
        reserve(count)
        bytes.append(addingCapacity: count) { span in
            span.withUnsafeMutableBufferPointer { buffer, initialized in
                let room = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[initialized...])
                initialized += body(room)
            }
        }
    }

    /// What was written before, at `range` of `bytes`.
    public mutating func writeAgain(_ range: Range<Int>) {
        reserve(range.count)
        for index in range { bytes.append(bytes[index]) }
    }

    mutating func write(byte: UInt8) {
        bytes.append(byte)
    }

    public mutating func space() { bytes.append(0x20) }
    public mutating func open() { bytes.append(UInt8(ascii: "(")) }
    public mutating func close() { bytes.append(UInt8(ascii: ")")) }
    public mutating func crlf() { write("\r\n") }

    /// "(" [item *(SP item)] ")"
    public mutating func parenthesized<Items: Sequence>(_ items: Items, _ write: (inout Serializer, Items.Element) -> Void) {
        open()
        separated(items, by: " ", write)
        close()
    }

    /// [item *(separator item)]
    mutating func separated<Items: Sequence>(
        _ items: Items, by separator: StaticString, _ write: (inout Serializer, Items.Element) -> Void
    ) {
        var isFirst = true
        for item in items {
            if !isFirst { self.write(separator) }
            isFirst = false
            write(&self, item)
        }
    }
}
