import IMAPGrammar
import IMAPTypes
import MailStore

/// THREAD (RFC 5256 §3, §4).
struct MessageThread {
    private let reader: MessageKeyReader

    /// - Parameter readers: threads that may read messages, this one included.
    init(in mailbox: any OpenMailbox, readers: Int = 1) { reader = MessageKeyReader(mailbox, readers: readers) }

    /// The threads of `uids`, which ascend; `number` is what the client calls the message at a position of these.
    ///
    /// `progress` is called now and then, with the number of messages looked at.
    func threads(
        _ uids: [UID], by algorithm: ThreadCommand.Algorithm, number: (Int) -> UInt32,
        progress: (Int) throws(ContentFailure) -> Void = { _ in }
    ) throws(ContentFailure) -> [Serializer.ThreadEntry] {
        var messages = ThreadedMessages()
        messages.reserveCapacity(uids.count)
        let ahead = reader.ahead(uids)
        defer { ahead?.end() }
        for (index, uid) in uids.enumerated() {
            if index & 0xFF == 0xFF { try progress(index) }
            ahead?.reach(index)
            try reader.withKeys(uid) { (keys) throws(ContentFailure) in
                var message = ThreadedMessage(number: number(index), date: try reader.sentDate(keys, uid))
                message.subject = keys.subject
                message.isReplyOrForward = keys.isReplyOrForward
                guard algorithm == .references else { return messages.append(message, references: EmptyCollection()) }
                message.id = keys.id
                messages.append(message, references: (0..<keys.referenceCount).lazy.map { keys.reference($0) })
            }
        }
        switch algorithm {
        case .orderedSubject: return Self.orderedSubject(messages.all)
        case .references:
            var forest = ThreadForest(messages)
            return forest.threads()
        }
    }

    /// ORDEREDSUBJECT: messages of one base subject are a thread, its first one above the others.
    static func orderedSubject(_ messages: [ThreadedMessage]) -> [Serializer.ThreadEntry] {
        let byDate = messages.indices.sorted { a, b in
            messages[a].date != messages[b].date ? messages[a].date < messages[b].date : a < b
        }
        // The threads in the order of their first messages; an empty subject is one too.
        var threads: [[Int]] = []
        var table = HashTable(capacity: messages.count)
        for index in byDate {
            let thread = table.find(max(messages[index].subject, 1), or: threads.count)
            if thread == threads.count { threads.append([]) }
            threads[thread].append(index)
        }
        var entries: [Serializer.ThreadEntry] = []
        entries.reserveCapacity(messages.count)
        for thread in threads {
            for (position, index) in thread.enumerated() {
                entries.append(.init(messages[index].number, depth: position == 0 ? 0 : 1))
            }
        }
        return entries
    }
}

/// What threading knows of a message. Ids and subjects are hashes, as in `MessageKeys`.
struct ThreadedMessage {
    /// Sequence number or UID.
    var number: UInt32
    /// Sent, in seconds since the epoch.
    var date: Int64
    /// Base subject; 0 if it is empty.
    var subject: UInt64 = 0
    var isReplyOrForward = false
    /// 0 if there is none.
    var id: UInt64 = 0
    /// Its ancestors, the nearest last: a range of all messages' references.
    fileprivate(set) var references = 0..<0

    init(number: UInt32, date: Int64) {
        self.number = number
        self.date = date
    }
}

struct ThreadedMessages {
    private(set) var all: [ThreadedMessage] = []
    private(set) var references: [UInt64] = []

    mutating func reserveCapacity(_ count: Int) { all.reserveCapacity(count) }

    mutating func append(_ message: ThreadedMessage, references ids: some Collection<UInt64>) {
        var message = message
        let start = references.count
        references.append(contentsOf: ids)
        message.references = start..<references.count
        all.append(message)
    }
}
