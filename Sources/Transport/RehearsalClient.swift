import COpenSSL
import Glibc

/// A client that says what it was told to say, for a server that rehearses: `run` is for a process of its own.
public struct RehearsalClient {
    /// What to say next, and what must have come before more is said; empty: the end of the connection.
    public struct Line: Sendable {
        public var text: [UInt8]
        public var answer: [UInt8]

        public init(_ text: String, until answer: String) {
            self.text = Array(text.utf8)
            self.answer = Array(answer.utf8)
        }
    }

    private let socket: Int32
    private let ssl: OpaquePointer?

    /// - Parameters:
    ///   - socket: a stream that blocks.
    ///   - usesTLS: from the first byte, whoever the server is.
    public init?(socket: Int32, usesTLS: Bool) {
        self.socket = socket
        guard usesTLS else {
            ssl = nil
            return
        }
        guard let context = SSL_CTX_new(TLS_client_method()), let ssl = SSL_new(context), SSL_set_fd(ssl, socket) == 1,
              SSL_connect(ssl) == 1
        else { return nil }
        self.ssl = ssl
    }

    public func run(_ lines: [Line]) {
        var heard: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        for line in lines {
            guard send(line.text) else { return }
            while line.answer.isEmpty || !heard.indices.contains(where: { heard[$0...].starts(with: line.answer) }) {
                let count = receive(&buffer)
                guard count > 0 else { return }
                heard += buffer[..<count]
            }
            heard.removeAll()
        }
    }

    private func send(_ bytes: [UInt8]) -> Bool {
        if let ssl { return SSL_write(ssl, bytes, Int32(bytes.count)) == Int32(bytes.count) }
        return Glibc.send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
    }

    private func receive(_ buffer: inout [UInt8]) -> Int {
        if let ssl { return Int(SSL_read(ssl, &buffer, Int32(buffer.count))) }
        return recv(socket, &buffer, buffer.count, 0)
    }
}
