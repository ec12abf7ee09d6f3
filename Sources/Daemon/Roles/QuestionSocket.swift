import CLinux
import Glibc
import SystemPackage
import Transport

/// Where monitors ask, one message for each question, and authenticators listen: whoever comes first takes it.
struct QuestionSocket {
    /// The end to ask at.
    let descriptor: Int32

    /// None yet: nobody hears what is asked.
    static let none = QuestionSocket(descriptor: -1)

    /// One to ask at, and its other end.
    static func pair() throws(Errno) -> (asking: QuestionSocket, listening: Int32) {
        var ends: [Int32] = [-1, -1]
        guard clinux_message_pair(&ends) == 0 else { throw Errno(rawValue: errno) }
        return (QuestionSocket(descriptor: ends[0]), ends[1])
    }

    private static let patience: Duration = .seconds(30)

    /// Waits as long as too many others have asked before.
    ///
    /// - Parameters:
    ///   - answer: the end of a pipe to write to. The caller's own copy stays.
    ///   - end: readable when nobody wants to know any more.
    /// - Returns: whether it is on its way.
    func ask(_ question: [UInt8], answer: Int32, orUntil end: Int32) -> Bool {
        let deadline = Deadline(after: Self.patience)
        while true {
            let count = clinux_send_message(descriptor, question, question.count, answer, Int32(MSG_DONTWAIT))
            if count == question.count { return true }
            if count < 0, errno == EINTR { continue }
            guard count < 0, errno == EAGAIN else { return false }
            var polled = [
                pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0), pollfd(fd: end, events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&polled, 2, deadline.milliseconds) > 0 || errno == EINTR, polled[1].revents == 0 else { return false }
        }
    }
}
