import CLinux
import Glibc

/// Carries bytes between a client's TLS connection and the session that serves it, in another process.
///
/// OpenSSL cannot hand a live connection to another process; so the one that made the handshake keeps it.
public struct Relay: ~Copyable {
    private let client: Connection
    private let session: Descriptor
    private var up = Buffer()
    private var down = Buffer()
    private var clientEnded = false

    /// - Parameter session: a stream socket, non-blocking from now on.
    public init(client: Connection, session: consuming Descriptor) {
        self.client = client
        self.session = session
        _ = fcntl(self.session.number, F_SETFL, fcntl(self.session.number, F_GETFL) | O_NONBLOCK)
    }

    /// Bytes on their way in one direction.
    private struct Buffer: ~Copyable {
        /// Four records of TLS: more makes nothing faster.
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
        var start = 0
        var end = 0

        deinit { memory.deallocate() }

        var isEmpty: Bool { start == end }
        var content: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[start..<end]) }
        var space: UnsafeMutableRawBufferPointer { UnsafeMutableRawBufferPointer(rebasing: memory[end...]) }

        /// Gives the pages back that an empty buffer holds; they are there again when they are written.
        func release() {
            let page = 4096
            let start = (UInt(bitPattern: memory.baseAddress) + UInt(page) - 1) & ~UInt(page - 1)
            let end = (UInt(bitPattern: memory.baseAddress) + UInt(memory.count)) & ~UInt(page - 1)
            madvise(UnsafeMutableRawPointer(bitPattern: start), Int(end - start), MADV_DONTNEED)
        }

        mutating func drop(_ count: Int) {
            start += count
            if start == end { (start, end) = (0, 0) }
        }
    }

    private enum Step { case goOn, end }

    /// After which nobody is likely to say something soon: in milliseconds.
    private static let silence: Int32 = 1000

    /// What is not needed while nobody says anything.
    private func releaseMemory() {
        up.release()
        down.release()
        clinux_release_free_memory()
        clinux_release_free_stack()
    }

    /// Returns when the session has ended and the client has what it was sent, or when the client is gone.
    public consuming func run() {
        // A relay may live for weeks; what the handshake needed, it does not.
        client.forgetProof()
        clinux_release_free_memory()
        var isSilent = false
        // Events that each must have before the next attempt; SSL_read may want to write, and the other way round.
        var toRead = Int16(POLLIN)
        var toWrite = Int16(POLLOUT)
        while true {
            var polled = (pollfd(fd: client.descriptor, events: 0, revents: 0),
                          pollfd(fd: session.number, events: 0, revents: 0))
            if up.isEmpty {
                if !clientEnded { polled.0.events |= toRead }
            } else {
                polled.1.events |= Int16(POLLOUT)
            }
            if down.isEmpty {
                polled.1.events |= Int16(POLLIN)
            } else {
                polled.0.events |= toWrite
            }
            // One that is asked for nothing would still tell that it has hung up, over and over.
            if polled.0.events == 0 { polled.0.fd = -1 }
            if polled.1.events == 0 { polled.1.fd = -1 }
            if polled.0.events & Int16(POLLIN) != 0 { client.acknowledge() }
            let readsHeld = up.isEmpty && !clientEnded && client.holdsInput
            let deadline = Deadline(after: readsHeld ? .zero : down.isEmpty ? nil : client.sendTimeout)
            let rests = !isSilent && up.isEmpty && down.isEmpty && !readsHeld
            let ready = withUnsafeMutableBytes(of: &polled) {
                poll($0.baseAddress!.assumingMemoryBound(to: pollfd.self), 2, rests ? Self.silence : deadline.milliseconds)
            }
            if ready < 0, errno != EINTR { return }
            isSilent = rests && ready == 0
            if isSilent {
                releaseMemory()
                continue
            }
            if ready == 0, !readsHeld { return }

            if up.isEmpty, !clientEnded, readsHeld || polled.0.revents & (toRead | failures) != 0 {
                toRead = receiveFromClient()
            }
            if !up.isEmpty || clientEnded { sendToSession() }

            if down.isEmpty, polled.1.revents & (Int16(POLLIN) | failures) != 0 {
                if case .end = receiveFromSession() {
                    client.finish(atMost: .seconds(2))
                    return
                }
            }
            if !down.isEmpty {
                switch sendToClient() {
                case .moved: toWrite = Int16(POLLOUT)
                case .blocked(let events): toWrite = events
                case .ended: return
                }
            }
        }
    }

    private let failures = Int16(POLLHUP) | Int16(POLLERR)

    /// As many records as there are and fit. Returns the event that must come before the next attempt.
    private mutating func receiveFromClient() -> Int16 {
        while !up.space.isEmpty {
            switch client.attemptReceive(into: up.space) {
            case .moved(let count):
                up.end += count
                if !client.holdsInput { return Int16(POLLIN) }
            case .blocked(let events): return events
            case .ended:
                clientEnded = true
                return 0
            }
        }
        return Int16(POLLIN)
    }

    private mutating func sendToSession() {
        while !up.isEmpty {
            let count = send(session.number, up.content.baseAddress, up.content.count, Int32(MSG_NOSIGNAL))
            if count >= 0 {
                up.drop(count)
            } else if errno == EAGAIN {
                return
            } else if errno != EINTR {
                // The session has ended; what it said last is still to be read, what the client says is not.
                up.drop(up.content.count)
            }
        }
        if clientEnded { shutdown(session.number, Int32(SHUT_WR)) }
    }

    private mutating func receiveFromSession() -> Step {
        while true {
            let count = recv(session.number, down.space.baseAddress, down.space.count, 0)
            if count > 0 {
                down.end += count
                return .goOn
            }
            if count == 0 { return .end }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .goOn
            default: return .end
            }
        }
    }

    private mutating func sendToClient() -> Connection.Attempt {
        while true {
            switch client.attemptSend(down.content) {
            case .moved(let count):
                down.drop(count)
                if down.isEmpty { return .moved(count) }
            case let other: return other
            }
        }
    }
}
