import IMAPTypes

/// How clients name the user's mailboxes (RFC 9051 §6.3.10), and how the store does: to clients, every name but INBOX has the
/// prefix before it. This is the only place where one becomes the other.
///
/// People who come from a server with a prefix keep their names, and so what their clients know. A client that ignores
/// prefixes, as Outlook does, may leave it out: what does not begin with it is taken as if it did. That is no second meaning of
/// any name: what begins with the prefix is always taken so.
struct PersonalNamespace {
    /// Empty, or with the separator at its end.
    let prefix: String
    let separator: Character

    init(prefix: String, separator: Character) {
        self.separator = separator
        self.prefix = Self.withInbox(prefix, separator)
    }

    /// The name as the store knows it; `nil` for the prefix alone, which is no mailbox.
    func local(_ name: MailboxName) -> MailboxName? {
        let name = normalized(name)
        guard !prefix.isEmpty, !name.isInbox else { return name }
        let bytes = name.string.utf8, prefix = prefix.utf8
        guard bytes.starts(with: prefix) else {
            return bytes.elementsEqual(prefix.dropLast()) ? nil : name
        }
        return MailboxName(String(Substring(bytes.dropFirst(prefix.count)))).map(normalized)
    }

    /// The name as clients know it; `nil` if it is too long for one.
    func shown(_ local: MailboxName) -> MailboxName? {
        local.isInbox || prefix.isEmpty ? local : MailboxName(prefix + local.string)
    }

    /// INBOX in any case is INBOX, as the first of several levels too (RFC 9051 §5.1).
    func normalized(_ name: MailboxName) -> MailboxName {
        let text = Self.withInbox(name.string, separator)
        return text.utf8.elementsEqual(name.string.utf8) ? name : MailboxName(text) ?? name
    }

    private static func withInbox(_ text: String, _ separator: Character) -> String {
        let bytes = text.utf8
        guard bytes.count > 5, bytes.dropFirst(5).first == separator.asciiValue,
              bytes.prefix(5).elementsEqual("inbox".utf8, by: { $0 | 0x20 == $1 }) else { return text }
        return "INBOX" + text.dropFirst(5)
    }
}
