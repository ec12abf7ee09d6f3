import Glibc

/// Finds a string in text that comes in pieces, without regard to case and, beyond ASCII, to how letters are composed
/// (i;unicode-casemap, RFC 5051).
///
/// Text of ASCII only, which most is, is searched as it is; the rest is folded first.
public struct TextSearcher {
    /// Folded; ASCII letters are upper case.
    private let needle: [UInt8]
    private let isASCIINeedle: Bool
    private let folder: CaseFolder
    /// The end of the folded text so far: shorter by one than the needle, at most.
    private var tail: [UInt8] = []
    private var folded: [UInt8] = []
    public private(set) var isFound: Bool

    /// `needle` is UTF-8. An empty one is found in any text, even none (RFC 9051 §6.4.4).
    public init(_ needle: [UInt8], folder: CaseFolder) {
        self.needle = folder.fold(needle)
        isASCIINeedle = self.needle.withUnsafeBytes { isASCII($0) }
        self.folder = folder
        isFound = needle.isEmpty
    }

    /// Another text begins, in which the needle may be found as well.
    public mutating func begin() {
        tail.removeAll(keepingCapacity: true)
    }

    /// Forgets what was found, and begins.
    public mutating func reset() {
        begin()
        isFound = needle.isEmpty
    }

    /// The next piece of the text: UTF-8, not cut within a character. Does nothing once the needle is found.
    public mutating func search(_ text: UnsafeRawBufferPointer) {
        guard !isFound, !text.isEmpty else { return }
        if isASCII(text) {
            searchPiece(text, isASCII: true)
        } else {
            folded.removeAll(keepingCapacity: true)
            folder.fold(text, into: &folded)
            var piece: [UInt8] = []
            swap(&piece, &folded)
            piece.withUnsafeBytes { searchPiece($0, isASCII: false) }
            swap(&piece, &folded)
        }
    }

    /// Whether the needle is in a text that is there as a whole: UTF-8.
    public mutating func isIn(_ text: UnsafeRawBufferPointer) -> Bool {
        if needle.isEmpty { return true }
        if isASCII(text) { return isASCIINeedle && contains(text) }
        folded.removeAll(keepingCapacity: true)
        folder.fold(text, into: &folded)
        return folded.withUnsafeBytes { contains($0) }
    }

    private mutating func searchPiece(_ text: UnsafeRawBufferPointer, isASCII: Bool) {
        if !tail.isEmpty {
            // Where the pieces meet.
            let overlap = tail + text.prefix(needle.count - 1)
            isFound = overlap.withUnsafeBytes { contains($0) }
            if isFound { return }
        }
        isFound = (isASCIINeedle || !isASCII) && contains(text)
        if !isFound { keepTail(text) }
    }

    private mutating func keepTail(_ text: UnsafeRawBufferPointer) {
        let length = needle.count - 1
        if text.count >= length {
            tail.removeAll(keepingCapacity: true)
        } else if tail.count + text.count > length {
            tail.removeFirst(tail.count + text.count - length)
        }
        tail.append(contentsOf: text.suffix(length))
    }

    /// Whether the needle is in `text`, of which ASCII letters may be of either case.
    private func contains(_ text: UnsafeRawBufferPointer) -> Bool {
        let count = needle.count
        guard count > 0, text.count >= count else { return count == 0 }
        return needle.withUnsafeBufferPointer { needle in
            let first = needle[0], last = needle[count - 1]
            // Setting one bit makes letters lower case, and a few other bytes equal: those are told apart in `matches`.
            let firsts = SIMD16<UInt8>(repeating: first | 0x20), lasts = SIMD16<UInt8>(repeating: last | 0x20)
            let bit = SIMD16<UInt8>(repeating: 0x20)
            var i = 0
            let end = text.count &- count &+ 1
            while i &+ 16 <= end {
                let a = text.loadUnaligned(fromByteOffset: i, as: SIMD16<UInt8>.self) | bit
                let b = text.loadUnaligned(fromByteOffset: i &+ count &- 1, as: SIMD16<UInt8>.self) | bit
                let candidates = (a .== firsts) .& (b .== lasts)
                if any(candidates) {
                    for lane in 0..<16 where candidates[lane] && matches(text, i &+ lane, needle) { return true }
                }
                i &+= 16
            }
            while i < end {
                if matches(text, i, needle) { return true }
                i &+= 1
            }
            return false
        }
    }

    @inline(__always)
    private func matches(_ text: UnsafeRawBufferPointer, _ start: Int, _ needle: UnsafeBufferPointer<UInt8>) -> Bool {
        for k in 0..<needle.count {
            let byte = text[start &+ k]
            if (byte &- 0x61 < 26 ? byte & 0xDF : byte) != needle[k] { return false }
        }
        return true
    }
}
