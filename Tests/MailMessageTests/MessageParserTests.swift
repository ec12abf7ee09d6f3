import MailMessage
import TestSupport
import Testing

@Suite("MessageParser")
struct MessageParserTests {
    @Test("finds the tree of entities", arguments: [
        ("plain", "text"),
        ("rfc2046-multipart-mixed", "multi(text,text)"),
        ("rfc2049-complex", "multi(text,text,multi(basic,basic),text,message(text))"),
        ("rfc2046-digest", "multi(text,multi(message(text),message(text)))"),
        ("no-header", "text"), ("no-body", "text"), ("empty", "text"), ("only-line-feed", "text"), ("mbox-from-line", "text"),
        ("part-without-blank-line", "multi(text,text)"),
        ("part-header-cut-by-delimiter", "multi(text,text)"),
        ("end-delimiter-missing", "multi(text,text)"),
        ("inner-end-delimiter-missing", "multi(multi(text,text),basic)"),
        ("boundary-prefix-of-inner", "multi(multi(text,text),text)"),
        ("boundary-inner-prefix-of-outer", "multi(multi(text),text)"),
        ("boundary-missing", "opaque"), ("boundary-never-used", "opaque"), ("only-end-delimiter", "opaque"),
        ("empty-parts", "multi(text,text,text)"),
        ("delimiter-with-padding", "multi(text)"),
        ("delimiter-at-end-without-line-feed", "multi(text)"),
        ("mixed-line-ends", "multi(text,text)"),
        ("message-in-message", "message(message(text))"),
        ("forwarded-multipart", "multi(text,message(multi(text,text)))"),
        ("content-type-hostile", "opaque"),
    ])
    func tree(name: String, expected: String) {
        #expect(parse(Corpus.message(name)).outline() == expected)
    }

    @Test("knows where a section is", arguments: [
        ("rfc2046-multipart-mixed", [1], nil,
         "This is implicitly typed plain US-ASCII text.\r\nIt does NOT end with a linebreak."),
        ("rfc2046-multipart-mixed", [2], nil,
         "This is explicitly typed plain US-ASCII text.\r\nIt DOES end with a linebreak.\r\n"),
        ("rfc2046-multipart-mixed", [1], .mime, "\r\n"),
        ("rfc2046-multipart-mixed", [2], .mime, "Content-type: text/plain; charset=us-ascii\r\n\r\n"),
        ("rfc2046-multipart-mixed", [3], nil, nil),
        ("rfc2046-multipart-mixed", [1, 1], nil, nil),
        ("rfc2046-multipart-mixed", [1], .header, nil),
        ("plain", [1], nil, "Hello Joe, do you think we can meet at 3:30 tomorrow?\r\n"),
        ("plain", [], .text, "Hello Joe, do you think we can meet at 3:30 tomorrow?\r\n"),
        ("plain", [2], nil, nil), ("plain", [1, 1], nil, nil), ("plain", [1], .text, nil), ("plain", [], .mime, nil),
        ("no-header", [], .header, "\n"), ("no-header", [1], nil, "Just a body.\n"),
        ("no-body", [1], nil, ""), ("empty", [], nil, ""), ("empty", [], .header, ""), ("empty", [1], nil, ""),
        ("part-without-blank-line", [1], nil, ""),
        ("part-without-blank-line", [2], nil, "This part has no header and no empty line.\nSecond line."),
        ("part-without-blank-line", [2], .mime, ""),
        ("part-header-cut-by-delimiter", [1], .mime, "Content-Type: text/html\n"),
        ("part-header-cut-by-delimiter", [1], nil, ""),
        ("part-header-cut-by-delimiter", [2], nil, "two"),
        ("end-delimiter-missing", [2], nil, "<p>two\n"),
        ("inner-end-delimiter-missing", [1, 2], nil, "<p>one"),
        ("inner-end-delimiter-missing", [2], nil, "%PDF"),
        ("boundary-prefix-of-inner", [1, 2], nil, "two"), ("boundary-prefix-of-inner", [2], nil, "three"),
        ("boundary-inner-prefix-of-outer", [2], nil, "two"),
        ("empty-parts", [1], nil, ""), ("empty-parts", [2], nil, ""), ("empty-parts", [3], nil, ""),
        ("delimiter-with-padding", [1], nil, "one"),
        ("delimiter-at-end-without-line-feed", [1], nil, "one"),
        ("mixed-line-ends", [1], nil, "one\r\ntwo\nthree\rstill three"), ("mixed-line-ends", [2], nil, "four\n"),
        ("message-in-message", [1], .header, "Subject: middle\nContent-Type: message/rfc822\n\n"),
        ("message-in-message", [1, 1], .header, "Subject: inner\nFrom: deep@example.org\n\n"),
        ("message-in-message", [1, 1], .text, "deep text\n"),
        ("message-in-message", [1, 1, 1], nil, "deep text\n"), ("message-in-message", [1, 1, 1, 1], nil, nil),
        ("forwarded-multipart", [2, 1], nil, "caf=C3=A9 au lait"),
        ("forwarded-multipart", [2, 2], .mime,
         "Content-Type: text/html; charset=iso-8859-1\nContent-Transfer-Encoding: base64\n\n"),
        ("forwarded-multipart", [2], .header,
         "From: b@example.org\nTo: a@example.org\nSubject: two\nContent-Type: multipart/alternative; boundary=i\n\n"),
        ("rfc2046-digest", [2, 1], .header,
         "From: someone-else\nDate: Fri, 26 Mar 1993 11:13:32 +0200\nSubject: my opinion\n\n"),
        ("rfc2046-digest", [2, 2, 1], nil, "  ... another body goes here ...\n"),
    ] as [(String, [UInt32], SectionPart?, String?)])
    func section(name: String, path: [UInt32], section: SectionPart?, expected: String?) {
        let message = Corpus.message(name)
        #expect(parse(message).text(path, section, of: message) == expected)
    }

    @Test("keeps fields unfolded and trimmed", arguments: [
        ("whitespace-continuation", FieldName.subject, "one  \ttwo"),
        ("obsolete-space-before-colon", .from, "a@example.org"),
        ("header-without-colon", .subject, "still found"),
        ("mbox-from-line", .from, "a@example.org"),
        ("nul-and-8bit-in-header", .subject, "na\u{FFFD}ve ? é"),
        ("rfc5322-a-5-comments", .messageID, "<testabcd.1234@silly.test>"),
        ("long-line", .to, "a@example.org"),
    ])
    func field(name: String, field: FieldName, expected: String) {
        #expect(parse(Corpus.message(name)).value(field, of: MessageStructure.root).map { Array($0).text } == expected)
    }

    @Test("keeps a value longer than what is looked at of a line")
    func longValue() {
        let value = parse(Corpus.message("long-line")).value(.subject, of: MessageStructure.root)
        #expect(value.map { Array($0).text } == String(String(repeating: "long ", count: 3000).dropLast()))
    }

    @Test("gives the same structure for any pieces", arguments: Corpus.names)
    func chunking(name: String) {
        var generator = SeededGenerator(1)
        let original = Corpus.message(name)
        for round in 0..<Corpus.rounds(40, of: original) {
            let message = round == 0 ? original : original.mutated(using: &generator)
            let whole = parse(message)
            let inPieces = parse(message, pieces: message.pieces(using: &generator))
            #expect(description(whole) == description(inPieces), "\(name), round \(round)")
        }
    }

    @Test("tells the wire size that the converter makes, and the lines", arguments: Corpus.names)
    func sizes(name: String) {
        var generator = SeededGenerator(2)
        let original = Corpus.message(name)
        for round in 0..<Corpus.rounds(20, of: original) {
            let message = round == 0 ? original : original.mutated(using: &generator)
            let structure = parse(message)
            #expect(structure.whole.length == message.count)
            for extent in [structure.whole] + structure.parts.prefix(10).flatMap({ [$0.header, $0.body] }) {
                let bytes = structure.bytes(extent, of: message)
                #expect(extent.lines == bytes.count { $0 == 0x0A })
                #expect(extent.wireSize == bytes.withCRLF.count)
                #expect(convert(bytes.pieces(using: &generator)) == bytes.withCRLF)
            }
        }
    }

    @Test("stops at the end of the header if asked to", arguments: Corpus.names)
    func headerOnly(name: String) {
        let message = Corpus.message(name)
        let whole = parse(message), header = parse(message, scope: .header)
        #expect(header.parts.count == 1)
        #expect(header.parts[0].header == whole.parts[0].header)
    }

    @Test("holds no more than the limits allow")
    func limits() {
        var message = Array("Content-Type: multipart/mixed; boundary=b\n\n".utf8)
        for _ in 0..<12_000 { message += Array("--b\n\nx\n".utf8) }
        let structure = parse(message)
        #expect(structure.parts.count == 10_000)
        #expect(structure.parts.last?.body.end == message.count)

        let nested = parse(Corpus.message("deeply-nested"))
        #expect(nested.parts.count == 64)
        #expect(nested.parts.last?.isOpaque == true)
        let messages = parse(Corpus.message("messages-without-end"))
        #expect(messages.parts.count == 64)

        let fields = Array(String(repeating: "To: " + String(repeating: "x", count: 996) + "\n", count: 2000).utf8)
        let retained = parse(fields).values(.to, of: MessageStructure.root).reduce(0) { $0 + $1.count }
        #expect(retained <= Limits.headerRetained)
        #expect(parse(fields).parts[0].header.length == fields.count)
        let empty = Array(String(repeating: "To:\n", count: 150_000).utf8)
        #expect(parse(empty).values(.to, of: MessageStructure.root).count == 100_000)
    }

    @Test("can be used again")
    func reuse() {
        var parser = MessageParser()
        for name in Corpus.names {
            let message = Corpus.message(name)
            parser.begin()
            message.withUnsafeBytes { parser.feed($0) }
            parser.finish()
            #expect(description(parser.structure) == description(parse(message)), "\(name)")
        }
    }

    private func convert(_ pieces: [[UInt8]]) -> [UInt8] {
        var converter = WireConverter()
        var result: [UInt8] = []
        for piece in pieces {
            var output = [UInt8](repeating: 0, count: WireConverter.longest(piece.count))
            let count = piece.withUnsafeBytes { piece in output.withUnsafeMutableBytes { converter.convert(piece,
                to: $0.baseAddress!) } }
            result += output[0..<count]
        }
        return result
    }

    /// All that can be known of a structure.
    private func description(_ structure: MessageStructure) -> String {
        let names: [FieldName] = [.date, .subject, .from, .to, .cc, .messageID, .contentType, .contentDisposition,
            .contentTransferEncoding]
        return "\(structure.whole)" + structure.parts.indices.map { index in
            let part = structure.parts[index]
            let fields = names.map { structure.values($0, of: index).map { Array($0) } }
            return "\(part.kind) \(part.isMessage) \(part.isOpaque) \(part.parent ?? -1) \(part.next ?? -1) \(part.header) \(part.body) \(fields)"
        }.joined(separator: "\n")
    }
}
