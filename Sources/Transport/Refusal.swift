import Glibc

/// A goodbye to somebody who is not served at all.
public enum Refusal {
    /// One attempt, without waiting; nothing to those who expect TLS.
    ///
    /// - Parameter code: of RFC 5530 §3 or RFC 9051 §7.1.
    public static func send(_ reason: String, code: String = "UNAVAILABLE", to socket: Int32, isPlaintext: Bool) {
        guard isPlaintext else { return }
        let line = Array("* BYE [\(code)] \(reason)\r\n".utf8)
        _ = Glibc.send(socket, line, line.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
    }
}
