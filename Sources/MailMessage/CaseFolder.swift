@_spi(_Unicode) import Swift

/// Prepares text for comparison by i;unicode-casemap (RFC 5051 §2): each character in title case, then decomposed.
///
/// Of the compatibility decompositions, which the Swift library does not have, these are made: no-break space, full-width
/// letters, and the Latin ligatures. Not shared between threads: it fills its tables as it meets characters.
public final class CaseFolder {
    /// For every 256 characters of the first two planes that were met, what each becomes: one character, or with the
    /// highest bit an index into `longer`.
    private let pages = UnsafeMutableBufferPointer<UnsafeMutablePointer<UInt32>?>.allocate(capacity: 0x200)
    private var longer: [[UInt8]] = []
    private static let isLonger: UInt32 = 1 << 31

    public init() { pages.initialize(repeating: nil) }

    deinit {
        for page in pages { page?.deallocate() }
        pages.deallocate()
    }

    /// Appends valid UTF-8, folded. Bytes that are no UTF-8 are left as they are.
    public func fold(_ bytes: UnsafeRawBufferPointer, into output: inout [UInt8]) {
        var i = 0
        while i < bytes.count {
            // Some hundred characters at once go through a buffer that they cannot outgrow.
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Self.bufferSize) { buffer in
                var written = 0
                while i < bytes.count, written &+ Self.longest <= Self.bufferSize {
                    let byte = bytes[i]
                    if byte < 0x80 {
                        buffer[written] = byte &- 0x61 < 26 ? byte & 0xDF : byte
                        written &+= 1
                        i &+= 1
                        continue
                    }
                    guard case .valid(let count) = utf8Length(bytes, i) else {
                        buffer[written] = byte
                        written &+= 1
                        i &+= 1
                        continue
                    }
                    var scalar = UInt32(byte) & (0x7F >> UInt32(count))
                    for k in 1..<count { scalar = scalar << 6 | UInt32(bytes[i &+ k] & 0x3F) }
                    i &+= count
                    written &+= put(scalar, buffer.baseAddress! + written)
                }
                output.append(contentsOf: UnsafeBufferPointer(rebasing: buffer[..<written]))
            }
        }
    }

    /// So small that it is on the stack.
    private static let bufferSize = 1024
    /// Bytes that one character can become; decompositions that are longer are left alone.
    private static let longest = 32

    /// The same for text within an array.
    public func fold(_ bytes: ArraySlice<UInt8>, into output: inout [UInt8]) {
        bytes.withUnsafeBytes { fold($0, into: &output) }
    }

    public func fold(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        var output: [UInt8] = []
        Array(bytes).withUnsafeBytes { fold($0, into: &output) }
        return output
    }

    /// Writes what `scalar` becomes, and returns its length.
    @inline(__always)
    private func put(_ scalar: UInt32, _ output: UnsafeMutablePointer<UInt8>) -> Int {
        let number = Int(scalar >> 8)
        guard number < pages.count else { return Self.putUTF8(scalar, output) }
        let page = pages[number] ?? makePage(number)
        let entry = page[Int(scalar & 0xFF)]
        if entry & Self.isLonger == 0 { return Self.putUTF8(entry, output) }
        let bytes = longer[Int(entry & ~Self.isLonger)]
        for (index, byte) in bytes.enumerated() { output[index] = byte }
        return bytes.count
    }

    private func makePage(_ number: Int) -> UnsafeMutablePointer<UInt32> {
        let page = UnsafeMutablePointer<UInt32>.allocate(capacity: 256)
        for index in 0..<256 {
            let value = UInt32(number << 8 | index)
            (page + index).initialize(to: value)
            guard let scalar = Unicode.Scalar(value) else { continue }
            let folded = Self.folded(scalar)
            if folded.count == 1 {
                page[index] = folded[0]
                continue
            }
            var bytes: [UInt8] = []
            for scalar in folded.compactMap({ Unicode.Scalar($0) }) { bytes.append(contentsOf: Array(String(scalar).utf8)) }
            guard bytes.count <= Self.longest else { continue }
            longer.append(bytes)
            page[index] = UInt32(longer.count - 1) | Self.isLonger
        }
        pages[number] = page
        return page
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

    @inline(__always)
    private static func putUTF8(_ scalar: UInt32, _ output: UnsafeMutablePointer<UInt8>) -> Int {
        switch scalar {
        case 0..<0x80:
            output[0] = UInt8(truncatingIfNeeded: scalar)
            return 1
        case 0x80..<0x800:
            output[0] = 0xC0 | UInt8(truncatingIfNeeded: scalar >> 6)
            output[1] = 0x80 | UInt8(truncatingIfNeeded: scalar & 0x3F)
            return 2
        case 0x800..<0x10000:
            output[0] = 0xE0 | UInt8(truncatingIfNeeded: scalar >> 12)
            output[1] = 0x80 | UInt8(truncatingIfNeeded: scalar >> 6 & 0x3F)
            output[2] = 0x80 | UInt8(truncatingIfNeeded: scalar & 0x3F)
            return 3
        default:
            output[0] = 0xF0 | UInt8(truncatingIfNeeded: scalar >> 18)
            output[1] = 0x80 | UInt8(truncatingIfNeeded: scalar >> 12 & 0x3F)
            output[2] = 0x80 | UInt8(truncatingIfNeeded: scalar >> 6 & 0x3F)
            output[3] = 0x80 | UInt8(truncatingIfNeeded: scalar & 0x3F)
            return 4
        }
    }
}
