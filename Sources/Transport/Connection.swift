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
    /// The network failed, or TLS did.
    case failed(String)
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

    /// How long a client may leave what it asked for unread.
    public var sendTimeout: Duration = .seconds(300)

    public init(descriptor: Int32, shutdown: Int32? = nil) {
        self.descriptor = descriptor
        self.shutdown = shutdown
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
    }

    deinit { close(descriptor) }

    public enum Event { case input, other, timeout }

    /// Waits until the client has sent something (or closed), `other` becomes readable, or the time is over.
    /// `nil` waits for ever.
    public func wait(atMost time: Duration?, alongside other: Int32? = nil) throws(ConnectionEnd) -> Event {
        try wait(for: Int16(POLLIN), atMost: time, alongside: other)
    }

    /// Waits for bytes; 1 or more have been put into `buffer` when this returns.
    public func receive(into buffer: UnsafeMutableRawBufferPointer, atMost time: Duration?) throws(ConnectionEnd) -> Int {
        while true {
            let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
            if count > 0 { return count }
            if count == 0 { throw .closed }
            switch errno {
            case EINTR: continue
            case EAGAIN:
                if try wait(atMost: time) == .timeout { throw .timedOut }
            case ECONNRESET: throw .closed
            default: throw .failed(Errno(rawValue: errno).description)
            }
        }
    }

    /// Sends all of it.
    public func send(_ bytes: UnsafeRawBufferPointer) throws(ConnectionEnd) {
        var rest = bytes
        while !rest.isEmpty {
            let count = Glibc.send(descriptor, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
            if count >= 0 {
                rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
                continue
            }
            switch errno {
            case EINTR: continue
            case EAGAIN:
                if try wait(for: Int16(POLLOUT), atMost: sendTimeout, alongside: nil) == .timeout { throw .timedOut }
            case EPIPE, ECONNRESET: throw .closed
            default: throw .failed(Errno(rawValue: errno).description)
            }
        }
    }

    private func wait(for events: Int16, atMost time: Duration?, alongside other: Int32?) throws(ConnectionEnd) -> Event {
        let deadline = time.map { ContinuousClock.now + $0 }
        while true {
            var polled = [pollfd(fd: descriptor, events: events, revents: 0),
                          pollfd(fd: shutdown ?? -1, events: Int16(POLLIN), revents: 0),
                          pollfd(fd: other ?? -1, events: Int16(POLLIN), revents: 0)]
            var milliseconds: Int32 = -1
            if let deadline {
                let rest = deadline - ContinuousClock.now
                if rest <= .zero { milliseconds = 0 } else {
                    let (seconds, attoseconds) = rest.components
                    milliseconds = Int32(clamping: seconds * 1000 + attoseconds / 1_000_000_000_000_000 + 1)
                }
            }
            let count = poll(&polled, nfds_t(polled.count), milliseconds)
            if count < 0 {
                if errno == EINTR { continue }
                throw .failed(Errno(rawValue: errno).description)
            }
            if polled[1].revents != 0 { throw .shutdown }
            if polled[0].revents != 0 { return .input }
            if polled[2].revents != 0 { return .other }
            if count == 0, milliseconds >= 0 { return .timeout }
        }
    }
}
