import IMAPGrammar
import IMAPTypes
import MailStore
import Transport
import TestSupport
@testable import IMAPSession

/// A mailbox of given messages that counts what is asked of it, and can be made to fail.
final class FakeMailbox: OpenMailbox {
    struct Message: Sendable {
        var bytes: [UInt8]
        var metadata = MessageMetadata(flags: [], keywords: KeywordSet(), modSequence: ModSequence(1)!, isExpunged: false)
        var internalDate: Int64 = 0
        var saveDate: Int64 = 0
        var isGone = false
        /// What `read` has no more than, from some moment on.
        var truncatedTo: Int?
        /// What the message has become since it was opened.
        var grownTo: [UInt8]?
        /// RFC822.SIZE, if it is not what it should be.
        var claimedSize: UInt64?
        /// Whether the disk fails.
        var isUnreadable = false
        /// Whether it cannot be opened but by the mailbox.
        var isReadAheadRefused = false
    }

    var messages: [Message]
    var opens = 0
    var bytesRead = 0
    var detailsAsked = 0
    /// The most that one `read` returns.
    var longestRead = Int.max

    init(_ messages: [[UInt8]]) { self.messages = messages.map { Message(bytes: $0) } }

    let name = MailboxName.inbox
    let isReadOnly = false
    let uidValidity = UIDValidity(1)!
    let id = ObjectID(low: 1, high: 2)
    var uidNext: UInt32 { UInt32(messages.count) + 1 }
    let highestModSequence = ModSequence(1)!
    var keywords: [Keyword] = [Keyword("$Work")!]
    var uids: [UID] { messages.indices.map { UID(UInt32($0) + 1)! } }

    private func message(_ uid: UID) -> Message { messages[Int(uid.rawValue) - 1] }

    func metadata(_ uid: UID) -> MessageMetadata? { Int(uid.rawValue) <= messages.count ? message(uid).metadata : nil }

    func details(_ uid: UID) throws(StoreError) -> MessageDetails {
        let message = message(uid)
        detailsAsked += 1
        if message.isGone { throw .messageGone(uid) }
        return MessageDetails(
            internalDate: message.internalDate, size: message.claimedSize ?? UInt64(message.bytes.withCRLF.count))
    }

    func identity(_ uid: UID) throws(StoreError) -> MessageIdentity {
        MessageIdentity(id: ObjectID(low: UInt64(uid.rawValue) + identityOffset, high: 0), saveDate: message(uid).saveDate)
    }

    /// Other ids than before.
    var identityOffset: UInt64 = 0

    func content(_ uid: UID) throws(StoreError) -> any MessageContent {
        if message(uid).isGone { throw .messageGone(uid) }
        opens += 1
        return Content(mailbox: self, index: Int(uid.rawValue) - 1)
    }

    final class Content: MessageContent {
        let mailbox: FakeMailbox
        let index: Int
        init(mailbox: FakeMailbox, index: Int) {
            self.mailbox = mailbox
            self.index = index
        }
        var size: UInt64 { UInt64(mailbox.messages[index].bytes.count) }

        func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(StoreError) -> Int {
            let message = mailbox.messages[index]
            if message.isUnreadable { throw .io(.ioError, doing: "reading") }
            let bytes = message.grownTo ?? message.bytes
            let end = min(bytes.count, message.truncatedTo ?? Int.max)
            let start = min(Int(offset), end)
            let count = min(buffer.count, end - start, mailbox.longestRead)
            buffer.copyBytes(from: bytes[start..<start + count])
            mailbox.bytesRead += count
            return count
        }
    }

    /// Whether other threads can read its messages; and how often that was asked.
    var hasSources = false
    var sourcesAsked = 0

    func source(_ uid: UID) -> (any MessageSource)? {
        guard hasSources else { return nil }
        sourcesAsked += 1
        let message = message(uid)
        return message.isGone ? nil : Source(message: message)
    }

    private struct Source: MessageSource {
        let message: Message

        func open() -> (any MessageContent)? { message.isReadAheadRefused ? nil : SourceContent(message) }
    }

    private final class SourceContent: MessageContent {
        private let mailbox = FakeMailbox([])
        private let content: Content

        init(_ message: Message) {
            mailbox.messages = [message]
            content = Content(mailbox: mailbox, index: 0)
        }

        var size: UInt64 { content.size }

        func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(StoreError) -> Int {
            try content.read(at: offset, into: buffer)
        }
    }

    /// Whether it keeps what it is given to keep; and what it has.
    var keeps = false
    private var records: [UID: [KeptPiece: UnsafeMutableRawBufferPointer]] = [:]
    var isKeeping: Bool { keeps }

    deinit { for record in records.values { for piece in record.values { piece.deallocate() } } }

    func kept(_ uid: UID, _ piece: KeptPiece) -> UnsafeRawBufferPointer? {
        records[uid]?[piece].map { UnsafeRawBufferPointer($0) }
    }

    /// All that it keeps.
    var kept: [UID: [[UInt8]]] {
        records.mapValues { record in KeptPiece.allCases.map { piece in record[piece].map { Array($0) } ?? [] } }
    }

    func keep(_ uid: UID, _ pieces: KeptPieces) {
        guard keeps, pieces.count <= longestKept else { return }
        var record: [KeptPiece: UnsafeMutableRawBufferPointer] = [:]
        for piece in KeptPiece.allCases where !pieces[piece].isEmpty {
            let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: pieces[piece].count, alignment: 8)
            copy.copyMemory(from: pieces[piece])
            record[piece] = copy
        }
        for piece in records.updateValue(record, forKey: uid)?.values ?? [:].values { piece.deallocate() }
    }

    func refresh() throws(StoreError) -> MailboxChanges { MailboxChanges() }
    func forget(_ uids: [UID]) {}
    func changeDescriptor() throws(StoreError) -> Int32 { -1 }
    func claimRecent() throws(StoreError) -> [UID] { [] }
    func store(_ uids: [UID], _ change: FlagChange,
        unchangedSince: ModSequence?) throws(StoreError) -> StoreResult { StoreResult() }
    func expunge(_ uids: [UID]) throws(StoreError) -> [UID] { [] }
    func copy(_ uids: [UID], to name: MailboxName) throws(StoreError) -> CopyResult { throw .readOnly }
    func move(_ uids: [UID], to name: MailboxName) throws(StoreError) -> CopyResult { throw .readOnly }
    func expunged(since modSequence: ModSequence) throws(StoreError) -> UIDSet { UIDSet() }
}

/// Keeps what it is sent.
final class FakeSink: ResponseSink {
    var out: Serializer
    var sent: [UInt8] = []
    var largestPiece = 0

    init(_ mode: WireMode = []) { out = Serializer(mode: mode) }

    func flush() throws(ConnectionEnd) {
        largestPiece = max(largestPiece, out.count)
        out.bytes.withUnsafeBytes { sent.append(contentsOf: $0) }
        out.removeAll()
    }

    func send(_ bytes: UnsafeRawBufferPointer) throws(ConnectionEnd) {
        try flush()
        sent.append(contentsOf: bytes)
    }
}

/// The value of each item of the FETCH response to `attributes` for the only message of a mailbox.
func fetch(
    _ message: [UInt8], _ attributes: [FetchAttribute], mode: WireMode = [], from given: FakeMailbox? = nil
) throws -> [String: ResponseNode] {
    let mailbox = given ?? FakeMailbox([message])
    let sink = FakeSink(mode)
    let outcome = try MessageFetcher(FetchProgram(attributes), mailbox: mailbox, sink: sink)
        .fetch(UID.first, number: SequenceNumber(1)!, isRecent: false)
    guard outcome == .sent else { throw MalformedResponse("\(outcome)") }
    try sink.flush()
    guard sink.sent.suffix(2) == [0x0D, 0x0A] else { throw MalformedResponse("no CRLF at the end") }
    var reader = ResponseReader(Array(sink.sent.dropLast(2)))
    guard case .data(let nodes) = try reader.response(), nodes.count == 3, nodes[0].atomText == "1", nodes[1].atomText
          == "FETCH",
          case .list(let items) = nodes[2], items.count % 2 == 0 else { throw MalformedResponse("no FETCH response") }
    var result: [String: ResponseNode] = [:]
    for at in stride(from: 0, to: items.count, by: 2) {
        result[items[at].atomText ?? "?"] = items[at + 1]
    }
    return result
}

extension ResponseNode {
    /// As in the RFC's examples.
    var described: String {
        switch self {
        case .atom(let bytes): bytes.text
        case .string(let bytes, _): "\"" + bytes.text + "\""
        case .list(let nodes): "(" + nodes.map(\.described).joined(separator: " ") + ")"
        }
    }
}
