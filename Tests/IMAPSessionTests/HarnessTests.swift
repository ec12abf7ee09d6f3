import Testing

/// A harness that is content with everything proves nothing.
@Suite("Transcript notation")
struct HarnessTests {
    private func matches(_ pattern: String, _ line: String) throws -> Bool {
        var reader = ResponseReader(Array(line.utf8))
        return try ResponsePattern(Array(pattern.utf8)).match(reader.response(), [:]) != nil
    }

    @Test("matches", arguments: [
        ("a1 OK", "a1 OK Done"),
        ("a1 OK", "a1 OK [READ-WRITE] Done"),
        ("a1 OK [APPENDUID $v 4]", "a1 OK [APPENDUID 99 4] Done"),
        ("* OK [PERMANENTFLAGS (\\* \\Seen)]", "* OK [PERMANENTFLAGS (\\Seen \\*)] Limited"),
        ("* 1 FETCH (UID $u FLAGS (\\Seen \\Answered))", "* 1 FETCH (FLAGS (\\Answered \\Seen) UID 7)"),
        ("* 1 FETCH (FLAGS (...) ...)", "* 1 FETCH (FLAGS (\\Answered \\Seen) UID 7)"),
        ("* 1 FETCH (BODY[] \"a\\r\\n\")", "* 1 FETCH (BODY[] {3}\r\na\r\n)"),
        ("* 1 FETCH (BODY[HEADER.FIELDS (A B)]<0> \"\")", "* 1 FETCH (BODY[HEADER.FIELDS (A B)]<0> \"\")"),
        ("* 1 FETCH (BINARY[1] ~\"\\x00\")", "* 1 FETCH (BINARY[1] ~{1}\r\n\0)"),
        ("* 1 FETCH (ENVELOPE $_)", "* 1 FETCH (ENVELOPE (NIL (NIL) \"x\"))"),
        ("* LIST () \"/\" a", "* LIST () \"/\" \"a\""),
        ("* LIST (\\A \\B) NIL \"a b\" (\"CHILDINFO\" (\"SUBSCRIBED\"))",
         "* LIST (\\B \\A) NIL \"a b\" (\"CHILDINFO\" (\"SUBSCRIBED\"))"),
        ("* STATUS a (UNSEEN 1 MESSAGES $n)", "* STATUS a (MESSAGES 3 UNSEEN 1)"),
        ("* ESEARCH (TAG \"a\") UID ALL $a:$b", "* ESEARCH (TAG \"a\") UID ALL 4:7"),
        ("* CAPABILITY IMAP4rev2 ...", "* CAPABILITY IMAP4rev1 IMAP4rev2 IDLE"),
        ("* SEARCH", "* SEARCH"),
        ("+", "+ Go on"),
    ])
    func accepts(pattern: String, line: String) throws {
        #expect(try matches(pattern, line))
    }

    @Test("tells apart", arguments: [
        ("a1 OK", "a2 OK Done"), ("a1 OK", "a1 NO Done"), ("* OK", "* BYE Done"),
        ("a1 OK [READ-ONLY]", "a1 OK [READ-WRITE] Done"), ("a1 OK [READ-ONLY]", "a1 OK Done"),
        ("* 1 FETCH (FLAGS ())", "* 1 FETCH (FLAGS (\\Seen))"),
        ("* 1 FETCH (FLAGS ())", "* 2 FETCH (FLAGS ())"),
        ("* 1 FETCH (FLAGS ())", "* 1 FETCH (FLAGS () UID 7)"),
        ("* 1 FETCH (UID $u RFC822.SIZE $u)", "* 1 FETCH (UID 1 RFC822.SIZE 2)"),
        ("* 1 FETCH (BODY[1] NIL)", "* 1 FETCH (BODY[1] \"NIL\")"),
        ("* 1 FETCH (BODY[1] \"a\")", "* 1 FETCH (BODY[1] a)"),
        ("* 1 FETCH (BINARY[1] ~\"a\")", "* 1 FETCH (BINARY[1] \"a\")"),
        ("* SEARCH 1 2", "* SEARCH 2 1"), ("* SEARCH 1 2", "* SEARCH 1"), ("* SEARCH 1", "* SEARCH 1 2"),
        ("* CAPABILITY IMAP4rev2", "* CAPABILITY IMAP4rev2 IDLE"), ("* CAPABILITY IMAP4rev2 ...", "* CAPABILITY IDLE"),
        ("* 3 EXISTS", "* 3 RECENT"),
    ])
    func refuses(pattern: String, line: String) throws {
        #expect(try !matches(pattern, line))
    }

    @Test("finds fault with malformed responses", arguments: [
        "", "a1", "a1 OK", "a1 OK ", "a1 OK [X]", "a1 FETCH x", "+", "+Go on", "* ",
        "* 1 FETCH (FLAGS ()", "* 1 FETCH (FLAGS ())x",
        "* LIST () \"/ a", "* LIST ()  \"/\" a", "* LIST () \"\\a\" a", "* SEARCH 1 ",
        "* 1 FETCH (BODY[] {3}\r\na\r\n", "* OK a\tb",
    ])
    func malformed(line: String) {
        #expect(throws: MalformedResponse.self) {
            var reader = ResponseReader(Array(line.utf8))
            _ = try reader.response()
        }
    }

    @Test("knows variables from keywords")
    func variables() {
        let pieces = TranscriptText.pieces(Array("$a:$_ $Forwarded $ $b1x.".utf8)).map { piece in
            switch piece {
            case .variable(let name): "<\(name)>"
            case .text(let text): String(decoding: text, as: UTF8.self)
            }
        }
        #expect(pieces == ["<a>", ":", "<_>", " $Forwarded $ ", "<b1x>", "."])
    }

    @Test("counts literals and joins pipelined lines")
    func literals() throws {
        let transcript = try TranscriptParser.parse("""
            C1: a APPEND INBOX {}
            S1: + Go on
            C1| one
            C1: b NOOP
            S: * 1 FETCH (BODY[] {}
            S| x
            S: )
            """, name: "", path: "")
        guard case .send(1, let first, paced: false) = transcript.steps[0].action,
              case .send(1, let second, paced: false) = transcript.steps[2].action,
              case .expect(1, .said(let line)) = transcript.steps[3].action else {
            Issue.record("not the steps that were written: \(transcript.steps)")
            return
        }
        #expect(first == Array("a APPEND INBOX {5}\r\n".utf8))
        #expect(second == Array("one\r\nb NOOP\r\n".utf8))
        #expect(line.text == Array("* 1 FETCH (BODY[] {})".utf8))
        #expect(line.literals == [Array("x\r\n".utf8)])
    }

    @Test("writes what cannot be written")
    func escapes() throws {
        let transcript = try TranscriptParser.parse(#"C> a\r\n\x00\\\(3 bc)"#, name: "", path: "")
        guard case .send(1, let bytes, paced: true) = transcript.steps[0].action else {
            Issue.record("not the steps that were written: \(transcript.steps)")
            return
        }
        #expect(bytes == Array("a\r\n\0\\bcbcbc".utf8))
    }

    @Test("has no line that is not understood", arguments: [
        "select INBOX", "S1% x", "mailbox", "C1 sends", "S1: * 1 FETCH (", "nonsense",
    ])
    func unknown(line: String) {
        #expect(throws: (any Error).self) { try TranscriptParser.parse(line, name: "", path: "") }
    }
}
