import IMAPTypes

/// Where a message's bytes are, for whoever has several threads read messages: the mailbox itself belongs to one.
public protocol MessageSource: Sendable {
    /// The message's bytes, for the thread that asks for them; `nil` if they are not to be had so simply. Then the mailbox is
    /// asked, which looks further and says what is wrong.
    func open() -> (any MessageContent)?
}

/// A store whose messages are read one after the other.
extension OpenMailbox {
    public func source(_ uid: UID) -> (any MessageSource)? { nil }
}
