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
    /// What is added to the answer to ID beside the server's name (RFC 2971), such as its version.
    public var identity: [(name: String, value: String)] = []

    public init() {}
}
