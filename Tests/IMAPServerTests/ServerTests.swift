import Authentication
import Foundation
import Gate
import IMAPServer
import Logging
import MemoryStore
import TestSupport
import Testing
import Transport

@Suite("A server in one's own program")
struct ServerTests {
    /// As in the documentation of `Server`.
    private func start(connectionLimit: Int = 1000, delay: Duration = .zero) throws -> (Server, Int, ended: DispatchSemaphore) {
        let listeners = try Listener.listen(host: "127.0.0.1", port: 0, implicitTLS: false)
        var policy = LoginPolicy()
        policy.delay = delay
        let server = try Server(
            listeners: listeners,
            store: MemoryProvider(),
            authenticator: StaticPassword(user: "ann", password: "secret"),
            rules: GateRules(plaintextLogin: .fromLoopback),
            policy: policy,
            connectionLimit: connectionLimit,
            logger: Logger(label: "imapd", factory: { _ in SwiftLogNoOpLogHandler() }))
        let ended = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            server.run()
            ended.signal()
        }
        return (server, Int(listeners[0].address.port), ended)
    }

    @Test("serves a mailbox to who knows the password, and nobody else")
    func serves() throws {
        let (server, port, ended) = try start()
        let client = try MailClient(port: port)
        #expect(try client.line()?.hasPrefix("* OK [CAPABILITY ") == true)
        #expect(try client.command("LOGIN ann wrong").last?.hasPrefix("t1 NO [AUTHENTICATIONFAILED] ") == true)
        #expect(try client.command("LOGIN ann secret").last?.hasPrefix("t2 OK [CAPABILITY ") == true)
        #expect(try client.command("SELECT INBOX").contains("* 2 EXISTS"))
        #expect(try client.command("LOGOUT").last?.hasPrefix("t4 OK ") == true)
        #expect(try client.line() == nil)
        server.stop()
        ended.wait()
    }

    @Test("says goodbye to all when it stops")
    func stops() throws {
        let (server, port, ended) = try start()
        let clients = try (0..<3).map { _ in try MailClient(port: port) }
        for client in clients { _ = try client.line() }
        try clients[0].command("LOGIN ann secret")
        try clients[1].command("LOGIN ann secret")
        try clients[1].send("a IDLE\r\n")
        _ = try clients[1].line()
        server.stop()
        for client in clients {
            #expect(try client.rest().last?.hasPrefix("* BYE ") == true)
            client.close()
        }
        ended.wait()
    }

    @Test("ends with who has failed three times")
    func threeFailures() throws {
        let (server, port, ended) = try start()
        let client = try MailClient(port: port)
        _ = try client.line()
        for _ in 1...2 { try client.command("LOGIN ann wrong") }
        try client.send("a LOGIN ann wrong\r\nb LOGIN ann secret\r\n")
        #expect(try client.rest() == ["a NO [AUTHENTICATIONFAILED] Wrong user or password", "* BYE No further attempts"])
        server.stop()
        ended.wait()
    }

    @Test("lets others in while it keeps one waiting")
    func delay() throws {
        let (server, port, ended) = try start(delay: .seconds(3600))
        let (waiting, other) = (try MailClient(port: port), try MailClient(port: port))
        try waiting.send("a LOGIN ann wrong\r\n")
        _ = try other.line()
        #expect(try other.command("LOGIN ann secret").last?.hasPrefix("t1 OK ") == true)
        // Going down does not wait for it either.
        server.stop()
        _ = try waiting.line()
        #expect(try waiting.line() == "* BYE [UNAVAILABLE] Server is shutting down")
        waiting.close()
        other.close()
        ended.wait()
    }

    @Test("tells those whom it has no room for")
    func limit() throws {
        let (server, port, ended) = try start(connectionLimit: 1)
        let first = try MailClient(port: port)
        _ = try first.line()
        let second = try MailClient(port: port)
        #expect(try second.rest() == ["* BYE [UNAVAILABLE] Too many connections"])
        #expect(try first.command("NOOP") == ["t1 OK NOOP completed"])
        first.close()
        server.stop()
        ended.wait()
    }
}
