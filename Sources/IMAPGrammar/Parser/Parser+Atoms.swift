import IMAPTypes

/// The least parts of RFC 9051 §9: numbers, atoms and strings.
extension Parser {
    /// number          = 1*DIGIT
    ///                     ; Unsigned 32-bit integer
    mutating func number() throws(SyntaxError) -> UInt32 {
        let start = at
        guard let value = UInt32(exactly: try number64()) else {
            at = start
            throw failure("number")
        }
        return value
    }

    /// number64        = 1*DIGIT
    ///                     ; Unsigned 63-bit integer
    mutating func number64() throws(SyntaxError) -> UInt64 {
        let start = at
        var value: UInt64 = 0
        while let byte = next, byte.isDigit {
            let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tens.addingReportingOverflow(UInt64(byte - 0x30))
            guard !overflow, !carry, sum <= UInt64(Int64.max) else {
                at = start
                throw failure("number64")
            }
            value = sum
            at += 1
        }
        guard at > start else { throw failure("number") }
        return value
    }

    /// nz-number       = digit-nz *DIGIT
    ///                     ; Non-zero unsigned 32-bit integer
    mutating func nzNumber() throws(SyntaxError) -> UInt32 {
        guard let first = next, first.isDigit, first != UInt8(ascii: "0") else { throw failure("nz-number") }
        let start = at
        guard let value = UInt32(exactly: try number64()) else {
            at = start
            throw failure("nz-number")
        }
        return value
    }

    /// nz-number64     = digit-nz *DIGIT
    ///                     ; Unsigned 63-bit integer
    mutating func nzNumber64() throws(SyntaxError) -> UInt64 {
        guard let first = next, first.isDigit, first != UInt8(ascii: "0") else { throw failure("nz-number64") }
        return try number64()
    }

    /// Exactly `count` DIGITs, at most 9.
    mutating func digits(_ count: Int) throws(SyntaxError) -> Int {
        var value = 0
        for _ in 0..<count {
            guard let byte = next, byte.isDigit else { throw failure("DIGIT") }
            value = value * 10 + Int(byte - 0x30)
            at += 1
        }
        return value
    }

    /// atom            = 1*ATOM-CHAR
    mutating func atom() throws(SyntaxError) -> ArraySlice<UInt8> {
        let atom = take(while: \.isAtomCharacter)
        guard !atom.isEmpty else { throw failure("atom") }
        return atom
    }

    /// The keyword that is next, if the atom there can be one; its letters, digits, "-", "." and "_" only, so that
    /// "BODY[" ends before the bracket and "RFC822.SIZE" after it.
    mutating func word() -> Word? {
        Word(take { $0.isDigit || (0x41...0x5A).contains($0.uppercased) || $0 == 0x2D || $0 == 0x2E || $0 == 0x5F })
    }

    /// The meaning of the keyword that is next. The error points at its first byte.
    mutating func word<Meaning>(_ vocabulary: Vocabulary<Meaning>, _ name: StaticString) throws(SyntaxError) -> Meaning {
        let start = at
        guard let meaning = vocabulary[word()] else {
            at = start
            throw failure(name)
        }
        return meaning
    }

    /// astring         = 1*ASTRING-CHAR / string
    ///
    /// "%" and "*" need quotes, which Python's imaplib and OfflineIMAP do not give to the name of a mailbox or to what they
    /// search for. No astring stands where these could mean anything else, so they are taken as they are.
    mutating func astring() throws(SyntaxError) -> [UInt8] {
        let plain = take(while: \.isListCharacter)
        if !plain.isEmpty { return Array(plain) }
        guard let string = try stringIfNext() else { throw failure("astring") }
        return string
    }

    /// string          = quoted / literal
    mutating func string() throws(SyntaxError) -> [UInt8] {
        guard let string = try stringIfNext() else { throw failure("string") }
        return string
    }

    /// nstring         = string / nil
    mutating func nstring() throws(SyntaxError) -> [UInt8]? {
        accept("NIL") ? nil : try string()
    }

    private mutating func stringIfNext() throws(SyntaxError) -> [UInt8]? {
        switch next {
        case UInt8(ascii: "\""): try quoted()
        case UInt8(ascii: "{"): try literal()
        default: nil
        }
    }

    /// quoted          = DQUOTE *QUOTED-CHAR DQUOTE
    ///
    /// QUOTED-CHAR     = <any TEXT-CHAR except quoted-specials> /
    ///                   "\" quoted-specials / UTF8-2 / UTF8-3 / UTF8-4
    ///
    /// Before anything is enabled, UTF-8 may not be sent (RFC 3501 §4.3), but clients do send passwords and search
    /// strings in 8-bit charsets. These pass as they are. After, what is not UTF-8 is an error (RFC 9755 §3).
    mutating func quoted() throws(SyntaxError) -> [UInt8] {
        try expect("\"", "DQUOTE")
        let start = at
        var result: [UInt8] = []
        var hasEightBit = false
        while let byte = next {
            switch byte {
            case UInt8(ascii: "\""):
                at += 1
                if hasEightBit, mode.isUTF8, !isUTF8(result) {
                    at = start
                    throw failure("UTF-8")
                }
                return result
            case UInt8(ascii: "\\"):
                at += 1
                guard let escaped = next, escaped == UInt8(ascii: "\"") || escaped == UInt8(ascii: "\\") else {
                    throw failure("quoted-specials")
                }
                result.append(escaped)
            case 0, 0x0A, 0x0D:
                throw failure("QUOTED-CHAR")
            default:
                if byte >= 0x80 { hasEightBit = true }
                result.append(byte)
            }
            at += 1
        }
        throw failure("DQUOTE")
    }

    func isUTF8(_ bytes: [UInt8]) -> Bool { String(validating: bytes, as: UTF8.self) != nil }

    /// literal         = "{" number64 ["+"] "}" CRLF *CHAR8
    ///
    /// Where `CommandReader` takes a bare LF as the end of a line, so do we.
    mutating func literal() throws(SyntaxError) -> [UInt8] {
        try expect("{", "literal")
        let count = try number64()
        _ = accept("+")
        try expect("}")
        try lineEnd()
        guard count <= UInt64(bytes.count - at) else { throw failure("the literal's bytes") }
        let content = bytes[at..<at + Int(count)]
        if let null = content.firstIndex(of: 0) {
            at = null
            throw failure("CHAR8")
        }
        at = content.endIndex
        return Array(content)
    }

    /// CRLF within a command: after a literal's header.
    mutating func lineEnd() throws(SyntaxError) {
        _ = accept("\r")
        try expect("\n", "CRLF")
    }
}
