import CLinux
import Glibc
import IMAPTypes

/// Writes numbers, little-endian, and bytes one after another.
struct ByteWriter {
    var bytes: [UInt8] = []

    mutating func number<T: FixedWidthInteger>(_ value: T) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// Overwrites a number written before.
    mutating func number<T: FixedWidthInteger>(_ value: T, at offset: Int) {
        withUnsafeBytes(of: value.littleEndian) { bytes.replaceSubrange(offset..<offset + $0.count, with: $0) }
    }

    mutating func raw(_ more: some Sequence<UInt8>) { bytes.append(contentsOf: more) }

    /// Zeros, up to the next multiple of `alignment`.
    mutating func pad(to alignment: Int) {
        let rest = bytes.count % alignment
        if rest > 0 { bytes.append(contentsOf: repeatElement(0, count: alignment - rest)) }
    }
}

/// Reads what a `ByteWriter` wrote. After the first read beyond the end everything reads as zero, and `isWhole` tells.
struct ByteReader {
    let bytes: UnsafeRawBufferPointer
    private(set) var offset = 0
    private(set) var isWhole = true

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var isAtEnd: Bool { offset >= bytes.count }

    mutating func number<T: FixedWidthInteger>(_ type: T.Type = T.self) -> T {
        let size = MemoryLayout<T>.size
        guard bytes.count - offset >= size else {
            isWhole = false
            offset = bytes.count
            return 0
        }
        defer { offset += size }
        return T(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
    }

    mutating func raw(_ count: Int) -> UnsafeRawBufferPointer {
        guard count >= 0, bytes.count - offset >= count else {
            isWhole = false
            offset = bytes.count
            return UnsafeRawBufferPointer(start: nil, count: 0)
        }
        defer { offset += count }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
    }
}

/// How a file of ours begins: letters that name its kind, the version of its format, a checksum of all that follows in the
/// header.
struct SealedHeader {
    let byteCount: Int
    private let beginning: [UInt8]

    init(_ letters: String, version: UInt32? = nil, byteCount: Int) {
        self.byteCount = byteCount
        var writer = ByteWriter(bytes: Array(letters.utf8))
        if let version { writer.number(version) }
        beginning = writer.bytes
    }

    /// The header with what `body` writes, and zeros to its end.
    func bytes(_ body: (inout ByteWriter) -> Void) -> [UInt8] {
        var writer = ByteWriter(bytes: beginning)
        writer.number(UInt32(0))
        body(&writer)
        writer.pad(to: byteCount)
        let crc = writer.bytes.withUnsafeBytes { crc32c(UnsafeRawBufferPointer(rebasing: $0[(beginning.count + 4)...])) }
        writer.number(crc, at: beginning.count)
        return writer.bytes
    }

    /// For what `body` wrote; `nil` if it is no such header, or damaged.
    func reader(of bytes: UnsafeRawBufferPointer) -> ByteReader? {
        guard bytes.count == byteCount else { return nil }
        var reader = ByteReader(bytes)
        guard reader.raw(beginning.count).elementsEqual(beginning),
              reader.number(UInt32.self) == crc32c(UnsafeRawBufferPointer(rebasing: bytes[(beginning.count + 4)...]))
        else { return nil }
        return reader
    }
}

extension ObjectID {
    /// A message's id is that of its base name, so that it is the same again if side files are lost: the name of a copy has
    /// that of its original in a field `,G=`.
    init(baseName: UnsafeRawBufferPointer) {
        if let carried = FileName.carriedID(of: baseName) {
            self = carried
            return
        }
        // FNV-1a with two bases, each finished by the mixer of SplitMix64.
        var a: UInt64 = 0xCBF2_9CE4_8422_2325, b: UInt64 = 0x9AE1_6A3B_2F90_404F
        for byte in baseName {
            a = (a ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
            b = (b &+ UInt64(byte)) &* 0x9E37_79B9_7F4A_7C15
            b ^= b >> 29
        }
        self.init(low: Self.mixed(a), high: Self.mixed(b ^ a.byteSwapped))
    }

    private static func mixed(_ value: UInt64) -> UInt64 {
        var z = value &+ 0x9E37_79B9_7F4A_7C15
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    /// 22 digits of 6 bits, the most significant first (RFC 4648 §5): it must be short, and can stand in a file name.
    var base64: [UInt8] {
        let value = UInt128(high) << 64 | UInt128(low)
        return stride(from: 126, through: 0, by: -6).map { Self.digits[Int(truncatingIfNeeded: value >> UInt128($0)) & 63] }
    }

    /// `nil` unless `text` is what `base64` writes.
    init?(base64 text: some Collection<UInt8>) {
        guard text.count == 22 else { return nil }
        var low: UInt64 = 0, high: UInt64 = 0
        for (index, byte) in text.enumerated() {
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): digit = byte - UInt8(ascii: "A")
            case UInt8(ascii: "a")...UInt8(ascii: "z"): digit = byte - UInt8(ascii: "a") + 26
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0") + 52
            case UInt8(ascii: "-"): digit = 62
            case UInt8(ascii: "_"): digit = 63
            default: return nil
            }
            // 22 digits hold four bits more than there are.
            if index == 0, digit >= 4 { return nil }
            high = high << 6 | low >> 58
            low = low << 6 | UInt64(digit)
        }
        self.init(low: low, high: high)
    }
}

func hexadecimalText(_ value: UInt64, _ digits: Int) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
}

/// Nanoseconds since the epoch.
func now() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return nanoseconds(time)
}

func nanoseconds(_ time: timespec) -> Int64 {
    Int64(time.tv_sec).multipliedReportingOverflow(by: 1_000_000_000).partialValue &+ Int64(time.tv_nsec)
}

func crc32c(_ bytes: UnsafeRawBufferPointer, after crc: UInt32 = 0) -> UInt32 {
    clinux_crc32c(crc, bytes.baseAddress, bytes.count)
}
