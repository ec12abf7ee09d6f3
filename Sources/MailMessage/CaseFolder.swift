@_spi(_Unicode) import Swift

/// Prepares text for comparison by i;unicode-casemap (RFC 5051 §2): each character in title case, then decomposed.
///
/// Of the compatibility decompositions, which the Swift library does not have, these are made: no-break space, full-width
/// letters, and the Latin ligatures. Not shared between threads: it fills its tables as it meets characters.
public final class CaseFolder {
    /// For every 256 characters of the first two planes that were met, what each becomes: one character, or with the
    /// highest bit an index into `longer`.
    private var pages: [[UInt32]?] = Array(repeating: nil, count: 0x200)
    private var longer: [[UInt8]] = []
    private static let isLonger: UInt32 = 1 << 31

    public init() {}

    /// Appends valid UTF-8, folded. Bytes that are no UTF-8 are left as they are.
    public func fold(_ bytes: UnsafeRawBufferPointer, into output: inout [UInt8]) {
        output.reserveCapacity(output.count + bytes.count)
        var i = 0
        while i < bytes.count {
            let byte = bytes[i]
            if byte < 0x80 {
                output.append(byte &- 0x61 < 26 ? byte & 0xDF : byte)
                i &+= 1
                continue
            }
            guard case .valid(let count) = utf8Length(bytes, i) else {
                output.append(byte)
                i &+= 1
                continue
            }
            var scalar = UInt32(byte) & (0x7F >> UInt32(count))
            for k in 1..<count { scalar = scalar << 6 | UInt32(bytes[i &+ k] & 0x3F) }
            i &+= count
            append(scalar, to: &output)
        }
    }

    public func fold(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        var output: [UInt8] = []
        Array(bytes).withUnsafeBytes { fold($0, into: &output) }
        return output
    }

    private func append(_ scalar: UInt32, to output: inout [UInt8]) {
        let page = Int(scalar >> 8)
        guard page < pages.count else {
            Self.appendUTF8(scalar, to: &output)
            return
        }
        if pages[page] == nil { pages[page] = makePage(scalar & ~0xFF) }
        let entry = pages[page].unsafelyUnwrapped[Int(scalar & 0xFF)]
        if entry & Self.isLonger == 0 {
            Self.appendUTF8(entry, to: &output)
        } else {
            output.append(contentsOf: longer[Int(entry & ~Self.isLonger)])
        }
    }

    private func makePage(_ first: UInt32) -> [UInt32] {
        (first..<first + 256).map { value in
            guard let scalar = Unicode.Scalar(value) else { return value }
            let folded = Self.folded(scalar)
            if folded.count == 1 { return folded[0] }
            var bytes: [UInt8] = []
            for scalar in folded { Self.appendUTF8(scalar, to: &bytes) }
            longer.append(bytes)
            return UInt32(longer.count - 1) | Self.isLonger
        }
    }

    private static func folded(_ scalar: Unicode.Scalar) -> [UInt32] {
        switch scalar.value {
        case 0xA0: return [0x20]
        case 0xFF01...0xFF5E: return folded(Unicode.Scalar(scalar.value - 0xFEE0) ?? scalar)
        case 0xFB00...0xFB06:
            return ["FF", "FI", "FL", "FFI", "FFL", "ST", "ST"][Int(scalar.value - 0xFB00)].unicodeScalars.map(\.value)
        default: break
        }
        // RFC 5051 means the simple mapping of UnicodeData.txt, which is one character.
        let title = scalar.properties.titlecaseMapping.unicodeScalars
        let mapped = title.count == 1 ? title[title.startIndex] : scalar
        return String(mapped)._nfd.map(\.value)
    }

    private static func appendUTF8(_ scalar: UInt32, to output: inout [UInt8]) {
        switch scalar {
        case 0..<0x80: output.append(UInt8(truncatingIfNeeded: scalar))
        case 0x80..<0x800:
            output.append(0xC0 | UInt8(truncatingIfNeeded: scalar >> 6))
            output.append(0x80 | UInt8(truncatingIfNeeded: scalar & 0x3F))
        case 0x800..<0x10000:
            output.append(0xE0 | UInt8(truncatingIfNeeded: scalar >> 12))
            output.append(0x80 | UInt8(truncatingIfNeeded: scalar >> 6 & 0x3F))
            output.append(0x80 | UInt8(truncatingIfNeeded: scalar & 0x3F))
        default:
            output.append(0xF0 | UInt8(truncatingIfNeeded: scalar >> 18))
            output.append(0x80 | UInt8(truncatingIfNeeded: scalar >> 12 & 0x3F))
            output.append(0x80 | UInt8(truncatingIfNeeded: scalar >> 6 & 0x3F))
            output.append(0x80 | UInt8(truncatingIfNeeded: scalar & 0x3F))
        }
    }
}
