import IMAPGrammar
import Transport

/// One client's connection in the grammar's terms: commands in, responses out.
///
/// Responses gather in a buffer that is sent when it is large, and when there is no more input at hand: what a client
/// pipelines is answered in few packets.
final class Wire: ResponseSink {
    let connection: Connection
    private var reader: CommandReader
    var out = Serializer()
    /// Where what this session does is told.
    let record: SessionRecord
    /// What the connection had carried before.
    private let receivedBefore: UInt64
    private let sentBefore: UInt64
    /// Longest silence of a client between two pieces of a command or two commands (RFC 9051 §5.4).
    private let autologout: Duration
    /// Bytes of responses that are worth a system call.
    private static let large = 65_536
    private let trace: ProtocolTrace?

    init(
        connection: Connection, readAhead: [UInt8], autologout: Duration, record: SessionRecord, trace: ProtocolTrace? = nil
    ) {
        self.connection = connection
        self.record = record
        receivedBefore = connection.received &- UInt64(readAhead.count)
        sentBefore = connection.sent
        record[.received] = UInt64(readAhead.count)
        self.autologout = autologout
        self.trace = trace
        if let trace { readAhead.withUnsafeBytes { trace.received($0) } }
        reader = CommandReader(.afterLogin, readAhead: readAhead)
    }

    /// How both sides write names and strings.
    var mode: WireMode {
        get { reader.mode }
        set {
            reader.mode = newValue
            out.mode = newValue
        }
    }

    /// Whether one of the buffers is in somebody's hands.
    private var isLent = false

    /// Gives back the memory of both buffers, which a client that is silent may not need again for a long time.
    func releaseBuffers() {
        guard !isLent else { return }
        reader.releaseBuffer()
        out.releaseBuffer()
    }

    // MARK: - Out

    /// Whether a response was sent in part only, perhaps in the midst of a literal: nothing may follow it.
    private(set) var isCut = false

    /// What was said so far may end within a response.
    func flush() throws(ConnectionEnd) {
        connection.isWithinResponse = true
        try send()
    }

    /// The same between two responses.
    func flushResponses() throws(ConnectionEnd) {
        try send()
        connection.isWithinResponse = false
    }

    /// Sends what was said so far, then these bytes, which are within a response.
    func send(_ bytes: UnsafeRawBufferPointer) throws(ConnectionEnd) {
        try flush()
        connection.isWithinResponse = true
        do { try pass(bytes).get() } catch {
            isCut = true
            throw error
        }
    }

    private func send() throws(ConnectionEnd) {
        guard !out.isEmpty else { return }
        let sent = out.bytes.withUnsafeBytes { pass($0) }
        out.removeAll()
        do { try sent.get() } catch {
            isCut = true
            throw error
        }
    }

    private func pass(_ bytes: UnsafeRawBufferPointer) -> Result<Void, ConnectionEnd> {
        isLent = true
        defer { isLent = false }
        trace?.sent(bytes)
        defer { record[.sent] = connection.sent &- sentBefore }
        return Result { () throws(ConnectionEnd) in try connection.send(bytes) }
    }

    /// To be called now and then by whatever may say much, between two responses.
    func flushIfLarge() throws(ConnectionEnd) {
        if out.count >= Self.large { try flushResponses() }
    }

    // MARK: - In

    /// The next command, or the next piece of one. `rest` is work to do while the client is silent; it returns whether
    /// there is more of it.
    func next(rest: () -> Bool = { false }) throws(ConnectionEnd) -> CommandReader.Event {
        while true {
            let event = reader.next()
            guard case .incomplete = event else { return event }
            try receive(rest)
        }
    }

    /// The next line as such, for DONE. `nil` if it is too long to be anything.
    func nextLine() throws(ConnectionEnd) -> [UInt8]? {
        while true {
            switch reader.nextLine() {
            case .incomplete: try receive { false }
            case .line(let line): return line
            case .tooLong: return nil
            }
        }
    }

    /// Waits for the client, or for `descriptor`, with nothing left unsaid.
    func wait(atMost time: Duration, alongside descriptor: Int32?) throws(ConnectionEnd) -> Connection.Event {
        if reader.hasInput { return .input }
        try flushResponses()
        return try connection.wait(atMost: time, alongside: descriptor)
    }

    /// Ends a command that takes long, between two messages, when the daemon is to stop.
    func heedShutdown() throws(ConnectionEnd) {
        try connection.heedShutdown()
    }

    /// The same for what looks at many messages and says nothing meanwhile.
    func heedShutdown(messagesSeen: Int) throws(ContentFailure) {
        do { try heedShutdown() } catch { throw .connection(error) }
    }

    private func receive(_ rest: () -> Bool) throws(ConnectionEnd) {
        try flushResponses()
        let deadline = ContinuousClock.now + autologout
        var rests = RestSchedule()
        while true {
            let left = deadline - ContinuousClock.now
            if left <= .zero { throw .timedOut }
            switch try connection.wait(atMost: rests.wait(atMost: left)) {
            case .input:
                // Most commands are short, and room costs: its pages must be there, and be zero.
                let room = reader.messageBytesDue > 0 ? Self.large : 8_192
                isLent = true
                defer { isLent = false }
                try reader.fill(atMost: room) { (buffer) throws(ConnectionEnd) in
                    let count = try connection.receive(into: buffer, atMost: autologout)
                    trace?.received(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                    return count
                }
                record[.received] = connection.received &- receivedBefore
                return
            case .other, .timeout: rests.run(rest)
            }
        }
    }

    // MARK: - The messages of APPEND

    func acceptMessage() { reader.accept() }

    /// See `CommandReader.refuse()`.
    func refuseMessage() { reader.refuse() }

    /// Hands all bytes of the accepted message to `body`.
    func receiveMessage(_ body: (UnsafeRawBufferPointer) throws(CommandFailure) -> Void) throws(CommandFailure) {
        while reader.messageBytesDue > 0 {
            guard try reader.takeMessageBytes(body) == 0 else { continue }
            do { try receive { false } } catch { throw .connection(error) }
        }
    }
}

/// When work that can wait is done: after a moment of silence, so that no client waits for it that is about to say more,
/// and then until there is no more of it.
struct RestSchedule {
    private enum State { case due, underWay, done }
    private var state = State.due

    /// How long to wait for something else to happen.
    func wait(atMost time: Duration) -> Duration {
        switch state {
        case .due: min(time, .seconds(1))
        case .underWay: .zero
        case .done: time
        }
    }

    /// To be called when nothing else has happened. `work` returns whether there is more of it.
    mutating func run(_ work: () -> Bool) {
        if state != .done { state = work() ? .underWay : .done }
    }
}
