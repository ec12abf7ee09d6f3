import IMAPGrammar
import IMAPTypes
import MailMessage
import MailStore

/// THREAD (RFC 5256 §3, §4).
struct MessageThread {
    private let summaries: HeaderSummaries

    init(in mailbox: any OpenMailbox) { summaries = HeaderSummaries(mailbox) }

    /// The threads of `uids`, which ascend; `number` is what the client calls a message.
    ///
    /// `progress` is called now and then, with the number of messages looked at.
    func threads(
        _ uids: [UID], by algorithm: ThreadCommand.Algorithm, number: (UID) -> UInt32,
        progress: (Int) throws(ContentFailure) -> Void = { _ in }
    ) throws(ContentFailure) -> [Serializer.ThreadEntry] {
        var messages: [ThreadedMessage] = []
        messages.reserveCapacity(uids.count)
        for (index, uid) in uids.enumerated() {
            if index & 0xFF == 0xFF { try progress(index) }
            messages.append(try summaries.withHeader(uid) { (header) throws(ContentFailure) in
                var message = ThreadedMessage(number: number(uid), date: try summaries.sentDate(header, uid))
                (message.subject, message.isReplyOrForward) = summaries.baseSubject(header)
                if algorithm == .references { Self.readReferences(header, into: &message) }
                return message
            })
        }
        switch algorithm {
        case .orderedSubject: return Self.orderedSubject(messages)
        case .references:
            var forest = ThreadForest(messages)
            return forest.threads()
        }
    }

    /// The message's id, and those of its ancestors, the nearest last (RFC 5256 §3, REFERENCES).
    private static func readReferences(_ header: MessageStructure, into message: inout ThreadedMessage) {
        message.id = header.value(.messageID, of: MessageStructure.root).flatMap { MessageID.list($0).first }
        for value in header.values(.references, of: MessageStructure.root) { message.references += MessageID.list(value) }
        if message.references.isEmpty, let value = header.value(.inReplyTo, of: MessageStructure.root),
           let first = MessageID.list(value).first {
            message.references = [first]
        }
    }

    /// ORDEREDSUBJECT: messages of one base subject are a thread, its first one above the others.
    static func orderedSubject(_ messages: [ThreadedMessage]) -> [Serializer.ThreadEntry] {
        var order: [Int] = []
        var threads: [ByteKey: [Int]] = [:]
        let byDate = messages.indices.sorted { a, b in
            messages[a].date != messages[b].date ? messages[a].date < messages[b].date : a < b
        }
        for index in byDate {
            let subject = ByteKey(messages[index].subject)
            if threads[subject] == nil { order.append(index) }
            threads[subject, default: []].append(index)
        }
        // `order` has the first of each thread, by date.
        var entries: [Serializer.ThreadEntry] = []
        entries.reserveCapacity(messages.count)
        for first in order {
            for (position, index) in (threads[ByteKey(messages[first].subject)] ?? []).enumerated() {
                entries.append(.init(messages[index].number, depth: position == 0 ? 0 : 1))
            }
        }
        return entries
    }
}

/// What threading knows of a message.
struct ThreadedMessage {
    /// Sequence number or UID.
    var number: UInt32
    /// Sent, in seconds since the epoch.
    var date: Int64
    /// Base subject, folded.
    var subject: [UInt8] = []
    var isReplyOrForward = false
    var id: [UInt8]?
    var references: [[UInt8]] = []

    init(number: UInt32, date: Int64) {
        self.number = number
        self.date = date
    }
}
