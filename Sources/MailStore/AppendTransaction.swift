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
    /// Makes all the messages part of the mailbox. Their UIDs are in the order of the messages.
    func commit() throws(StoreError) -> (uidValidity: UIDValidity, uids: [UID])
    /// Forgets all of it.
    func abandon()
}

extension AppendTransaction {
    public func write(_ bytes: [UInt8]) throws(StoreError) {
        let result = bytes.withUnsafeBytes { bytes in Result { () throws(StoreError) in try write(bytes) } }
        try result.get()
    }
}
