import Glibc

/// Content-Transfer-Encoding (RFC 2045 §6).
public enum TransferEncoding: Sendable {
    /// 7bit, 8bit, binary: the bytes are what they are.
    case identity
    case base64
    case quotedPrintable

    /// `nil` for one that we do not know. No value is 7bit.
    public init?(_ value: ArraySlice<UInt8>?) {
        guard let value, !value.isEmpty else {
            self = .identity
            return
        }
        let token = value.withUnsafeBufferPointer { value in
            var lexer = HeaderLexer(value)
            lexer.skipCFWS()
            return Array(lexer.token())
        }
        if token.isCaseInsensitively("7bit") || token.isCaseInsensitively("8bit") || token.isCaseInsensitively("binary") {
            self = .identity
        } else if token.isCaseInsensitively("base64") {
            self = .base64
        } else if token.isCaseInsensitively("quoted-printable") {
            self = .quotedPrintable
        } else {
            return nil
        }
    }
}

/// Undoes a transfer encoding, of text that comes in pieces. Never fails: what cannot be decoded is left out or left as it is.
public struct TransferDecoder: Sendable {
    private enum State: Sendable {
        case identity
        case base64(Base64Decoder)
        case quotedPrintable(QuotedPrintableDecoder)
    }
    private var state: State

    public init(_ encoding: TransferEncoding) {
        state = switch encoding {
        case .identity: .identity
        case .base64: .base64(Base64Decoder())
        case .quotedPrintable: .quotedPrintable(QuotedPrintableDecoder())
        }
    }

    /// Appends what `bytes` stand for to `output`: at most as many bytes, and a few held back from earlier ones.
    public mutating func decode(_ bytes: UnsafeRawBufferPointer, into output: inout [UInt8]) {
        switch state {
        case .identity: output.append(contentsOf: bytes)
        case .base64(var decoder):
            decoder.decode(bytes, into: &output)
            state = .base64(decoder)
        case .quotedPrintable(var decoder):
            // Moved out, so that its buffer is not copied.
            state = .identity
            decoder.decode(bytes, into: &output)
            state = .quotedPrintable(decoder)
        }
    }

    /// There is no more: appends what was held back.
    public mutating func finish(into output: inout [UInt8]) {
        switch state {
        case .identity: break
        case .base64(var decoder): decoder.finish(into: &output)
        case .quotedPrintable(var decoder): decoder.finish(into: &output)
        }
    }
}

/// RFC 2045 §6.8. Skips what is not of the alphabet; padding ends a group, and another may follow.
struct Base64Decoder: Sendable {
    /// The bits of an incomplete group, and how many there are.
    private var bits: UInt32 = 0
    private var count = 0

    private static let invalid: UInt8 = 0xFF
    private static let padding: UInt8 = 0xFE
    /// The value of each byte.
    private static let table: [UInt8] = {
        var table = [UInt8](repeating: invalid, count: 256)
        for (value, byte) in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8.enumerated() {
            table[Int(byte)] = UInt8(value)
        }
        table[Int(UInt8(ascii: "="))] = padding
        return table
    }()

    mutating func decode(_ bytes: UnsafeRawBufferPointer, into output: inout [UInt8]) {
        let start = output.count
        output.append(contentsOf: repeatElement(0, count: bytes.count / 4 * 3 + 6))
        var written = start
        output.withUnsafeMutableBufferPointer { output in
            Self.table.withUnsafeBufferPointer { table in
                var i = 0
                while i < bytes.count {
                    // Four letters at once, as long as nothing is in the way.
                    if count == 0 {
                        while i &+ 4 <= bytes.count {
                            let a = table[Int(bytes[i])], b = table[Int(bytes[i &+ 1])]
                            let c = table[Int(bytes[i &+ 2])], d = table[Int(bytes[i &+ 3])]
                            guard (a | b | c | d) < 64 else { break }
                            let group = UInt32(a) << 18 | UInt32(b) << 12 | UInt32(c) << 6 | UInt32(d)
                            output[written] = UInt8(truncatingIfNeeded: group >> 16)
                            output[written &+ 1] = UInt8(truncatingIfNeeded: group >> 8)
                            output[written &+ 2] = UInt8(truncatingIfNeeded: group)
                            written &+= 3
                            i &+= 4
                        }
                        if i == bytes.count { break }
                    }
                    let value = table[Int(bytes[i])]
                    i &+= 1
                    if value < 64 {
                        bits = bits << 6 | UInt32(value)
                        count &+= 1
                        if count == 4 {
                            output[written] = UInt8(truncatingIfNeeded: bits >> 16)
                            output[written &+ 1] = UInt8(truncatingIfNeeded: bits >> 8)
                            output[written &+ 2] = UInt8(truncatingIfNeeded: bits)
                            written &+= 3
                            bits = 0
                            count = 0
                        }
                    } else if value == Self.padding {
                        written &+= flush(output.baseAddress! + written)
                    }
                }
            }
        }
        output.removeLast(output.count - written)
    }

    mutating func finish(into output: inout [UInt8]) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 2) { rest in
            let written = flush(rest.baseAddress!)
            output.append(contentsOf: rest[0..<written])
        }
    }

    /// The whole bytes of an incomplete group.
    private mutating func flush(_ output: UnsafeMutablePointer<UInt8>) -> Int {
        defer {
            bits = 0
            count = 0
        }
        switch count {
        case 2:
            output[0] = UInt8(truncatingIfNeeded: bits >> 4)
            return 1
        case 3:
            output[0] = UInt8(truncatingIfNeeded: bits >> 10)
            output[1] = UInt8(truncatingIfNeeded: bits >> 2)
            return 2
        default: return 0
        }
    }
}
