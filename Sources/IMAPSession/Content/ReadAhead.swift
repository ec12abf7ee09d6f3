import IMAPTypes
import MailStore

/// What one reader makes of message after message; at most one thread at a time uses it.
protocol AheadReader: AnyObject {
    /// Appends what it makes of the message to `output`. False if nothing comes of it: nobody is told, and whoever goes through
    /// the messages comes to this one too, and then finds out why.
    func read(_ content: any MessageContent, into output: inout [UInt8]) -> Bool
}

/// Reads the messages that a command will come to, in several threads, ahead of the one that goes through them.
///
/// That one takes what was made in the order of the messages, so that nothing else need know of it: what is not made ahead is
/// made when its turn comes. Threads begin when many messages in a row are to be read, and have ended when `end()` returns. What
/// is ahead is bounded in messages and bytes.
final class ReadAhead {
    /// Fewer messages are not worth a thread.
    static let fewest = 256
    /// Of what waits for its turn, in bytes: beyond, no more is begun.
    private static let longest = 2 << 20
    /// Of so many messages to come, a few are looked at to know whether most are to be read.
    private static let probed = 256, probes = 5
    private let uids: [UID]
    private let mailbox: any OpenMailbox
    private let makeReader: @Sendable () -> any AheadReader
    private let isWanted: (UID) -> Bool
    /// Messages that a thread takes at once.
    private let chunk: Int
    /// Threads beside that of the session, at most.
    private let helpers: Int

    private var queue: ReadQueue?
    private var threads: [ReaderThread] = []
    /// For what the session's own thread reads.
    private lazy var reader = makeReader()
    /// Chunks that were laid out and not taken, in order.
    private var chunks: [ReadChunk] = []
    /// Positions before this were laid out.
    private var laidOut = 0
    /// Positions before this have been delivered.
    private var delivered = 0
    /// Before this position nobody looks whether threads are of use.
    private var nextProbe = 0

    /// For going through `uids` in order. `isWanted` tells whether a message is to be read at all.
    init(
        _ uids: [UID], in mailbox: any OpenMailbox, readers: Int, chunk: Int = 16, isWanted: @escaping (UID) -> Bool,
        _ makeReader: @escaping @Sendable () -> any AheadReader
    ) {
        self.uids = uids
        self.mailbox = mailbox
        self.isWanted = isWanted
        self.chunk = chunk
        self.makeReader = makeReader
        helpers = readers - 1
        if helpers < 1 || uids.count < Self.fewest { nextProbe = .max }
    }

    deinit { end() }

    /// To be called before the message at `position` is dealt with: passes it with some after it to `body`, if these were read.
    func reach(_ position: Int, _ body: (ReadChunk) -> Void) {
        if queue == nil {
            guard position >= nextProbe, isWorthwhile(position), start(position) else { return }
        }
        guard let queue, position >= delivered else { return }
        layOut(queue)
        // Whoever skips messages has no use for what was made of them, but the mailbox may.
        while delivered <= position, !chunks.isEmpty {
            let chunk = chunks.removeFirst()
            queue.finish(chunk) { read($0) }
            // Under the same UID another message may have come: somebody put a backup in place.
            chunk.forget { message in (try? mailbox.identity(message.uid))?.id != message.id }
            body(chunk)
            delivered = chunk.positions.upperBound
            layOut(queue)
        }
        if chunks.isEmpty { end() }
    }

    /// Ends all threads. Nothing is made ahead from then on.
    func end() {
        nextProbe = .max
        guard let queue else { return }
        queue.stop()
        for thread in threads { thread.join() }
        threads = []
        chunks = []
        self.queue = nil
    }

    private func isWorthwhile(_ position: Int) -> Bool {
        nextProbe = position + Self.probed
        guard uids.count - position >= Self.fewest else { return false }
        // Mostly all of them were read, or none: half of the answers tell.
        var wanted = 0, unwanted = 0
        for probe in stride(from: position, to: position + Self.probed, by: Self.probed / Self.probes) {
            if isWanted(uids[probe]) { wanted += 1 } else { unwanted += 1 }
            if max(wanted, unwanted) > Self.probes / 2 { break }
        }
        return wanted > unwanted
    }

    private func start(_ position: Int) -> Bool {
        let queue = ReadQueue()
        let makeReader = makeReader
        for _ in 0..<helpers {
            guard let thread = ReaderThread.start({ queue.work(makeReader()) }) else { break }
            threads.append(thread)
        }
        if threads.isEmpty {
            nextProbe = .max
            return false
        }
        self.queue = queue
        laidOut = position
        delivered = position
        return true
    }

    private func read(_ chunk: ReadChunk) { chunk.read(by: reader) }

    /// Lays out as many chunks as may be ahead: enough that nobody waits for another's last message.
    private func layOut(_ queue: ReadQueue) {
        while chunks.count < 4 + 2 * threads.count, laidOut < uids.count, chunks.isEmpty || queue.readyBytes < Self.longest {
            let positions = laidOut..<min(laidOut + chunk, uids.count)
            let chunk = ReadChunk(positions)
            for position in positions {
                let uid = uids[position]
                guard isWanted(uid), let identity = try? mailbox.identity(uid), let source = mailbox.source(uid) else { continue }
                chunk.messages.append(.init(uid: uid, id: identity.id, source: source))
            }
            chunks.append(chunk)
            queue.add(chunk)
            laidOut = positions.upperBound
        }
    }
}
