import IMAPTypes

/// SEARCH (RFC 9051 §6.4.4), SORT and THREAD (RFC 5256).
extension Parser {
    /// search          = "SEARCH" [search-return-opts]
    ///                   SP search-program
    ///
    /// search-program  = ["CHARSET" SP charset SP]
    ///                   search-key *(SP search-key)
    mutating func search(byUID: Bool) throws(SyntaxError) -> SearchCommand {
        let returning = accept(" RETURN ") ? try searchReturnOptions() : nil
        try sp()
        var charset: [UInt8]?
        if accept("CHARSET ") {
            charset = try self.charset()
            try sp()
        }
        return SearchCommand(byUID: byUID, charset: charset, returning: returning, key: try searchKeys())
    }

    /// Reads search keys that are not part of a command: search-key *(SP search-key).
    public static func searchProgram(_ text: [UInt8]) throws(SyntaxError) -> SearchKey {
        var parser = Parser(text, mode: .imap4rev2)
        let key = try parser.searchKeys()
        try parser.end()
        return key
    }

    private enum ReturnOption: String, CaseIterable {
        case min = "MIN", max = "MAX", all = "ALL", count = "COUNT", save = "SAVE"
    }
    private static let searchReturnOptions = Vocabulary(ReturnOption.self)

    /// search-return-opts = SP "RETURN" SP "(" [search-return-opt
    ///                     *(SP search-return-opt)] ")"
    ///
    /// No option means ALL (RFC 9051 §6.4.4).
    private mutating func searchReturnOptions() throws(SyntaxError) -> SearchReturn {
        var options: SearchReturn = []
        try parenthesized(atMost: Limit.options) { (parser) throws(SyntaxError) in
            switch try parser.word(Self.searchReturnOptions, "search-return-opt") {
            case .min: options.insert(.min)
            case .max: options.insert(.max)
            case .all: options.insert(.all)
            case .count: options.insert(.count)
            case .save: options.insert(.save)
            }
        }
        return options.isEmpty ? .all : options
    }

    /// charset         = atom / quoted
    private mutating func charset() throws(SyntaxError) -> [UInt8] {
        next == UInt8(ascii: "\"") ? try quoted() : Array(try atom())
    }

    /// sort            = ["UID" SP] "SORT" SP sort-criteria SP search-criteria
    mutating func sort(byUID: Bool) throws(SyntaxError) -> SortCommand {
        try sp()
        let keys = try sortCriteria()
        return SortCommand(keys: keys, search: try searchCriteria(byUID: byUID))
    }

    private enum SortKey: String, CaseIterable {
        case arrival = "ARRIVAL", cc = "CC", date = "DATE", from = "FROM", size = "SIZE", subject = "SUBJECT", to = "TO"

        var criterion: SortCommand.Criterion {
            switch self {
            case .arrival: .arrival
            case .cc: .cc
            case .date: .date
            case .from: .from
            case .size: .size
            case .subject: .subject
            case .to: .to
            }
        }
    }
    private static let sortKeys = Vocabulary(SortKey.self)

    /// sort-criteria   = "(" sort-criterion *(SP sort-criterion) ")"
    ///
    /// sort-criterion  = ["REVERSE" SP] sort-key
    private mutating func sortCriteria() throws(SyntaxError) -> [SortCommand.Key] {
        var keys: [SortCommand.Key] = []
        try parenthesized(atMost: Limit.sortKeys) { (parser) throws(SyntaxError) in
            let reverse = parser.accept("REVERSE ")
            keys.append(SortCommand.Key(try parser.word(Self.sortKeys, "sort-key").criterion, reverse: reverse))
        }
        guard !keys.isEmpty else { throw failure("sort-criterion") }
        return keys
    }

    private static let threadAlgorithms = Vocabulary(ThreadCommand.Algorithm.self)

    /// thread          = ["UID" SP] "THREAD" SP thread-alg SP search-criteria
    mutating func thread(byUID: Bool) throws(SyntaxError) -> ThreadCommand {
        try sp()
        let algorithm = try word(Self.threadAlgorithms, "thread-alg")
        return ThreadCommand(algorithm: algorithm, search: try searchCriteria(byUID: byUID))
    }

    /// SP search-criteria, with
    ///
    /// search-criteria = charset 1*(SP search-key)
    private mutating func searchCriteria(byUID: Bool) throws(SyntaxError) -> SearchCommand {
        try sp()
        let charset = try charset()
        try sp()
        return SearchCommand(byUID: byUID, charset: charset, returning: nil, key: try searchKeys())
    }
}
