import IMAPTypes

extension Parser {
    /// list            = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts]
    mutating func list() throws(SyntaxError) -> ListCommand {
        var command = ListCommand(reference: [], patterns: [])
        if isParenthesisNext {
            try sp()
            command.selection = try listSelectOptions()
            command.isExtended = true
        }
        try sp()
        command.reference = try reference()
        try sp()
        if next == UInt8(ascii: "(") {
            command.patterns = try patterns()
            command.isExtended = true
        } else {
            command.patterns = [try listMailbox()]
        }
        if accept(" RETURN ") {
            try listReturnOptions(&command)
            command.isExtended = true
        }
        return command
    }

    /// lsub            = "LSUB" SP mailbox SP list-mailbox
    mutating func lsub() throws(SyntaxError) -> AuthenticatedCommand {
        try sp()
        let reference = try reference()
        try sp()
        return .lsub(reference: reference, pattern: try listMailbox())
    }

    /// The reference of LIST, a mailbox in the grammar: often empty, and only ever put before a pattern.
    private mutating func reference() throws(SyntaxError) -> [UInt8] {
        let start = at
        return try decoded(try astring(), from: start)
    }

    /// list-mailbox    = 1*list-char / string
    private mutating func listMailbox() throws(SyntaxError) -> [UInt8] {
        let start = at
        let plain = take(while: \.isListCharacter)
        return try decoded(plain.isEmpty ? try string() : Array(plain), from: start)
    }

    /// The text that is meant, in UTF-8. Wildcards mean themselves in modified UTF-7 too.
    private mutating func decoded(_ bytes: [UInt8], from start: Int) throws(SyntaxError) -> [UInt8] {
        guard let text = mailboxText(bytes) else {
            at = start
            throw failure("mailbox")
        }
        return Array(text.utf8)
    }

    /// patterns =  "(" list-mailbox *(SP list-mailbox) ")"
    private mutating func patterns() throws(SyntaxError) -> [[UInt8]] {
        var patterns: [[UInt8]] = []
        try parenthesized(atMost: Limit.patterns) { (parser) throws(SyntaxError) in
            patterns.append(try parser.listMailbox())
        }
        guard !patterns.isEmpty else { throw failure("list-mailbox") }
        return patterns
    }

    private enum SelectOption: String, CaseIterable {
        case subscribed = "SUBSCRIBED", remote = "REMOTE", recursiveMatch = "RECURSIVEMATCH", specialUse = "SPECIAL-USE"
    }
    private static let selectOptions = Vocabulary(SelectOption.self)

    /// list-select-opts =  "(" [
    ///               (*(list-select-opt SP) list-select-base-opt
    ///                *(SP list-select-opt))
    ///             / (list-select-independent-opt
    ///                *(SP list-select-independent-opt))
    ///             ] ")"
    ///             ; If a list-select-mod-opt appears, then a
    ///             ; list-select-base-opt must also appear.
    private mutating func listSelectOptions() throws(SyntaxError) -> ListSelection {
        let start = at
        var selection: ListSelection = []
        try parenthesized(atMost: Limit.options) { (parser) throws(SyntaxError) in
            switch try parser.word(Self.selectOptions, "list-select-opt") {
            case .subscribed: selection.insert(.subscribed)
            case .remote: selection.insert(.remote)
            case .recursiveMatch: selection.insert(.recursiveMatch)
            case .specialUse: selection.insert(.specialUse)
            }
        }
        guard !selection.contains(.recursiveMatch) || selection.contains(.subscribed) else {
            at = start
            throw failure("list-select-base-opt")
        }
        return selection
    }

    private enum ReturnOption: String, CaseIterable {
        case subscribed = "SUBSCRIBED", children = "CHILDREN", specialUse = "SPECIAL-USE", status = "STATUS"
    }
    private static let returnOptions = Vocabulary(ReturnOption.self)

    /// list-return-opts =  "RETURN" SP
    ///             "(" [return-option *(SP return-option)] ")"
    ///
    /// return-option   = "SUBSCRIBED" / "CHILDREN" / status-option / option-extension
    ///
    /// status-option = "STATUS" SP "(" status-att *(SP status-att) ")"
    private mutating func listReturnOptions(_ command: inout ListCommand) throws(SyntaxError) {
        var returning: ListReturn = []
        var status: [StatusItem] = []
        try parenthesized(atMost: Limit.options) { (parser) throws(SyntaxError) in
            switch try parser.word(Self.returnOptions, "return-option") {
            case .subscribed: returning.insert(.subscribed)
            case .children: returning.insert(.children)
            case .specialUse: returning.insert(.specialUse)
            case .status:
                try parser.sp()
                status = try parser.statusAttributes()
            }
        }
        command.returning = returning
        command.status = status
    }
}
