import IMAPTypes

extension Parser {
    private enum Attribute: String, CaseIterable {
        case envelope = "ENVELOPE", flags = "FLAGS", internalDate = "INTERNALDATE", uid = "UID", modSeq = "MODSEQ"
        case saveDate = "SAVEDATE", emailID = "EMAILID", threadID = "THREADID", preview = "PREVIEW"
        case body = "BODY", bodyPeek = "BODY.PEEK", bodyStructure = "BODYSTRUCTURE"
        case binary = "BINARY", binaryPeek = "BINARY.PEEK", binarySize = "BINARY.SIZE"
        case rfc822 = "RFC822", rfc822Header = "RFC822.HEADER", rfc822Size = "RFC822.SIZE", rfc822Text = "RFC822.TEXT"
        case rfc822Peek = "RFC822.PEEK", rfc822TextPeek = "RFC822.TEXT.PEEK"
        case all = "ALL", fast = "FAST", full = "FULL"
    }
    private static let attributes = Vocabulary(Attribute.self)

    /// fetch           = "FETCH" SP sequence-set SP (
    ///                   "ALL" / "FULL" / "FAST" /
    ///                   fetch-att / "(" fetch-att *(SP fetch-att) ")")
    ///                   [fetch-modifiers]
    mutating func fetch(byUID: Bool) throws(SyntaxError) -> FetchCommand {
        try sp()
        var command = FetchCommand(set: try sequenceSet(), byUID: byUID, attributes: [])
        try sp()
        if next == UInt8(ascii: "(") {
            var attributes: [FetchAttribute] = []
            try parenthesized(atMost: Limit.fetchAttributes) { (parser) throws(SyntaxError) in
                attributes.append(try parser.fetchAttribute())
            }
            guard !attributes.isEmpty else { throw failure("fetch-att") }
            command.attributes = attributes
        } else if let attributes = macro() {
            command.attributes = attributes
        } else {
            command.attributes = [try fetchAttribute()]
        }
        if isParenthesisNext {
            try sp()
            try fetchModifiers(&command)
        }
        return command
    }

    /// The macros of RFC 9051 §6.4.5, which cannot stand in parentheses; `nil` and nothing read if something else is next.
    private mutating func macro() -> [FetchAttribute]? {
        let start = at
        switch Self.attributes[word()] {
        case .all: return [.flags, .internalDate, .rfc822Size, .envelope]
        case .fast: return [.flags, .internalDate, .rfc822Size]
        case .full: return [.flags, .internalDate, .rfc822Size, .envelope, .body]
        default:
            at = start
            return nil
        }
    }

    /// fetch-att       = "ENVELOPE" / "FLAGS" / "INTERNALDATE" /
    ///                   "RFC822.SIZE" /
    ///                   "BODY" ["STRUCTURE"] / "UID" /
    ///                   "BODY" section [partial] /
    ///                   "BODY.PEEK" section [partial] /
    ///                   "BINARY" [".PEEK"] section-binary [partial] /
    ///                   "BINARY.SIZE" section-binary
    ///
    /// And RFC822, RFC822.HEADER, RFC822.TEXT (RFC 3501 §9), RFC822.PEEK, RFC822.TEXT.PEEK (RFC 1730 §9; Outlook sends
    /// the former still), MODSEQ (RFC 7162 §7), SAVEDATE (RFC 8514 §5), EMAILID and THREADID
    /// (RFC 8474 §7).
    private mutating func fetchAttribute() throws(SyntaxError) -> FetchAttribute {
        let start = at
        switch Self.attributes[word()] {
        case .envelope: return .envelope
        case .flags: return .flags
        case .internalDate: return .internalDate
        case .uid: return .uid
        case .modSeq: return .modSeq
        case .saveDate: return .saveDate
        case .emailID: return .emailID
        case .threadID: return .threadID
        case .preview: return .preview(lazy: try previewModifiers())
        case .bodyStructure: return .bodyStructure
        case .body:
            guard isSectionNext else { return .body }
            return .bodySection(try section(), try partial(), peek: false)
        case .bodyPeek: return .bodySection(try section(), try partial(), peek: true)
        case .binary: return .binary(part: try sectionBinary(), try partial(), peek: false)
        case .binaryPeek: return .binary(part: try sectionBinary(), try partial(), peek: true)
        case .binarySize: return .binarySize(part: try sectionBinary())
        case .rfc822: return .rfc822(peek: false)
        case .rfc822Peek: return .rfc822(peek: true)
        case .rfc822Header: return .rfc822Header
        case .rfc822Size: return .rfc822Size
        case .rfc822Text: return .rfc822Text(peek: false)
        case .rfc822TextPeek: return .rfc822Text(peek: true)
        case .all, .fast, .full, nil:
            at = start
            throw failure("fetch-att")
        }
    }

    /// [SP "(" preview-mod *(SP preview-mod) ")"]
    ///
    /// preview-mod       =  "LAZY"
    ///
    /// The parentheses that follow may be those of fetch-modifiers.
    private mutating func previewModifiers() throws(SyntaxError) -> Bool {
        let start = at
        guard accept(" (LAZY") else { return false }
        while accept(" LAZY") {}
        guard accept(")") else {
            at = start + 2
            throw failure("preview-mod")
        }
        return true
    }

    private enum Modifier: String, CaseIterable {
        case changedSince = "CHANGEDSINCE", vanished = "VANISHED"
    }
    private static let modifiers = Vocabulary(Modifier.self)

    /// fetch-modifiers = SP "(" fetch-modifier *(SP fetch-modifier) ")"
    ///
    /// fetch-modifier  = "CHANGEDSINCE" SP mod-sequence-value / "VANISHED"
    ///
    /// VANISHED needs UID FETCH and CHANGEDSINCE (RFC 7162 §3.2.6).
    private mutating func fetchModifiers(_ command: inout FetchCommand) throws(SyntaxError) {
        let start = at
        var changedSince: ModSequence?
        var vanished = false
        try parenthesized(atMost: Limit.options) { (parser) throws(SyntaxError) in
            switch try parser.word(Self.modifiers, "fetch-modifier") {
            case .changedSince:
                try parser.sp()
                changedSince = try parser.modSequenceValzer()
            case .vanished: vanished = true
            }
        }
        guard !vanished || command.byUID && changedSince != nil else {
            at = start
            throw failure("CHANGEDSINCE in UID FETCH, for VANISHED")
        }
        command.changedSince = changedSince
        command.vanished = vanished
    }
}
