import IMAPTypes

extension Parser {
    private enum Key: String, CaseIterable {
        case all = "ALL", answered = "ANSWERED", bcc = "BCC", before = "BEFORE", body = "BODY", cc = "CC", deleted = "DELETED"
        case draft = "DRAFT", flagged = "FLAGGED", from = "FROM", header = "HEADER", keyword = "KEYWORD", larger = "LARGER"
        case modSeq = "MODSEQ", new = "NEW", not = "NOT", old = "OLD", on = "ON", or = "OR", recent = "RECENT", seen = "SEEN"
        case savedBefore = "SAVEDBEFORE", savedOn = "SAVEDON", savedSince = "SAVEDSINCE", saveDateSupported = "SAVEDATESUPPORTED"
        case emailID = "EMAILID", threadID = "THREADID"
        case sentBefore = "SENTBEFORE", sentOn = "SENTON", sentSince = "SENTSINCE", since = "SINCE", smaller = "SMALLER"
        case subject = "SUBJECT", text = "TEXT", to = "TO", uid = "UID", unanswered = "UNANSWERED", undeleted = "UNDELETED"
        case undraft = "UNDRAFT", unflagged = "UNFLAGGED", unkeyword = "UNKEYWORD", unseen = "UNSEEN"
    }
    private static let keys = Vocabulary(Key.self)

    /// search-key *(SP search-key), to the end of the command: all must hold.
    mutating func searchKeys() throws(SyntaxError) -> SearchKey {
        var budget = Limit.searchKeys
        var keys: [SearchKey] = []
        repeat { keys.append(try searchKey(depth: 0, budget: &budget)) } while acceptSpaceBeforeItem()
        return keys.count == 1 ? keys[0] : .and(keys)
    }

    /// search-key      = "ALL" / "ANSWERED" / "BCC" SP astring / …
    ///                   "NOT" SP search-key / "OR" SP search-key SP search-key / … /
    ///                   sequence-set / "(" search-key *(SP search-key) ")"
    ///
    /// `budget` is how many more keys the command may have.
    private mutating func searchKey(depth: Int, budget: inout Int) throws(SyntaxError) -> SearchKey {
        guard depth < Limit.searchDepth else { throw failure("less nesting") }
        guard budget > 0 else { throw failure("no more search keys") }
        budget -= 1
        switch next {
        case UInt8(ascii: "("):
            at += 1
            var keys: [SearchKey] = []
            repeat { keys.append(try searchKey(depth: depth + 1, budget: &budget)) } while accept(" ")
            try closeParenthesis()
            return keys.count == 1 ? keys[0] : .and(keys)
        case let byte? where byte.isDigit || byte == UInt8(ascii: "*") || byte == UInt8(ascii: "$"):
            return .sequence(try sequenceSet())
        default:
            break
        }
        switch try word(Self.keys, "search-key") {
        case .all: return .all
        case .answered: return .flag(.answered, isSet: true)
        case .deleted: return .flag(.deleted, isSet: true)
        case .draft: return .flag(.draft, isSet: true)
        case .flagged: return .flag(.flagged, isSet: true)
        case .seen: return .flag(.seen, isSet: true)
        case .unanswered: return .flag(.answered, isSet: false)
        case .undeleted: return .flag(.deleted, isSet: false)
        case .undraft: return .flag(.draft, isSet: false)
        case .unflagged: return .flag(.flagged, isSet: false)
        case .unseen: return .flag(.seen, isSet: false)
        case .new: return .new
        case .old: return .old
        case .recent: return .recent
        case .keyword: return .keyword(try keywordArgument(), isSet: true)
        case .unkeyword: return .keyword(try keywordArgument(), isSet: false)
        case .bcc: return .header(name: Array("BCC".utf8), value: try textArgument())
        case .cc: return .header(name: Array("CC".utf8), value: try textArgument())
        case .from: return .header(name: Array("FROM".utf8), value: try textArgument())
        case .subject: return .header(name: Array("SUBJECT".utf8), value: try textArgument())
        case .to: return .header(name: Array("TO".utf8), value: try textArgument())
        case .header: return .header(name: try textArgument(), value: try textArgument())
        case .body: return .body(try textArgument())
        case .text: return .text(try textArgument())
        case .before: return .before(try dateArgument())
        case .on: return .on(try dateArgument())
        case .since: return .since(try dateArgument())
        case .sentBefore: return .sentBefore(try dateArgument())
        case .sentOn: return .sentOn(try dateArgument())
        case .sentSince: return .sentSince(try dateArgument())
        case .savedBefore: return .savedBefore(try dateArgument())
        case .savedOn: return .savedOn(try dateArgument())
        case .savedSince: return .savedSince(try dateArgument())
        case .saveDateSupported: return .saveDateSupported
        case .emailID: return .emailID(try objectArgument(.message))
        case .threadID: return .threadID(try objectArgument(.thread))
        case .larger: return .larger(try sizeArgument())
        case .smaller: return .smaller(try sizeArgument())
        case .uid:
            try sp()
            return .uid(try sequenceSet())
        case .modSeq:
            try sp()
            return .modSeq(try searchModsequence())
        case .not:
            try sp()
            return .not(try searchKey(depth: depth + 1, budget: &budget))
        case .or:
            try sp()
            let first = try searchKey(depth: depth + 1, budget: &budget)
            try sp()
            return .or(first, try searchKey(depth: depth + 1, budget: &budget))
        }
    }

    private mutating func textArgument() throws(SyntaxError) -> [UInt8] {
        try sp()
        return try astring()
    }

    private mutating func dateArgument() throws(SyntaxError) -> CalendarDay {
        try sp()
        return try date()
    }

    private mutating func sizeArgument() throws(SyntaxError) -> UInt64 {
        try sp()
        return try number64()
    }

    private mutating func objectArgument(_ kind: ObjectKind) throws(SyntaxError) -> ObjectID? {
        try sp()
        return try objectid(kind)
    }

    private mutating func keywordArgument() throws(SyntaxError) -> Keyword {
        try sp()
        return try flagKeyword()
    }

    /// search-modsequence  = "MODSEQ" [search-modseq-ext] SP
    ///                       mod-sequence-valzer
    ///
    /// search-modseq-ext   = SP entry-name SP entry-type-req
    ///
    /// We keep one mod-sequence a message, so that the entry changes nothing (RFC 7162 §3.1.5 allows it).
    private mutating func searchModsequence() throws(SyntaxError) -> ModSequence {
        if next == UInt8(ascii: "\"") {
            _ = try quoted()
            try sp()
            guard accept("PRIV") || accept("SHARED") || accept("ALL") else { throw failure("entry-type-req") }
            try sp()
        }
        return try modSequenceValzer()
    }
}
