import IMAPTypes
import MailStore

/// A message's bytes and what never changes of it; shared by all its copies.
final class MemoryMessage: Sendable {
    let id = ObjectID.random()
    let bytes: [UInt8]
    /// Seconds since the epoch.
    let internalDate: Int64
    /// Bytes with every line end as CRLF.
    let size: UInt64

    init(bytes: [UInt8], internalDate: Int64) {
        self.bytes = bytes
        self.internalDate = internalDate
        var bareLineFeeds = 0
        var previous: UInt8 = 0
        for byte in bytes {
            if byte == 0x0A, previous != 0x0D { bareLineFeeds += 1 }
            previous = byte
        }
        size = UInt64(bytes.count + bareLineFeeds)
    }
}

extension MemoryMessage: MessageSource {
    func open() -> (any MessageContent)? { MemoryContent(self) }
}

/// A message in one mailbox.
struct MemoryRecord: Sendable {
    var uid: UID
    var flags: SystemFlags
    var keywords: KeywordSet
    var modSequence: ModSequence
    /// Seconds since the epoch.
    var saveDate: Int64
    var message: MemoryMessage
    /// Only in a session's picture: gone from the mailbox, and not yet forgotten.
    var isExpunged = false
}

extension [MemoryRecord] {
    /// Where the message with `uid` is, or would be.
    func position(of uid: UID) -> Int {
        var low = 0, high = count
        while low < high {
            let middle = (low + high) / 2
            if self[middle].uid < uid { low = middle + 1 } else { high = middle }
        }
        return low
    }

    func index(of uid: UID) -> Int? {
        let at = position(of: uid)
        return at < count && self[at].uid == uid ? at : nil
    }
}

final class MemoryContent: MessageContent {
    private let message: MemoryMessage

    init(_ message: MemoryMessage) { self.message = message }

    var size: UInt64 { UInt64(message.bytes.count) }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(StoreError) -> Int {
        guard offset < size else { return 0 }
        let start = Int(offset)
        let count = Swift.min(buffer.count, message.bytes.count - start)
        message.bytes.withUnsafeBytes { buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[start..<start + count])) }
        return count
    }
}
