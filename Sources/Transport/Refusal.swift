import Glibc

/// A goodbye to somebody who is not served at all.
public enum Refusal {
    /// One attempt, without waiting; nothing to those who expect TLS.
    public static func send(_ reason: StaticString, to socket: Int32, isPlaintext: Bool) {
        guard isPlaintext else { return }
        let line = Array("* BYE [UNAVAILABLE] \(reason)\r\n".utf8)
        _ = Glibc.send(socket, line, line.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
    }
}
