import IMAPTypes

/// A mailbox that is for something (RFC 6154).
public struct SpecialMailbox: Sendable, Equatable {
    public var name: MailboxName
    public var use: SpecialUse

    public init(name: MailboxName, use: SpecialUse) {
        self.name = name
        self.use = use
    }
}

/// What whoever runs a session may choose.
public struct SessionSettings: Sendable {
    /// Silence after which a client is logged out. At least 30 minutes (RFC 9051 §5.4), except in tests.
    public var autologout: Duration = .seconds(30 * 60)
    /// How often a client in IDLE is told that we are still here, so that boxes on the way keep its connection. Below the
    /// 29 minutes after which clients renew IDLE (RFC 2177 §3) it would only drain their batteries.
    public var idleNotice: Duration = .seconds(29 * 60)
    /// What stands before the name of every mailbox but INBOX (RFC 9051 §6.3.10): nothing, or something with the store's
    /// separator at its end.
    public var namespacePrefix = ""
    /// Bytes of a message that APPEND takes.
    public var largestMessage: UInt64 = 1 << 30
    /// Commands in a row that make no sense before we give up on the client.
    public var badCommands = 50
    /// The answer to ID (RFC 2971).
    public var identity: [(name: String, value: String)] = [("name", "imapd")]
    /// Capabilities that are implemented, but not told, and cannot be enabled.
    public var hiddenCapabilities: [String] = []
    /// Mailboxes that an account without any begins with, and what they are for unless a client has said otherwise.
    public var specialMailboxes: [SpecialMailbox] = []

    /// Threads that may read messages for one command, the session's own included; see `ReadAhead`.
    public var readers = 1

    public init() {}
}
