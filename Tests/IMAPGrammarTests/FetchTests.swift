import IMAPTypes
import Testing
@testable import IMAPGrammar

private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

@Suite struct FetchTests {
    /// Attributes by how they are asked for.
    static let attributes: [(String, FetchAttribute)] = [
        ("ENVELOPE", .envelope), ("flags", .flags), ("INTERNALDATE", .internalDate), ("UID", .uid), ("MODSEQ", .modSeq),
        ("SaveDate", .saveDate), ("EMAILID", .emailID), ("PREVIEW", .preview(lazy: false)),
        ("Preview (Lazy)", .preview(lazy: true)),
        ("threadid", .threadID),         ("BODY", .body), ("BODYSTRUCTURE", .bodyStructure), ("RFC822", .rfc822(peek: false)),
        ("RFC822.PEEK",
        .rfc822(peek: true)),
        ("RFC822.HEADER", .rfc822Header), ("RFC822.SIZE", .rfc822Size), ("RFC822.TEXT", .rfc822Text(peek: false)),
        ("RFC822.TEXT.PEEK", .rfc822Text(peek: true)),
        ("BODY[]", .bodySection(Section(), nil, peek: false)), ("BODY.PEEK[]", .bodySection(Section(), nil, peek: true)),
        ("BODY [TEXT]", .bodySection(Section(text: .text), nil, peek: false)),
        ("BODY.PEEK [HEADER]", .bodySection(Section(text: .header), nil, peek: true)),
        ("body[1]", .bodySection(Section(part: [1]), nil, peek: false)),
        ("BODY[1.2.3.mime]", .bodySection(Section(part: [1, 2, 3], text: .mime), nil, peek: false)),
        ("BODY[1.HEADER]", .bodySection(Section(part: [1], text: .header), nil, peek: false)),
        ("BODY[4294967295.TEXT]", .bodySection(Section(part: [.max], text: .text), nil, peek: false)),
        ("BODY[HEADER.FIELDS (Date \"FROM\")]",
         .bodySection(Section(text: .headerFields([bytes("Date"), bytes("FROM")])), nil, peek: false)),
        ("BODY[HEADER.FIELDS ({4}\r\nDate)]", .bodySection(Section(text: .headerFields([bytes("Date")])), nil, peek: false)),
        ("BODY.PEEK[1.HEADER.FIELDS.NOT (x)]<0.5>",
         .bodySection(Section(part: [1], text: .headerFieldsNot([bytes("x")])), Partial(offset: 0, count: 5), peek: true)),
        ("BODY[]<9223372036854775807.9223372036854775807>",
         .bodySection(Section(), Partial(offset: UInt64(Int64.max), count: UInt64(Int64.max)), peek: false)),
        ("BINARY[]", .binary(part: [], nil, peek: false)), ("BINARY[1.2]<3.4>",
        .binary(part: [1, 2], Partial(offset: 3, count: 4), peek: false)),
        ("BINARY.PEEK[1]", .binary(part: [1], nil, peek: true)), ("BINARY.SIZE[2]", .binarySize(part: [2])),
        ("BINARY.SIZE[]", .binarySize(part: [])),
    ]

    private func fetch(
        _ attributes: [FetchAttribute], byUID: Bool = false, change: (inout FetchCommand) -> Void = { _ in }
    ) -> Command {
        var command = FetchCommand(set: SequenceSetRuleTests.set((1, 1)), byUID: byUID, attributes: attributes)
        change(&command)
        return .selected(.fetch(command))
    }

    @Test("reads an attribute, alone and in a list", arguments: attributes.indices)
    func attribute(index: Int) throws {
        let (text, attribute) = Self.attributes[index]
        #expect(try parse("a FETCH 1 " + text) == fetch([attribute]))
        #expect(try parse("a UID FETCH 1 (" + text + ")") == fetch([attribute], byUID: true))
        #expect(try parse("a FETCH 1 (UID " + text + " FLAGS)") == fetch([.uid, attribute, .flags]))
    }

    @Test func expandsMacros() throws {
        #expect(try parse("a FETCH 1 ALL") == fetch([.flags, .internalDate, .rfc822Size, .envelope]))
        #expect(try parse("a FETCH 1 fast") == fetch([.flags, .internalDate, .rfc822Size]))
        #expect(try parse("a FETCH 1 Full") == fetch([.flags, .internalDate, .rfc822Size, .envelope, .body]))
        expectError("a FETCH 1 (ALL)", at: 11)
        expectError("a FETCH 1 (FLAGS FAST)", at: 17)
        expectError("a FETCH 1 ALL FLAGS", at: 14)
    }

    @Test func readsModifiers() throws {
        #expect(try parse("a FETCH 1 FLAGS (CHANGEDSINCE 0)") == fetch([.flags]) { $0.changedSince = .zero })
        #expect(try parse("a UID FETCH 1 (FLAGS) (changedsince 12345 VANISHED)") == fetch([.flags], byUID: true) {
            $0.changedSince = ModSequence(12_345)!
            $0.vanished = true
        })
        #expect(try parse("a UID FETCH 1 FAST (VANISHED CHANGEDSINCE 1)")
            == fetch([.flags, .internalDate, .rfc822Size], byUID: true) {
                $0.changedSince = ModSequence(1)!
                $0.vanished = true
            })
    }

    @Test("is refused at", arguments: [
        ("a FETCH", 7), ("a FETCH 1", 9), ("a FETCH 1 ", 10), ("a FETCH 1 FOO", 10), ("a FETCH 1 ()", 12),
        ("a FETCH 1 (FLAGS", 16),
        ("a FETCH 1 FLAGS UID", 16), ("a FETCH 1 (FLAGS  UID)", 17), ("a FETCH 0 FLAGS", 8), ("a FETCH 1 BODY[", 15),
        ("a FETCH 1 BODY[1", 16), ("a FETCH 1 BODY[0]", 15), ("a FETCH 1 BODY[1.]", 17), ("a FETCH 1 BODY[1.0]", 17),
        ("a FETCH 1 BODY[MIME]", 15), ("a FETCH 1 BODY[1..2]", 17), ("a FETCH 1 BODY[HEADER.FIELDS]", 28),
        ("a FETCH 1 BODY[HEADER.FIELDS ()]", 31), ("a FETCH 1 BODY[HEADER.FIELDS (a]", 32), ("a FETCH 1 BODY[]<0>", 18),
        ("a FETCH 1 BODY[]<0.0>", 19), ("a FETCH 1 BODY[]<.1>", 17), ("a FETCH 1 BODY[]<1.1", 20), ("a FETCH 1 BODY.PEEK", 19),
        ("a FETCH 1 BINARY", 16), ("a FETCH 1 BINARY[TEXT]", 17), ("a FETCH 1 BINARY[1.MIME]", 18),
        ("a FETCH 1 BINARY.SIZE[1]<0.1>", 24), ("a FETCH 1 BODY[TEXTX]", 19), ("a FETCH 1 FLAGS (FOO 1)", 17),
        ("a FETCH 1 FLAGS (CHANGEDSINCE)", 29), ("a FETCH 1 FLAGS (CHANGEDSINCE x)", 30),
        ("a FETCH 1 FLAGS (CHANGEDSINCE 9223372036854775808)", 30), ("a FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)", 16),
        ("a UID FETCH 1 FLAGS (VANISHED)", 20), ("a FETCH 1 BODYX", 10), ("a FETCH 1 RFC822.FOO", 10),
        ("a FETCH 1 BODY[4294967296]", 15),
    ])
    func bad(text: String, offset: Int) { expectError(text, at: offset) }

    @Test func isLimited() {
        func attributes(_ count: Int) -> String { Array(repeating: "UID", count: count).joined(separator: " ") }
        func fields(_ count: Int) -> String { Array(repeating: "x", count: count).joined(separator: " ") }
        func part(_ count: Int) -> String { Array(repeating: "1", count: count).joined(separator: ".") }
        let limits = (Parser.Limit.fetchAttributes, Parser.Limit.headerFields, Parser.Limit.sectionDepth)
        #expect((try? parse("a FETCH 1 (\(attributes(limits.0)))")) != nil)
        #expect((try? parse("a FETCH 1 (\(attributes(limits.0 + 1)))")) == nil)
        #expect((try? parse("a FETCH 1 BODY[HEADER.FIELDS (\(fields(limits.1)))]")) != nil)
        #expect((try? parse("a FETCH 1 BODY[HEADER.FIELDS (\(fields(limits.1 + 1)))]")) == nil)
        #expect((try? parse("a FETCH 1 BODY[\(part(limits.2))]")) != nil)
        #expect((try? parse("a FETCH 1 BODY[\(part(limits.2 + 1))]")) == nil)
    }
}

@Suite struct StoreTests {
    private func store(
        _ action: StoreCommand.Action, silent: Bool = false, byUID: Bool = false, _ flags: FlagSet, since: UInt64? = nil
    ) -> Command {
        var command = StoreCommand(
            set: SequenceSetRuleTests.set((1, 1)), byUID: byUID, action: action, silent: silent, flags: flags)
        command.unchangedSince = since.map { ModSequence($0)! }
        return .selected(.store(command))
    }

    @Test func reads() throws {
        let deleted = FlagRuleTests.flags(.deleted), two = FlagRuleTests.flags(.seen, "$Junk")
        #expect(try parse("a STORE 1 FLAGS (\\Deleted)") == store(.replace, deleted))
        #expect(try parse("a STORE 1 flags ()") == store(.replace, FlagSet()))
        #expect(try parse("a UID STORE 1 +FLAGS.SILENT \\Seen $Junk") == store(.add, silent: true, byUID: true, two))
        #expect(try parse("a STORE 1 -FLAGS $junk \\seen ") == store(.remove, two))
        #expect(try parse("a STORE 1 (UNCHANGEDSINCE 5) +FLAGS (\\Deleted)") == store(.add, deleted, since: 5))
        #expect(try parse("a STORE 1 (UNCHANGEDSINCE 0) FLAGS.silent (\\Deleted)")
            == store(.replace, silent: true, deleted, since: 0))
    }

    @Test("is refused at", arguments: [
        ("a STORE", 7), ("a STORE 1", 9), ("a STORE 1 FLAGS", 15), ("a STORE 1 FLAGS ", 16), ("a STORE 1 +FLAG (x)", 11),
        ("a STORE 1 FLAGS.LOUD (x)", 15), ("a STORE 1 *FLAGS (x)", 10), ("a STORE 1 FLAGS (x", 18), ("a STORE 1 FLAGS (x) y", 20),
        ("a STORE 1 FLAGS x (y)", 18), ("a STORE 1 (FOO 1) FLAGS x", 11), ("a STORE 1 (UNCHANGEDSINCE) FLAGS x", 25),
        ("a STORE 1 + FLAGS x", 11), ("a STORE 1 FLAGS x\u{7F}", 17),
    ])
    func bad(text: String, offset: Int) { expectError(text, at: offset) }
}
