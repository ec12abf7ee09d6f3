import TestSupport
import Testing
import Transport

@testable import Gate

@Suite("STARTTLS")
struct StartTLSTests {
    let certificate: Certificate
    let rules: GateRules

    init() async throws {
        certificate = try await Certificate()
        rules = GateRules(tls: try TLSContext(certificate: certificate.certificate, key: certificate.key))
    }

    @Test("opens the way to logging in, once")
    func works() throws {
        let gate = try GateHarness(rules, answers: [Answer(.accepted, isLast: true)])
        #expect(try gate.client.line()
            == "* OK [CAPABILITY IMAP4rev2 IMAP4rev1 LITERAL+ ID ENABLE SASL-IR STARTTLS LOGINDISABLED] imapd ready")
        #expect(try gate.client.command("LOGIN ann secret") == ["t1 NO [PRIVACYREQUIRED] Begin TLS first"])
        #expect(try gate.client.command("STARTTLS") == ["t2 OK Begin TLS negotiation now"])
        try gate.client.startTLS()
        #expect(try gate.client.command("CAPABILITY").first
            == "* CAPABILITY IMAP4rev2 IMAP4rev1 LITERAL+ ID ENABLE SASL-IR AUTH=PLAIN AUTH=LOGIN")
        #expect(try gate.client.command("STARTTLS") == ["t4 BAD TLS is active already"])
        #expect(try gate.client.command("LOGIN ann secret").last?.hasPrefix("t5 OK ") == true)
        let (end, attempts, tls) = gate.end()
        #expect(end == .loggedIn(readAhead: []))
        #expect(attempts.count == 1)
        #expect(tls.map(\.version) == ["TLSv1.3"])
    }

    @Test("drops what somebody in between has slipped in before it", arguments: [
        "b NOOP\r\nc LOGIN mallory secret\r\n", "b LOGIN ann {6+}\r\n", "b AUTHENTICATE PLAIN AGFubgBzZWNyZXQ=\r\n", "half",
    ])
    func injection(slipped: String) throws {
        let gate = try GateHarness(rules, answers: [Answer(.accepted, isLast: true)])
        _ = try gate.client.line()
        try gate.client.send("a STARTTLS\r\n" + slipped)
        #expect(try gate.client.line() == "a OK Begin TLS negotiation now")
        try gate.client.startTLS()
        #expect(try gate.client.command("NOOP") == ["t1 OK NOOP completed"])
        gate.client.close()
        #expect(gate.end().attempts == [])
    }

    @Test("is not there without a certificate")
    func withoutTLS() throws {
        let gate = try GateHarness()
        #expect(try gate.say("a STARTTLS\r\nb NOOP\r\n").dropFirst() == ["a BAD There is no TLS here", "b OK NOOP completed"])
    }

    @Test("ends with those who then speak no TLS")
    func noHandshake() throws {
        let gate = try GateHarness(rules)
        _ = try gate.client.line()
        try gate.client.send("a STARTTLS\r\n")
        _ = try gate.client.line()
        try gate.client.send("b NOOP\r\nc NOOP\r\nd NOOP\r\n")
        guard case .connection(.failed) = gate.end().end else {
            Issue.record("the gate did not fail")
            return
        }
    }

    @Test("from the first byte comes before the greeting")
    func implicit() throws {
        var rules = rules
        rules.usesImplicitTLS = true
        let gate = try GateHarness(rules)
        try gate.client.startTLS()
        #expect(try gate.client.line() == GateTests.ready)
        #expect(try gate.client.command("LOGOUT") == ["* BYE Logging out", "t1 OK LOGOUT completed"])
        #expect(try gate.client.line() == nil)
        #expect(gate.end().end == .loggedOut)
    }

    @Test("a handshake that does not go on ends with the time to log in",
          arguments: [true, false], ["", "\u{16}\u{03}\u{01}\u{02}"])
    func halfOpen(implicit: Bool, begin: String) throws {
        var rules = rules
        rules.usesImplicitTLS = implicit
        rules.timeLimit = .milliseconds(300)
        let gate = try GateHarness(rules)
        // The time may be over before it comes to TLS.
        if !implicit { _ = try? gate.client.command("STARTTLS") }
        try? gate.client.send(begin)
        #expect(gate.end().end == .connection(.timedOut))
    }
}
