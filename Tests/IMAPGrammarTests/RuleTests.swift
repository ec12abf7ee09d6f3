import IMAPTypes
import Testing
@testable import IMAPGrammar

/// Runs a rule over all of `text`; the error's offset if it fails or leaves something.
func run<T>(
    _ text: String, mode: WireMode = [], _ rule: (inout Parser) throws(SyntaxError) -> T
) -> Result<T, SyntaxError> {
    var parser = Parser(Array(text.utf8), mode: mode)
    do {
        let value = try rule(&parser)
        try parser.end()
        return .success(value)
    } catch {
        return .failure(error)
    }
}

extension Result where Failure == SyntaxError {
    var value: Success? { try? get() }

    var offset: Int? {
        if case .failure(let error) = self { error.offset } else { nil }
    }
}

@Suite struct NumberRuleTests {
    @Test("number", arguments: [("0", 0), ("1", 1), ("007", 7), ("4294967295", .max)] as [(String, UInt32)])
    func number(text: String, value: UInt32) {
        #expect(run(text) { (p) throws(SyntaxError) in try p.number() }.value == value)
    }

    @Test("number is refused at", arguments: [("", 0), ("x", 0), ("-1", 0), ("+1", 0), ("4294967296", 0), ("1x", 1)])
    func badNumber(text: String, offset: Int) {
        #expect(run(text) { (p) throws(SyntaxError) in try p.number() }.offset == offset)
    }

    @Test("number64", arguments: [("0", 0), ("4294967296", 4_294_967_296), ("9223372036854775807", 9_223_372_036_854_775_807)]
        as [(String, UInt64)])
    func number64(text: String, value: UInt64) {
        #expect(run(text) { (p) throws(SyntaxError) in try p.number64() }.value == value)
    }

    @Test("number64 is refused", arguments: [
        "9223372036854775808", "18446744073709551616", "99999999999999999999999", "", "-1",
    ])
    func badNumber64(text: String) {
        #expect(run(text) { (p) throws(SyntaxError) in try p.number64() }.offset == 0)
    }

    @Test("nz-number is refused at", arguments: [("0", 0), ("01", 0), ("", 0), ("4294967296", 0), ("12a", 2)])
    func badNzNumber(text: String, offset: Int) {
        #expect(run(text) { (p) throws(SyntaxError) in try p.nzNumber() }.offset == offset)
        #expect(run(text == "4294967296" ? "9223372036854775808" : text) { (p) throws(SyntaxError) in try p.nzNumber64() }
            .offset == offset)
    }
}

@Suite struct StringRuleTests {
    @Test("astring", arguments: [
        ("abc", "abc"), ("a]b", "a]b"), ("100%", "100%"), ("*", "*"), ("{", nil), ("NIL", "NIL"), ("\"\"", ""), ("\"a b\"", "a b"),
        ("\"\\\"\\\\\"", "\"\\"), ("{3}\r\na\r\n", "a\r\n"), ("{3+}\r\nabc", "abc"), ("{0}\r\n", ""), ("{3}\nabc", "abc"),
        ("{03}\r\nabc", "abc"), ("\"(*%{]\"", "(*%{]"),
    ] as [(String, String?)])
    func astring(text: String, value: String?) {
        #expect(run(text) { (p) throws(SyntaxError) in try p.astring() }.value.map(\.latin1) == value)
    }

    @Test("astring is refused at", arguments: [
        ("", 0), (" ", 0), ("(", 0), ("a b", 2), ("\"a", 2), ("\"a\\", 3), ("\"\\a\"", 2), ("\"a\r\"", 2), ("\"a\n\"", 2),
        ("\"\0\"", 1),
        ("{3}", 3), ("{3}\r", 4), ("{3}\r\nab", 5), ("{3}\r\nabcd", 8), ("{3}\r\na\0c", 6), ("{}\r\n", 1), ("{-1}\r\n", 1),
        ("{3-}\r\nabc", 2), ("{9223372036854775807}\r\nx", 23), ("{9223372036854775808}\r\nx", 1), ("~{3}\r\nabc", 1), ("é", 0),
    ])
    func badAstring(text: String, offset: Int) {
        #expect(run(text) { (p) throws(SyntaxError) in try p.astring() }.offset == offset)
    }

    @Test("string is no atom", arguments: ["abc", "NIL", ""])
    func string(text: String) {
        #expect(run(text) { (p) throws(SyntaxError) in try p.string() }.offset == 0)
    }

    @Test func nstring() {
        #expect(run("nil") { (p) throws(SyntaxError) in try p.nstring() }.value == .some(nil))
        #expect(run("\"nil\"") { (p) throws(SyntaxError) in try p.nstring() }.value == Array("nil".utf8))
    }

    @Test("quoted UTF-8", arguments: [WireMode(), .utf8Accept, .imap4rev2])
    func utf8(mode: WireMode) {
        let bad: [[UInt8]] = [[0xE9], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xE2, 0x82]]
        for bytes in bad {
            var parser = Parser([0x22] + bytes + [0x22], mode: mode)
            if mode.isUTF8 {
                #expect(throws: SyntaxError.self) { try parser.quoted() }
            } else {
                #expect((try? parser.quoted()) == bytes)
            }
        }
        var parser = Parser(Array("\"é\\\"日😀\"".utf8), mode: mode)
        #expect((try? parser.quoted()) == Array("é\"日😀".utf8))
    }
}

@Suite struct SequenceSetRuleTests {
    static func set(_ ranges: (UInt32?, UInt32?)...) -> SequenceSet {
        .ranges(ranges.map { SeqRange($0.map(SeqNumber.number) ?? .largest, $1.map(SeqNumber.number) ?? .largest) })
    }

    @Test("is read", arguments: [
        ("1", set((1, 1))), ("*", set((nil, nil))), ("1:*", set((1, nil))), ("*:1", set((nil, 1))), ("9:3", set((9, 3))),
        ("2,4:7,9,12:*", set((2, 2), (4, 7), (9, 9), (12, nil))), ("*:4,5:7", set((nil, 4), (5, 7))), ("1,1,1", set((1, 1),
        (1, 1), (1, 1))),
        ("4294967295", set((.max, .max))), ("$", .lastCommand), ("*:*", set((nil, nil))),
    ])
    func good(text: String, set: SequenceSet) {
        #expect(run(text) { (p) throws(SyntaxError) in try p.sequenceSet() }.value == set)
    }

    @Test("is refused at the offending byte", arguments: [
        ("", 0), ("0", 0), ("1,", 2), ("1:0", 2), ("4294967296", 0), ("1:4294967296", 2), ("-1,6", 0), ("1,,2", 2), ("1:2:3", 3),
        (",1", 0),
        ("$,1", 1), ("1,$", 2), ("1 2", 2), ("1:", 2), ("**", 1), ("a", 0),
    ])
    func bad(text: String, offset: Int) {
        #expect(run(text) { (p) throws(SyntaxError) in try p.sequenceSet() }.offset == offset)
    }

    @Test func isLong() {
        let text = (1...Parser.Limit.sequenceRanges).map(String.init).joined(separator: ",")
        let good = run(text) { (p) throws(SyntaxError) in try p.sequenceSet() }.value
        guard case .ranges(let ranges) = good else {
            Issue.record("refused")
            return
        }
        #expect(ranges.count == Parser.Limit.sequenceRanges)
        #expect(run(text + ",1") { (p) throws(SyntaxError) in try p.sequenceSet() }.offset == text.utf8.count + 1)
    }

    @Test("known sets have no star", arguments: [("1:5", nil), ("*", 0), ("1:*", 0), ("$", 0)] as [(String, Int?)])
    func known(text: String, offset: Int?) {
        #expect(run(text) { (p) throws(SyntaxError) in try p.knownSet() }.offset == offset)
    }
}

@Suite struct DateRuleTests {
    @Test("date", arguments: [
        ("1-Feb-1994", 1994, 2, 1), ("01-feb-1994", 1994, 2, 1), ("\"1-FEB-1994\"", 1994, 2, 1), (" 1-Feb-1994", 1994, 2, 1),
        ("29-Feb-2000", 2000, 2, 29), ("31-Dec-9999", 9999, 12, 31), ("1-Jan-0000", 0, 1, 1),
    ])
    func date(text: String, year: Int, month: Int, day: Int) {
        #expect(run(text) { (p) throws(SyntaxError) in try p.date() }.value == CalendarDay(year: year, month: month, day: day))
    }

    @Test("date is refused at", arguments: [
        ("", 0), ("0-Feb-1994", 0), ("32-Jan-1994", 0), ("29-Feb-1900", 0), ("1-Fab-1994", 2), ("1-Feb-94", 8),
        ("1-Feb-19945", 10),
        ("1 Feb 1994", 1), ("\"1-Feb-1994", 11), ("100-Jan-1994", 2), ("1-February-1994", 2), ("-Feb-1994", 0),
    ])
    func badDate(text: String, offset: Int) {
        #expect(run(text) { (p) throws(SyntaxError) in try p.date() }.offset == offset)
    }

    @Test("date-time", arguments: [
        ("\"17-Jul-1996 02:44:25 -0700\"", 837_596_665, -420), ("\" 1-Jan-1970 00:00:00 +0000\"", 0, 0),
        ("\"1-Jan-1970 00:00:00 +0000\"", 0, 0), ("\"01-jan-1970 00:00:00 -0000\"", 0, 0),
        ("\"31-Dec-2016 23:59:60 +0000\"", 1_483_228_800, 0), ("\"01-Jan-1970 05:30:00 +0530\"", 0, 330),
        ("\"01-Jan-0000 00:00:00 +9959\"", -62_167_219_200 - 5999 * 60, 5999),
        ("\"31-Dec-9999 23:59:59 -9959\"", 253_402_300_799 + 5999 * 60, -5999),
    ] as [(String, Int64, Int16)])
    func dateTime(text: String, seconds: Int64, zone: Int16) {
        #expect(run(text) { (p) throws(SyntaxError) in try p.dateTime() }.value == InternalDate(seconds: seconds, zone: zone))
    }

    @Test("date-time is refused at", arguments: [
        ("17-Jul-1996 02:44:25 -0700", 0), ("\"17-Jul-1996 24:00:00 +0000\"", 13), ("\"17-Jul-1996 23:60:00 +0000\"", 13),
        ("\"17-Jul-1996 23:00:61 +0000\"", 13), ("\"17-Jul-1996 2:44:25 -0700\"", 14), ("\"17-Jul-1996 02:44:25 0700\"", 22),
        ("\"17-Jul-1996 02:44:25 -0760\"", 22), ("\"17-Jul-1996 02:44:25 -070\"", 26), ("\"17-Jul-1996 02:44:25 -07000\"", 27),
        ("\"30-Feb-1996 02:44:25 -0700\"", 1), ("\"17-Jul-1996  02:44:25 -0700\"", 13), ("\"17-Jul-1996 02:44:25 -0700", 27),
        ("\"17-Jul-96 02:44:25 -0700\"", 10), ("\"\"", 1),
    ])
    func badDateTime(text: String, offset: Int) {
        #expect(run(text) { (p) throws(SyntaxError) in try p.dateTime() }.offset == offset)
    }
}

@Suite struct FlagRuleTests {
    static func flags(_ system: SystemFlags, _ keywords: String...) -> FlagSet {
        FlagSet(system: system, keywords: Set(keywords.compactMap { Keyword($0) }))
    }

    @Test("flag-list", arguments: [
        ("()", flags([])), ("(\\Seen)", flags(.seen)), ("(\\seen \\DELETED)", flags([.seen, .deleted])),
        ("(\\Answered \\Flagged \\Deleted \\Seen \\Draft)", flags(.all)), ("($Junk a-b)", flags([], "$Junk", "a-b")),
        ("(\\Recent \\Foo x)", flags([], "x")), ("(x X)", flags([], "x")),
    ])
    func flagList(text: String, value: FlagSet) {
        #expect(run(text) { (p) throws(SyntaxError) in try p.flagList() }.value == value)
    }

    @Test("flag-list is refused at", arguments: [
        ("", 0), ("(", 1), ("(\\)", 2), ("(\\Seen", 6), ("(a  b)", 3), ("(a )", 3), ("( a)", 1), ("(\\*)", 2), ("(a]b)", 2),
        ("(\"a\")", 1),
        ("(" + String(repeating: "k", count: 256) + ")", 1),
    ])
    func badFlagList(text: String, offset: Int) {
        #expect(run(text) { (p) throws(SyntaxError) in try p.flagList() }.offset == offset)
    }

    @Test func flagsAreLimited() {
        let many = Array(repeating: "k", count: Parser.Limit.flags)
        #expect(run("(" + many.joined(separator: " ") + ")") { (p) throws(SyntaxError) in try p.flagList() }.value != nil)
        #expect(run("(" + (many + ["k"]).joined(separator: " ") + ")") { (p) throws(SyntaxError) in try p.flagList() }.offset
            == 1 + 2 * many.count)
    }
}
