import IMAPTypes

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
