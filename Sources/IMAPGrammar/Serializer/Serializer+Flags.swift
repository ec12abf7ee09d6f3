import IMAPTypes

extension Serializer {
    /// flag-list       = "(" [flag *(SP flag)] ")"
    public mutating func flagList(_ system: SystemFlags, _ keywords: some Collection<Keyword>) {
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
    mutating func flagList(_ system: SystemFlags, _ keywords: some Collection<Keyword>, last: StaticString?) {
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

    /// [flag *(SP flag)], of system flags.
    private mutating func systemFlags(_ flags: SystemFlags) {
        write(Self.systemFlagLists[Int(flags.intersection(.all).rawValue)])
    }

    /// What is to be written for each of the 32 sets of system flags, by raw value: FETCH says it for every message.
    static let systemFlagLists: [[UInt8]] = (0...SystemFlags.all.rawValue).map { rawValue in
        let names: [(SystemFlags, String)] = [
            (.answered, "\\Answered"), (.flagged, "\\Flagged"), (.deleted, "\\Deleted"), (.seen, "\\Seen"), (.draft, "\\Draft"),
        ]
        let set = names.filter { SystemFlags(rawValue: rawValue).contains($0.0) }.map(\.1)
        return Array(set.joined(separator: " ").utf8)
    }
}
