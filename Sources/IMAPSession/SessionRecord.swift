import Glibc
import Synchronization

/// What a session is doing, and what it has done so far, in one page of memory where others may look at it at any time.
///
/// The session is the only one who writes, and sends nobody a message: that would cost each command a system call, and wake
/// whoever listens. The page may be shared with another process; that process believes nothing of what is in it
/// (`SessionReport`).
///
/// All of it are words of 64 bits, each written as a whole: a reader in another thread or process sees the old or the new one.
public final class SessionRecord: @unchecked Sendable {
    /// What is counted, from login on.
    public enum Counter: Int, CaseIterable, Sendable {
        /// Bytes from and to the client, as they are before TLS.
        case received, sent
        /// fsync(2) and fdatasync(2).
        case syncs
        /// What was asked about messages and known without reading them; and messages that had to be read for it.
        case cacheHits, cacheMisses
    }

    /// The memory that a record needs, in bytes; one page, zero at first.
    public static let byteCount = 4096

    typealias Word = Atomic<UInt64>
    let words: UnsafeMutablePointer<Word>
    private let isOwned: Bool

    /// In memory of its own.
    public init() {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: Self.byteCount, alignment: 64)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: Self.byteCount)
        words = memory.bindMemory(to: Word.self, capacity: Layout.count)
        isOwned = true
    }

    /// At an address that is aligned as a page and stays valid. What is there is left as it is.
    public init(at memory: UnsafeMutableRawPointer) {
        words = memory.bindMemory(to: Word.self, capacity: Layout.count)
        isOwned = false
    }

    deinit { if isOwned { UnsafeMutableRawPointer(words).deallocate() } }

    /// Where what stands, in words. Sessions and listener may be of two versions of the program: `Estate.version` says which go
    /// together.
    enum Layout {
        static let count = byteCount / 8
        /// With room for more.
        static let counters = 0..<32
        /// The command under way, counted from 1; 0 for none.
        static let command = 32
        /// Since when, or since when there has been none: by `now`.
        static let since = 33
        /// Odd while a text is being written.
        static let version = 34
        /// Its length in bytes, and the bytes.
        static let mailbox = 36..<68
        static let client = 68..<100
        /// For each command a row of `buckets + 1`.
        static let commands = 100
        static let row = buckets + 1
    }

    // MARK: - Times

    /// Of `latencyBounds`, and one for all that takes longer.
    public static let buckets = latencyBounds.count + 1
    /// The longest times, in microseconds, that commands of each bucket take. Each is five times the one before.
    public static let latencyBounds: [UInt64] = [200, 1000, 5000, 25_000, 100_000, 500_000, 2_500_000]

    /// In nanoseconds, since some time that is the same for all processes.
    public static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(bitPattern: Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec))
    }

    // MARK: - Writing

    func get(_ word: Int) -> UInt64 { words[word].load(ordering: .relaxed) }
    private func set(_ word: Int, _ value: UInt64) { words[word].store(value, ordering: .relaxed) }

    public subscript(counter: Counter) -> UInt64 {
        get { get(Layout.counters.lowerBound + counter.rawValue) }
        set { set(Layout.counters.lowerBound + counter.rawValue, newValue) }
    }

    /// The session begins: it waits for a command.
    func begin(at time: UInt64) { set(Layout.since, time) }

    func begin(_ command: CommandName, at time: UInt64) {
        set(Layout.since, time)
        set(Layout.command, UInt64(command.rawValue) + 1)
    }

    /// The command is over; how long it took counts, except of IDLE, which takes as long as a client likes.
    func end(_ command: CommandName, from start: UInt64, to time: UInt64) {
        set(Layout.command, 0)
        set(Layout.since, time)
        let row = Layout.commands + Int(command.rawValue) * Layout.row
        let took = time &- start
        let bucket = Self.latencyBounds.firstIndex { took <= $0 * 1000 } ?? Self.latencyBounds.count
        set(row + bucket, get(row + bucket) &+ 1)
        if command != .idle { set(row + Self.buckets, get(row + Self.buckets) &+ took) }
    }

    /// `nil` when there is none.
    func setMailbox(_ name: String?) { setText(Layout.mailbox, name ?? "") }

    func setClient(_ identity: String) { setText(Layout.client, identity) }

    /// As much of it as there is room for.
    private func setText(_ range: Range<Int>, _ text: String) {
        var end = min(text.utf8.count, (range.count - 1) * 8)
        // Not in the midst of a character.
        while String(text.utf8.prefix(end)) == nil { end -= 1 }
        var bytes = Array(text.utf8.prefix(end))
        let count = bytes.count
        bytes += repeatElement(0, count: -count & 7)
        let version = get(Layout.version) &+ 1
        set(Layout.version, version)
        atomicMemoryFence(ordering: .releasing)
        set(range.lowerBound, UInt64(count))
        bytes.withUnsafeBytes { buffer in
            for word in 0..<buffer.count / 8 {
                set(range.lowerBound + 1 + word, buffer.load(fromByteOffset: word * 8, as: UInt64.self))
            }
        }
        words[Layout.version].store(version &+ 1, ordering: .releasing)
    }
}
