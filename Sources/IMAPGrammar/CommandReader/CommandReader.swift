import Glibc
import IMAPTypes

/// Finds where commands begin and end in what a client sends (RFC 9051 §2.2, §4.3), in whatever pieces it comes.
///
/// A command is its lines and the literals between them. Its length is limited before it is kept, and a literal's bytes are
/// never looked at, so that none is taken for a command. The messages of APPEND are not kept at all: they pass through.
///
///     reader.fill { try connection.receive(into: $0, atMost: time) }
///     switch reader.next() { … }     // until .incomplete
public struct CommandReader: Sendable {
    public enum Event: Sendable {
        /// More bytes are needed: flush, `fill`, and ask again.
        case incomplete
        /// A command without its CRLF, with its literals where they stood: for `Parser.command`.
        case command([UInt8])
        /// The client waits for "+" before it sends a literal. Send it, and ask again.
        case continuation
        /// A message of APPEND was announced. Call `accept()`, and send "+" if `literal.isSynchronizing`, or answer
        /// the command and call `refuse()`.
        case append(AppendHeader)
        /// The APPEND whose messages were accepted ends here, rightly.
        case appendEnd
        /// The command is no good: answer it. What is left of it will be skipped. An APPEND under way ends with it.
        case rejected(Rejection)
    }

    public let limits: Limits
    /// How mailbox names in APPEND are read.
    public var mode: WireMode = []

    /// What was received: `buffer[start..<end]`. It begins with the command that is being read, if one is.
    private var buffer: [UInt8]
    private var start = 0
    private var end: Int

    // All offsets below are from `start`.
    var state = State.line
    /// The bytes of the command that have been looked at.
    var scanned = 0
    /// Where the present line of the command begins.
    var lineStart = 0
    /// The length of the command's earlier lines, and the number of its literals.
    var earlierLines = 0
    var literals = 0
    /// The APPEND whose message is being read, or was just read.
    var append: (tag: Tag?, inUTF8: Bool) = (nil, false)

    enum State {
        /// In a line of a command.
        case line
        /// In an ordinary literal, of which so much is still to come.
        case literal(Int)
        /// At a message that waits for `accept()` or `refuse()`.
        case announced(LiteralHeader)
        /// In a message that passes through.
        case message(UInt64)
        /// In the line after a message.
        case afterMessage
        /// In the rest of a rejected command: a line of it, a literal of it.
        case skippingLine
        case skippingLiteral(UInt64)
        /// In the rest of an overlong line of `nextLine`.
        case skippingPlainLine
    }

    /// - Parameter readAhead: bytes that were received already, by whoever had the connection before.
    public init(_ limits: Limits, readAhead: [UInt8] = []) {
        self.limits = limits
        buffer = readAhead
        end = readAhead.count
    }

    // MARK: - Bytes in

    /// Whether there are bytes that `next()` or `nextLine` has not looked at.
    public var hasInput: Bool { count > scanned }

    /// How many bytes are at hand.
    var count: Int { end - start }

    public mutating func append(_ bytes: UnsafeRawBufferPointer) {
        makeRoom(bytes.count)
        let end = end
        buffer.withUnsafeMutableBytes { UnsafeMutableRawBufferPointer(rebasing: $0[end...]).copyBytes(from: bytes) }
        self.end += bytes.count
    }

    /// Lets `receive` put bytes behind those at hand; it gets room for `size` and returns how many there are now.
    public mutating func fill<E>(
        atMost size: Int = 8_192, _ receive: (UnsafeMutableRawBufferPointer) throws(E) -> Int
    ) throws(E) {
        makeRoom(size)
        let end = end
        let received = try buffer.withUnsafeMutableBufferPointer { (bytes) throws(E) -> Int in
            try receive(UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(bytes)[end..<end + size]))
        }
        precondition((0...size).contains(received))
        self.end += received
    }

    private mutating func makeRoom(_ size: Int) {
        guard buffer.count - end < size else { return }
        let kept = count, start = start
        if buffer.count - kept >= size, start >= kept {
            buffer.withUnsafeMutableBytes { $0.copyBytes(from: UnsafeRawBufferPointer($0)[start..<start + kept]) }
            if limits.wipes { wipe(kept..<end) }
        } else {
            // Twice as large, so that a long command costs no more than its length in all.
            var larger = [UInt8](repeating: 0, count: max(2 * kept, kept + size))
            larger.withUnsafeMutableBytes { target in
                buffer.withUnsafeBytes { target.copyBytes(from: $0[start..<start + kept]) }
            }
            if limits.wipes { wipe(0..<end) }
            buffer = larger
        }
        self.start = 0
        end = kept
    }

    private mutating func wipe(_ range: Range<Int>) {
        buffer.withUnsafeMutableBytes { bytes in
            if !range.isEmpty { explicit_bzero(bytes.baseAddress! + range.lowerBound, range.count) }
        }
    }

    /// Forgets the first `length` bytes.
    mutating func consume(_ length: Int) {
        if limits.wipes { wipe(start..<start + length) }
        start += length
        guard start == end else { return }
        start = 0
        end = 0
        // What one large command or message needed is not kept while nothing is read.
        if messageBytesDue == 0, buffer.count > Self.largestIdleBuffer { buffer = [] }
    }

    /// Bytes of buffer that a reader keeps while it has nothing to read: thousands of sessions are idle at once.
    private static let largestIdleBuffer = 8_192

    /// Gives back what is not needed while nothing comes, if nothing is kept there.
    public mutating func releaseBuffer() {
        if start == end { buffer = [] }
    }

    func bytes(_ range: Range<Int>) -> ArraySlice<UInt8> { buffer[start + range.lowerBound..<start + range.upperBound] }

    /// The offset behind the next LF, of those not yet looked at; `nil` if there is none.
    mutating func lineEnd() -> Int? {
        let start = start, count = count, scanned = scanned
        let found = buffer.withUnsafeBytes { bytes -> Int? in
            guard count > scanned, let base = bytes.baseAddress,
                  let lf = memchr(base + start + scanned, 0x0A, count - scanned) else { return nil }
            return UnsafeRawPointer(lf) - (base + start) + 1
        }
        self.scanned = found ?? count
        return found
    }

    // MARK: - Bytes out

    /// Bytes received beyond the last command, for whoever has the connection next; they are forgotten here.
    /// After STARTTLS nobody may have them (RFC 9051 §6.2.1).
    public mutating func takeRemainder() -> [UInt8] {
        let remainder = Array(bytes(0..<count))
        consume(count)
        beginCommand()
        return remainder
    }

    /// How many bytes of the accepted message are still to be taken.
    public var messageBytesDue: UInt64 {
        if case .message(let due) = state { due } else { 0 }
    }

    /// Passes to `body` the bytes of the accepted message that are at hand, and returns how many: 0 when more must be
    /// received, or none are due. They count as taken even if `body` throws.
    @discardableResult
    public mutating func takeMessageBytes<E>(_ body: (UnsafeRawBufferPointer) throws(E) -> Void) throws(E) -> Int {
        guard case .message(let due) = state else { return 0 }
        let length = Int(min(due, UInt64(count)))
        guard length > 0 else { return 0 }
        let range = start..<start + length
        state = due == UInt64(length) ? .afterMessage : .message(due - UInt64(length))
        defer { consume(length) }
        try buffer.withUnsafeBufferPointer { (bytes) throws(E) in
            try body(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[range]))
        }
        return length
    }
}
