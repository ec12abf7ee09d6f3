import CLinux
import Gate
import Glibc
import SystemPackage
import Transport

/// One end of what connects the listener with each of its children: a socket of datagrams, `Order`s on their way down and
/// `Report`s on their way up. It is there as long as the child, whether that is a monitor or has become a session.
///
/// The listener never waits on a line, and reads one datagram of each in turn, so that nobody's talk holds up anybody else.
struct Line: Equatable {
    let descriptor: Int32

    /// What came over a line.
    enum Heard<Message: LineMessage>: Equatable {
        case message(Message, passed: Int32?)
        /// Nothing yet.
        case nothing
        /// There is nobody at the other end any more.
        case end
        /// What no process of ours would have said.
        case nonsense
    }

    /// The listener's end and the child's.
    static func pair() throws(Errno) -> (listener: Line, child: Line) {
        var ends: [Int32] = [-1, -1]
        guard clinux_message_pair(&ends) == 0 else { throw Errno(rawValue: errno) }
        return (Line(descriptor: ends[0]), Line(descriptor: ends[1]))
    }

    /// Does not wait: somebody who lets their orders pile up gets no more.
    ///
    /// - Parameter passed: a descriptor that the other process gets, too.
    /// - Returns: whether it is on its way.
    func say(_ message: some LineMessage, passing passed: Int32 = -1) -> Bool {
        let bytes = message.wire
        while true {
            let count = passed < 0
                ? send(descriptor, bytes, bytes.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
                : clinux_send_message(descriptor, bytes, bytes.count, passed, Int32(MSG_DONTWAIT))
            if count < 0, errno == EINTR { continue }
            return count == bytes.count
        }
    }

    /// One message, without waiting. A descriptor that nobody asked for is closed.
    func hear<Message: LineMessage>(_: Message.Type) -> Heard<Message> {
        withUnsafeTemporaryAllocation(byteCount: Message.longest, alignment: 8) { buffer in
            var passed: Int32 = -1
            var count: Int
            repeat {
                count = clinux_receive_message(
                    descriptor, buffer.baseAddress!, buffer.count, &passed, Int32(MSG_DONTWAIT))
            } while count < 0 && errno == EINTR
            if count < 0 { return errno == EAGAIN ? .nothing : .end }
            if count == 0 { return .end }
            guard count <= buffer.count, let message = Message(wire: Array(buffer.prefix(count))),
                  message.passesDescriptor == (passed >= 0)
            else {
                if passed >= 0 { close(passed) }
                return .nonsense
            }
            return .message(message, passed: passed >= 0 ? passed : nil)
        }
    }

    /// Waits for the listener to decide what it was asked; `nil` if the client may go on.
    func awaitAdmission() -> Notice? {
        let patience = Deadline(after: .seconds(60))
        while true {
            var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let ready = poll(&polled, 1, patience.milliseconds)
            if ready < 0, errno == EINTR { continue }
            switch ready > 0 ? hear(Order.self) : .end {
            case .message(.admit, _): return nil
            case .message(.refuse(let notice), _): return notice
            case .nothing: continue
            case .message, .nonsense, .end: return Self.noAnswer
            }
        }
    }

    /// For a client, when the listener does not answer.
    static let noAnswer = Notice(.unavailable, "Cannot log anybody in at the moment")
}

extension Line.Heard where Message == Order {
    /// Why this one connection is to end; `nil` if not for itself.
    var departure: Order.Departure? {
        if case .message(.leave(let departure), _) = self { departure } else { nil }
    }
}
