import IMAPTypes

/// search-key (RFC 9051 §6.4.4, §9; RFC 3501 for the keys of \Recent; RFC 8514, RFC 8474). Strings are in the
/// command's charset.
public indirect enum SearchKey: Hashable, Sendable {
    case all
    case flag(SystemFlags, isSet: Bool)
    case keyword(Keyword, isSet: Bool)
    /// NEW is `recent` and not \Seen, OLD is not `recent`.
    case new, old, recent
    case header(name: [UInt8], value: [UInt8])
    /// BCC, CC, FROM, TO, SUBJECT are `header`s of that name.
    case body([UInt8])
    case text([UInt8])
    /// By INTERNALDATE.
    case before(CalendarDay), on(CalendarDay), since(CalendarDay)
    /// By the Date: header field.
    case sentBefore(CalendarDay), sentOn(CalendarDay), sentSince(CalendarDay)
    /// By SAVEDATE.
    case savedBefore(CalendarDay), savedOn(CalendarDay), savedSince(CalendarDay)
    case saveDateSupported
    /// `nil` for an id that no message here can have.
    case emailID(ObjectID?), threadID(ObjectID?)
    case larger(UInt64), smaller(UInt64)
    case sequence(SequenceSet)
    case uid(SequenceSet)
    case modSeq(ModSequence)
    case not(SearchKey)
    case or(SearchKey, SearchKey)
    case and([SearchKey])
}
