import Authentication
import IMAPGrammar
import TestSupport
import Testing
import Transport

@testable import Gate

@Suite("At the gate, SCRAM")
struct GateSCRAMTests {
    static let rules = {
        var rules = GateRules(plaintextLogin: .always)
        rules.mechanisms = SASL.allCases
        return rules
    }()
    static let first = "n,,n=ann,r=fyko+d2lbbFgONRv9qkxdawL"
    static let challenge = Answer(.challenge, isLast: false, message: Array("r=fyko,s=QQ==,i=4096".utf8))

    static func base64(_ text: String) -> String { String(decoding: Base64.encode(Array(text.utf8)), as: UTF8.self) }

    @Test("carries the messages of both sides, with and without an initial response", arguments: [
        ("a AUTHENTICATE SCRAM-SHA-256 \(base64(first))\r\n", []), ("a authenticate scram-sha-256\r\n\(base64(first))\r\n", ["+ "]),
    ])
    func messages(text: String, before: [String]) throws {
        let gate = try GateHarness(
            Self.rules, answers: [Self.challenge, Answer(.accepted, isLast: true, message: Array("v=yes".utf8))])
        let lines = try gate.say(text + Self.base64("c=biws,r=fyko,p=proof") + "\r\n\r\nb SELECT INBOX")
        #expect(Array(lines.dropFirst()) == before + [
            "+ " + Self.base64("r=fyko,s=QQ==,i=4096"), "+ " + Self.base64("v=yes"), GateLoginTests.loggedIn,
        ])
        let (first, final) = gate.exchanges()
        #expect(first == [SCRAMAttempt(clientFirst: Array(Self.first.utf8), isPlus: false, binding: nil)])
        #expect(final == ["c=biws,r=fyko,p=proof"])
        #expect(gate.end().end == .loggedIn(readAhead: Array("b SELECT INBOX".utf8)))
    }

    @Test("that is wrong is refused as a wrong password is")
    func wrong() throws {
        let gate = try GateHarness(Self.rules, answers: [Self.challenge, Answer(.rejected, isLast: true)])
        let lines = try gate.say("a AUTHENTICATE SCRAM-SHA-256 \(Self.base64(Self.first))\r\neHh4\r\n")
        #expect(lines.suffix(2) == ["a NO [AUTHENTICATIONFAILED] Wrong user or password", "* BYE No further attempts"])
        #expect(gate.end().end == .tooManyFailures)
    }

    @Test("that is given up after the challenge is a failed attempt")
    func cancelled() throws {
        let gate = try GateHarness(Self.rules, answers: [Self.challenge, Answer(.rejected, isLast: false)])
        let lines = try gate.say("a AUTHENTICATE SCRAM-SHA-256 \(Self.base64(Self.first))\r\n*\r\nb NOOP\r\n")
        #expect(lines.suffix(2) == ["a BAD Authentication cancelled", "b OK NOOP completed"])
        #expect(gate.exchanges().final == [""])
    }

    @Test("is not asked for with a first message that makes no sense, which is a failed attempt", arguments: [
        "n,,n=ann", "p=tls-exporter,,n=ann,r=fyko+d2lbbFg", "",
    ])
    func malformed(first: String) throws {
        let gate = try GateHarness(Self.rules)
        let text = first.isEmpty ? "=" : Self.base64(first)
        let lines = try gate.say("a AUTHENTICATE SCRAM-SHA-256 \(text)\r\nb NOOP\r\n")
        #expect(Array(lines.dropFirst()) == ["a NO [AUTHENTICATIONFAILED] Wrong user or password", "b OK NOOP completed"])
        #expect(gate.exchanges().first == [])
        #expect(gate.end().attempts == [.init(mechanism: .scram, user: nil, password: nil)])
    }

    @Test("is offered bound to the connection with TLS 1.3 only")
    func offer() throws {
        let gate = try GateHarness(Self.rules)
        let lines = try gate.say("a CAPABILITY\r\nb AUTHENTICATE SCRAM-SHA-256-PLUS biws\r\n")
        #expect(lines[1].contains(" AUTH=SCRAM-SHA-256 AUTH=PLAIN"))
        #expect(!lines[1].contains("PLUS"))
        #expect(lines.last == "b NO There is no such mechanism here")
    }
}
