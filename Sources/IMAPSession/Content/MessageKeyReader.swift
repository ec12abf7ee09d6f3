import IMAPTypes
import MailMessage
import MailStore

/// Reads from message after message what SORT and THREAD compare: what was kept of it, or its header.
final class MessageKeyReader {
    private let mailbox: any OpenMailbox
    private let reader = ContentReader()
    private let keeper: RecordKeeper
    private var writer = MessageKeys.Writer()
    private var made: [UInt8] = []

    private let readers: Int

    /// - Parameter readers: threads that may read messages, this one included.
    init(_ mailbox: any OpenMailbox, readers: Int) {
        self.mailbox = mailbox
        self.readers = readers
        keeper = RecordKeeper(mailbox)
    }

    /// For going through these in order.
    func ahead(_ uids: [UID]) -> RecordsAhead? {
        RecordsAhead(uids, in: mailbox, readers: readers, .header) { [keeper] in keeper.keys($0) != nil }
    }

    /// The message's keys; those of a message without fields, if its content is gone.
    func withKeys(
        _ uid: UID, _ body: (MessageKeys) throws(ContentFailure) -> Void
    ) throws(ContentFailure) {
        if let keys = keeper.keys(uid) { return try body(keys) }
        do throws(ContentFailure) {
            do { reader.open(try mailbox.content(uid)) } catch { throw ContentFailure.store(error) }
            defer { reader.close() }
            writer.write(try reader.structure(.header), into: &made)
            keeper.keep(uid, from: reader, .header)
        } catch {
            guard case .store(.messageGone) = error else { throw error }
            writer.write(Self.nothing, into: &made)
        }
        // Moved out, so that nothing changes it meanwhile.
        var bytes: [UInt8] = []
        swap(&bytes, &made)
        defer { swap(&bytes, &made) }
        try bytes.withUnsafeBufferPointer { (bytes) throws(ContentFailure) in
            guard let keys = MessageKeys(UnsafeRawBufferPointer(bytes)) else {
                preconditionFailure("keys that were just written")
            }
            try body(keys)
        }
    }

    private static let nothing: MessageStructure = {
        var parser = MessageParser(scope: .header)
        parser.finish()
        return parser.structure
    }()

    /// What INTERNALDATE and RFC822.SIZE tell; the beginning of time, if the message is gone.
    func details(_ uid: UID) throws(ContentFailure) -> MessageDetails {
        do { return try mailbox.details(uid) } catch {
            if case .messageGone = error { return MessageDetails(internalDate: 0, size: 0) }
            throw .store(error)
        }
    }

    /// The sent date (RFC 5256 §2.2), in seconds since the epoch: that of Date:, or else INTERNALDATE.
    func sentDate(_ keys: MessageKeys, _ uid: UID) throws(ContentFailure) -> Int64 {
        if let date = keys.sentDate { return date }
        return try details(uid).internalDate
    }
}
