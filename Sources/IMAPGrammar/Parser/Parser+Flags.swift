import IMAPTypes

extension Parser {
    /// flag-list       = "(" [flag *(SP flag)] ")"
    mutating func flagList() throws(SyntaxError) -> FlagSet {
        var flags = FlagSet()
        try parenthesized(atMost: Limit.flags) { (parser) throws(SyntaxError) in
            try parser.flag(into: &flags)
        }
        return flags
    }

    private enum SystemFlag: String, CaseIterable {
        case answered = "ANSWERED", flagged = "FLAGGED", deleted = "DELETED", seen = "SEEN", draft = "DRAFT"
    }
    private static let systemFlags = Vocabulary(SystemFlag.self)

    /// flag            = "\Answered" / "\Flagged" / "\Deleted" /
    ///                   "\Seen" / "\Draft" / flag-keyword / flag-extension
    ///
    /// flag-extension  = "\" atom
    ///
    /// \Recent and extensions unknown to us go without effect: no PERMANENTFLAGS offers them (RFC 9051 §7.1), and an
    /// APPEND that copies a message from elsewhere with its flags should not fail for them.
    private mutating func flag(into flags: inout FlagSet) throws(SyntaxError) {
        guard accept("\\") else {
            flags.keywords.insert(try flagKeyword())
            return
        }
        switch Self.systemFlags[Word(try atom())] {
        case .answered: flags.system.insert(.answered)
        case .flagged: flags.system.insert(.flagged)
        case .deleted: flags.system.insert(.deleted)
        case .seen: flags.system.insert(.seen)
        case .draft: flags.system.insert(.draft)
        case nil: break
        }
    }

    /// flag-keyword    = "$MDNSent" / "$Forwarded" / "$Junk" /
    ///                   "$NotJunk" / "$Phishing" / atom
    mutating func flagKeyword() throws(SyntaxError) -> Keyword {
        let start = at
        guard let keyword = Keyword(try atom()) else {
            at = start
            throw failure("flag-keyword")
        }
        return keyword
    }

    /// store           = "STORE" SP sequence-set [store-modifiers]
    ///                   SP store-att-flags
    ///
    /// store-modifiers =  SP "(" store-modifier *(SP store-modifier) ")"
    mutating func store(byUID: Bool) throws(SyntaxError) -> StoreCommand {
        try sp()
        let set = try sequenceSet()
        var unchangedSince: ModSequence?
        if isParenthesisNext {
            try sp()
            try parenthesized(atMost: Limit.options) { (parser) throws(SyntaxError) in
                try parser.expect("UNCHANGEDSINCE", "store-modifier")
                try parser.sp()
                unchangedSince = try parser.modSequenceValzer()
            }
        }
        try sp()
        var command = try storeAttFlags(of: set, byUID: byUID)
        command.unchangedSince = unchangedSince
        return command
    }

    /// store-att-flags = (["+" / "-"] "FLAGS" [".SILENT"]) SP
    ///                   (flag-list / (flag *(SP flag)))
    private mutating func storeAttFlags(of set: SequenceSet, byUID: Bool) throws(SyntaxError) -> StoreCommand {
        let action: StoreCommand.Action = accept("+") ? .add : accept("-") ? .remove : .replace
        try expect("FLAGS", "store-att-flags")
        let silent = accept(".SILENT")
        try sp()
        var flags = FlagSet()
        if next == UInt8(ascii: "(") {
            flags = try flagList()
        } else {
            var count = 0
            repeat {
                count += 1
                guard count <= Limit.flags else { throw failure("no more items") }
                try flag(into: &flags)
            } while acceptSpaceBeforeItem()
        }
        return StoreCommand(set: set, byUID: byUID, action: action, silent: silent, flags: flags)
    }

    /// Steps over a space that separates two items; one at the end of the command separates nothing.
    mutating func acceptSpaceBeforeItem() -> Bool {
        guard at + 1 < bytes.count, bytes[at] == UInt8(ascii: " "), bytes[at + 1] != UInt8(ascii: " ") else { return false }
        at += 1
        return true
    }
}
