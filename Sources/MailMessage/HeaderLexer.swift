/// The tokens of structured fields (RFC 5322 §3.2, RFC 2045 §5.1), found in any bytes: it never fails, it only ends.
///
/// Works on an unfolded value. Positions, not recursion: comments nest to any depth.
struct HeaderLexer {
    private var at: UnsafePointer<UInt8>
    private let end: UnsafePointer<UInt8>

    /// `bytes` must outlive the lexer.
    init(_ bytes: UnsafeBufferPointer<UInt8>) {
        // An empty buffer may have no address; any will do, nothing is read.
        at = bytes.baseAddress ?? UnsafePointer(bitPattern: 1)!
        end = bytes.isEmpty ? at : at + bytes.count
    }

    var isAtEnd: Bool { at >= end }
    var peek: UInt8? { at < end ? at.pointee : nil }
    var position: UnsafePointer<UInt8> { at }

    mutating func advance() { if at < end { at += 1 } }

    mutating func accept(_ byte: UInt8) -> Bool {
        guard at < end, at.pointee == byte else { return false }
        at += 1
        return true
    }

    /// CFWS (RFC 5322 §3.2.2).
    mutating func skipCFWS() {
        while at < end {
            if at.pointee.isSpace { at += 1 } else if at.pointee == UInt8(ascii: "(") { skipComment(into: nil) } else { return }
        }
    }

    /// CFWS; the text of its last comment is put into `comment`, without the parentheses.
    mutating func skipCFWS(keeping comment: inout [UInt8]) {
        while at < end {
            if at.pointee.isSpace { at += 1 } else if at.pointee == UInt8(ascii: "(") {
                comment.removeAll(keepingCapacity: true)
                withUnsafeMutablePointer(to: &comment) { skipComment(into: $0) }
            } else { return }
        }
    }

    private mutating func skipComment(into text: UnsafeMutablePointer<[UInt8]>?) {
        at += 1
        var depth = 1
        while at < end {
            var byte = at.pointee
            at += 1
            switch byte {
            case UInt8(ascii: "("): depth += 1
            case UInt8(ascii: ")"):
                depth -= 1
                if depth == 0 { return }
            case UInt8(ascii: "\\") where at < end:
                byte = at.pointee
                at += 1
            default: break
            }
            text?.pointee.append(byte)
        }
    }

    /// The content of the quoted-string that begins here, with its quoted-pairs undone. One that does not end takes the rest.
    mutating func quotedString(into text: inout [UInt8]) {
        at += 1
        while at < end {
            var byte = at.pointee
            at += 1
            if byte == UInt8(ascii: "\"") { return }
            if byte == UInt8(ascii: "\\"), at < end {
                byte = at.pointee
                at += 1
            }
            text.append(byte)
        }
    }

    /// The bytes up to the first for which `isEnd` holds.
    mutating func take(until isEnd: (UInt8) -> Bool) -> UnsafeBufferPointer<UInt8> {
        let start = at
        while at < end, !isEnd(at.pointee) { at += 1 }
        return UnsafeBufferPointer(start: start, count: at - start)
    }

    /// token (RFC 2045 §5.1), possibly empty; 8-bit bytes are taken for letters.
    mutating func token() -> UnsafeBufferPointer<UInt8> { take { !$0.isTokenCharacter } }
}

extension UInt8 {
    /// White space of an unfolded value; a stray CR or LF is no more than that.
    @inline(__always) var isSpace: Bool { self == SP || self == HT || self == CR || self == LF }

    /// <any CHAR except SPACE, CTLs, or tspecials> (RFC 2045 §5.1), and any 8-bit byte.
    var isTokenCharacter: Bool {
        switch self {
        case 0...0x20, 0x7F, UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "@"),
             UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: ":"), UInt8(ascii: "\\"), UInt8(ascii: "\""),
             UInt8(ascii: "/"), UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "?"), UInt8(ascii: "="): false
        default: true
        }
    }

    @inline(__always) var asciiLowercased: UInt8 { self &- 0x41 < 26 ? self | 0x20 : self }
}

extension Collection<UInt8> {
    /// Whether these bytes are `name`, which is in lower case, in any case.
    func isCaseInsensitively(_ name: StaticString) -> Bool {
        count == name.utf8CodeUnitCount && UnsafeBufferPointer(start: name.utf8Start, count: count).elementsEqual(self) {
            $0 == $1.asciiLowercased
        }
    }
}

extension UnsafeBufferPointer<UInt8> {
    /// Without white space at the ends.
    func trimmed() -> UnsafeBufferPointer<UInt8> {
        var start = 0, end = count
        while start < end, self[start].isSpace { start += 1 }
        while end > start, self[end - 1].isSpace { end -= 1 }
        return UnsafeBufferPointer(rebasing: self[start..<end])
    }
}
