import IMAPGrammar
import IMAPTypes
import MailMessage
import MailStore
import TestSupport
import Testing
@testable import IMAPSession
@testable import Transport

@Suite("MessageFetcher")
struct MessageFetcherTests {
    private func section(_ part: [UInt32] = [], _ text: SectionText? = nil, _ partial: Partial? = nil) -> FetchAttribute {
        .bodySection(Section(part: part, text: text), partial, peek: true)
    }

    @Test("tells an ENVELOPE", arguments: [
        ("plain", #"""
            ("Mon, 7 Feb 1994 21:52:25 -0800 (PST)" "afternoon meeting" (("Fred Foobar" NIL "foobar"
             "Blurdybloop.example")) (("Fred Foobar" NIL "foobar" "Blurdybloop.example")) (("Fred Foobar" NIL "foobar"
             "Blurdybloop.example")) ((NIL NIL "mooch" "owatagu.siam.edu.example")) NIL NIL NIL
             "<B27397-0100000@Blurdybloop.example>")
            """#),
        ("rfc5322-a-1-3-group", #"""
            ("Thu, 13 Feb 1969 23:32:54 -0330" NIL (("Pete" NIL "pete" "silly.example")) (("Pete" NIL "pete"
             "silly.example")) (("Pete" NIL "pete" "silly.example")) ((NIL NIL "A Group" NIL) ("Ed Jones" NIL "joe"
             "where.test") ("John" NIL "jdoe" "one.test") (NIL NIL NIL NIL)) ((NIL NIL "Undisclosed recipients" NIL)
             (NIL NIL NIL NIL)) NIL NIL "<testabcd.1234@silly.example>")
            """#),
        ("empty", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"),
    ])
    func envelope(name: String, expected: String) throws {
        #expect(try fetch(Corpus.message(name), [.envelope])["ENVELOPE"]?.described == expected.oneLine)
    }

    @Test("tells a BODY and a BODYSTRUCTURE", arguments: [
        ("plain", FetchAttribute.body, #"("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 55 1)"#),
        ("plain", .bodyStructure, #"("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 55 1 NIL NIL NIL NIL)"#),
        ("rfc2046-multipart-mixed", .body,
         #"""
             (("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 80 1) ("text" "plain" ("charset" "us-ascii") NIL
              NIL "7BIT" 78 2) "mixed")
             """#),
        ("boundary-missing", .bodyStructure, #"("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 25 4 NIL NIL NIL NIL)"#),
        ("empty-parts", .body, #"""
            (("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 0 0) ("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL
             "7BIT" 0 0) ("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 0 0) "mixed")
            """#),
        ("content-type-hostile", .bodyStructure, #"""
            ("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "x-unheard-of" 6 1 "()" NIL NIL NIL)
            """#),
        ("rfc2231-parameters", .bodyStructure,
         #"""
             ("application" "x-stuff" ("title*0*" "us-ascii'en'This%20is%20even%20more%20" "title*1*"
              "%2A%2A%2Afun%2A%2A%2A%20" "title*2" "isn't it!") "<part1@example.org>" "=?iso-8859-1?q?Gr=FC=DFe?="
              "base64" 6 "Q2hlY2sgSW50ZWdyaXR5IQ==" ("attachment" ("filename" "My picture (1).jpg" "size" "12")) ("en"
              "de-CH") "http://example.org/a b")
             """#),
        ("rfc2046-digest", .body, #"""
            (("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 48 1) (("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 107
             ("Fri, 26 Mar 1993 11:13:32 +0200" "my opinion" ((NIL NIL "someone-else" "")) ((NIL NIL "someone-else"
             "")) ((NIL NIL "someone-else" "")) NIL NIL NIL NIL NIL) ("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL
             "7BIT" 25 1) 5) ("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 132 ("Fri, 26 Mar 1993 10:07:13 -0500" "my
             different opinion" ((NIL NIL "someone-else-again" "")) ((NIL NIL "someone-else-again" "")) ((NIL NIL
             "someone-else-again" "")) NIL NIL NIL NIL NIL) ("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 34
             1) 5) "digest") "mixed")
            """#),
    ])
    func structure(name: String, attribute: FetchAttribute, expected: String) throws {
        let items = try fetch(Corpus.message(name), [attribute])
        #expect(items[attribute == .body ? "BODY" : "BODYSTRUCTURE"]?.described == expected.oneLine)
    }

    @Test("is well-formed for any bytes", arguments: Corpus.names)
    func wellFormed(name: String) throws {
        var generator = SeededGenerator(11)
        let original = Corpus.message(name)
        for round in 0..<Corpus.rounds(15, of: original) {
            let message = round == 0 ? original : original.mutated(using: &generator)
            for mode in [WireMode(), .imap4rev2] {
                let items = try fetch(message, [.envelope, .body, .bodyStructure, .rfc822Size, section([], .header),
                    section([], .text)], mode: mode)
                try StructureRules.envelope(try #require(items["ENVELOPE"]))
                try StructureRules.body(try #require(items["BODY"]), isExtended: false)
                try StructureRules.body(try #require(items["BODYSTRUCTURE"]), isExtended: true)
                let whole = (items["BODY[HEADER]"]?.bytes ?? []) + (items["BODY[TEXT]"]?.bytes ?? [])
                #expect(whole == message.withCRLF.withoutNUL)
            }
        }
    }

    @Test("sends every section as the parser found it, with CRLF", arguments: Corpus.names)
    func sections(name: String) throws {
        let message = Corpus.message(name)
        let structure = parse(message)
        for path in paths(structure) {
            for (text, part) in [(nil, nil), (SectionText.header, SectionPart.header), (.text, .text), (.mime, .mime)]
                as [(SectionText?, SectionPart?)]
            where !(path.isEmpty && text == .mime) {
                let items = try fetch(message, [section(path, text)])
                let expected = structure.extent(path, part).map { Array(message[$0.offset..<$0.end]).withCRLF.withoutNUL }
                #expect(items.values.first?.stringBytes == expected, "\(name) \(path) \(String(describing: text))")
            }
        }
    }

    @Test("sends any part of a section, and nothing beyond its end", arguments: ["mixed-line-ends", "rfc2049-complex", "plain"])
    func partial(name: String) throws {
        let message = Corpus.message(name)
        let wire = message.withCRLF
        for offset in stride(from: 0, through: wire.count + 3, by: wire.count > 1000 ? 13 : 1) {
            for count in [1, 2, 7, 100, 100_000] {
                let items = try fetch(message, [section([], nil, Partial(offset: UInt64(offset), count: UInt64(count)))])
                #expect(items["BODY[]<\(offset)>"]?.stringBytes == Array(wire.dropFirst(offset).prefix(count)))
            }
        }
        let items = try fetch(message, [section([], nil, Partial(offset: .max, count: .max)), section([], .header,
            Partial(offset: 3, count: .max))])
        #expect(items["BODY[]<\(UInt64.max)>"]?.stringBytes == [])
    }

    @Test("sends header fields", arguments: [
        ([], SectionText.headerFields([Array("SUBJECT".utf8), Array("x".utf8)]), "BODY[HEADER.FIELDS (SUBJECT x)]",
         "Subject: afternoon meeting\r\n\r\n"),
        ([], .headerFields([Array("none".utf8)]), "BODY[HEADER.FIELDS (none)]", "\r\n"),
        ([1], .headerFields([Array("none".utf8)]), "BODY[1.HEADER.FIELDS (none)]", nil),
    ] as [([UInt32], SectionText, String, String?)])
    func headerFields(part: [UInt32], text: SectionText, name: String, expected: String?) throws {
        let items = try fetch(Corpus.message("plain"), [section(part, text)])
        #expect(items[name]?.stringBytes?.text == expected)
    }

    @Test("decodes for BINARY (RFC 9051 §6.4.5.3)", arguments: [
        ("forwarded-multipart", [2, 1], "café au lait", ResponseNode.StringForm.literal),
        ("forwarded-multipart", [2, 2], "<p>caf\u{FFFD} au lait</p>", .literal),
        ("forwarded-multipart", [1], "see below", .literal),
        ("rfc2231-parameters", [1], "\0\0\0", .literal8),
        ("mixed-line-ends", [1], "one\r\ntwo\r\nthree\rstill three", .literal),
        ("plain", [2], nil, .literal),
    ] as [(String, [UInt32], String?, ResponseNode.StringForm)])
    func binary(name: String, part: [UInt32], expected: String?, form: ResponseNode.StringForm) throws {
        let items = try fetch(Corpus.message(name), [.binary(part: part, nil, peek: true), .binarySize(part: part)])
        let path = part.map(String.init).joined(separator: ".")
        let node = items["BINARY[\(path)]"]
        #expect(node?.stringBytes?.text == expected)
        if case .string(let bytes, let actual)? = node {
            #expect(actual == form)
            #expect(items["BINARY.SIZE[\(path)]"]?.atomText == "\(bytes.count)")
            let partial = try fetch(Corpus.message(name), [.binary(part: part, Partial(offset: 2, count: 4), peek: true)])
            #expect(partial["BINARY[\(path)]<2>"]?.stringBytes == Array(bytes.dropFirst(2).prefix(4)))
        }
    }

    @Test("does not decode what it does not know, and says nothing of that message")
    func unknownEncoding() throws {
        let sink = FakeSink()
        let mailbox = FakeMailbox([Corpus.message("uuencoded-unknown-encoding")])
        for attribute in [FetchAttribute.binary(part: [1], nil, peek: true), .binarySize(part: [1])] {
            let fetcher = MessageFetcher(FetchProgram([.uid, attribute]), mailbox: mailbox, sink: sink)
            #expect(try fetcher.fetch(UID.first, number: SequenceNumber(1)!, isRecent: false) == .unknownEncoding)
        }
        #expect(sink.out.isEmpty && sink.sent.isEmpty)
    }

    @Test("streams large messages in pieces, each read once", arguments: [false, true])
    func large(isCRLF: Bool) throws {
        var message = Array("Subject: large\n\n".utf8)
        for line in 0..<60_000 { message += Array("line \(line) of a large message\n".utf8) }
        if isCRLF { message = message.withCRLF }
        let mailbox = FakeMailbox([message])
        mailbox.longestRead = 50_001
        let sink = FakeSink()
        let fetcher = MessageFetcher(FetchProgram([section()]), mailbox: mailbox, sink: sink)
        #expect(try fetcher.fetch(UID.first, number: SequenceNumber(1)!, isRecent: false) == .sent)
        try sink.flush()
        #expect(sink.largestPiece < 300_000)
        #expect(mailbox.opens == 1)
        #expect(mailbox.bytesRead == message.count)
        let wire = message.withCRLF
        #expect(sink.sent.text == "* 1 FETCH (BODY[] {\(wire.count)}\r\n" + wire.text + ")\r\n")
        for offset in [0, 1, 70_000, 131_071, 1_000_001, wire.count - 1] {
            let items = try fetch(message, [section([], nil, Partial(offset: UInt64(offset), count: 150_000))])
            #expect(items["BODY[]<\(offset)>"]?.stringBytes == Array(wire.dropFirst(offset).prefix(150_000)))
        }
    }

    @Test("ends the connection rather than send a literal of a wrong length")
    func truncated() throws {
        var message = Array("Subject: large\n\n".utf8)
        for line in 0..<60_000 { message += Array("line \(line) of a large message\n".utf8) }
        for (truncatedTo, claimed) in [(200_000, nil), (nil, UInt64(message.count * 3))] as [(Int?, UInt64?)] {
            let mailbox = FakeMailbox([message])
            mailbox.messages[0].truncatedTo = truncatedTo
            mailbox.messages[0].claimedSize = claimed
            let fetcher = MessageFetcher(FetchProgram([section()]), mailbox: mailbox, sink: FakeSink())
            do {
                _ = try fetcher.fetch(UID.first, number: SequenceNumber(1)!, isRecent: false)
                Issue.record("it went on")
            } catch {
                guard case .connection(.failed) = error else { throw error }
            }
        }
    }

    @Test("sends a message as it was when it was opened, if it grows", arguments: [100, 131_071, 131_072, 131_073, 300_000])
    func grown(size: Int) throws {
        let message = Array("Subject: x\n\n".utf8) + [UInt8](repeating: 0x61, count: size - 12)
        let mailbox = FakeMailbox([message])
        mailbox.messages[0].grownTo = message + [UInt8](repeating: 0x62, count: 200_000)
        let items = try fetch(message, [section(), section([1]), section([], .text)], from: mailbox)
        #expect(items["BODY[]"]?.stringBytes == message.withCRLF)
        #expect(items["BODY[1]"]?.stringBytes?.count == size - 12)
        let whole = try fetch(message, [section()], from: mailbox)
        #expect(whole["BODY[]"]?.stringBytes == message.withCRLF)
    }

    @Test("says nothing of a message that is gone")
    func gone() throws {
        let mailbox = FakeMailbox([Corpus.message("plain")])
        mailbox.messages[0].isGone = true
        for attributes in [[FetchAttribute.rfc822Size], [.envelope], [section()]] {
            let sink = FakeSink()
            let fetcher = MessageFetcher(FetchProgram(attributes), mailbox: mailbox, sink: sink)
            #expect(try fetcher.fetch(UID.first, number: SequenceNumber(1)!, isRecent: false) == .gone)
            #expect(sink.out.isEmpty)
        }
    }

    @Test("reads no more than it needs")
    func economy() throws {
        let mailbox = FakeMailbox([Corpus.message("plain"), Array("Subject: x\n\n".utf8) + [UInt8](repeating: 0x61,
            count: 200_000)])
        let sink = FakeSink()
        let cheap = MessageFetcher(FetchProgram([.flags, .uid, .internalDate, .rfc822Size, .modSeq]), mailbox: mailbox,
            sink: sink)
        #expect(try cheap.fetch(UID.first, number: SequenceNumber(1)!, isRecent: true) == .sent)
        #expect(mailbox.opens == 0)
        #expect(sink.out.bytes.text
            == "* 1 FETCH (FLAGS (\\Recent) UID 1 INTERNALDATE \" 1-Jan-1970 00:00:00 +0000\" RFC822.SIZE 326 MODSEQ (1))\r\n")
        #expect(mailbox.detailsAsked == 1)
        let header = MessageFetcher(FetchProgram([.envelope, section([], .header), .rfc822Header]), mailbox: mailbox,
            sink: sink)
        _ = try header.fetch(UID(2)!, number: SequenceNumber(2)!, isRecent: false)
        #expect(mailbox.opens == 1)
        #expect(mailbox.bytesRead < 20_000)
        let all = MessageFetcher(FetchProgram([.envelope, .bodyStructure, section(), section([1]), section([], .text)]),
            mailbox: mailbox, sink: sink)
        _ = try all.fetch(UID.first, number: SequenceNumber(1)!, isRecent: false)
        #expect(mailbox.opens == 2)
        #expect(mailbox.bytesRead < 20_000)
        let whole = MessageFetcher(FetchProgram([section()]), mailbox: mailbox, sink: sink)
        _ = try whole.fetch(UID.first, number: SequenceNumber(1)!, isRecent: false)
        #expect(mailbox.detailsAsked == 1)
    }

    @Test("knows what makes a message \\Seen", arguments: [
        (FetchAttribute.rfc822(peek: false), true), (.rfc822(peek: true), false), (.rfc822Text(peek: false), true),
        (.rfc822Header, false), (.envelope, false), (.bodyStructure, false),
        (.bodySection(Section(), nil, peek: false), true), (.bodySection(Section(), nil, peek: true), false),
        (.binary(part: [1], nil, peek: false), true), (.binary(part: [1], nil, peek: true), false),
        (.binarySize(part: [1]), false),
    ] as [(FetchAttribute, Bool)])
    func setsSeen(attribute: FetchAttribute, expected: Bool) {
        #expect(FetchProgram([.uid, attribute]).setsSeen == expected)
    }

    /// All part numbers there are, and some that are not.
    private func paths(_ structure: MessageStructure) -> [[UInt32]] {
        var result: [[UInt32]] = []
        func visit(_ path: [UInt32]) {
            result.append(path)
            guard path.count < 5, structure.part(path) != nil else { return }
            for number in UInt32(1)...6 { visit(path + [number]) }
        }
        visit([])
        return result
    }
}

private func parse(_ message: [UInt8]) -> MessageStructure {
    var parser = MessageParser()
    message.withUnsafeBytes { parser.feed($0) }
    parser.finish()
    return parser.structure
}

extension String {
    /// Without the line ends that make it fit the page.
    fileprivate var oneLine: String { filter { $0 != "\n" } }
}

extension ResponseNode {
    /// The bytes of a string; `nil` for NIL.
    var stringBytes: [UInt8]? {
        if case .string(let bytes, _) = self { bytes } else { nil }
    }
}

extension [UInt8] {
    /// As a literal has it (RFC 9051 §4.3.1).
    fileprivate var withoutNUL: [UInt8] { map { $0 == 0 ? 0x80 : $0 } }
}
