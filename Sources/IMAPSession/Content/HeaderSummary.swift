import IMAPTypes
import MailMessage
import MailStore

/// Reads from message after message what SORT and THREAD compare.
final class HeaderSummaries {
    private let mailbox: any OpenMailbox
    private let reader = ContentReader()
    private let keeper: RecordKeeper
    let folder = CaseFolder()

    init(_ mailbox: any OpenMailbox) {
        self.mailbox = mailbox
        keeper = RecordKeeper(mailbox)
    }

    /// The header's fields; none, if the message's content is gone.
    func withHeader<Result>(
        _ uid: UID, _ body: (MessageStructure) throws(ContentFailure) -> Result
    ) throws(ContentFailure) -> Result {
        let structure: MessageStructure
        do throws(ContentFailure) {
            if let fields = keeper.record(uid)?.fields {
                reader.open(header: fields)
                structure = try reader.structure(.header)
            } else {
                do { reader.open(try mailbox.content(uid)) } catch { throw ContentFailure.store(error) }
                structure = try reader.structure(.header)
                keeper.keep(uid, from: reader, .header)
            }
        } catch {
            guard case .store(.messageGone) = error else { throw error }
            return try body(Self.nothing)
        }
        defer { reader.close() }
        return try body(structure)
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
    func sentDate(_ structure: MessageStructure, _ uid: UID) throws(ContentFailure) -> Int64 {
        if let value = structure.value(.date, of: MessageStructure.root), let date = MessageDate(value) { return date.seconds }
        return try details(uid).internalDate
    }

    /// The base subject, ready to be compared (RFC 5256 §2.1, §5).
    func baseSubject(_ structure: MessageStructure) -> (text: [UInt8], isReplyOrForward: Bool) {
        guard let value = structure.value(.subject, of: MessageStructure.root) else { return ([], false) }
        let subject = BaseSubject(value)
        return (folder.fold(subject.text), subject.isReplyOrForward)
    }
}
