import IMAPTypes

extension Serializer {
    /// What FETCH tells of a message without reading it, and of many messages at once.
    public enum MetadataItem: Sendable {
        case uid, flags, modSeq
    }

    /// A whole FETCH response (RFC 9051 §7.5.2) with these items. As `fetch`, `fetchUID` and so on write it, but for every
    /// message of a mailbox it is worth to write it in one go.
    public mutating func fetch(
        _ message: SequenceNumber, _ items: [MetadataItem], _ uid: UID, _ flags: SystemFlags, _ keywords: KeywordSet,
        of table: [Keyword], isRecent: Bool, _ modSequence: ModSequence
    ) {
        guard keywords.isEmpty else {
            fetch(message)
            for (index, item) in items.enumerated() {
                if index > 0 { space() }
                switch item {
                case .uid: fetchUID(uid)
                case .flags: fetchFlags(flags, keywords, of: table, isRecent: isRecent)
                case .modSeq: fetchModSeq(modSequence)
                }
            }
            return fetchEnd()
        }
        write(atMost: 24 + 80 * items.count) { buffer in
            var at = 0
            func put(_ text: StaticString) {
                (buffer.baseAddress! + at).copyMemory(from: text.utf8Start, byteCount: text.utf8CodeUnitCount)
                at &+= text.utf8CodeUnitCount
            }
            func put(_ number: UInt64) {
                at &+= Self.putDigits(number, UnsafeMutableRawBufferPointer(rebasing: buffer[at...]))
            }
            put("* ")
            put(UInt64(message.rawValue))
            put(" FETCH (")
            for (index, item) in items.enumerated() {
                if index > 0 { put(" ") }
                switch item {
                case .uid:
                    put("UID ")
                    put(UInt64(uid.rawValue))
                case .flags:
                    put("FLAGS (")
                    let list = Self.systemFlagLists[Int(flags.intersection(.all).rawValue)]
                    UnsafeMutableRawBufferPointer(rebasing: buffer[at...]).copyBytes(from: list)
                    at &+= list.count
                    if isRecent { put(list.isEmpty ? "\\Recent" : " \\Recent") }
                    put(")")
                case .modSeq:
                    put("MODSEQ (")
                    put(modSequence.rawValue)
                    put(")")
                }
            }
            put(")\r\n")
            return at
        }
    }
}
