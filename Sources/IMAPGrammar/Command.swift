import IMAPTypes

/// A whole command: what the client calls it, and what it wants (RFC 9051 §6).
public struct TaggedCommand: Hashable, Sendable {
    public var tag: Tag
    public var command: Command

    public init(tag: Tag, command: Command) {
        self.tag = tag
        self.command = command
    }
}

/// The client's name for a command (RFC 9051 §2.2.1): 1 or more ASTRING-CHARs without "+".
public struct Tag: Hashable, Sendable {
    public let bytes: [UInt8]

    /// `nil` unless `bytes` are a tag.
    public init?(_ bytes: some Collection<UInt8>) {
        guard !bytes.isEmpty, bytes.allSatisfy(\.isTagCharacter) else { return nil }
        self.bytes = Array(bytes)
    }
}

/// The commands, sorted by the state that allows them (RFC 9051 §6.1 to §6.4).
public enum Command: Hashable, Sendable {
    case any(AnyStateCommand)
    case notAuthenticated(NotAuthenticatedCommand)
    case authenticated(AuthenticatedCommand)
    case select(SelectCommand)
    case selected(SelectedCommand)
}

/// RFC 9051 §6.1, and ID (RFC 2971).
public enum AnyStateCommand: Hashable, Sendable {
    case capability, noop, logout
    /// The client's fields in its order; `nil` for `ID NIL`.
    case id([IDField]?)
}

/// One field of ID (RFC 2971 §3.3).
public struct IDField: Hashable, Sendable {
    public var name: [UInt8]
    public var value: [UInt8]?

    public init(name: [UInt8], value: [UInt8]?) {
        self.name = name
        self.value = value
    }
}

/// RFC 9051 §6.2.
public enum NotAuthenticatedCommand: Hashable, Sendable {
    case startTLS
    /// `mechanism` is in upper case. `initialResponse` is base64, not yet decoded; empty for "=" (RFC 9051 §6.2.2).
    case authenticate(mechanism: [UInt8], initialResponse: [UInt8]?)
    case login(user: [UInt8], password: [UInt8])
}

/// RFC 9051 §6.3, but for SELECT, EXAMINE, which change the state.
///
/// APPEND is not here: its message is read while it is stored, see `AppendHeader`.
public enum AuthenticatedCommand: Hashable, Sendable {
    /// Capability names, in upper case.
    case enable([[UInt8]])
    /// `use` has `nil` for an attribute that nobody knows: NO [USEATTR] (RFC 6154 §3).
    case create(MailboxName, use: [SpecialUse?])
    case delete(MailboxName)
    case rename(MailboxName, to: MailboxName)
    case subscribe(MailboxName)
    case unsubscribe(MailboxName)
    case list(ListCommand)
    /// LSUB (RFC 3501 §6.3.9). Both are decoded to UTF-8, as in `ListCommand`.
    case lsub(reference: [UInt8], pattern: [UInt8])
    case namespace
    case status(MailboxName, [StatusItem])
    case idle
}

/// SELECT and EXAMINE (RFC 9051 §6.3.2, §6.3.3; parameters of RFC 7162 §3.1.8, §3.2.5).
public struct SelectCommand: Hashable, Sendable {
    public var mailbox: MailboxName
    public var readOnly: Bool
    public var condstore: Bool = false
    public var qresync: QResync?

    public init(mailbox: MailboxName, readOnly: Bool) {
        self.mailbox = mailbox
        self.readOnly = readOnly
    }
}

/// What the client knew (RFC 7162 §3.2.5).
public struct QResync: Hashable, Sendable {
    public var uidValidity: UIDValidity
    public var modSequence: ModSequence
    /// The UIDs that the client knew; `nil` for all.
    public var knownUIDs: SequenceSet?
    public var match: Match?

    /// Message numbers, and beside each the UID that the client knew it by.
    public struct Match: Hashable, Sendable {
        public var numbers: SequenceSet
        public var uids: SequenceSet

        public init(numbers: SequenceSet, uids: SequenceSet) {
            self.numbers = numbers
            self.uids = uids
        }
    }

    public init(uidValidity: UIDValidity, modSequence: ModSequence) {
        self.uidValidity = uidValidity
        self.modSequence = modSequence
    }
}

/// RFC 9051 §6.4.
public enum SelectedCommand: Hashable, Sendable {
    /// CHECK (RFC 3501 §6.4.1).
    case check
    case close, unselect, expunge
    case uidExpunge(SequenceSet)
    case search(SearchCommand)
    case sort(SortCommand)
    case thread(ThreadCommand)
    case fetch(FetchCommand)
    case store(StoreCommand)
    case copy(SequenceSet, byUID: Bool, to: MailboxName)
    case move(SequenceSet, byUID: Bool, to: MailboxName)
}

// MARK: - LIST

/// LIST (RFC 9051 §6.3.9). Patterns and reference are decoded to UTF-8, as mailbox names are, and compare with their `string`.
public struct ListCommand: Hashable, Sendable {
    public var reference: [UInt8]
    public var patterns: [[UInt8]]
    public var selection: ListSelection = []
    public var returning: ListReturn = []
    /// What RETURN (STATUS (…)) asks for (RFC 5819); empty without it.
    public var status: [StatusItem] = []
    /// Whether the extended form was used: several patterns, or any option (RFC 9051 §6.3.9).
    public var isExtended = false

    public init(reference: [UInt8], patterns: [[UInt8]]) {
        self.reference = reference
        self.patterns = patterns
    }
}

/// RFC 9051 §6.3.9.1. REMOTE is accepted and selects nothing more: there are no remote mailboxes.
public struct ListSelection: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    public static let subscribed = ListSelection(rawValue: 1)
    public static let remote = ListSelection(rawValue: 2)
    public static let recursiveMatch = ListSelection(rawValue: 4)
    public static let specialUse = ListSelection(rawValue: 8)
}

/// RFC 9051 §6.3.9.2.
public struct ListReturn: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    public static let subscribed = ListReturn(rawValue: 1)
    public static let children = ListReturn(rawValue: 2)
    public static let specialUse = ListReturn(rawValue: 4)
}

/// RFC 9051 §6.3.11, RFC 3501 §6.3.10 (RECENT), RFC 7162 §3.1.7 (HIGHESTMODSEQ).
public enum StatusItem: String, Hashable, Sendable, CaseIterable {
    case messages = "MESSAGES"
    case recent = "RECENT"
    case uidNext = "UIDNEXT"
    case uidValidity = "UIDVALIDITY"
    case unseen = "UNSEEN"
    case deleted = "DELETED"
    case size = "SIZE"
    case highestModSeq = "HIGHESTMODSEQ"
}

// MARK: - FETCH

public struct FetchCommand: Hashable, Sendable {
    public var set: SequenceSet
    public var byUID: Bool
    /// Macros expanded, in the client's order.
    public var attributes: [FetchAttribute]
    /// CHANGEDSINCE (RFC 7162 §3.1.4.1); 0 is allowed: real clients send it.
    public var changedSince: ModSequence?
    /// VANISHED (RFC 7162 §3.2.6).
    public var vanished = false

    public init(set: SequenceSet, byUID: Bool, attributes: [FetchAttribute]) {
        self.set = set
        self.byUID = byUID
        self.attributes = attributes
    }
}

/// RFC 9051 §6.4.5, RFC 3501 §6.4.5 (RFC822…), RFC 7162 (MODSEQ).
public enum FetchAttribute: Hashable, Sendable {
    case envelope, flags, internalDate, uid, modSeq
    /// BODY without a section: BODYSTRUCTURE without extension data.
    case body
    case bodyStructure
    /// RFC822 and RFC822.TEXT; `peek` for RFC822.PEEK and RFC822.TEXT.PEEK (RFC 1730 §6.4.5), answered by the same names.
    case rfc822(peek: Bool), rfc822Text(peek: Bool)
    case rfc822Header, rfc822Size
    case bodySection(Section, Partial?, peek: Bool)
    /// BINARY and BINARY.PEEK (RFC 9051 §6.4.5.3); an empty part is the whole message.
    case binary(part: [UInt32], Partial?, peek: Bool)
    case binarySize(part: [UInt32])
}

/// section-spec (RFC 9051 §9): `part` empty and `text` nil is the whole message.
public struct Section: Hashable, Sendable {
    public var part: [UInt32]
    public var text: SectionText?

    public init(part: [UInt32] = [], text: SectionText? = nil) {
        self.part = part
        self.text = text
    }
}

public enum SectionText: Hashable, Sendable {
    case header
    /// HEADER.FIELDS (…) with names as the client wrote them.
    case headerFields([[UInt8]])
    case headerFieldsNot([[UInt8]])
    case text
    /// Only after a part number.
    case mime
}

/// <offset.count> (RFC 9051 §9, `partial`): offset from 0, count from 1.
public struct Partial: Hashable, Sendable {
    public var offset: UInt64
    public var count: UInt64

    public init(offset: UInt64, count: UInt64) {
        self.offset = offset
        self.count = count
    }
}

// MARK: - STORE

public struct StoreCommand: Hashable, Sendable {
    public enum Action: Hashable, Sendable { case replace, add, remove }
    public var set: SequenceSet
    public var byUID: Bool
    public var action: Action
    public var silent: Bool
    public var flags: FlagSet
    /// UNCHANGEDSINCE (RFC 7162 §3.1.3).
    public var unchangedSince: ModSequence?

    public init(set: SequenceSet, byUID: Bool, action: Action, silent: Bool, flags: FlagSet) {
        self.set = set
        self.byUID = byUID
        self.action = action
        self.silent = silent
        self.flags = flags
    }
}

// MARK: - SEARCH, SORT, THREAD

public struct SearchCommand: Hashable, Sendable {
    public var byUID: Bool
    /// As the client named it; `nil` without CHARSET.
    public var charset: [UInt8]?
    /// RETURN options (RFC 9051 §6.4.4); `nil` without RETURN. RETURN () is [.all].
    public var returning: SearchReturn?
    public var key: SearchKey

    public init(byUID: Bool, charset: [UInt8]?, returning: SearchReturn?, key: SearchKey) {
        self.byUID = byUID
        self.charset = charset
        self.returning = returning
        self.key = key
    }
}

public struct SearchReturn: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    public static let min = SearchReturn(rawValue: 1)
    public static let max = SearchReturn(rawValue: 2)
    public static let all = SearchReturn(rawValue: 4)
    public static let count = SearchReturn(rawValue: 8)
    public static let save = SearchReturn(rawValue: 16)
}

/// SORT (RFC 5256 §3). Its keys follow in order of significance.
public struct SortCommand: Hashable, Sendable {
    public enum Criterion: Hashable, Sendable { case arrival, cc, date, from, size, subject, to }
    public struct Key: Hashable, Sendable {
        public var criterion: Criterion
        public var reverse: Bool
        public init(_ criterion: Criterion, reverse: Bool) {
            self.criterion = criterion
            self.reverse = reverse
        }
    }
    public var keys: [Key]
    public var search: SearchCommand

    public init(keys: [Key], search: SearchCommand) {
        self.keys = keys
        self.search = search
    }
}

/// THREAD (RFC 5256 §4).
public struct ThreadCommand: Hashable, Sendable {
    public enum Algorithm: String, Hashable, Sendable, CaseIterable {
        case orderedSubject = "ORDEREDSUBJECT", references = "REFERENCES"
    }
    public var algorithm: Algorithm
    public var search: SearchCommand

    public init(algorithm: Algorithm, search: SearchCommand) {
        self.algorithm = algorithm
        self.search = search
    }
}

/// search-key (RFC 9051 §6.4.4, §9; RFC 3501 for the keys of \Recent). Strings are in the command's charset.
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
    case larger(UInt64), smaller(UInt64)
    case sequence(SequenceSet)
    case uid(SequenceSet)
    case modSeq(ModSequence)
    case not(SearchKey)
    case or(SearchKey, SearchKey)
    case and([SearchKey])
}

// MARK: - APPEND

/// The part of APPEND (RFC 9051 §6.3.12, RFC 3502) before a message's literal.
///
/// The first one of a command has a tag and a mailbox; those of the command's further messages have neither.
public struct AppendHeader: Hashable, Sendable {
    public var tag: Tag?
    public var mailbox: MailboxName?
    public var flags: FlagSet
    public var date: InternalDate?
    public var literal: LiteralHeader
    /// Whether the literal stands in UTF8 (…) (RFC 6855 §4), so that ")" must follow it.
    public var inUTF8: Bool

    public init(tag: Tag?, mailbox: MailboxName?, flags: FlagSet, date: InternalDate?, literal: LiteralHeader, inUTF8: Bool) {
        self.tag = tag
        self.mailbox = mailbox
        self.flags = flags
        self.date = date
        self.literal = literal
        self.inUTF8 = inUTF8
    }
}
