import IMAPTypes

/// Numbers and strings.
extension Serializer {
    /// number64, nz-number64
    public mutating func number(_ value: UInt64) {
        // From the last digit to the first, in the space of the longest number.
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
            var rest = value
            var at = 20
            repeat {
                at -= 1
                digits[at] = 0x30 + UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            } while rest > 0
            write(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(digits)[at...]))
        }
    }

    /// Puts the digits of a number where there is room for twenty, and returns how many they are.
    @inline(__always)
    static func putDigits(_ value: UInt64, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
        var count = 1, rest = value
        while rest >= 10 {
            rest /= 10
            count &+= 1
        }
        rest = value
        var at = count
        while at > 0 {
            at &-= 1
            buffer[at] = 0x30 + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
        return count
    }

    /// number, nz-number
    public mutating func number(_ value: UInt32) { number(UInt64(value)) }

    /// A count, which is never negative.
    public mutating func number(_ value: Int) { number(UInt64(value)) }

    public mutating func number(_ value: UID) { number(value.rawValue) }
    public mutating func number(_ value: SequenceNumber) { number(value.rawValue) }
    public mutating func number(_ value: UIDValidity) { number(value.rawValue) }
    public mutating func number(_ value: ModSequence) { number(value.rawValue) }

    /// `value` with zeros before it, to `width` digits.
    mutating func digits(_ value: Int, width: Int) {
        var unit = 1
        for _ in 1..<width { unit *= 10 }
        while unit > 0 {
            write(byte: 0x30 + UInt8(value / unit % 10))
            unit /= 10
        }
    }

    public mutating func atom(_ value: Atom) { write(value.bytes) }

    /// An atom of our own making, such as a capability.
    mutating func atom(_ value: String) {
        guard let value = Atom(value) else { preconditionFailure("not an atom") }
        atom(value)
    }

    /// Longest string that is quoted: beyond, a literal is easier on clients that read by lines.
    static let longestQuoted = 4_096

    /// string          = quoted / literal
    ///
    /// Quoted when it can be. The caller never chooses.
    public mutating func string(_ value: [UInt8]) {
        value.withUnsafeBytes { string($0) }
    }

    public mutating func string(_ value: ArraySlice<UInt8>) {
        value.withUnsafeBytes { string($0) }
    }

    public mutating func string(_ value: UnsafeRawBufferPointer) {
        switch Form(of: value, mode: mode) {
        case .asIs:
            write("\"")
            write(value)
            write("\"")
        case .escaped:
            write("\"")
            for byte in value {
                if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { write("\\") }
                write(byte: byte)
            }
            write("\"")
        case .literal:
            literalHeader(size: UInt64(value.count))
            // A literal's CHAR8 has no NUL, nor has any other string. What has one is broken text anyhow.
            for byte in value { write(byte: byte == 0 ? UInt8(ascii: "?") : byte) }
        }
    }

    /// How a string can be written.
    private enum Form {
        case asIs, escaped, literal

        init(of value: UnsafeRawBufferPointer, mode: WireMode) {
            guard value.count <= Serializer.longestQuoted else {
                self = .literal
                return
            }
            // Without branches, so that many bytes are looked at at once.
            var all: UInt8 = 0, special: UInt8 = 0, forbidden: UInt8 = 0
            for byte in value {
                all |= byte
                special |= (byte == UInt8(ascii: "\"") ? 1 : 0) | (byte == UInt8(ascii: "\\") ? 1 : 0)
                forbidden |= (byte == 0 ? 1 : 0) | (byte == 0x0A ? 1 : 0) | (byte == 0x0D ? 1 : 0)
            }
            guard forbidden == 0 else {
                self = .literal
                return
            }
            let isEscaped = special != 0, isEightBit = all >= 0x80
            if isEightBit, !mode.isUTF8 || String(validating: value, as: UTF8.self) == nil {
                self = .literal
            } else {
                self = isEscaped ? .escaped : .asIs
            }
        }
    }

    /// nstring         = string / nil
    public mutating func nstring(_ value: [UInt8]?) {
        if let value { string(value) } else { write("NIL") }
    }

    /// astring         = 1*ASTRING-CHAR / string
    ///
    /// "NIL" is quoted, so that nobody takes it for nothing.
    public mutating func astring(_ value: [UInt8]) {
        if value.isEmpty || !value.allSatisfy(\.isAStringCharacter) || value.count == 3 && Word(value[...]) == Word("NIL") {
            string(value)
        } else {
            write(value)
        }
    }

    /// literal         = "{" number64 ["+"] "}" CRLF *CHAR8
    ///
    /// Its header; `size` bytes without NUL must follow.
    public mutating func literalHeader(size: UInt64) {
        write("{")
        number(size)
        write("}\r\n")
    }

    /// literal8        =  "~{" number64 "}" CRLF *OCTET
    ///
    /// Its header; `size` bytes must follow.
    public mutating func literal8Header(size: UInt64) {
        write("~")
        literalHeader(size: size)
    }
}
