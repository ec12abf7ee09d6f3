import IMAPTypes
import Testing
@testable import IMAPGrammar

private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }
private let day = CalendarDay(year: 1994, month: 2, day: 1)!

@Suite struct SearchTests {
    static let keys: [(String, SearchKey)] = [
        ("ALL", .all), ("ANSWERED", .flag(.answered, isSet: true)), ("unanswered", .flag(.answered, isSet: false)),
        ("DELETED", .flag(.deleted, isSet: true)), ("UNDELETED", .flag(.deleted, isSet: false)),
        ("DRAFT", .flag(.draft, isSet: true)), ("UNDRAFT", .flag(.draft, isSet: false)),
        ("FLAGGED", .flag(.flagged, isSet: true)), ("UNFLAGGED", .flag(.flagged, isSet: false)),
        ("SEEN", .flag(.seen, isSet: true)), ("UNSEEN", .flag(.seen, isSet: false)),
        ("NEW", .new), ("OLD", .old), ("RECENT", .recent),
        ("KEYWORD $Junk", .keyword(Keyword("$Junk")!, isSet: true)), ("UNKEYWORD x", .keyword(Keyword("x")!, isSet: false)),
        ("BCC x", .header(name: bytes("BCC"), value: bytes("x"))), ("cc \"x y\"",
        .header(name: bytes("CC"), value: bytes("x y"))),
        ("FROM {1}\r\nx", .header(name: bytes("FROM"), value: bytes("x"))), ("TO \"\"", .header(name: bytes("TO"), value: [])),
        ("SUBJECT x]", .header(name: bytes("SUBJECT"), value: bytes("x]"))),
        ("HEADER Message-ID <1@x>", .header(name: bytes("Message-ID"), value: bytes("<1@x>"))),
        ("BODY x", .body(bytes("x"))), ("TEXT x", .text(bytes("x"))),
        ("BEFORE 1-Feb-1994", .before(day)), ("ON \"1-Feb-1994\"", .on(day)), ("SINCE 01-feb-1994", .since(day)),
        ("SENTBEFORE 1-Feb-1994", .sentBefore(day)), ("SENTON 1-Feb-1994", .sentOn(day)), ("SENTSINCE 1-Feb-1994",
        .sentSince(day)),
        ("LARGER 0", .larger(0)), ("SMALLER 9223372036854775807", .smaller(UInt64(Int64.max))),
        ("1:5,7", .sequence(SequenceSetRuleTests.set((1, 5), (7, 7)))), ("*", .sequence(SequenceSetRuleTests.set((nil, nil)))),
        ("$", .sequence(.lastCommand)), ("UID 5:*", .uid(SequenceSetRuleTests.set((5, nil)))), ("UID $", .uid(.lastCommand)),
        ("SAVEDBEFORE 28-Dec-2014", .savedBefore(CalendarDay(year: 2014, month: 12, day: 28)!)),
        ("SAVEDON 28-Dec-2014", .savedOn(CalendarDay(year: 2014, month: 12, day: 28)!)),
        ("savedsince 28-Dec-2014", .savedSince(CalendarDay(year: 2014, month: 12, day: 28)!)),
        ("SAVEDATESUPPORTED", .saveDateSupported),
        ("MODSEQ 620162338", .modSeq(ModSequence(620_162_338)!)),
        ("MODSEQ \"/flags/\\\\draft\" all 5", .modSeq(ModSequence(5)!)),
        ("NOT SEEN", .not(.flag(.seen, isSet: true))), ("NOT NOT NEW", .not(.not(.new))), ("OR NEW OLD", .or(.new, .old)),
        ("OR OR NEW OLD NOT ALL", .or(.or(.new, .old), .not(.all))), ("(NEW)", .new), ("(NEW OLD)", .and([.new, .old])),
        ("((NEW) (OLD ALL))", .and([.new, .and([.old, .all])])), ("OR (NEW OLD) 1", .or(.and([.new, .old]),
        .sequence(SequenceSetRuleTests.set((1, 1))))),
    ]

    private func search(
        _ key: SearchKey, byUID: Bool = false, charset: String? = nil, returning: SearchReturn? = nil
    ) -> Command {
        .selected(.search(SearchCommand(byUID: byUID, charset: charset.map { bytes($0) }, returning: returning, key: key)))
    }

    @Test("reads a key, alone, beside others and within", arguments: keys.indices)
    func key(index: Int) throws {
        let (text, key) = Self.keys[index]
        #expect(try parse("a SEARCH " + text) == search(key))
        #expect(try parse("a UID SEARCH " + text + " ") == search(key, byUID: true))
        #expect(try parse("a SEARCH ALL \(text) NEW") == search(.and([.all, key, .new])))
        #expect(try parse("a SEARCH NOT (\(text))") == search(.not(key)))
    }

    @Test func readsReturnAndCharset() throws {
        #expect(try parse("a SEARCH RETURN () ALL") == search(.all, returning: .all))
        #expect(try parse("a SEARCH RETURN (MIN max COUNT ALL SAVE) ALL")
            == search(.all, returning: [.min, .max, .count, .all, .save]))
        #expect(try parse("a UID SEARCH RETURN (SAVE) CHARSET UTF-8 TEXT {2}\r\né")
            == search(.text(bytes("é")), byUID: true, charset: "UTF-8", returning: .save))
        #expect(try parse("a SEARCH CHARSET \"KOI8-R\" ALL") == search(.all, charset: "KOI8-R"))
    }

    @Test("is refused at", arguments: [
        ("a SEARCH", 8), ("a SEARCH ", 9), ("a SEARCH FOO", 9), ("a SEARCH ()", 10), ("a SEARCH (NEW", 13),
        ("a SEARCH (NEW )", 14),
        ("a SEARCH NEW  OLD", 14), ("a SEARCH NOT", 12), ("a SEARCH OR NEW", 15), ("a SEARCH FROM", 13),
        ("a SEARCH HEADER x", 17),
        ("a SEARCH KEYWORD \\Seen", 17), ("a SEARCH ON 32-Feb-1994", 12), ("a SEARCH LARGER x", 16), ("a SEARCH LARGER -1", 16),
        ("a SEARCH 0", 9), ("a SEARCH UID", 12), ("a SEARCH UID x", 13), ("a SEARCH RETURN ALL", 16),
        ("a SEARCH RETURN (FOO) ALL", 17),
        ("a SEARCH RETURN (MIN)", 21), ("a SEARCH CHARSET UTF-8", 22), ("a SEARCH CHARSET {1}\r\nx ALL", 17),
        ("a SEARCH MODSEQ x", 16), ("a SEARCH MODSEQ \"/flags/x\" foo 1", 27), ("a SEARCH ALL RETURN (MIN)", 13),
        ("a SEARCH NEWER", 9),
        ("a SEARCH TEXT", 13), ("a SEARCH TEXT \"", 15), ("a SEARCH -1", 9),
    ])
    func bad(text: String, offset: Int) { expectError(text, at: offset) }

    @Test("nesting is limited", arguments: ["NOT ", "(", "OR ALL ", "OR (", "NOT (NOT "])
    func depth(opening: String) throws {
        // Whatever the depth, an answer: here far beyond any stack.
        let deep = "a SEARCH " + String(repeating: opening, count: 200_000)
        #expect(throws: CommandError.self) { try parse(deep) }
        let most = "a SEARCH " + String(repeating: "NOT ", count: Parser.Limit.searchDepth - 1) + "ALL"
        #expect(throws: Never.self) { try parse(most) }
        #expect(throws: CommandError.self) { try parse("a SEARCH NOT " + most.dropFirst(9)) }
    }

    @Test func keysAreLimited() {
        func many(_ count: Int) -> String { "a SEARCH" + String(repeating: " ALL", count: count) }
        #expect((try? parse(many(Parser.Limit.searchKeys))) != nil)
        #expect((try? parse(many(Parser.Limit.searchKeys + 1))) == nil)
    }
}

@Suite struct SortThreadTests {
    @Test func readsSort() throws {
        let search = SearchCommand(byUID: true, charset: bytes("UTF-8"), returning: nil, key: .and([.all, .new]))
        #expect(try parse("a UID SORT (SUBJECT reverse date) UTF-8 ALL NEW") == .selected(.sort(SortCommand(
            keys: [.init(.subject, reverse: false), .init(.date, reverse: true)], search: search))))
        let all = SearchCommand(byUID: false, charset: bytes("x"), returning: nil, key: .all)
        #expect(try parse("a SORT (ARRIVAL CC DATE FROM SIZE SUBJECT TO) \"x\" ALL") == .selected(.sort(SortCommand(
            keys: [.arrival, .cc, .date, .from, .size, .subject, .to].map { .init($0, reverse: false) }, search: all))))
    }

    @Test func readsThread() throws {
        for (name, algorithm) in [("ORDEREDSUBJECT", ThreadCommand.Algorithm.orderedSubject), ("references", .references)] {
            let search = SearchCommand(byUID: false, charset: bytes("US-ASCII"), returning: nil, key: .text(bytes("gewp")))
            #expect(try parse("a THREAD \(name) US-ASCII TEXT \"gewp\"") == .selected(.thread(ThreadCommand(
                algorithm: algorithm, search: search))))
        }
    }

    @Test("is refused at", arguments: [
        ("a SORT", 6), ("a SORT () UTF-8 ALL", 9), ("a SORT (FOO) UTF-8 ALL", 8), ("a SORT (REVERSE) UTF-8 ALL", 8),
        ("a SORT (DATE REVERSE) UTF-8 ALL", 13), ("a SORT DATE UTF-8 ALL", 7), ("a SORT (DATE) UTF-8", 19), ("a SORT (DATE)", 13),
        ("a THREAD", 8), ("a THREAD FOO UTF-8 ALL", 9), ("a THREAD REFERENCES UTF-8", 25),
    ])
    func bad(text: String, offset: Int) { expectError(text, at: offset) }
}
