import Glibc
import IMAPTypes
import MailStore

/// Some messages that one thread reads, and what it makes of them.
///
/// Unchecked: it is the session's until it is added to a queue, then that of the thread which takes it, and the session's again
/// when it is finished. The queue's lock is between these.
final class ReadChunk: @unchecked Sendable {
    struct Message {
        let uid: UID
        let id: ObjectID
        let source: any MessageSource
        /// What was made of it, as a range of `output`; empty for nothing.
        var made = 0..<0
    }

    enum State { case waiting, taken, finished }

    /// Those that it is about, including messages that are not to be read.
    let positions: Range<Int>
    var messages: [Message] = []
    private(set) var output: [UInt8] = []
    /// The queue's.
    fileprivate(set) var state = State.waiting

    /// More is not made ahead.
    private static let largest = 256 << 10

    init(_ positions: Range<Int>) { self.positions = positions }

    /// What was made of those for which this holds, nobody is to have.
    func forget(where isWrong: (Message) -> Bool) {
        for index in messages.indices where isWrong(messages[index]) { messages[index].made = 0..<0 }
    }

    /// Of each message what was made of it; valid while `body` runs.
    func forEach(_ body: (UID, UnsafeRawBufferPointer) -> Void) {
        output.withUnsafeBytes { output in
            for message in messages where !message.made.isEmpty {
                body(message.uid, UnsafeRawBufferPointer(rebasing: output[message.made]))
            }
        }
    }

    func read(by reader: any AheadReader) {
        for index in messages.indices where output.count < Self.largest {
            guard let content = messages[index].source.open() else { continue }
            let start = output.count
            if reader.read(content, into: &output) {
                messages[index].made = start..<output.count
            } else {
                output.removeLast(output.count - start)
            }
        }
    }
}

/// Chunks that wait for a thread.
///
/// Unchecked: all that changes, changes under its lock.
final class ReadQueue: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    /// There is a chunk, or no more will come.
    private let hasWork = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    /// A chunk is finished.
    private let hasResult = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    /// In the order of the messages.
    private var waiting: [ReadChunk] = []
    private var isStopped = false
    private var finishedBytes = 0

    init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(hasWork, nil)
        pthread_cond_init(hasResult, nil)
    }

    deinit {
        pthread_cond_destroy(hasResult)
        pthread_cond_destroy(hasWork)
        pthread_mutex_destroy(mutex)
        hasResult.deallocate()
        hasWork.deallocate()
        mutex.deallocate()
    }

    private func withLock<R>(_ body: () -> R) -> R {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }

    func add(_ chunk: ReadChunk) {
        withLock {
            guard !chunk.messages.isEmpty else { return chunk.state = .finished }
            waiting.append(chunk)
            pthread_cond_signal(hasWork)
        }
    }

    /// What was made and nobody has taken yet.
    var readyBytes: Int { withLock { finishedBytes } }

    /// No chunk is begun any more.
    func stop() {
        withLock {
            isStopped = true
            waiting = []
            pthread_cond_broadcast(hasWork)
        }
    }

    /// What a thread does until the queue is stopped.
    func work(_ reader: any AheadReader) {
        while let chunk = withLock({ () -> ReadChunk? in
            while waiting.isEmpty, !isStopped { pthread_cond_wait(hasWork, mutex) }
            return take()
        }) {
            chunk.read(by: reader)
            didFinish(chunk)
        }
    }

    /// Returns when the chunk is finished. Meanwhile the caller works too, on that one or what follows.
    func finish(_ wanted: ReadChunk, _ read: (ReadChunk) -> Void) {
        while true {
            let (isFinished, chunk) = withLock { () -> (Bool, ReadChunk?) in
                if wanted.state == .finished {
                    finishedBytes -= wanted.output.count
                    return (true, nil)
                }
                // The first that waits: `wanted`, if nobody has begun it.
                if let next = take() { return (false, next) }
                pthread_cond_wait(hasResult, mutex)
                return (false, nil)
            }
            if isFinished { return }
            if let chunk {
                read(chunk)
                didFinish(chunk)
            }
        }
    }

    private func take() -> ReadChunk? {
        guard !waiting.isEmpty else { return nil }
        let chunk = waiting.removeFirst()
        chunk.state = .taken
        return chunk
    }

    private func didFinish(_ chunk: ReadChunk) {
        withLock {
            chunk.state = .finished
            finishedBytes += chunk.output.count
            pthread_cond_signal(hasResult)
        }
    }
}
