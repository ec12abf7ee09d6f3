/// RFC 2045 §6.7, tolerant as its notes ask: a "=" that begins nothing stays, white space at the end of a line goes.
struct QuotedPrintableDecoder: Sendable {
    private enum State: Sendable {
        case text
        /// White space, which may turn out to end a line.
        case space
        /// "="
        case equals
        /// "=" and a digit.
        case digit(UInt8)
        /// "=" and white space, which may turn out to be a soft line end.
        case equalsSpace
    }
    private var state = State.text
    /// The bytes of `space` and `equalsSpace`.
    private var held: [UInt8] = []

    /// More white space than that belongs to the line, whatever follows.
    private static let longestHeld = 1024

    mutating func decode(_ bytes: UnsafeRawBufferPointer, into output: inout [UInt8]) {
        var i = 0
        while i < bytes.count {
            let byte = bytes[i]
            switch state {
            case .text:
                i = text(bytes, from: i, into: &output)
            case .space where byte == LF:
                // What is left of the line's white space is its end.
                if held.last == CR { output.append(CR) }
                output.append(LF)
                drop()
                i &+= 1
            case .equalsSpace where byte == LF:
                drop()
                i &+= 1
            case .space where byte.isSpace, .equalsSpace where byte.isSpace:
                if held.count < Self.longestHeld { held.append(byte) } else { release(into: &output); output.append(byte) }
                i &+= 1
            case .space, .equalsSpace:
                release(into: &output)
            case .equals:
                if byte == LF {
                    state = .text
                } else if byte.isSpace {
                    held.append(UInt8(ascii: "="))
                    held.append(byte)
                    state = .equalsSpace
                } else if byte.hexValue != nil {
                    state = .digit(byte)
                } else {
                    output.append(UInt8(ascii: "="))
                    state = .text
                    continue
                }
                i &+= 1
            case .digit(let digit):
                state = .text
                if let high = digit.hexValue, let low = byte.hexValue {
                    output.append(high << 4 | low)
                    i &+= 1
                } else {
                    output.append(UInt8(ascii: "="))
                    output.append(digit)
                }
            }
        }
    }

    /// Decodes from the start of a line or behind what was decoded, up to something that must be held or begins with "=".
    private mutating func text(_ bytes: UnsafeRawBufferPointer, from start: Int, into output: inout [UInt8]) -> Int {
        var i = start
        while i < bytes.count, bytes[i] != UInt8(ascii: "="), bytes[i] != LF { i &+= 1 }
        var end = i
        while end > start, bytes[end &- 1].isSpace { end &-= 1 }
        output.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
        if i == bytes.count {
            // White space at the end of the piece may be at the end of the line.
            if end < i {
                held.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[end..<i]))
                state = .space
            }
            return i
        }
        if bytes[i] == LF {
            if i > start, bytes[i &- 1] == CR { output.append(CR) }
            output.append(LF)
        } else {
            output.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[end..<i]))
            state = .equals
        }
        return i &+ 1
    }

    /// White space and a "=" at the very end go, as they do before a line end.
    mutating func finish(into output: inout [UInt8]) {
        if case .digit(let digit) = state {
            output.append(UInt8(ascii: "="))
            output.append(digit)
        }
        drop()
    }

    private mutating func drop() {
        held.removeAll(keepingCapacity: true)
        state = .text
    }

    private mutating func release(into output: inout [UInt8]) {
        output.append(contentsOf: held)
        drop()
    }
}

extension UInt8 {
    var hexValue: UInt8? {
        switch self {
        case 0x30...0x39: self - 0x30
        case 0x41...0x46: self - 0x41 + 10
        case 0x61...0x66: self - 0x61 + 10
        default: nil
        }
    }
}
