import IMAPTypes
import Testing
@testable import IMAPGrammar

private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }
private func box(_ name: String) -> MailboxName { MailboxName(name)! }

@Suite struct CommandTests {
    @Test("has a tag, a name and arguments", arguments: [
        ("a NOOP", Command.any(.noop)), ("a noop", .any(.noop)), ("a1.x-y] NoOp ", .any(.noop)),
        ("a CAPABILITY", .any(.capability)), ("a LOGOUT", .any(.logout)), ("a STARTTLS", .notAuthenticated(.startTLS)),
        ("a NAMESPACE", .authenticated(.namespace)), ("a IDLE", .authenticated(.idle)), ("a CHECK", .selected(.check)),
        ("a CLOSE", .selected(.close)), ("a UNSELECT", .selected(.unselect)), ("a EXPUNGE", .selected(.expunge)),
        ("a UID EXPUNGE 1:*", .selected(.uidExpunge(SequenceSetRuleTests.set((1, nil))))),
        ("a ENABLE condstore X-Y", .authenticated(.enable([bytes("CONDSTORE"), bytes("X-Y")]))),
        ("a ENABLE UTF8=ACCEPT ", .authenticated(.enable([bytes("UTF8=ACCEPT")]))),
        ("a CREATE x", .authenticated(.create(box("x"), use: []))),
        ("a CREATE x (USE (\\drafts))", .authenticated(.create(box("x"), use: [.drafts]))),
        ("a CREATE x (USE (\\All \\Whatever \\Important))", .authenticated(.create(box("x"), use: [.all, nil, .important]))),
        ("a CREATE x (USE ())", .authenticated(.create(box("x"), use: []))),
        ("a DELETE \"a b\"", .authenticated(.delete(box("a b")))),
        ("a RENAME {3}\r\na b {1}\r\nc", .authenticated(.rename(box("a b"), to: box("c")))),
        ("a SUBSCRIBE #news.x", .authenticated(.subscribe(box("#news.x")))),
        ("a UNSUBSCRIBE iNbOx", .authenticated(.unsubscribe(.inbox))),
        ("a STATUS x (MESSAGES uidnext)", .authenticated(.status(box("x"), [.messages, .uidNext]))),
        ("a STATUS x ()", .authenticated(.status(box("x"), []))),
        ("a STATUS x (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN DELETED SIZE HIGHESTMODSEQ MAILBOXID)",
         .authenticated(.status(box("x"), StatusItem.allCases))),
        ("a COPY 1,3 x", .selected(.copy(SequenceSetRuleTests.set((1, 1), (3, 3)), byUID: false, to: box("x")))),
        ("a UID COPY $ x", .selected(.copy(.lastCommand, byUID: true, to: box("x")))),
        ("a MOVE 1 x", .selected(.move(SequenceSetRuleTests.set((1, 1)), byUID: false, to: box("x")))),
        ("a uid move 1 x", .selected(.move(SequenceSetRuleTests.set((1, 1)), byUID: true, to: box("x")))),
    ])
    func good(text: String, command: Command) throws {
        let tagged = try Parser.command(Array(text.utf8), mode: [])
        #expect(tagged.command == command)
        #expect(tagged.tag.bytes.latin1 == text.prefix { $0 != " " })
    }

    @Test("is refused at", arguments: [
        ("a", 1), ("a ", nil), ("a  NOOP", nil), ("a NOOP x", 7), ("a XYZZY", nil), ("a NOOP(", 6), ("a UID", 5),
        ("a UID NOOP", 6),
        ("a UID CLOSE", 6), ("a UID XYZZY 1", 6), ("a UID EXPUNGE", 13), ("a EXPUNGE 1", 10), ("a ENABLE", 8),
        ("a ENABLE (x)", 9),
        ("a CREATE", 8), ("a CREATE ", 9), ("a CREATE \"\"", 9), ("a CREATE x y", 11), ("a CREATE x (USE)", 15),
        ("a CREATE x (FOO (\\All))", 12), ("a CREATE x (USE (All))", 17), ("a RENAME x", 10), ("a STATUS x", 10),
        ("a STATUS x MESSAGES", 11), ("a STATUS x (FOO)", 12), ("a STATUS x (MESSAGES", 20), ("a COPY 1", 8), ("a COPY x", 7),
        ("a COPY -1 x", 7), ("a UID fetch -1,6 FLAGS", 12), ("a APPEND x", 8), ("a CREATE a\u{7F}", 10),
        ("a CREATE {3}\r\na\rb", 9),
        ("a CREATE {\(MailboxName.longest + 1)+}\r\n\(String(repeating: "x", count: MailboxName.longest + 1))", 9),
    ] as [(String, Int?)])
    func bad(text: String, offset: Int?) {
        do {
            let command = try Parser.command(Array(text.utf8), mode: [])
            Issue.record("read as \(command)")
        } catch .badArguments(let tag, let error) {
            #expect(error.offset == offset)
            #expect(tag.bytes == [UInt8(ascii: "a")])
        } catch {
            #expect(offset == nil && error.tag?.bytes == [UInt8(ascii: "a")], "\(error)")
        }
    }

    @Test("has no tag", arguments: ["", " NOOP", "* NOOP", "+ x", "a+b NOOP", "(", "\u{0}", "{3}\r\nabc NOOP", "\"a\" NOOP"])
    func noTag(text: String) {
        do {
            _ = try Parser.command(Array(text.utf8), mode: [])
            Issue.record("read")
        } catch {
            // What begins as a tag and then goes wrong is answered by that tag.
            #expect(error.tag == (text == "a+b NOOP" ? Tag([UInt8(ascii: "a")]) : nil))
        }
    }

    @Test func listsAreLimited() {
        func many(_ item: String, _ count: Int) -> String { Array(repeating: item, count: count).joined(separator: " ") }
        #expect((try? parse("a ENABLE " + many("x", Parser.Limit.options))) != nil)
        #expect((try? parse("a ENABLE " + many("x", Parser.Limit.options + 1))) == nil)
        #expect((try? parse("a STORE 1 FLAGS " + many("x", Parser.Limit.flags))) != nil)
        #expect((try? parse("a STORE 1 FLAGS " + many("x", Parser.Limit.flags + 1))) == nil)
        #expect((try? parse("a LIST \"\" (" + many("x", Parser.Limit.patterns) + ")")) != nil)
        #expect((try? parse("a LIST \"\" (" + many("x", Parser.Limit.patterns + 1) + ")")) == nil)
        #expect((try? parse("a STATUS x (" + many("SIZE", Parser.Limit.options + 1) + ")")) == nil)
        #expect((try? parse("a SORT (" + many("DATE", Parser.Limit.sortKeys + 1) + ") UTF-8 ALL")) == nil)
    }

    @Test func tellsUnknownCommandsFromBadArguments() {
        #expect(throws: CommandError.self) { try Parser.command(Array("a FOO".utf8), mode: []) }
        do { _ = try Parser.command(Array("a FOO x".utf8), mode: []) } catch {
            guard case .unknownCommand = error else {
                Issue.record("\(error)")
                return
            }
        }
        do { _ = try Parser.command(Array("a NOOPNOOPNOOPNOOPNOOPNOOP".utf8), mode: []) } catch {
            guard case .unknownCommand = error else {
                Issue.record("\(error)")
                return
            }
        }
    }

    @Test("errors speak to the client", arguments: [
        ("a NOOP x", "Expected CRLF at byte 7"), ("a FETCH 0 FLAGS", "Expected nz-number at byte 8"), ("a FOO",
        "Unknown command"),
        ("", "Expected tag at byte 0"),
    ])
    func texts(text: String, words: String) {
        do {
            _ = try Parser.command(Array(text.utf8), mode: [])
            Issue.record("read")
        } catch {
            #expect(error.text.bytes.latin1 == words)
        }
    }
}

@Suite struct SelectTests {
    private func select(_ name: String, readOnly: Bool = false, _ change: (inout SelectCommand) -> Void = { _ in }) -> Command {
        var command = SelectCommand(mailbox: box(name), readOnly: readOnly)
        change(&command)
        return .select(command)
    }

    @Test func reads() throws {
        #expect(try parse("a SELECT inbox") == select("INBOX"))
        #expect(try parse("a EXAMINE {1+}\r\nx") == select("x", readOnly: true))
        #expect(try parse("a SELECT x (CONDSTORE)") == select("x") { $0.condstore = true })
        #expect(try parse("a SELECT x ()") == select("x"))
        #expect(try parse("a SELECT x (QRESYNC (67890007 20050715194045000))") == select("x") {
            $0.qresync = QResync(uidValidity: UIDValidity(67_890_007)!, modSequence: ModSequence(20_050_715_194_045_000)!)
        })
        #expect(try parse("a SELECT x (QRESYNC (67890007 0 41,43:211 (1,5 41,45)) CONDSTORE)") == select("x") {
            var qresync = QResync(uidValidity: UIDValidity(67_890_007)!, modSequence: .zero)
            qresync.knownUIDs = SequenceSetRuleTests.set((41, 41), (43, 211))
            qresync.match = QResync.Match(
                numbers: SequenceSetRuleTests.set((1, 1), (5, 5)), uids: SequenceSetRuleTests.set((41, 41), (45, 45)))
            $0.qresync = qresync
            $0.condstore = true
        })
        #expect(try parse("a SELECT x (QRESYNC (1 2 (1 41)))") == select("x") {
            var qresync = QResync(uidValidity: UIDValidity(1)!, modSequence: ModSequence(2)!)
            qresync.match = QResync.Match(numbers: SequenceSetRuleTests.set((1, 1)), uids: SequenceSetRuleTests.set((41, 41)))
            $0.qresync = qresync
        })
    }

    @Test("is refused at", arguments: [
        ("a SELECT", 8), ("a SELECT x (FOO)", 12), ("a SELECT x (QRESYNC)", 19), ("a SELECT x (QRESYNC (0 1))", 21),
        ("a SELECT x (QRESYNC (1 1 1:*))", 25), ("a SELECT x (QRESYNC (1))", 22), ("a SELECT x (QRESYNC (1 2 (1)))", 27),
        ("a SELECT x CONDSTORE", 11), ("a SELECT x (QRESYNC (1 9223372036854775808))", 23),
    ])
    func bad(text: String, offset: Int) { expectError(text, at: offset) }
}

@Suite struct MailboxModeTests {
    @Test("names are modified UTF-7 before anything is enabled", arguments: [
        ("&U,BTFw-", "台北"), ("~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語"), ("&-", "&"), ("A&-B", "A&B"),
        // What is no modified UTF-7 stands for itself.
        ("A&B", "A&B"), ("&", "&"), ("&Jjo", "&Jjo"), ("&Jjo!", "&Jjo!"), ("&AGE-", "&AGE-"), ("&Jjo-&Jjo-", "&Jjo-&Jjo-"),
        ("\"é\"", "é"), ("{2+}\r\né", "é"), ("{9+}\r\né&U,BTFw", "é&U,BTFw"),
    ])
    func rev1(text: String, name: String) throws {
        #expect(try parse("a DELETE " + text) == .authenticated(.delete(box(name))))
    }

    @Test("names are UTF-8 afterwards", arguments: [
        ("&U,BTFw-", "&U,BTFw-"), ("&", "&"), ("A&B", "A&B"), ("&-", "&-"), ("\"台北\"", "台北"), ("{6+}\r\n台北", "台北"),
    ])
    func utf8(text: String, name: String) throws {
        for mode in [WireMode.utf8Accept, .imap4rev2, [.utf8Accept, .imap4rev2]] {
            #expect(try parse("a DELETE " + text, mode: mode) == .authenticated(.delete(box(name))))
        }
    }

    @Test("names that are not UTF-8 are refused", arguments: [WireMode(), .utf8Accept])
    func notUTF8(mode: WireMode) {
        for text in [Array("a DELETE {1+}\r\n".utf8) + [0xE9], Array("a DELETE \"".utf8) + [0xE9] + Array("\"".utf8)] {
            #expect(throws: CommandError.self) { try Parser.command(text, mode: mode) }
        }
    }

    @Test("control characters are refused however they come", arguments: [
        "&AAo-", "&AAA-", "&AH8-", "&AIU-", "&ICg-", "\"a\u{1}\"",
    ])
    func controls(text: String) {
        #expect(throws: CommandError.self) { try parse("a CREATE " + text) }
    }

    /// LIST shows what CREATE made, in the form that the mode has.
    @Test("what was created is shown and found again", arguments: ["A&B", "&", "&AGE-", "\"é\"", "&U,BTFw-", "\"a b\"", "inbox"])
    func roundTrip(text: String) throws {
        guard case .authenticated(.create(let name, _)) = try parse("a CREATE " + text) else { return }
        for mode in [WireMode(), .imap4rev2] {
            let shown = written(mode: mode) { $0.mailbox(name) }
            let again = try Parser.command(Array("a CREATE ".utf8) + shown.unicodeScalars.map { UInt8($0.value) }, mode: mode)
            #expect(again.command == .authenticated(.create(name, use: [])))
        }
    }
}

@Suite struct ListTests {
    private func list(_ reference: String, _ patterns: String..., change: (inout ListCommand) -> Void = { _ in }) -> Command {
        var command = ListCommand(reference: bytes(reference), patterns: patterns.map { bytes($0) })
        change(&command)
        return .authenticated(.list(command))
    }

    @Test func reads() throws {
        #expect(try parse("a LIST \"\" *") == list("", "*"))
        #expect(try parse("a LIST \"\" \"\"") == list("", ""))
        #expect(try parse("a LIST ~/Mail/ %") == list("~/Mail/", "%"))
        #expect(try parse("a LIST {1}\r\nx {2}\r\n*%") == list("x", "*%"))
        #expect(try parse("a LIST \"\" &U,BTFw-*") == list("", "台北*"))
        #expect(try parse("a LIST \"\" &*") == list("", "&*"))
        #expect(try parse("a LIST \"\" &U,BTFw-*", mode: .utf8Accept) == list("", "&U,BTFw-*"))
        #expect(try parse("a LSUB \"#news.\" \"comp.%\"")
            == .authenticated(.lsub(reference: bytes("#news."), pattern: bytes("comp.%"))))
    }

    @Test func readsExtended() throws {
        #expect(try parse("a LIST () \"\" %") == list("", "%") { $0.isExtended = true })
        #expect(try parse("a LIST \"\" (% music/rock \"x y\")") == list("", "%", "music/rock", "x y") { $0.isExtended = true })
        #expect(try parse("a LIST (SUBSCRIBED remote RECURSIVEMATCH special-use) \"\" *") == list("", "*") {
            $0.selection = [.subscribed, .remote, .recursiveMatch, .specialUse]
            $0.isExtended = true
        })
        #expect(try parse("a LIST \"\" % RETURN (CHILDREN SUBSCRIBED SPECIAL-USE STATUS (MESSAGES SIZE))") == list("", "%") {
            $0.returning = [.children, .subscribed, .specialUse]
            $0.status = [.messages, .size]
            $0.isExtended = true
        })
        #expect(try parse("a LIST \"\" % return ()") == list("", "%") { $0.isExtended = true })
    }

    @Test("is refused at", arguments: [
        ("a LIST", 6), ("a LIST \"\"", 9), ("a LIST \"\" ()", 12), ("a LIST (FOO) \"\" *", 8),
        ("a LIST (RECURSIVEMATCH) \"\" *", 7),
        ("a LIST (REMOTE RECURSIVEMATCH) \"\" *", 7), ("a LIST \"\" * RETURN", 12), ("a LIST \"\" * RETURN (FOO)", 20),
        ("a LIST \"\" * RETURN (STATUS)", 26), ("a LIST \"\" * x", 12), ("a LSUB \"\"", 9), ("a LSUB \"\" (a b)", 10),
        ("a LIST \"\" \"a", 12),
    ])
    func bad(text: String, offset: Int) { expectError(text, at: offset) }
}

func expectError(_ text: String, mode: WireMode = [], at offset: Int, _ location: SourceLocation = #_sourceLocation) {
    do {
        let command = try Parser.command(Array(text.utf8), mode: mode)
        Issue.record("read as \(command)", sourceLocation: location)
    } catch .badArguments(_, let error) {
        #expect(error.offset == offset, "expected \(error.expected)", sourceLocation: location)
    } catch {
        Issue.record("\(error)", sourceLocation: location)
    }
}
