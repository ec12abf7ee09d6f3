import COpenSSL
import Foundation
import Glibc
import TestSupport
import Testing

@testable import Transport

extension Descriptor {
    borrowing func writeByte() { _ = write(number, [0], 1) }
}

@Suite("A listener")
struct ListenerTests {
    @Test("is found where it says", arguments: ["127.0.0.1", "localhost"])
    func address(host: String) throws {
        let listeners = try Listener.listen(host: host, port: 0, implicitTLS: false)
        #expect(Set(listeners.map(\.address.port)).count == 1, "one port for all addresses")
        for listener in listeners {
            #expect(listener.address.isLoopback)
            let client = try MailClient(port: Int(listener.address.port), host: listener.address.host)
            guard case .connection(let socket) = listener.accept() else {
                Issue.record("nobody has connected")
                return
            }
            #expect(PeerAddress(peerOf: socket.number).isLoopback)
            client.close()
        }
    }

    @Test("tells why it cannot listen")
    func errors() throws {
        let first = try Listener.listen(host: "127.0.0.1", port: 0, implicitTLS: false)[0]
        #expect(throws: ListenError.address(first.address, .addressInUse)) {
            try Listener.listen(host: "127.0.0.1", port: first.address.port, implicitTLS: false)
        }
        #expect(throws: ListenError.self) { try Listener.listen(host: "no such host", port: 0, implicitTLS: false) }
        // TEST-NET-1 is nobody's.
        #expect(throws: ListenError.self) { try Listener.listen(host: "192.0.2.1", port: 0, implicitTLS: false) }
    }

    @Test("has nobody when nobody has come")
    func nobody() throws {
        let listener = try Listener.listen(host: "127.0.0.1", port: 0, implicitTLS: false)[0]
        guard case .nobody = listener.accept() else {
            Issue.record("somebody has connected")
            return
        }
    }
}

@Suite("A connection")
struct ConnectionTests {
    private func pair(shutdown: Int32? = nil) throws -> (Connection, peer: Int32) {
        let (first, second) = try Descriptor.streamPair().release()
        return (Connection(descriptor: first, shutdown: shutdown), second)
    }

    private func receive(_ connection: Connection, atMost time: Duration?) throws(ConnectionEnd) -> Int {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 16, alignment: 1)
        defer { buffer.deallocate() }
        return try connection.receive(into: buffer, atMost: time)
    }

    @Test("has an end")
    func closed() throws {
        let (connection, peer) = try pair()
        close(peer)
        #expect(throws: ConnectionEnd.closed) { try receive(connection, atMost: nil) }
        #expect(throws: ConnectionEnd.closed) { try connection.send([0]) }
    }

    @Test("waits no longer than it may")
    func timeout() throws {
        let (connection, peer) = try pair()
        defer { close(peer) }
        #expect(throws: ConnectionEnd.timedOut) { try receive(connection, atMost: .milliseconds(1)) }
        #expect(try connection.wait(atMost: .milliseconds(1)) == .timeout)
        #expect(try connection.wait(atMost: .zero) == .timeout)
        // Nobody reads what is sent.
        connection.sendTimeout = .milliseconds(1)
        #expect(throws: ConnectionEnd.timedOut) { try connection.send([UInt8](repeating: 0, count: 8 << 20)) }
    }

    @Test("acknowledges the middle of a message at once, and a command with its answer", arguments: [(2000, true), (20, false)])
    func acknowledgement(bytes: Int, atOnce: Bool) throws {
        let listener = try Listener.listen(host: "127.0.0.1", port: 0, implicitTLS: false)[0]
        let client = try MailClient(port: Int(listener.address.port))
        guard case .connection(let socket) = listener.accept() else {
            Issue.record("nobody has connected")
            return
        }
        let connection = Connection(descriptor: socket.release())
        // As the kernel has it once the two have spoken with each other.
        var quick: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        setsockopt(connection.descriptor, Int32(IPPROTO_TCP), TCP_QUICKACK, &quick, length)
        try client.send(String(repeating: "x", count: bytes))
        for _ in 0..<(bytes + 15) / 16 { _ = try receive(connection, atMost: nil) }
        #expect(throws: ConnectionEnd.timedOut) { try receive(connection, atMost: .milliseconds(1)) }
        getsockopt(connection.descriptor, Int32(IPPROTO_TCP), TCP_QUICKACK, &quick, &length)
        #expect((quick != 0) == atOnce)
    }

    @Test("tells input, another descriptor and the daemon's end apart")
    func events() throws {
        let stop = try Descriptor.pipe()
        let other = try Descriptor.pipe()
        let (connection, peer) = try pair(shutdown: stop.first.number)
        defer { close(peer) }
        other.second.writeByte()
        #expect(try connection.wait(atMost: nil, alongside: other.first.number) == .other)
        _ = write(peer, "x", 1)
        #expect(try connection.wait(atMost: nil, alongside: other.first.number) == .input)
        stop.second.writeByte()
        // What has come is still read.
        #expect(try receive(connection, atMost: nil) == 1)
        #expect(throws: ConnectionEnd.shutdown) { try receive(connection, atMost: nil) }
        #expect(throws: ConnectionEnd.shutdown) { try connection.wait(atMost: nil) }
        #expect(throws: ConnectionEnd.shutdown) { try connection.pause(.seconds(3600)) }
        // And a goodbye can be said.
        try connection.send(Array("bye".utf8))
        #expect(connection.received == 1)
        #expect(connection.sent == 3)
    }
}

@Suite("A connection with TLS")
struct TLSConnectionTests {
    @Test("heeds the daemon's end also while there is more to read", arguments: [false, true])
    func endWithInput(usesTLS: Bool) async throws {
        let stop = try Descriptor.pipe()
        let (near, peer) = try Descriptor.streamPair().release()
        let connection = Connection(descriptor: near, shutdown: stop.first.number)
        defer { close(peer) }
        if usesTLS {
            let certificate = try await Certificate()
            let server = try TLSContext(certificate: certificate.certificate, key: certificate.key)
            let shaken = DispatchSemaphore(value: 0)
            let other = Box(Connection(descriptor: dup(peer)))
            Thread.detachNewThread {
                if let trusting = try? TLSClientContext(name: "localhost", authorities: certificate.certificate) {
                    try? other.value.startTLS(trusting, atMost: .seconds(60))
                    try? other.value.send(Array("ab".utf8))
                }
                shaken.signal()
            }
            try connection.startTLS(server, atMost: .seconds(60))
            shaken.wait()
        } else {
            _ = write(peer, "ab", 2)
        }
        #expect(try connection.wait(atMost: .zero) == .input)
        try connection.heedShutdown()
        stop.second.writeByte()
        #expect(throws: ConnectionEnd.shutdown) { try connection.heedShutdown() }
        #expect(throws: ConnectionEnd.shutdown) { try connection.wait(atMost: .zero) }
    }

    @Test("takes half a record for nothing yet")
    func partialRecord() async throws {
        let certificate = try await Certificate()
        let context = try TLSContext(certificate: certificate.certificate, key: certificate.key)
        let (server, client) = try Descriptor.streamPair().release()
        let other = try Descriptor.pipe()
        let connection = Connection(descriptor: server)
        defer { close(client) }

        let shaken = DispatchSemaphore(value: 0)
        let waiting = Box(connection)
        Thread.detachNewThread {
            try? waiting.value.startTLS(context, atMost: .seconds(60))
            shaken.signal()
        }
        let clientContext = SSL_CTX_new(TLS_client_method())
        let ssl = try #require(SSL_new(clientContext))
        defer {
            SSL_free(ssl)
            SSL_CTX_free(clientContext)
        }
        SSL_set_fd(ssl, client)
        #expect(SSL_connect(ssl) == 1)
        shaken.wait()
        #expect(try connection.wait(atMost: .zero) == .timeout, "the client's Finished is nothing that it says")

        // From here on the test carries what the client says.
        let memory = BIO_new(BIO_s_mem())
        SSL_set0_wbio(ssl, memory)
        #expect(SSL_write(ssl, "ab", 2) == 2)
        var record = [UInt8](repeating: 0, count: 1000)
        let count = Int(BIO_read(memory, &record, 1000))
        #expect(write(client, record, count / 2) == count / 2)
        #expect(try connection.wait(atMost: .milliseconds(1)) == .timeout)
        other.second.writeByte()
        #expect(try connection.wait(atMost: nil, alongside: other.first.number) == .other)
        #expect(record.withUnsafeBytes { write(client, $0.baseAddress! + count / 2, count - count / 2) } == count - count / 2)
        #expect(try connection.wait(atMost: nil, alongside: other.first.number) == .input)

        var byte: UInt8 = 0
        for expected in "ab".utf8 {
            #expect(try connection.wait(atMost: nil) == .input)
            let received = try withUnsafeMutableBytes(of: &byte) { try connection.receive(into: $0, atMost: nil) }
            #expect(received == 1)
            #expect(byte == expected)
        }
        #expect(try connection.wait(atMost: .zero) == .timeout)
        shutdown(client, Int32(SHUT_WR))
        #expect(try connection.wait(atMost: nil) == .input, "the end")
        #expect(throws: ConnectionEnd.closed) {
            try withUnsafeMutableBytes(of: &byte) { try connection.receive(into: $0, atMost: nil) }
        }
    }
}

@Suite("The relay")
struct RelayTests {
    /// A client of TLS, and the far end of the relay.
    private func start(
        patience: Duration = .seconds(300), _ body: (MailClient, Int32) throws -> Void
    ) async throws {
        let certificate = try await Certificate()
        let context = try TLSContext(certificate: certificate.certificate, key: certificate.key)
        let listener = try Listener.listen(host: "127.0.0.1", port: 0, implicitTLS: true)[0]
        let client = try MailClient(port: Int(listener.address.port))
        let (near, far) = try Descriptor.streamPair().release()
        let ended = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            guard case .connection(let socket) = listener.accept() else { fatalError("nobody has connected") }
            let connection = Connection(descriptor: socket.release())
            connection.sendTimeout = patience
            if (try? connection.startTLS(context, atMost: .seconds(60))) != nil {
                Relay(client: connection, session: Descriptor(owning: near)).run()
            }
            ended.signal()
        }
        try client.startTLS()
        try body(client, far)
        ended.wait()
    }

    @Test("carries much, both ways, though one way is blocked meanwhile")
    func bulk() async throws {
        let line = String(repeating: "0123456789abcdef", count: 64)
        let count = 4000
        let text = Array((0..<count).map { "\($0) \(line)\n" }.joined().utf8)
        try await start { client, far in
            let (received, done) = (Box<[UInt8]>([]), DispatchSemaphore(value: 0))
            Thread.detachNewThread {
                var sent = 0
                while sent < text.count { sent += text.withUnsafeBytes { write(far, $0.baseAddress! + sent, $0.count - sent) } }
            }
            Thread.detachNewThread {
                var buffer = [UInt8](repeating: 0, count: 100_000)
                while case let size = read(far, &buffer, buffer.count), size > 0 { received.value += buffer[..<size] }
                done.signal()
            }
            // All is said before anything is heard.
            try client.send(String(decoding: text, as: UTF8.self))
            for number in 0..<count {
                let heard = try client.line()
                try #require(heard == "\(number) \(line)")
            }
            client.close()
            done.wait()
            #expect(received.value == text)
            close(far)
        }
    }

    @Test("gives up a client that does not read what it asked for, and holds little of it until then")
    func slowReader() async throws {
        try await start(patience: .milliseconds(200)) { client, far in
            try client.send("all of it, please\r\n")
            let piece = [UInt8](repeating: 0x61, count: 64 << 10)
            var taken = 0
            // Until nobody takes any more, and then until there is nobody.
            while case let count = send(far, piece, piece.count, Int32(MSG_NOSIGNAL)), count > 0 { taken += count }
            #expect(errno == EPIPE || errno == ECONNRESET)
            // What two sockets of the kernel hold, and the relay's own 64 KiB.
            #expect(taken < 32 << 20, "\(taken) bytes")
            close(far)
            client.close()
        }
    }

    @Test("brings a session's last words, and then the end")
    func lastWords() async throws {
        try await start { client, far in
            _ = write(far, "* BYE\r\n", 7)
            close(far)
            let words = try client.rest()
            #expect(words == ["* BYE"])
            client.close()
        }
    }

    @Test("tells the session that the client is gone")
    func clientGone() async throws {
        try await start { client, far in
            try client.send("last words\r\n")
            client.close()
            var buffer = [UInt8](repeating: 0, count: 100)
            #expect(read(far, &buffer, 100) == 12)
            #expect(read(far, &buffer, 100) == 0)
            close(far)
        }
    }
}
