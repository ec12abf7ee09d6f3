import IMAPTypes

extension Serializer {
    /// flag-list       = "(" [flag *(SP flag)] ")"
    public mutating func flagList(_ system: SystemFlags, _ keywords: some Sequence<Keyword>) {
        flagList(system, keywords, last: nil)
    }

    /// "(" [flag-fetch *(SP flag-fetch)] ")"
    ///
    /// flag-fetch      = flag / obsolete-flag-recent
    ///
    /// The keywords are those of `table` at the indexes in `keywords`.
    public mutating func flagsFetch(_ system: SystemFlags, _ keywords: KeywordSet, of table: [Keyword], isRecent: Bool) {
        open()
        let begin = count
        systemFlags(system)
        if isRecent { write(count == begin ? "\\Recent" : " \\Recent") }
        for index in keywords where index < table.count {
            if count > begin { space() }
            bytes.append(contentsOf: table[index].name.utf8)
        }
        close()
    }

    /// `last` stands after all else: "\*".
    mutating func flagList(_ system: SystemFlags, _ keywords: some Sequence<Keyword>, last: StaticString?) {
        open()
        let begin = count
        systemFlags(system)
        for keyword in keywords {
            if count > begin { space() }
            bytes.append(contentsOf: keyword.name.utf8)
        }
        if let last {
            if count > begin { space() }
            write(last)
        }
        close()
    }

    /// flag *(SP flag), of system flags; nothing for none.
    private mutating func systemFlags(_ flags: SystemFlags) {
        let begin = count
        func separate(_ serializer: inout Serializer) { if serializer.count > begin { serializer.space() } }
        for (flag, name) in Self.flagNames where flags.contains(flag) {
            separate(&self)
            write(name)
        }
    }

    private static let flagNames: [(SystemFlags, StaticString)] = [
        (.answered, "\\Answered"), (.flagged, "\\Flagged"), (.deleted, "\\Deleted"), (.seen, "\\Seen"), (.draft, "\\Draft"),
    ]
}
