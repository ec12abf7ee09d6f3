import CLinux
import Glibc
import SystemPackage

/// Why a connection can no longer be used.
public enum ConnectionEnd: Error, Equatable {
    /// The client closed it.
    case closed
    /// The client was silent, or did not read what it asked for, for too long.
    case timedOut
    /// The daemon is going down.
    case shutdown
    /// An administrator has ended this one connection.
    case dismissed
    /// Another connection of the same user has taken the place of this one.
    case replaced
    /// The network failed, or TLS did.
    case failed(String)

    /// For a line of the log.
    public var reason: String {
        switch self {
        case .closed: "closed by client"
        case .timedOut: "timed out"
        case .shutdown: "shutdown"
        case .dismissed: "kicked"
        case .replaced: "replaced"
        case .failed(let reason): reason
        }
    }
}

/// A client's connection: bytes in and out, through TLS once that has begun.
///
/// Plain blocking code: whoever calls waits in `poll(2)` until there is something to do, the time is over,
/// or the daemon is asked to stop.
public final class Connection {
    /// The socket: non-blocking, owned.
    public let descriptor: Int32
    /// Becomes readable when the daemon is to stop; not owned.
    private let shutdown: Int32?
    private var tls: TLSStream?

    /// Asked when `shutdown` has become readable, which may be about this connection only.
    public var reasonOfShutdown: (() -> ConnectionEnd)?

    /// How long a client may leave what it asked for unread.
    public var sendTimeout: Duration = .seconds(300)

    /// What the client is to hear if this process, which serves nobody else, ends for want of memory
    /// (`clinux_exit_without_memory`), when nothing can be made any more. Without TLS of our own only.
    public var lastWord: StaticString? { didSet { tellLastWord() } }
    /// Whether what was sent last may have ended within a response: then nothing else may follow.
    public var isWithinResponse = false { didSet { tellLastWord() } }

    private func tellLastWord() {
        guard let lastWord, tls == nil else { return }
        let text = UnsafeRawPointer(lastWord.utf8Start).assumingMemoryBound(to: CChar.self)
        clinux_set_last_word(isWithinResponse ? -1 : descriptor, text, lastWord.utf8CodeUnitCount)
    }

    /// Called once whenever the client has been silent for a second, and is about to be waited for longer.
    public var whenSilent: (() -> Void)?

    /// What the client has sent, and was sent, so far: bytes, as they were before TLS.
    public private(set) var received: UInt64 = 0
    public private(set) var sent: UInt64 = 0

    /// Bytes received since something was last sent.
    private var unacknowledged = 0

    public init(descriptor: Int32, shutdown: Int32? = nil) {
        self.descriptor = descriptor
        self.shutdown = shutdown
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
    }

    deinit { close(descriptor) }

    // MARK: - TLS

    /// What was negotiated; `nil` before TLS.
    public var tlsInformation: TLSInformation? { tls?.information }

    /// The channel binding "tls-exporter" (RFC 9266): 32 bytes. `nil` without TLS 1.3.
    public var channelBinding: [UInt8]? { tls?.channelBinding }

    /// That the client has the key of a certificate that is good (`CertificateProof`), until somebody else serves it.
    public var certificateProof: [UInt8]? { tls?.certificateProof }

    func forgetProof() { tls?.forgetProof() }

    /// Makes the TLS handshake, as server. Whatever was read before must have been dropped.
    ///
    /// - Parameter challenge: what the client signs if it shows a certificate.
    public func startTLS(_ context: TLSContext, atMost time: Duration, challenge: [UInt8]? = nil) throws(ConnectionEnd) {
        try handshake(TLSStream(context: context, descriptor: descriptor, challenge: challenge), atMost: time)
    }

    /// As client.
    public func startTLS(_ context: TLSClientContext, atMost time: Duration) throws(ConnectionEnd) {
        try handshake(TLSStream(client: context, descriptor: descriptor), atMost: time)
    }

    private func handshake(_ stream: TLSStream, atMost time: Duration) throws(ConnectionEnd) {
        let deadline = Deadline(after: time)
        while true {
            switch stream.handshake() {
            case .moved:
                tls = stream
                return
            case .blocked(let events):
                if try wait(for: events, until: deadline) == .timeout { throw .timedOut }
            case .ended(let end): throw end
            }
        }
    }

    // MARK: - Bytes

    public enum Event { case input, other, timeout }

    /// Waits until the client has sent something (or closed), `other` becomes readable, or the time is over.
    /// `nil` waits for ever.
    public func wait(atMost time: Duration?, alongside other: Int32? = nil) throws(ConnectionEnd) -> Event {
        let deadline = Deadline(after: time)
        while true {
            // With TLS, what has come may be less than a record, or none of the client's bytes: then it is nothing yet.
            var events = Int16(POLLIN)
            if case .blocked(let before)? = tls?.peek() {
                events = before
            } else if tls != nil {
                try heedShutdown()
                return .input
            }
            let event = try wait(for: events, until: deadline, alongside: other)
            guard event == .input, tls != nil else { return event }
        }
    }

    /// For whoever does not wait for a long time: whether the daemon is to stop, whatever the client has sent meanwhile.
    public func heedShutdown() throws(ConnectionEnd) {
        guard let shutdown else { return }
        var polled = pollfd(fd: shutdown, events: Int16(POLLIN), revents: 0)
        guard poll(&polled, 1, 0) <= 0 else { throw reasonOfShutdown?() ?? .shutdown }
    }

    /// Waits for bytes; 1 or more have been put into `buffer` when this returns.
    public func receive(into buffer: UnsafeMutableRawBufferPointer, atMost time: Duration?) throws(ConnectionEnd) -> Int {
        var deadline: Deadline?
        while true {
            switch attemptReceive(into: buffer) {
            case .moved(let count): return count
            case .blocked(let events):
                if deadline == nil { deadline = Deadline(after: time) }
                if try wait(for: events, until: deadline!) == .timeout { throw .timedOut }
            case .ended(let end): throw end
            }
        }
    }

    /// Lets time pass, unless the daemon goes down.
    public func pause(_ time: Duration) throws(ConnectionEnd) {
        guard time > .zero else { return }
        _ = try wait(for: 0, until: Deadline(after: time), heedingInput: false)
    }

    /// Sends all of it. A daemon that is going down lets a response end: half of one would be worse than a late goodbye.
    public func send(_ bytes: UnsafeRawBufferPointer) throws(ConnectionEnd) {
        var rest = bytes
        while !rest.isEmpty {
            switch attemptSend(rest) {
            case .moved(let count): rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
            case .blocked(let events):
                let event = try wait(for: events, until: Deadline(after: sendTimeout), heedingShutdown: false)
                if event == .timeout { throw .timedOut }
            case .ended(let end): throw end
            }
        }
    }

    public func send(_ bytes: [UInt8]) throws(ConnectionEnd) {
        try bytes.withUnsafeBufferPointer { (buffer) throws(ConnectionEnd) in try send(UnsafeRawBufferPointer(buffer)) }
    }

    /// Says goodbye so that the client gets all that was sent: what it still sends is read and dropped, for if it were left
    /// unread, closing would reset the connection and the last response might never arrive.
    public func finish(atMost time: Duration = .seconds(1)) {
        tls?.close()
        guard Glibc.shutdown(descriptor, Int32(SHUT_WR)) == 0 else { return }
        let deadline = Deadline(after: time)
        withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 16) { buffer in
            while true {
                let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
                if count > 0, deadline.milliseconds > 0 { continue }
                guard count < 0, errno == EAGAIN,
                      let event = try? wait(for: Int16(POLLIN), until: deadline, heedingShutdown: false),
                      event == .input
                else { return }
            }
        }
    }

    // MARK: - Without waiting

    /// What one attempt came to.
    enum Attempt {
        /// So many bytes went through; 0 for a handshake.
        case moved(Int)
        /// Nothing could be done before one of these events of `poll(2)`.
        case blocked(Int16)
        case ended(ConnectionEnd)
    }

    /// Whether there may be something to receive though the socket has nothing.
    var holdsInput: Bool { tls?.holdsInput ?? false }

    func attemptReceive(into buffer: UnsafeMutableRawBufferPointer) -> Attempt {
        let attempt = tls?.receive(into: buffer) ?? Self.attempt(whenBlocked: POLLIN) {
            recv(descriptor, buffer.baseAddress, buffer.count, 0)
        }
        guard case .moved(let count) = attempt else { return attempt }
        if count == 0 { return .ended(.closed) }
        received &+= UInt64(count)
        unacknowledged &+= count
        return attempt
    }

    func attemptSend(_ bytes: UnsafeRawBufferPointer) -> Attempt {
        let attempt = tls?.send(bytes) ?? Self.attempt(whenBlocked: POLLOUT) {
            Glibc.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
        }
        if case .moved(let count) = attempt {
            sent &+= UInt64(count)
            unacknowledged = 0
        }
        return attempt
    }

    /// To be called before waiting for more.
    ///
    /// In the middle of a literal there is no response that could carry the acknowledgement of what has come, and the kernel
    /// hopes for one for 40 ms. A client that sends the rest of its command by itself, as imaplib does, is kept waiting
    /// by its own kernel that long (RFC 896), for each message.
    func acknowledge() {
        // Commands are shorter, and answered at once.
        guard unacknowledged >= 512 else { return }
        unacknowledged = 0
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_QUICKACK, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    private static func attempt(whenBlocked event: Int32, _ call: () -> Int) -> Attempt {
        while true {
            let count = call()
            if count >= 0 { return .moved(count) }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .blocked(Int16(event))
            case ECONNRESET, EPIPE: return .ended(.closed)
            default: return .ended(.failed(Errno(rawValue: errno).description))
            }
        }
    }

    /// In milliseconds.
    private static let silence: Int32 = 1000

    /// `heedingInput` false: not even that the client has hung up ends the wait.
    /// Never polls more descriptors than there are: a process may be held to no more than these (RLIMIT_NOFILE).
    private func wait(
        for events: Int16, until deadline: Deadline, alongside other: Int32? = nil,
        heedingInput: Bool = true, heedingShutdown: Bool = true
    ) throws(ConnectionEnd) -> Event {
        if events & Int16(POLLIN) != 0 { acknowledge() }
        var polled = (pollfd(fd: heedingInput ? descriptor : -1, events: events, revents: 0), pollfd(), pollfd())
        var count: nfds_t = 1
        let watchesShutdown = heedingShutdown && shutdown != nil
        if let shutdown, watchesShutdown {
            polled.1 = pollfd(fd: shutdown, events: Int16(POLLIN), revents: 0)
            count += 1
        }
        if let other {
            let entry = pollfd(fd: other, events: Int16(POLLIN), revents: 0)
            if watchesShutdown { polled.2 = entry } else { polled.1 = entry }
            count += 1
        }
        var isSilent = whenSilent == nil || !heedingInput
        while true {
            let patience = deadline.milliseconds
            let isShort = patience >= 0 && patience <= Self.silence
            let ready = withUnsafeMutableBytes(of: &polled) {
                poll($0.baseAddress!.assumingMemoryBound(to: pollfd.self), count, isSilent || isShort ? patience : Self.silence)
            }
            if ready == 0, !isSilent, !isShort {
                isSilent = true
                whenSilent?()
                continue
            }
            if ready < 0 {
                if errno == EINTR { continue }
                throw .failed(Errno(rawValue: errno).description)
            }
            if watchesShutdown, polled.1.revents != 0 { throw reasonOfShutdown?() ?? .shutdown }
            if polled.0.revents != 0 { return .input }
            if ready > 0 { return .other }
            if deadline.milliseconds == 0 { return .timeout }
        }
    }
}
