import IMAPTypes

/// The parts of FETCH (RFC 9051 §7.5.2) that need no message, and the frame for those that do:
///
///     serializer.fetch(5)              // * 5 FETCH (
///     serializer.fetchUID(uid)         // UID 7
///     serializer.space()
///     serializer.bodySection(section)  // BODY[TEXT]
///     serializer.space()
///     serializer.literalHeader(size: size)
///     …                                // the bytes
///     serializer.fetchEnd()            // )
extension Serializer {
    /// message-data    = nz-number SP ("EXPUNGE" / ("FETCH" SP msg-att))
    ///
    /// Up to the "(" of msg-att.
    public mutating func fetch(_ message: SequenceNumber) {
        write("* ")
        number(message)
        write(" FETCH (")
    }

    public mutating func fetchEnd() {
        write(")\r\n")
    }

    /// "UID" SP uniqueid
    public mutating func fetchUID(_ uid: UID) {
        write("UID ")
        number(uid)
    }

    /// "FLAGS" SP "(" [flag-fetch *(SP flag-fetch)] ")"
    public mutating func fetchFlags(_ system: SystemFlags, _ keywords: KeywordSet, of table: [Keyword], isRecent: Bool) {
        write("FLAGS ")
        flagsFetch(system, keywords, of: table, isRecent: isRecent)
    }

    /// "INTERNALDATE" SP date-time
    public mutating func fetchInternalDate(_ date: InternalDate) {
        write("INTERNALDATE ")
        dateTime(date)
    }

    /// "SAVEDATE" SP (date-time / nil) (RFC 8514 §5)
    public mutating func fetchSaveDate(_ date: InternalDate) {
        write("SAVEDATE ")
        dateTime(date)
    }

    /// "EMAILID" SP "(" objectid ")"
    public mutating func fetchEmailID(_ id: ObjectID) {
        write("EMAILID ")
        objectid(id, .message)
    }

    /// "THREADID" SP ( "(" objectid ")" / nil )
    public mutating func fetchThreadID(_ id: ObjectID) {
        write("THREADID ")
        objectid(id, .thread)
    }

    /// "RFC822.SIZE" SP number64
    public mutating func fetchSize(_ size: UInt64) {
        write("RFC822.SIZE ")
        number(size)
    }

    /// fetch-mod-resp      = "MODSEQ" SP "(" permsg-modsequence ")"
    public mutating func fetchModSeq(_ value: ModSequence) {
        write("MODSEQ (")
        number(value)
        close()
    }

    /// "BODY" section ["<" number ">"]
    public mutating func bodySection(_ section: Section, origin: UInt64? = nil) {
        write("BODY[")
        sectionSpec(section)
        write("]")
        if let origin { partialOrigin(origin) }
    }

    /// "BINARY" section-binary
    ///
    /// With the origin octet of a partial, as BODY has it (RFC 3516 §4.2).
    public mutating func binary(part: [UInt32], origin: UInt64? = nil) {
        write("BINARY[")
        sectionPart(part)
        write("]")
        if let origin { partialOrigin(origin) }
    }

    /// "BINARY.SIZE" section-binary
    public mutating func binarySize(part: [UInt32]) {
        write("BINARY.SIZE[")
        sectionPart(part)
        write("]")
    }

    private mutating func partialOrigin(_ origin: UInt64) {
        write("<")
        number(origin)
        write(">")
    }

    /// section-spec    = section-msgtext / (section-part ["." section-text])
    private mutating func sectionSpec(_ section: Section) {
        sectionPart(section.part)
        guard let text = section.text else { return }
        if !section.part.isEmpty { write(".") }
        switch text {
        case .header: write("HEADER")
        case .headerFields(let names):
            write("HEADER.FIELDS ")
            parenthesized(names) { $0.astring($1) }
        case .headerFieldsNot(let names):
            write("HEADER.FIELDS.NOT ")
            parenthesized(names) { $0.astring($1) }
        case .text: write("TEXT")
        case .mime: write("MIME")
        }
    }

    /// section-part    = nz-number *("." nz-number)
    private mutating func sectionPart(_ part: [UInt32]) {
        separated(part, by: ".") { $0.number($1) }
    }

    /// date-time       = DQUOTE date-day-fixed "-" date-month "-" date-year
    ///                   SP time SP zone DQUOTE
    ///
    /// A year that four digits cannot tell becomes the nearest that they can.
    public mutating func dateTime(_ date: InternalDate) {
        let zone = Int64(date.zone)
        let local = min(max(date.seconds, Self.year0), Self.endOfYear9999) + zone * 60
        let clamped = min(max(local, Self.year0), Self.endOfYear9999)
        let date = CalendarDay(ofSecond: clamped)
        let (year, month, day) = date.civil
        let second = Int(clamped - date.daysSinceEpoch * 86_400)
        write(day < 10 ? "\" " : "\"")
        number(day)
        write(Self.monthNames[month - 1])
        digits(year, width: 4)
        space()
        digits(second / 3600, width: 2)
        write(":")
        digits(second / 60 % 60, width: 2)
        write(":")
        digits(second % 60, width: 2)
        write(zone < 0 ? " -" : " +")
        digits(Int(abs(zone) / 60), width: 2)
        digits(Int(abs(zone) % 60), width: 2)
        write("\"")
    }

    /// 0000-01-01 00:00:00 and 9999-12-31 23:59:59.
    private static let year0: Int64 = -62_167_219_200
    private static let endOfYear9999: Int64 = 253_402_300_799

    private static let monthNames: [StaticString] = [
        "-Jan-", "-Feb-", "-Mar-", "-Apr-", "-May-", "-Jun-", "-Jul-", "-Aug-", "-Sep-", "-Oct-", "-Nov-", "-Dec-",
    ]
}
