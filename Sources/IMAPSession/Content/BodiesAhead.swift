import IMAPTypes
import MailStore

/// Has several readers read whole messages, for a command that will send them as they are: while one is converted and sent, the
/// next are read.
final class BodiesAhead {
    private let ahead: ReadAhead
    /// The messages that the command is at, and the next of these.
    private var chunk: ReadChunk?
    private var next = 0

    /// Larger messages are read in pieces, when their turn comes.
    fileprivate static let largest = 64 << 10

    /// `nil` if there is nothing to be gained.
    init?(_ uids: [UID], in mailbox: any OpenMailbox, readers: Int) {
        guard readers > 1, uids.count >= ReadAhead.fewest else { return nil }
        // In few pieces: what is ahead takes memory.
        ahead = ReadAhead(uids, in: mailbox, readers: readers, chunk: 4, isWanted: { _ in true }) { BodyReader() }
    }

    /// To be called before the message at `position` is dealt with.
    func reach(_ position: Int) {
        ahead.reach(position) { chunk in
            self.chunk = chunk
            next = 0
        }
    }

    /// Calls `body` with all of the message, as stored. `nil` if it was not read.
    func with<R>(_ uid: UID, _ body: (UnsafeRawBufferPointer) throws(ContentFailure) -> R) throws(ContentFailure) -> R? {
        guard let chunk else { return nil }
        while next < chunk.messages.count, chunk.messages[next].uid < uid { next += 1 }
        guard next < chunk.messages.count, chunk.messages[next].uid == uid, !chunk.messages[next].made.isEmpty else { return nil }
        let made = chunk.messages[next].made
        return try chunk.output.withUnsafeBufferPointer { (output) throws(ContentFailure) in
            try body(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(output)[made]))
        }
    }

    func end() {
        ahead.end()
        chunk = nil
    }
}

/// Reads all of a message.
private final class BodyReader: AheadReader {
    func read(_ content: any MessageContent, into output: inout [UInt8]) -> Bool {
        guard content.size > 0, content.size <= UInt64(BodiesAhead.largest) else { return false }
        let size = Int(content.size)
        var count = 0
        output.append(addingCapacity: size) { span in
            span.withUnsafeMutableBufferPointer { buffer, initialized in
                let room = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[initialized...])
                while count < size {
                    let rest = UnsafeMutableRawBufferPointer(rebasing: room[count..<size])
                    guard let got = try? content.read(at: UInt64(count), into: rest), got > 0 else { break }
                    count += got
                }
                initialized += count
            }
        }
        // Shorter than it was, or the disk fails: whoever reads it next finds out.
        return count == size
    }
}
