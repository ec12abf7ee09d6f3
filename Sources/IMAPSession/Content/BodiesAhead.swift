import IMAPTypes
import MailMessage
import MailStore

/// Has several readers read whole messages and make every line end CRLF, for a command that will send them as they are: while
/// one is sent, the next are made ready.
final class BodiesAhead {
    private let ahead: ReadAhead
    /// The messages that the command is at, and the next of these.
    private var chunk: ReadChunk?
    private var next = 0

    /// Larger messages are read in pieces, when their turn comes.
    fileprivate static let largest = 1 << 20

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

    /// Calls `body` with all of the message, with CRLF for every line end. `nil` if it was not read.
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
    /// For the message as it is stored.
    private var room = UnsafeMutableRawBufferPointer(start: nil, count: 0)

    deinit { room.deallocate() }

    func read(_ content: any MessageContent, into output: inout [UInt8]) -> Bool {
        guard content.size > 0, content.size <= UInt64(BodiesAhead.largest) else { return false }
        let size = Int(content.size)
        if room.count < size {
            room.deallocate()
            room = .allocate(byteCount: max(size, 1 << 16), alignment: 64)
        }
        var count = 0
        while count < size {
            let rest = UnsafeMutableRawBufferPointer(rebasing: room[count..<size])
            // Shorter than it was, or the disk fails: whoever reads it next finds out.
            guard let got = try? content.read(at: UInt64(count), into: rest), got > 0 else { return false }
            count += got
        }
        let stored = UnsafeRawBufferPointer(rebasing: room[..<size])
        var counter = WireConverter()
        let wireSize = counter.skip(stored)
        output.append(addingCapacity: wireSize) { span in
            span.withUnsafeMutableBufferPointer { buffer, initialized in
                var converter = WireConverter()
                initialized += converter.convert(stored, to: UnsafeMutableRawPointer(buffer.baseAddress! + initialized))
            }
        }
        return true
    }
}
