import IMAPTypes

extension Parser {
    /// mailbox         = "INBOX" / astring
    mutating func mailbox() throws(SyntaxError) -> MailboxName {
        let start = at
        let bytes = try astring()
        guard let text = mailboxText(bytes), let name = MailboxName(text) else {
            at = start
            throw failure("mailbox")
        }
        return name
    }

    /// What the client means by the bytes of a mailbox's name, or of a pattern for names; `nil` if they are not UTF-8.
    ///
    /// When UTF-8 is enabled, it is the bytes, also those that look like modified UTF-7 (RFC 9051 Appendix A).
    /// Otherwise it is what modified UTF-7 decodes to (RFC 3501 §5.1.3). Bytes that are no such thing, a lone "&" or
    /// raw UTF-8, stand for themselves: `CREATE "A&B"` makes the mailbox "A&B", which LIST shows in its one right
    /// form, "A&-B", and which both forms then open. So no name that a client made is out of its reach.
    func mailboxText(_ bytes: [UInt8]) -> String? {
        if !mode.isUTF8, bytes.contains(UInt8(ascii: "&")), let text = ModifiedUTF7.decodeCanonical(bytes) { return text }
        return String(validating: bytes, as: UTF8.self)
    }

    /// create          = "CREATE" SP mailbox [create-params]
    ///
    /// create-params   = SP "(" create-param *( SP create-param) ")"
    ///
    /// create-param   =/  "USE" SP "(" [use-attr *(SP use-attr)] ")"
    mutating func create() throws(SyntaxError) -> AuthenticatedCommand {
        try sp()
        let name = try mailbox()
        var use: [SpecialUse?] = []
        if isParenthesisNext {
            try sp()
            try parenthesized(atMost: Limit.options) { (parser) throws(SyntaxError) in
                try parser.expect("USE", "create-param")
                try parser.sp()
                try parser.parenthesized(atMost: Limit.options) { (parser) throws(SyntaxError) in
                    use.append(try parser.useAttribute())
                }
            }
        }
        return .create(name, use: use)
    }

    /// use-attr        =  "\All" / "\Archive" / "\Drafts" / "\Flagged" /
    ///                  "\Junk" / "\Sent" / "\Trash" / use-attr-ext
    ///
    /// use-attr-ext    =  "\" atom
    private mutating func useAttribute() throws(SyntaxError) -> SpecialUse? {
        try expect("\\", "use-attr")
        let name = try atom()
        return SpecialUse.allCases.first { use in
            use.rawValue.utf8.dropFirst().elementsEqual(name) { $0.uppercased == $1.uppercased }
        }
    }

    /// Whether parameters follow: SP "(".
    var isParenthesisNext: Bool {
        at + 1 < bytes.count && bytes[at] == UInt8(ascii: " ") && bytes[at + 1] == UInt8(ascii: "(")
    }

    /// rename          = "RENAME" SP mailbox SP mailbox
    mutating func rename() throws(SyntaxError) -> AuthenticatedCommand {
        try sp()
        let from = try mailbox()
        try sp()
        return .rename(from, to: try mailbox())
    }

    /// The one mailbox of DELETE, SUBSCRIBE and UNSUBSCRIBE: SP mailbox.
    mutating func mailboxArgument() throws(SyntaxError) -> MailboxName {
        try sp()
        return try mailbox()
    }

    /// status          = "STATUS" SP mailbox SP
    ///                   "(" status-att *(SP status-att) ")"
    mutating func status() throws(SyntaxError) -> AuthenticatedCommand {
        try sp()
        let name = try mailbox()
        try sp()
        return .status(name, try statusAttributes())
    }

    private static let statusItems = Vocabulary(StatusItem.self)

    /// "(" [status-att *(SP status-att)] ")"
    ///
    /// The rule wants one at least; clients have sent none.
    mutating func statusAttributes() throws(SyntaxError) -> [StatusItem] {
        var items: [StatusItem] = []
        try parenthesized(atMost: Limit.options) { (parser) throws(SyntaxError) in
            items.append(try parser.word(Self.statusItems, "status-att"))
        }
        return items
    }

    private enum SelectParameter: String, CaseIterable {
        case condstore = "CONDSTORE", qresync = "QRESYNC"
    }
    private static let selectParameters = Vocabulary(SelectParameter.self)

    /// select          = "SELECT" SP mailbox [select-params]
    ///
    /// examine         = "EXAMINE" SP mailbox [select-params]
    ///
    /// select-params   = SP "(" select-param *(SP select-param) ")"
    mutating func select(readOnly: Bool) throws(SyntaxError) -> SelectCommand {
        try sp()
        var command = SelectCommand(mailbox: try mailbox(), readOnly: readOnly)
        guard isParenthesisNext else { return command }
        try sp()
        try parenthesized(atMost: Limit.options) { (parser) throws(SyntaxError) in
            switch try parser.word(Self.selectParameters, "select-param") {
            case .condstore: command.condstore = true
            case .qresync:
                try parser.sp()
                command.qresync = try parser.qresync()
            }
        }
        return command
    }

    /// select-param        =/  "QRESYNC" SP "(" uidvalidity SP
    ///                     mod-sequence-value [SP known-uids]
    ///                     [SP seq-match-data] ")"
    ///
    /// seq-match-data      =  "(" known-sequence-set SP known-uid-set ")"
    private mutating func qresync() throws(SyntaxError) -> QResync {
        try openParenthesis()
        guard let uidValidity = UIDValidity(try nzNumber()) else { throw failure("uidvalidity") }
        try sp()
        var qresync = QResync(uidValidity: uidValidity, modSequence: try modSequenceValzer())
        if next == UInt8(ascii: " "), !isParenthesisNext {
            try sp()
            qresync.knownUIDs = try knownSet()
        }
        if isParenthesisNext {
            try sp()
            try openParenthesis()
            let numbers = try knownSet()
            try sp()
            qresync.match = QResync.Match(numbers: numbers, uids: try knownSet())
            try closeParenthesis()
        }
        try closeParenthesis()
        return qresync
    }
}
