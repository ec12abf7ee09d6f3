import Foundation
import Glibc
import TestSupport
import Testing

/// What `imapd --fork` refuses, and what it says to that.
@Suite(.enabled(if: isRoot, needsRoot))
struct LimitsTests {
    /// With limits and penalties for this machine too.
    private func daemon(_ arguments: String..., implicitTLS: Bool? = nil) async throws -> ForkedDaemon {
        try await ForkedDaemon(implicitTLS: implicitTLS, ["--allow-plaintext-login", "--limit-exempt", "none"] + arguments)
    }

    private func expectRefused(
        _ daemon: ForkedDaemon, _ parts: String..., location: SourceLocation = #_sourceLocation
    ) throws {
        let lines = try MailClient(port: daemon.port).rest()
        #expect(lines.count == 1 && lines[0].hasPrefix("* BYE ["), "\(lines)", sourceLocation: location)
        for part in parts { #expect(lines.first?.contains(part) == true, "\(lines)", sourceLocation: location) }
    }

    // MARK: - How many

    @Test func perAddress() async throws {
        let daemon = try await daemon("--max-connections-per-address", "2")
        let clients = [try daemon.client(), try daemon.client()]
        try expectRefused(daemon, "[LIMIT]", "limit 2, max-connections-per-address")
        let line = try await daemon.daemon.line { $0.contains(": refused ") }
        #expect(line.contains("refused peer=127.0.0.1:") && line.contains("reason=max-connections-per-address"), "\(line)")
        clients[0].close()
        try await eventually("there is room again") { daemon.processes("monitor").count == 1 }
        _ = try daemon.client()
    }

    @Test func startups() async throws {
        let daemon = try await daemon("--max-startups", "2:100:2")
        let clients = [try daemon.client(), try daemon.client()]
        try expectRefused(daemon, "[UNAVAILABLE]", "limit 2, max-startups")
        // Whoever logs in makes room.
        #expect(try daemon.logIn(clients[0]).contains(" OK "))
        _ = try daemon.client()
    }

    @Test func perUser() async throws {
        let daemon = try await daemon("--max-connections-per-user", "2")
        let clients = try (0..<3).map { _ in try daemon.client() }
        #expect(try daemon.logIn(clients[0]).contains(" OK ") && daemon.logIn(clients[1]).contains(" OK "))
        let answer = try daemon.logIn(clients[2])
        #expect(answer.contains(" NO [LIMIT] ") && answer.contains("limit 2, max-connections-per-user"), "\(answer)")
        #expect(try clients[2].rest().first?.hasPrefix("* BYE ") == true)
        clients[0].close()
        try await eventually("there is room again") { daemon.processes("session").count == 1 }
        #expect(try daemon.logIn(daemon.client()).contains(" OK "))
    }

    @Test("a connection that is silent gives way to another of the same user", arguments: [false, true])
    func replaced(idle: Bool) async throws {
        let daemon = try await daemon("--max-connections-per-user", "2", "--replace-silent-after", "1")
        let clients = try (0..<2).map { _ in try daemon.client() }
        for client in clients { #expect(try daemon.logIn(client).contains(" OK ")) }
        if idle {
            try clients[0].send("i IDLE\r\n")
            #expect(try clients[0].line()?.hasPrefix("+ ") == true)
        }
        // Until a second is over, nobody has been silent for so long.
        try await eventually("there is room") {
            _ = try? clients[1].command("NOOP")
            return (try? daemon.logIn(daemon.client()).contains(" OK ")) ?? false
        }
        let farewell = try clients[0].rest()
        #expect(farewell.last?.hasPrefix("* BYE [LIMIT] ") == true && farewell.last?.contains("max-connections-per-user") == true,
                "\(farewell)")
        #expect(try clients[1].command("NOOP").last?.contains(" OK ") == true)
        _ = try await daemon.daemon.line { $0.contains(": replaced peer=127.0.0.1:") }
        #expect(daemon.daemon.log.split(separator: "\n").count { $0.contains(": replaced peer=127.0.0.1:") } == 1)
    }

    @Test("handshakes that do not go on count as connections before login, and end with their time")
    func halfOpen() async throws {
        let daemon = try await daemon(
            "--max-startups-per-address", "2", "--login-timeout", "5", "--penalty-timeout", "0", implicitTLS: true)
        let silent = try (0..<2).map { _ in try MailClient(port: daemon.port) }
        try silent[1].send("\u{16}\u{3}\u{1}")
        #expect(try MailClient(port: daemon.port).rest() == [])
        let line = try await daemon.daemon.line { $0.contains(": refused ") }
        #expect(line.contains("reason=max-startups-per-address"), "\(line)")
        for client in silent { #expect(try client.rest() == []) }
        try await eventually("there is room again") { daemon.processes("monitor").isEmpty }
        #expect(try daemon.logIn(daemon.client(tls: true)).contains(" OK "))
    }

    // MARK: - Who

    @Test func accessLists() async throws {
        let closed = try await daemon("--deny", "10.0.0.0/8,127.0.0.0/8")
        try expectRefused(closed, "[CONTACTADMIN]", "not accepted")
        let open = try await daemon("--deny", "127.0.0.0/8", "--allow", "127.0.0.1", "--allow", "::1")
        _ = try open.client()
        let others = try await daemon("--allow", "192.0.2.0/24")
        try expectRefused(others, "[CONTACTADMIN]")
    }

    @Test("who expects TLS is not told anything else")
    func implicitTLS() async throws {
        let daemon = try await daemon("--deny", "127.0.0.0/8", implicitTLS: true)
        #expect(try MailClient(port: daemon.port).rest() == [])
    }

    // MARK: - Penalties

    @Test("guesses are refused before they cost a process, on connections that waited too")
    func guesses() async throws {
        let daemon = try await daemon("--penalty-failure", "30", "--penalty-begin", "90")
        let client = try daemon.client(), waiting = try daemon.client(), inside = try daemon.client()
        #expect(try daemon.logIn(inside).contains(" OK "))
        for password in ["a", "a", "a2"] { #expect(try daemon.logIn(client, password: password).contains("AUTHENTICATIONFAILED")) }
        #expect(try daemon.logIn(daemon.client(), password: "a3").contains("AUTHENTICATIONFAILED"))
        let line = try await daemon.daemon.line { $0.contains(": penalty ") }
        #expect(line.contains("source=127.0.0.1"), "\(line)")

        try expectRefused(daemon, "[UNAVAILABLE]", "Too many failed logins", "seconds")
        let answer = try daemon.logIn(waiting)
        #expect(answer.contains(" NO [UNAVAILABLE] Too many failed logins"), "\(answer)")
        #expect(try waiting.rest().first?.hasPrefix("* BYE ") == true)
        // Who is in is in.
        #expect(try inside.command("NOOP").last?.contains(" OK ") == true)
    }

    @Test("time heals")
    func healing() async throws {
        let daemon = try await daemon("--penalty-failure", "1", "--penalty-begin", "1")
        #expect(try daemon.logIn(daemon.client(), password: "a").contains(" NO "))
        _ = try await daemon.daemon.line { $0.contains(": penalty ") }
        try await eventually("nothing is owed") {
            (try? MailClient(port: daemon.port).line())??.hasPrefix("* OK ") == true
        }
    }

    @Test func silence() async throws {
        let daemon = try await daemon("--login-timeout", "1", "--penalty-timeout", "1h")
        #expect(try daemon.client().rest().last?.hasPrefix("* BYE ") == true)
        _ = try await daemon.daemon.line { $0.contains(": penalty ") }
        try expectRefused(daemon, "Too many failed logins")
    }

    @Test("a gate that crashes costs its address")
    func gateCrash() async throws {
        let daemon = try await daemon()
        let client = try daemon.client()
        kill(try daemon.process("gate").pid, SIGSEGV)
        _ = try client.rest()
        _ = try await daemon.daemon.line { $0.contains(": penalty ") && $0.contains("source=127.0.0.1") }
        try expectRefused(daemon, "Too many failed logins")
    }

    @Test("a session that crashes costs its user, and nobody else; an administrator's kill costs nothing")
    func sessionCrash() async throws {
        let daemon = try await daemon()
        let killed = try daemon.client()
        #expect(try daemon.logIn(killed).contains(" OK "))
        kill(try daemon.process("session").pid, SIGKILL)
        _ = try await daemon.daemon.line { $0.contains("process crashed") && $0.contains("SIGKILL") }
        let client = try daemon.client()
        #expect(try daemon.logIn(client).contains(" OK "))
        kill(try daemon.process("session").pid, SIGSEGV)
        _ = try await daemon.daemon.line { $0.contains(": penalty ") && $0.contains("user=\(daemon.user.name)") }
        let answer = try daemon.logIn(daemon.client())
        #expect(answer.contains(" NO [UNAVAILABLE] The server failed on this user's mailbox"), "\(answer)")
        #expect(try daemon.client().command("NOOP").last?.contains(" OK ") == true)
    }

    @Test("a relay that crashes costs its user")
    func relayCrash() async throws {
        let daemon = try await daemon(implicitTLS: true)
        let client = try daemon.client(tls: true)
        #expect(try daemon.logIn(client).contains(" OK "))
        kill(try daemon.process("gate").pid, SIGSEGV)
        _ = try await daemon.daemon.line { $0.contains(": penalty ") && $0.contains("user=\(daemon.user.name)") }
    }

    // MARK: - Proxies

    private func client(_ daemon: ForkedDaemon, _ header: String) throws -> MailClient {
        let client = try MailClient(port: daemon.port)
        try client.send(header)
        return client
    }

    private func header(_ address: String) -> String { "PROXY TCP4 \(address) 127.0.0.1 56062 143\r\n" }

    @Test("behind a proxy, everything knows the client")
    func proxy() async throws {
        let files = try TemporaryDirectory()
        let script = files.path("script"), seen = files.path("seen")
        try "#!/bin/sh\necho $PAM_RHOST >> \(seen)\n".write(toFile: script, atomically: true, encoding: .utf8)
        chmod(script, 0o755)
        let daemon = try await ForkedDaemon(
            user: SystemUser(), pam: .unix(first: ["auth optional pam_exec.so quiet \(script)"]),
            ["--allow-plaintext-login", "--proxy-from", "127.0.0.0/8", "--penalty-begin", "10", "--deny", "192.0.2.66"])

        let user = try client(daemon, header("192.0.2.1"))
        #expect(try user.line()?.hasPrefix("* OK ") == true)
        #expect(try daemon.logIn(user).contains(" OK "))
        let line = try await daemon.daemon.line { $0.contains(": login ") }
        #expect(line.contains("login peer=192.0.2.1:56062 ") && line.contains("proxy=127.0.0.1:"), "\(line)")
        #expect(try String(contentsOfFile: seen, encoding: .utf8) == "192.0.2.1\n")

        let guesser = try client(daemon, header("192.0.2.2"))
        #expect(try guesser.line()?.hasPrefix("* OK ") == true)
        #expect(try daemon.logIn(guesser, password: "wrong").contains("AUTHENTICATIONFAILED"))
        _ = try await daemon.daemon.line { $0.contains(": penalty ") && $0.contains("source=192.0.2.2") }
        #expect(try client(daemon, header("192.0.2.2")).rest().first?.hasPrefix("* BYE [UNAVAILABLE] Too many failed") == true)
        #expect(try client(daemon, header("192.0.2.66")).rest().first?.hasPrefix("* BYE [CONTACTADMIN] ") == true)
        #expect(try client(daemon, header("192.0.2.3")).line()?.hasPrefix("* OK ") == true)
        #expect(try client(daemon, "PROXY UNKNOWN\r\n").line()?.hasPrefix("* OK ") == true)
        #expect(try client(daemon, "a NOOP\r\n").rest().first?.contains("PROXY header") == true)
    }

    @Test("nobody else is believed")
    func noProxy() async throws {
        let daemon = try await daemon("--proxy-from", "192.0.2.0/24")
        let client = try client(daemon, header("192.0.2.1"))
        #expect(try client.line()?.hasPrefix("* OK ") == true)
        #expect(try client.line()?.contains(" BAD ") == true)
        #expect(!daemon.daemon.log.contains("192.0.2.1"))
    }

    @Test("before TLS, with STARTTLS and without", arguments: [true, false])
    func proxyWithTLS(implicit: Bool) async throws {
        let daemon = try await ForkedDaemon(implicitTLS: implicit, ["--proxy-from", "127.0.0.1"])
        let client = try client(daemon, header("192.0.2.1"))
        if !implicit {
            #expect(try client.line()?.hasPrefix("* OK ") == true)
            #expect(try client.command("STARTTLS").last?.contains(" OK ") == true)
        }
        try client.startTLS()
        if implicit { #expect(try client.line()?.hasPrefix("* OK ") == true) }
        #expect(try daemon.logIn(client).contains(" OK "))
        _ = try await daemon.daemon.line { $0.contains(": login peer=192.0.2.1:56062 ") }
    }
}
