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

    /// Bytes of `summary(of:)`.
    public static let longestSummary = 1000

    /// What a client says of itself, for a log: nothing but what can be seen, and not much of it. In one value, as names that
    /// the client makes up must not pass for ours.
    public static func summary(of fields: [IDField]) -> String {
        func printable(_ bytes: [UInt8]) -> [UInt8] {
            bytes.prefix(128).map { (0x20...0x7E).contains($0) ? $0 : UInt8(ascii: "?") }
        }
        let parts = fields.map { printable($0.name) + [UInt8(ascii: "=")] + printable($0.value ?? []) }
        return String(decoding: Array(parts.joined(separator: [0x20])).prefix(longestSummary), as: UTF8.self)
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
