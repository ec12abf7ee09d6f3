/// Mailboxes and groups of an address field (RFC 5322 §3.4), as ENVELOPE lists them (RFC 9051 §7.5.2).
///
/// Made to be used again: nothing is allocated once its arrays have grown.
public struct AddressList: Sendable {
    public enum Entry: Sendable {
        /// `host` may be empty, where an address has none; so may `mailbox`, in "<>".
        case mailbox(name: Range<Int>?, route: Range<Int>?, mailbox: Range<Int>, host: Range<Int>)
        case groupStart(name: Range<Int>)
        case groupEnd
    }

    public private(set) var entries: [Entry] = []
    /// What the ranges are ranges of: unfolded, without quotes and comments; encoded words as they are.
    public private(set) var text: [UInt8] = []

    /// The last comment, which in old mail is the name: `user@host (Name)`.
    private var comment: [UInt8] = []

    public init() {}

    public var isEmpty: Bool { entries.isEmpty }
    public subscript(_ range: Range<Int>) -> ArraySlice<UInt8> { text[range] }

    public mutating func removeAll() {
        entries.removeAll(keepingCapacity: true)
        text.removeAll(keepingCapacity: true)
    }

    /// Adds the addresses of a field's value. Whatever the value is, groups that begin also end.
    public mutating func append(_ value: ArraySlice<UInt8>) { append(value, atMost: Limits.addresses) }

    /// The same, until there are `limit`.
    mutating func append(_ value: ArraySlice<UInt8>, atMost limit: Int) {
        value.withUnsafeBufferPointer { value in
            var lexer = HeaderLexer(value)
            var isInGroup = false
            while true {
                comment.removeAll(keepingCapacity: true)
                lexer.skipCFWS(keeping: &comment)
                guard let byte = lexer.peek, entries.count < limit else { break }
                switch byte {
                case UInt8(ascii: ","): lexer.advance()
                case UInt8(ascii: ";"):
                    lexer.advance()
                    if isInGroup { entries.append(.groupEnd) }
                    isInGroup = false
                default: address(&lexer, isInGroup: &isInGroup)
                }
            }
            if isInGroup { entries.append(.groupEnd) }
        }
    }

    /// address         = mailbox / group
    private mutating func address(_ lexer: inout HeaderLexer, isInGroup: inout Bool) {
        let start = text.count
        words(&lexer, until: { $0 == UInt8(ascii: "<") || $0 == UInt8(ascii: "@") || $0 == UInt8(ascii: ":") })
        let phrase = start..<text.count
        switch lexer.peek {
        case UInt8(ascii: "<"):
            lexer.advance()
            angleAddress(&lexer, name: phrase.isEmpty ? nil : phrase)
        case UInt8(ascii: "@"):
            lexer.advance()
            // addr-spec: the words were its local-part, between which there is no space.
            let local = joined(phrase)
            let host = domain(&lexer, until: { $0 == UInt8(ascii: "<") })
            if lexer.peek == UInt8(ascii: "<") {
                // `me@here <me@here>`: the first is the name, unquoted.
                let name = text.count
                text.append(contentsOf: text[local])
                text.append(UInt8(ascii: "@"))
                text.append(contentsOf: text[host])
                lexer.advance()
                angleAddress(&lexer, name: name..<(text.count))
            } else {
                lexer.skipCFWS(keeping: &comment)
                entries.append(.mailbox(name: commentAsName(), route: nil, mailbox: local, host: host))
            }
        case UInt8(ascii: ":") where !isInGroup:
            lexer.advance()
            isInGroup = true
            entries.append(.groupStart(name: phrase))
        case UInt8(ascii: ":"):
            lexer.advance()
        default:
            // A word alone is a local address.
            lexer.skipCFWS(keeping: &comment)
            if !phrase.isEmpty {
                let none = phrase.upperBound..<phrase.upperBound
                entries.append(.mailbox(name: commentAsName(), route: nil, mailbox: phrase, host: none))
            }
        }
    }

    /// angle-addr, obs-route (RFC 5322 §3.4, §4.4), after "<".
    private mutating func angleAddress(_ lexer: inout HeaderLexer, name: Range<Int>?) {
        var route: Range<Int>?
        lexer.skipCFWS(keeping: &comment)
        if lexer.peek == UInt8(ascii: "@") {
            let start = text.count
            text.append(contentsOf: lexer.take { $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ">") }.lazy.filter { !$0.isSpace })
            route = start..<text.count
            _ = lexer.accept(UInt8(ascii: ":"))
        }
        let start = text.count
        words(&lexer, until: { $0 == UInt8(ascii: "@") || $0 == UInt8(ascii: ">") })
        let local = joined(start..<text.count)
        var host = text.count..<text.count
        if lexer.accept(UInt8(ascii: "@")) { host = domain(&lexer, until: { $0 == UInt8(ascii: ">") }) }
        _ = lexer.take { $0 == UInt8(ascii: ">") || $0 == UInt8(ascii: ",") }
        _ = lexer.accept(UInt8(ascii: ">"))
        lexer.skipCFWS(keeping: &comment)
        entries.append(.mailbox(name: name ?? commentAsName(), route: route, mailbox: local, host: host))
    }

    private mutating func commentAsName() -> Range<Int>? {
        let trimmed = comment.withUnsafeBufferPointer { Array($0.trimmed()) }
        guard !trimmed.isEmpty else { return nil }
        let start = text.count
        text.append(contentsOf: trimmed)
        return start..<text.count
    }

    /// Words, with a space between those that had white space between them, up to what ends an address or `isEnd`.
    private mutating func words(_ lexer: inout HeaderLexer, until isEnd: (UInt8) -> Bool) {
        let start = text.count
        while true {
            let before = lexer.position
            lexer.skipCFWS(keeping: &comment)
            guard let byte = lexer.peek, byte != UInt8(ascii: ","), byte != UInt8(ascii: ";"), !isEnd(byte) else { return }
            if text.count > start, lexer.position > before { text.append(SP) }
            if byte == UInt8(ascii: "\"") {
                lexer.quotedString(into: &text)
            } else {
                text.append(contentsOf: lexer.take {
                    $0.isSpace || $0 == UInt8(ascii: "(") || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: ",")
                        || $0 == UInt8(ascii: ";") || isEnd($0)
                })
            }
        }
    }

    /// A local-part whose dots may have had white space about them (obs-local-part); other spaces are the sender's.
    private mutating func joined(_ range: Range<Int>) -> Range<Int> {
        guard text[range].contains(SP) else { return range }
        let start = text.count
        let dot = UInt8(ascii: ".")
        for i in range {
            let isInside = i > range.lowerBound && i + 1 < range.upperBound
            if text[i] == SP, isInside, text[i - 1] == dot || text[i + 1] == dot { continue }
            text.append(text[i])
        }
        return start..<text.count
    }

    /// domain (RFC 5322 §3.4.1), after "@"; a domain-literal keeps its brackets. White space and comments are left out.
    private mutating func domain(_ lexer: inout HeaderLexer, until isEnd: (UInt8) -> Bool) -> Range<Int> {
        let start = text.count
        while true {
            lexer.skipCFWS(keeping: &comment)
            guard let byte = lexer.peek, byte != UInt8(ascii: ","), byte != UInt8(ascii: ";"), !isEnd(byte) else { break }
            if byte == UInt8(ascii: "[") {
                text.append(contentsOf: lexer.take { $0 == UInt8(ascii: "]") })
                if lexer.accept(UInt8(ascii: "]")) { text.append(UInt8(ascii: "]")) }
                continue
            }
            text.append(contentsOf: lexer.take {
                $0.isSpace || $0 == UInt8(ascii: "(") || $0 == UInt8(ascii: "[") || $0 == UInt8(ascii: ",")
                    || $0 == UInt8(ascii: ";") || isEnd($0)
            })
        }
        return start..<text.count
    }
}

extension MessageStructure {
    /// The addresses of all fields of that name, into `list`, which is emptied first.
    public func addresses(_ name: FieldName, of message: Index, into list: inout AddressList) {
        list.removeAll()
        for field in parts[message].fields where fields[field].name == name {
            list.append(text[fields[field].start..<fields[field].end])
        }
    }

    /// The first of these addresses alone, with what it takes to end its group.
    public func firstAddress(_ name: FieldName, of message: Index, into list: inout AddressList) {
        list.removeAll()
        for field in parts[message].fields where fields[field].name == name && list.isEmpty {
            list.append(text[fields[field].start..<fields[field].end], atMost: 1)
        }
    }
}
