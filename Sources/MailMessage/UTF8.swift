enum UTF8Character {
    /// A character of so many bytes.
    case valid(Int)
    /// The start of one that goes on beyond the end.
    case cut
    case invalid
}

/// What stands at `i` (RFC 3629 §4).
@inline(__always)
func utf8Length(_ bytes: UnsafeRawBufferPointer, _ i: Int) -> UTF8Character {
    let first = bytes[i]
    if first < 0x80 { return .valid(1) }
    let count: Int
    var low: UInt8 = 0x80, high: UInt8 = 0xBF
    switch first {
    case 0xC2...0xDF: count = 2
    case 0xE0: count = 3; low = 0xA0
    case 0xE1...0xEC, 0xEE, 0xEF: count = 3
    case 0xED: count = 3; high = 0x9F
    case 0xF0: count = 4; low = 0x90
    case 0xF1...0xF3: count = 4
    case 0xF4: count = 4; high = 0x8F
    default: return .invalid
    }
    var k = 1
    while k < count {
        guard i &+ k < bytes.count else { return .cut }
        guard low <= bytes[i &+ k], bytes[i &+ k] <= high else { return .invalid }
        low = 0x80
        high = 0xBF
        k &+= 1
    }
    return .valid(count)
}

/// Whether there is no byte of 0x80 or more.
public func isASCII(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var i = 0
    var all: UInt64 = 0
    while i &+ 32 <= bytes.count {
        for word in 0..<4 { all |= bytes.loadUnaligned(fromByteOffset: i &+ word &* 8, as: UInt64.self) }
        if all & 0x8080_8080_8080_8080 != 0 { return false }
        i &+= 32
    }
    while i < bytes.count {
        if bytes[i] >= 0x80 { return false }
        i &+= 1
    }
    return true
}
