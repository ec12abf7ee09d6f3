import IMAPTypes

/// The messages of one APPEND on their way into a mailbox (RFC 9051 §6.3.12, RFC 3502): all arrive, or none.
///
/// Messages pass through in pieces and are never whole in memory. A transaction that is dropped leaves nothing behind.
public protocol AppendTransaction: AnyObject {
    /// Begins a message; `size` is that of its literal. `date` in seconds since the epoch; `nil` is now.
    func begin(flags: FlagSet, date: Int64?, size: UInt64) throws(StoreError)
    /// The next bytes of the message, as the client sent them.
    func write(_ bytes: UnsafeRawBufferPointer) throws(StoreError)
    /// The message is whole.
    func end() throws(StoreError)
    /// The message that was ended last, as it will be read, for whoever derives from it what `keep` is to have. `nil` if nothing
    /// is kept. Valid until the next `begin` or `commit`.
    func written() -> (any MessageContent)?
    /// Keeps bytes that were derived from the message that was ended last (see `OpenMailbox.keep`), if it comes to be part of
    /// the mailbox.
    func keep(_ pieces: KeptPieces)
    /// Makes all the messages part of the mailbox. Their UIDs are in the order of the messages.
    func commit() throws(StoreError) -> (uidValidity: UIDValidity, uids: [UID])
    /// Forgets all of it.
    func abandon()
}

extension AppendTransaction {
    /// A store that keeps nothing.
    public func written() -> (any MessageContent)? { nil }
    public func keep(_ pieces: KeptPieces) {}

    public func write(_ bytes: [UInt8]) throws(StoreError) {
        let result = bytes.withUnsafeBytes { bytes in Result { () throws(StoreError) in try write(bytes) } }
        try result.get()
    }
}
