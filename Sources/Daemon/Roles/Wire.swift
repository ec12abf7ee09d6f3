/// Bytes of the messages between processes: numbers with the highest byte first, strings after their length.
struct WireWriter {
    private(set) var bytes: [UInt8] = []

    /// - Parameter capacity: bytes that are written without leaving copies behind.
    init(capacity: Int = 64) { bytes.reserveCapacity(capacity) }

    mutating func byte(_ value: UInt8) { bytes.append(value) }

    mutating func number(_ value: UInt32) {
        for shift: UInt32 in [24, 16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) }
    }

    mutating func string(_ value: some Collection<UInt8>) {
        number(UInt32(clamping: value.count))
        bytes += value
    }
}

/// Reads what `WireWriter` wrote, or, from somebody who wishes us ill, anything: every answer is `nil` beyond the end.
struct WireReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    /// Whether all has been read, and nothing beyond was asked for.
    var isAtEnd: Bool { rest.isEmpty }

    mutating func byte() -> UInt8? { rest.popFirst() }

    mutating func number() -> UInt32? {
        guard rest.count >= 4 else { return nil }
        var value: UInt32 = 0
        for byte in rest.prefix(4) { value = value << 8 | UInt32(byte) }
        rest = rest.dropFirst(4)
        return value
    }

    mutating func string(atMost limit: Int) -> ArraySlice<UInt8>? {
        guard let count = number(), count <= limit, Int(count) <= rest.count else { return nil }
        defer { rest = rest.dropFirst(Int(count)) }
        return rest.prefix(Int(count))
    }

    mutating func text(atMost limit: Int) -> String? {
        string(atMost: limit).flatMap { String(validating: $0, as: UTF8.self) }
    }
}
