import IMAPTypes

/// Reads one whole command (RFC 9051 §9), as `CommandReader` found it: no CRLF at its end, literals where they stood.
///
/// Recursive descent over bytes. A function is its rule of the ABNF, whose text stands above it; it leaves the parser
/// behind what it read, or throws. Going back is to assign an earlier `at`.
public struct Parser {
    /// The limits on what one command may make us hold or do. Length as such is `CommandReader`'s to limit.
    enum Limit {
        /// Parentheses, NOT and OR within each other. Clients nest one OR per search term; each level is a stack frame here and
        /// in whoever walks the result.
        static let searchDepth = 256
        /// Each key may cost each message a look.
        static let searchKeys = 2_000
        /// More than any line holds; for users of this module with longer lines.
        static let sequenceRanges = 50_000
        /// Each may cost each message a pass over its body. Clients ask for every part's MIME header at once.
        static let fetchAttributes = 1_000
        /// Each is compared with every header field of every message.
        static let headerFields = 500
        /// Numbers in a section-part: deeper than MIME goes in earnest.
        static let sectionDepth = 100
        /// Twice what a mailbox can keep (`KeywordSet.capacity`).
        static let flags = 256
        /// Patterns of LIST: each is matched with every mailbox.
        static let patterns = 100
        /// Criteria of SORT: there are seven, each of use once.
        static let sortKeys = 16
        /// STATUS items, LIST options, ENABLE and CREATE parameters: more than there are.
        static let options = 64
        /// RFC 2971 §3.3.
        static let idFields = 30
    }

    let bytes: [UInt8]
    let mode: WireMode
    /// The next byte to read: 0 to `bytes.count`.
    var at = 0

    init(_ bytes: [UInt8], mode: WireMode) {
        self.bytes = bytes
        self.mode = mode
    }

    // MARK: - Bytes

    /// The next byte; `nil` at the end.
    var next: UInt8? { at < bytes.count ? bytes[at] : nil }

    func failure(_ expected: StaticString) -> SyntaxError { SyntaxError(offset: at, expected: expected) }

    /// Steps over `word`, written in upper case here and in any case by the client, if it is next.
    mutating func accept(_ word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        guard bytes.count - at >= count else { return false }
        for index in 0..<count where bytes[at + index].uppercased != word.utf8Start[index] { return false }
        at += count
        return true
    }

    mutating func expect(_ word: StaticString, _ name: StaticString) throws(SyntaxError) {
        guard accept(word) else { throw failure(name) }
    }

    mutating func expect(_ word: StaticString) throws(SyntaxError) { try expect(word, word) }

    /// The bytes from here on that are of a class.
    mutating func take(while isMember: (UInt8) -> Bool) -> ArraySlice<UInt8> {
        let start = at
        while at < bytes.count, isMember(bytes[at]) { at += 1 }
        return bytes[start..<at]
    }

    /// SP = exactly one space.
    mutating func sp() throws(SyntaxError) { try expect(" ", "SP") }

    mutating func openParenthesis() throws(SyntaxError) { try expect("(") }
    mutating func closeParenthesis() throws(SyntaxError) { try expect(")") }

    /// The end of the command. Spaces before it are a common slip and mean nothing.
    mutating func end() throws(SyntaxError) {
        while accept(" ") {}
        guard at == bytes.count else { throw failure("CRLF") }
    }

    /// "(" [item *(SP item)] ")", with at most `limit` items.
    mutating func parenthesized(
        atMost limit: Int, _ item: (inout Parser) throws(SyntaxError) -> Void
    ) throws(SyntaxError) {
        try openParenthesis()
        if accept(")") { return }
        var count = 0
        repeat {
            count += 1
            guard count <= limit else { throw failure("no more items") }
            try item(&self)
        } while accept(" ")
        try closeParenthesis()
    }
}
