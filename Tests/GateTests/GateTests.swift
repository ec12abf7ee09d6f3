import TestSupport
import Testing
import Transport

@testable import Gate

@Suite("The gate")
struct GateTests {
    static let ready = "* OK [CAPABILITY IMAP4rev2 IMAP4rev1 LITERAL+ ID ENABLE SASL-IR AUTH=PLAIN AUTH=LOGIN] imapd ready"

    @Test("answers the commands of any state, and whatever order they come in")
    func anyState() throws {
        let gate = try GateHarness()
        let lines = try gate.say("a CAPABILITY\r\nb noop\r\nc ID (\"name\" \"x\")\r\nd ID NIL\r\ne LOGOUT\r\nf NOOP\r\n")
        #expect(lines == [
            Self.ready,
            "* CAPABILITY IMAP4rev2 IMAP4rev1 LITERAL+ ID ENABLE SASL-IR AUTH=PLAIN AUTH=LOGIN",
            "a OK CAPABILITY completed",
            "b OK NOOP completed",
            "* ID (\"name\" \"imapd\")", "c OK ID completed",
            "* ID (\"name\" \"imapd\")", "d OK ID completed",
            "* BYE Logging out", "e OK LOGOUT completed",
        ])
        #expect(gate.end().end == .loggedOut)
    }

    @Test("has no other state's commands", arguments: [
        "SELECT INBOX", "EXAMINE INBOX", "LIST \"\" *", "STATUS INBOX (MESSAGES)", "ENABLE IMAP4rev2", "IDLE", "NAMESPACE",
        "FETCH 1 FLAGS", "UID FETCH 1 FLAGS", "CLOSE", "CREATE x", "SELECT {4+}\r\nINBO", "UNSELECT",
    ])
    func otherStates(command: String) throws {
        let gate = try GateHarness()
        #expect(try gate.say("a \(command)\r\nb NOOP\r\n").dropFirst() == ["a BAD Log in first", "b OK NOOP completed"])
    }

    @Test("survives what is no command", arguments: [
        ("a FROBNICATE\r\n", "a BAD Unknown command"),
        ("\r\n", "* BAD "),
        ("a\r\n", "a BAD "),
        ("a LOGIN\r\n", "a BAD "),
        ("a LOGIN x {99999}\r\n", "a BAD [TOOBIG] "),
        ("+ NOOP\r\n", "* BAD "),
        ("\0\u{1}\u{FFFD}{}()[]*%\r\n", "* BAD "),
        ("a NOOP " + String(repeating: "x", count: 20_000) + "\r\n", "a BAD Command line too long"),
        ("a APPEND INBOX {5}\r\n", "+ "),
    ])
    func garbage(text: String, answer: String) throws {
        let gate = try GateHarness()
        let lines = try gate.say(text + "zz NOOP\r\n")
        #expect(lines.dropFirst().first?.hasPrefix(answer) == true, "\(lines)")
        if !answer.hasPrefix("+") { #expect(lines.last == "zz OK NOOP completed") }
        #expect(gate.end().end == .connection(.closed))
    }

    @Test("ends with those who talk too much")
    func commandLimit() throws {
        var rules = GateRules(plaintextLogin: .always)
        rules.commandLimit = 3
        let gate = try GateHarness(rules)
        #expect(try gate.say("a NOOP\r\nb NOOP\r\nc XYZ\r\nd NOOP\r\ne NOOP\r\n").suffix(2) == [
            "c BAD Unknown command", "* BYE [LIMIT] Too many commands before login",
        ])
        #expect(gate.end().end == .tooManyCommands)
    }

    @Test("ends with those who take too long")
    func timeLimit() throws {
        var rules = GateRules(plaintextLogin: .always)
        rules.timeLimit = .milliseconds(20)
        let gate = try GateHarness(rules)
        #expect(try gate.client.rest() == [Self.ready, "* BYE Took too long to log in"])
        #expect(gate.end().end == .connection(.timedOut))
    }

    @Test("says goodbye when the daemon goes down")
    func shutdown() throws {
        let pipe = try Descriptor.pipe()
        let gate = try GateHarness(shutdown: pipe.first.number)
        #expect(try gate.client.line() == Self.ready)
        pipe.second.writeByte()
        #expect(try gate.client.rest() == ["* BYE [UNAVAILABLE] Server is shutting down"])
        #expect(gate.end().end == .connection(.shutdown))
    }

    @Test("takes bytes as they come")
    func chunks() throws {
        let gate = try GateHarness(answers: [Answer(.accepted, isLast: true)])
        for byte in "a LOGIN ann {6+}\r\nsecret\r\n".unicodeScalars { try gate.client.send(String(byte)) }
        #expect(try gate.client.lines(through: "a").last?.hasPrefix("a OK ") == true)
        #expect(gate.end().attempts == [.init(mechanism: .loginCommand, user: "ann", password: "secret")])
    }
}
