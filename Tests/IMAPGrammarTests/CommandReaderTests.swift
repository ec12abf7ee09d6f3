import IMAPTypes
import Testing
@testable import IMAPGrammar

@Suite struct CommandReaderTests {
    /// Small enough to reach in a test.
    static let small = CommandReader.Limits(line: 40, literal: 10, literals: 2, total: 50, streamsAppend: true, wipes: true)

    @Test("finds commands and literals", arguments: [
        ("a NOOP\r\nb NOOP\r\n", [Heard.command("a NOOP"), .command("b NOOP")]),
        ("a NOOP\nb NOOP\n", [.command("a NOOP"), .command("b NOOP")]),
        ("\r\na NOOP\r\n", [.command(""), .command("a NOOP")]),
        ("a NOOP", []),
        ("a LOGIN {1}\r\nx {2}\r\nyz\r\nb NOOP\r\n",
         [.continuation, .continuation, .command("a LOGIN {1}\r\nx {2}\r\nyz"), .command("b NOOP")]),
        ("a LOGIN {1+}\r\nx {0+}\r\n\r\nb NOOP\r\n", [.command("a LOGIN {1+}\r\nx {0+}\r\n"), .command("b NOOP")]),
        // A literal's bytes are no command, nor the header of another.
        ("a LOGIN {13+}\r\nx NOOP\r\n {9}\r pw\r\n", [.command("a LOGIN {13+}\r\nx NOOP\r\n {9}\r pw")]),
        // A word that ends so announces nothing.
        ("a LOGIN joe secret{5}\r\nb NOOP\r\n", [.command("a LOGIN joe secret{5}"), .command("b NOOP")]),
        ("a LOGIN joe {x}\r\nb {}\r\n", [.command("a LOGIN joe {x}"), .command("b {}")]),
    ])
    func findsCommands(text: String, heard: [Heard]) {
        #expect(hear(text) == heard)
    }

    @Test("streams the messages of APPEND", arguments: [
        ("a APPEND INBOX {3}\r\nabc\r\nb NOOP\r\n", [Heard.append("a INBOX 3", message: "abc"), .appendEnd, .command("b NOOP")]),
        ("a append inbox (\\Seen) \" 1-Jan-1970 00:00:09 +0000\" {3+}\nabc\n",
         [.append("a INBOX flags 9 3+", message: "abc"), .appendEnd]),
        ("a APPEND {5+}\r\nDraft ~{3+}\r\na\0c\r\n", [.append("a Draft ~3+", message: "a\0c"), .appendEnd]),
        ("a APPEND {5}\r\nDraft {3}\r\nabc\r\n", [.continuation, .append("a Draft 3", message: "abc"), .appendEnd]),
        ("a APPEND x UTF8 (~{3+}\r\nabc)\r\n", [.append("a x ~3+ utf8", message: "abc"), .appendEnd]),
        ("a APPEND x {1}\r\na (\\Seen) {1}\r\nb {1+}\r\nc\r\n",
         [.append("a x 1", message: "a"), .append("- - flags 1", message: "b"), .append("- - 1+", message: "c"), .appendEnd]),
        ("a APPEND x UTF8 (~{1+}\r\na) UTF8 (~{1+}\r\nb)\r\n",
         [.append("a x ~1+ utf8", message: "a"), .append("- - ~1+ utf8", message: "b"), .appendEnd]),
        ("a APPEND x {0}\r\n\r\n", [.append("a x 0", message: ""), .appendEnd]),
        // Wrong ones: a synchronizing literal does not come, the other is dropped.
        ("a APPEND x (\\Seen {3}\r\nb NOOP\r\n", [.rejected("a atom at 18"), .command("b NOOP")]),
        ("a APPEND x bad {9+}\r\nb NOOP\r\n!\r\nc NOOP\r\n", [.rejected("a literal at 11"), .command("c NOOP")]),
        ("a APPEND x {1+}\r\nab NOOP\r\nc NOOP\r\n",
         [.append("a x 1+", message: "a"), .rejected("a CRLF at 0"), .command("c NOOP")]),
        ("a APPEND x {1+}\r\na \"x\" {1+}\r\nb\r\nc NOOP\r\n",
         [.append("a x 1+", message: "a"), .rejected("a DIGIT at 2"), .command("c NOOP")]),
        ("a APPEND x\r\n", [.command("a APPEND x")]),
        ("a APPEND x UTF8 {1+}\r\na\r\nc NOOP\r\n", [.rejected("a literal at 11"), .command("c NOOP")]),
        ("a APPEND x UTF8 (~{1+}\r\na\r\nc NOOP\r\n",
         [.append("a x ~1+ utf8", message: "a"), .rejected("a ) at 0"), .command("c NOOP")]),
        ("a APPEND ~{1+}\r\nx {1+}\r\na\r\nc NOOP\r\n", [.rejected("a SP at 10"), .command("c NOOP")]),
    ])
    func streamsAppend(text: String, heard: [Heard]) {
        #expect(hear(text) == heard)
    }

    @Test("skips what was refused", arguments: [
        ("a APPEND x {3}\r\nb NOOP\r\n", [Heard.refused("a x 3"), .command("b NOOP")]),
        ("a APPEND x {3+}\r\nabc\r\nb NOOP\r\n", [.refused("a x 3+"), .command("b NOOP")]),
        ("a APPEND x {3+}\r\nabc {2+}\r\nxy {1}\r\nb NOOP\r\n", [.refused("a x 3+"), .command("b NOOP")]),
    ])
    func skipsRefused(text: String, heard: [Heard]) {
        #expect(hear(text, accepting: false) == heard)
    }

    @Test("says how to answer", arguments: [
        (String(repeating: "x", count: 50) + "\r\n", "* BAD Command line too long\r\n"),
        ("a LOGIN {11}\r\n", "a BAD [TOOBIG] Literal too big\r\n"),
        ("a {1+}\r\nx {1+}\r\nx {1+}\r\n", "a NO [LIMIT] Too many literals in one command\r\n"),
        ("a 01234567890123456789012 {9+}\r\n123456789 {9+}\r\n", "a NO [LIMIT] Command too big\r\n"),
        ("a APPEND x y {1}\r\n", "a BAD Expected literal at byte 11\r\n"),
    ])
    func answers(text: String, answer: String) {
        var reader = CommandReader(Self.small, readAhead: Array(text.utf8))
        guard case .rejected(let rejection) = reader.next() else {
            Issue.record("not rejected")
            return
        }
        #expect(written { $0.answer(rejection.tag, rejection.condition, rejection.code, rejection.text) } == answer)
    }

    @Test("keeps to its limits", arguments: [
        (String(repeating: "a", count: 50) + "\r\nb NOOP\r\n", [Heard.rejected("* line too long"), .command("b NOOP")]),
        ("tag " + String(repeating: "a", count: 500) + "\r\nb NOOP\r\n", [.rejected("tag line too long"), .command("b NOOP")]),
        ("tag " + String(repeating: "a", count: 34) + "\r\n", [.command("tag " + String(repeating: "a", count: 34))]),
        ("tag " + String(repeating: "a", count: 35) + "\r\n", [.rejected("tag line too long")]),
        ("tag " + String(repeating: "a", count: 80) + " {9+}\r\nx NOOP\r\n!\r\nb NOOP\r\n",
         [.rejected("tag line too long"), .command("b NOOP")]),
        ("a LOGIN {11}\r\nb NOOP\r\n", [.rejected("a literal 11"), .command("b NOOP")]),
        ("a LOGIN {11+}\r\nb NOOP\r\nzz {3+}\r\nxyz\r\nc NOOP\r\n", [.rejected("a literal 11"), .command("c NOOP")]),
        ("a b {1+}\r\nx {1+}\r\nx {1+}\r\nx\r\nc NOOP\r\n", [.rejected("a too many literals"), .command("c NOOP")]),
        ("a b {9+}\r\n123456789 {8+}\r\n12345678" + String(repeating: "x", count: 40) + "\r\nc NOOP\r\n",
         [.rejected("a line too long"), .command("c NOOP")]),
        ("a {9+}\r\n123456789 {9+}\r\n123456789\r\nc NOOP\r\n",
         [.command("a {9+}\r\n123456789 {9+}\r\n123456789"), .command("c NOOP")]),
        ("a b0123456789012345678901 {9+}\r\n123456789 {9+}\r\n123456789\r\nc NOOP\r\n",
         [.rejected("a too big"), .command("c NOOP")]),
        ("a APPEND x {3}\r\nabc " + String(repeating: "x", count: 40) + "\r\nb NOOP\r\n",
         [.append("a x 3", message: "abc"), .rejected("a line too long"), .command("b NOOP")]),
        ("a b {18446744073709551616}\r\nc NOOP\r\n", [.rejected("a literal \(UInt64.max)"), .command("c NOOP")]),
        ("a b {18446744073709551616+}\r\nc NOOP\r\n", [.rejected("a literal \(UInt64.max)")]),
    ])
    func keepsToLimits(text: String, heard: [Heard]) {
        #expect(hear(text, limits: Self.small) == heard)
        let byByte = hear(Array(text.utf8), limits: Self.small, chunk: { 1 })
        #expect(byByte.heard == heard)
    }
}
