import Glibc

let CR = UInt8(ascii: "\r"), LF = UInt8(ascii: "\n"), SP = UInt8(ascii: " "), HT = UInt8(ascii: "\t")

/// Line feeds, and those without a carriage return before, in a piece of text that follows on a piece of which the last
/// byte was a CR or not.
func countLineEnds(_ bytes: UnsafePointer<UInt8>, _ count: Int, afterCR: Bool) -> (lines: Int, bare: Int) {
    var lines = 0, pairs = 0
    guard count > 0 else { return (0, 0) }
    if bytes[0] == LF {
        lines = 1
        pairs = afterCR ? 1 : 0
    }
    var i = 1
    let raw = UnsafeRawPointer(bytes)
    let lf = SIMD16<UInt8>(repeating: LF), cr = SIMD16<UInt8>(repeating: CR)
    let one = SIMD16<UInt8>(repeating: 1), zero = SIMD16<UInt8>(repeating: 0)
    while i &+ 16 <= count {
        // A lane counts to 255 at most before the lanes are added up.
        let blocks = min((count &- i) / 16, 255)
        var lineLanes = zero, pairLanes = zero
        for _ in 0..<blocks {
            let isLF = raw.loadUnaligned(fromByteOffset: i, as: SIMD16<UInt8>.self) .== lf
            let isPair = isLF .& (raw.loadUnaligned(fromByteOffset: i &- 1, as: SIMD16<UInt8>.self) .== cr)
            lineLanes &+= zero.replacing(with: one, where: isLF)
            pairLanes &+= zero.replacing(with: one, where: isPair)
            i &+= 16
        }
        lines &+= Int(SIMD16<UInt16>(truncatingIfNeeded: lineLanes).wrappedSum())
        pairs &+= Int(SIMD16<UInt16>(truncatingIfNeeded: pairLanes).wrappedSum())
    }
    while i < count {
        if bytes[i] == LF {
            lines &+= 1
            if bytes[i &- 1] == CR { pairs &+= 1 }
        }
        i &+= 1
    }
    return (lines, lines &- pairs)
}

/// Makes every line end CRLF, of text that comes in pieces.
public struct WireConverter: Sendable {
    private var afterCR = false

    public init() {}

    /// At most that many bytes come out of `count`.
    public static func longest(_ count: Int) -> Int { count * 2 }

    /// As `convert`, but tells only how many bytes it would write.
    public mutating func skip(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard let base = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), !bytes.isEmpty else { return 0 }
        let (_, bare) = countLineEnds(base, bytes.count, afterCR: afterCR)
        afterCR = base[bytes.count - 1] == CR
        return bytes.count + bare
    }

    /// Writes `bytes` with CRLF for every line end to `output`, which must have room for what `skip` tells, as `longest` of their
    /// count is at least. Returns how many bytes it wrote.
    public mutating func convert(_ bytes: UnsafeRawBufferPointer, to output: UnsafeMutableRawPointer) -> Int {
        guard let base = bytes.baseAddress, !bytes.isEmpty else { return 0 }
        var from = base, to = output
        let end = base + bytes.count
        while from < end, let found = memchr(from, Int32(LF), end - from) {
            let count = UnsafeRawPointer(found) - from
            memcpy(to, from, count)
            to += count
            let hasCR = count > 0 ? (to - 1).load(as: UInt8.self) == CR : afterCR
            if !hasCR {
                to.storeBytes(of: CR, as: UInt8.self)
                to += 1
            }
            to.storeBytes(of: LF, as: UInt8.self)
            to += 1
            from += count + 1
            afterCR = false
        }
        if from < end {
            memcpy(to, from, end - from)
            to += end - from
            afterCR = (end - 1).load(as: UInt8.self) == CR
        }
        return to - output
    }
}
