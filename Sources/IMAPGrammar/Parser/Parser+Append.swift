import IMAPTypes

/// What `CommandReader` has in hand when a line ends in a literal's header.
enum AppendLine {
    /// The header is that of a message: its bytes are to be streamed.
    case message(AppendHeader)
    /// The header is that of the mailbox's name: an ordinary literal.
    case mailbox
}

/// APPEND is read in pieces, each up to the header of a literal, whose bytes the parser never sees.
///
/// append          = "APPEND" SP mailbox 1*append-message
///
/// append-message  = append-opts SP append-data
///
/// (RFC 4466 §3, RFC 3502)
extension Parser {
    /// Whether the command is an APPEND, going by its tag and name.
    static func isAppend(_ text: ArraySlice<UInt8>) -> Bool {
        let start = text.prefix { $0 != UInt8(ascii: " ") }.endIndex
        let name = Array("APPEND ".utf8)
        guard start < text.endIndex else { return false }
        return text[(start + 1)...].prefix(name.count).elementsEqual(name) { $0.uppercased == $1 }
    }

    /// Reads `text`, a command up to and with the line end after the header of a literal, none of whose bytes are there yet.
    static func appendCommand(_ text: [UInt8], mode: WireMode) throws(SyntaxError) -> AppendLine {
        var parser = Parser(text, mode: mode)
        let tag = try parser.tag()
        try parser.expect(" APPEND ", "append")
        if parser.isLastLiteralNext { return .mailbox }
        let name = try parser.mailbox()
        return .message(try parser.appendMessage(tag: tag, mailbox: name))
    }

    /// Reads `text`, the line after a message of APPEND, with the header of the next one at its end.
    static func furtherAppendMessage(_ text: [UInt8], inUTF8: Bool, mode: WireMode) throws(SyntaxError) -> AppendHeader {
        var parser = Parser(text, mode: mode)
        if inUTF8 { try parser.closeParenthesis() }
        return try parser.appendMessage(tag: nil, mailbox: nil)
    }

    /// Reads `text`, the line after the last message of APPEND, which has nothing to say. It has no CRLF.
    static func appendEnd(_ text: [UInt8], inUTF8: Bool) throws(SyntaxError) {
        var parser = Parser(text, mode: [])
        if inUTF8 { try parser.closeParenthesis() }
        try parser.end()
    }

    /// append-opts     = [SP flag-list] [SP date-time] *(SP append-ext)
    ///
    /// append-data     = literal / literal8 / append-data-ext
    ///
    /// append-data    =/ "UTF8" SP "(" literal8 ")"
    private mutating func appendMessage(tag: Tag?, mailbox: MailboxName?) throws(SyntaxError) -> AppendHeader {
        try sp()
        var flags = FlagSet()
        var date: InternalDate?
        if next == UInt8(ascii: "(") {
            flags = try flagList()
            try sp()
        }
        if next == UInt8(ascii: "\"") {
            date = try dateTime()
            try sp()
        }
        let inUTF8 = accept("UTF8 (")
        let literal = try messageLiteral()
        return AppendHeader(tag: tag, mailbox: mailbox, flags: flags, date: date, literal: literal, inUTF8: inUTF8)
    }

    /// literal8        = "~{" number ["+"] "}" CRLF *OCTET
    ///
    /// Or a literal; of either the header only.
    private mutating func messageLiteral() throws(SyntaxError) -> LiteralHeader {
        guard let (header, length) = LiteralHeader.atEnd(of: bytes[at...]), length == bytes.count - at else {
            throw failure("literal")
        }
        at = bytes.count
        return header
    }

    /// Whether nothing is left but the header of a literal.
    private var isLastLiteralNext: Bool {
        guard let (header, length) = LiteralHeader.atEnd(of: bytes[at...]) else { return false }
        return length == bytes.count - at && !header.isBinary
    }
}
