import Authentication
import IMAPGrammar
import TestSupport
import Testing
import Transport

@testable import Gate

@Suite("At the gate, logging in")
struct GateLoginTests {
    static let accepted = [Answer(.accepted, isLast: true)]
    static let loggedIn = "a OK [CAPABILITY \(Capability.afterLogin.joined(separator: " "))] Logged in"

    @Test("works in every form", arguments: [
        ("a LOGIN ann secret\r\n", [], LoginAttempt.Mechanism.loginCommand),
        ("a LOGIN \"ann\" \"secret\"\r\n", [], .loginCommand),
        ("a login {3}\r\nann {6}\r\nsecret\r\n", ["+ Go on", "+ Go on"], .loginCommand),
        ("a LOGIN {3+}\r\nann {6+}\r\nsecret\r\n", [], .loginCommand),
        ("a AUTHENTICATE PLAIN AGFubgBzZWNyZXQ=\r\n", [], .plain),
        ("a authenticate plain\r\nAGFubgBzZWNyZXQ=\r\n", ["+ "], .plain),
        ("a AUTHENTICATE PLAIN YW5uAGFubgBzZWNyZXQ=\r\n", [], .plain),
        ("a AUTHENTICATE LOGIN\r\nYW5u\r\nc2VjcmV0\r\n", ["+ VXNlcm5hbWU6", "+ UGFzc3dvcmQ6"], .login),
        // As curl says it.
        ("a AUTHENTICATE LOGIN YW5u\r\nc2VjcmV0\r\n", ["+ UGFzc3dvcmQ6"], .login),
    ])
    func forms(text: String, before: [String], mechanism: LoginAttempt.Mechanism) throws {
        let gate = try GateHarness(answers: Self.accepted)
        #expect(try gate.say(text) == [GateTests.ready] + before + [Self.loggedIn])
        let (end, attempts, _) = gate.end()
        #expect(end == .loggedIn(readAhead: []))
        #expect(attempts == [.init(mechanism: mechanism, user: "ann", password: "secret")])
    }

    @Test("leaves what follows to the session")
    func readAhead() throws {
        let gate = try GateHarness(answers: Self.accepted)
        _ = try gate.say("a LOGIN ann secret\r\nb SELECT INBOX\r\nc FETCH 1")
        #expect(gate.end().end == .loggedIn(readAhead: Array("b SELECT INBOX\r\nc FETCH 1".utf8)))
        #expect(gate.patience == .seconds(300), "the gate's own impatience ends with it")
    }

    @Test("is refused for what the mechanism does not allow, and asks nobody", arguments: [
        ("AUTHENTICATE PLAIN\r\n*", "a BAD Authentication cancelled"),
        ("AUTHENTICATE LOGIN\r\nYW5u\r\n*", "a BAD Authentication cancelled"),
        ("AUTHENTICATE PLAIN\r\nno!", "a BAD The response is not base64"),
        ("AUTHENTICATE PLAIN\r\nAGFubgBzZWNyZXQ", "a BAD The response is not base64"),
        ("AUTHENTICATE PLAIN AGFubg==", "a BAD The response is not what the mechanism asks for"),
        ("AUTHENTICATE PLAIN =", "a BAD The response is not what the mechanism asks for"),
        ("AUTHENTICATE PLAIN AGFubgBzZWNyZXQAeA==", "a BAD The response is not what the mechanism asks for"),
        ("AUTHENTICATE GSSAPI", "a NO There is no such mechanism here"),
        ("AUTHENTICATE SCRAM-SHA-256 biws", "a NO There is no such mechanism here"),
        ("AUTHENTICATE PLAIN\r\n" + String(repeating: "A", count: 20_000), "a BAD The response is too long"),
    ])
    func refused(text: String, answer: String) throws {
        let gate = try GateHarness(answers: Self.accepted)
        let lines = try gate.say("a \(text)\r\nb NOOP\r\n").filter { !$0.hasPrefix("+") }
        #expect(lines == [GateTests.ready, answer, "b OK NOOP completed"])
        #expect(gate.end().attempts == [])
    }

    @Test("as somebody whom no account can have, or for another, fails as any other attempt", arguments: [
        "LOGIN \"\" secret", "LOGIN {5+}\r\nan\u{1}nn secret",
        "LOGIN \(String(repeating: "x", count: 256)) secret",
        "LOGIN ann {1025+}\r\n\(String(repeating: "x", count: 1025))",
        // For bob, as ann.
        "AUTHENTICATE PLAIN Ym9iAGFubgBzZWNyZXQ=",
    ])
    func impossible(text: String) throws {
        let gate = try GateHarness()
        #expect(try gate.say("a \(text)\r\n").last == "a NO [AUTHENTICATIONFAILED] Wrong user or password")
        let (end, attempts, _) = gate.end()
        #expect(end == .connection(.closed))
        #expect(attempts.count == 1)
        #expect(attempts.first?.user == nil)
    }

    @Test("tells why not", arguments: [
        (Answer.Outcome.rejected, "[AUTHENTICATIONFAILED]"), (.expired, "[EXPIRED]"), (.disabled, "[CONTACTADMIN]"),
        (.unavailable, "[UNAVAILABLE]"),
    ])
    func reasons(outcome: Answer.Outcome, code: String) throws {
        let gate = try GateHarness(answers: [Answer(outcome, isLast: false), Answer(.accepted, isLast: true)])
        let lines = try gate.say("a LOGIN ann wrong\r\nb LOGIN ann secret\r\n")
        #expect(lines[1].hasPrefix("a NO \(code) "))
        #expect(lines[2].hasPrefix("b OK "))
    }

    @Test("ends when the monitor has heard enough")
    func lastAttempt() throws {
        let gate = try GateHarness(answers: [Answer(.rejected, isLast: false), Answer(.rejected, isLast: true)])
        let lines = try gate.say("a LOGIN ann 1\r\nb LOGIN ann 2\r\nc LOGIN ann 3\r\n")
        #expect(lines.dropFirst() == [
            "a NO [AUTHENTICATIONFAILED] Wrong user or password", "b NO [AUTHENTICATIONFAILED] Wrong user or password",
            "* BYE No further attempts",
        ])
        let (end, attempts, _) = gate.end()
        #expect(end == .tooManyFailures)
        #expect(attempts.count == 2)
    }

    @Test("is not possible in clear text, unless that was allowed", arguments: [
        "LOGIN ann secret", "AUTHENTICATE PLAIN AGFubgBzZWNyZXQ=", "AUTHENTICATE PLAIN", "AUTHENTICATE LOGIN",
    ])
    func clearText(text: String) throws {
        let gate = try GateHarness(GateRules(), answers: Self.accepted)
        #expect(try gate.say("a \(text)\r\n") == [
            "* OK [CAPABILITY IMAP4rev2 IMAP4rev1 LITERAL+ ID ENABLE SASL-IR LOGINDISABLED] imapd ready",
            "a NO [PRIVACYREQUIRED] Passwords are not accepted here",
        ])
        #expect(gate.end().attempts == [])
    }

    @Test("in clear text may be for loopback only, which this is")
    func loopback() throws {
        let gate = try GateHarness(GateRules(plaintextLogin: .fromLoopback), answers: Self.accepted)
        #expect(try gate.say("a LOGIN ann secret\r\n").last == Self.loggedIn)
    }
}
