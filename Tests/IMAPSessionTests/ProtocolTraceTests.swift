import Foundation
import Glibc
import TestSupport
import Testing

@testable import IMAPSession

@Suite struct ProtocolTraceTests {
    private final class Trace {
        let files: TemporaryDirectory
        let trace: ProtocolTrace

        init(showsLiterals: Bool = false, limit: Int = 1 << 20) throws {
            files = try TemporaryDirectory()
            let descriptor = open(files.path("trace"), O_WRONLY | O_CREAT | O_EXCL | O_APPEND, 0o600)
            try #require(descriptor >= 0)
            trace = ProtocolTrace(descriptor: descriptor, showsLiterals: showsLiterals, limit: limit)
        }

        func client(_ text: String) { Array(text.utf8).withUnsafeBytes { trace.received($0) } }
        func server(_ text: String) { Array(text.utf8).withUnsafeBytes { trace.sent($0) } }

        /// Without the times.
        func lines() throws -> [String] {
            try String(contentsOfFile: files.path("trace"), encoding: .utf8).split(separator: "\n").map { line in
                #expect(line.contains(#/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z [CS-] /#), "\(line)")
                return String(line.dropFirst(28))
            }
        }
    }

    @Test("both sides, in the order in which they spoke")
    func conversation() throws {
        let trace = try Trace()
        trace.trace.note("session of ann")
        trace.client("a NOOP\r\nb SEL")
        trace.server("a OK done\r\n")
        trace.client("ECT INBOX\r\n")
        trace.server("* 3 EXISTS\r\nb OK\r\n")
        #expect(try trace.lines() == [
            "- session of ann", "C a NOOP", "S a OK done", "C b SELECT INBOX", "S * 3 EXISTS", "S b OK",
        ])
    }

    @Test("literals are hidden, and what comes behind them is not", arguments: [1, 2, 7, 1000])
    func literals(piece: Int) throws {
        let trace = try Trace()
        let text = "a APPEND Sent {13+}\r\nSubject: s\r\n\r {5+}\r\nagain)\r\nb SEARCH TEXT {3+}\r\nabc\r\nc X {0+}\r\n\r\n"
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: piece) {
            bytes[start..<min(start + piece, bytes.count)].withUnsafeBytes { trace.trace.received($0) }
        }
        #expect(try trace.lines() == [
            "C a APPEND Sent {13+}", "C | (13 bytes)", "C  {5+}", "C | (5 bytes)", "C )", "C b SEARCH TEXT {3+}", "C | (3 bytes)",
            "C ",
            "C c X {0+}", "C ",
        ])
    }

    @Test func serversLiterals() throws {
        let trace = try Trace()
        trace.server("* 1 FETCH (BODY[] {12}\r\nsecret\r\na OK UID 1)\r\na OK {3}\r\n")
        #expect(try trace.lines() == ["S * 1 FETCH (BODY[] {12}", "S | (12 bytes)", "S  UID 1)", "S a OK {3}"])
    }

    @Test("a literal that is shown is shown line by line")
    func shown() throws {
        let trace = try Trace(showsLiterals: true)
        trace.client("a APPEND Sent {9+}\r\nab\r\ncd\u{1B}")
        trace.client("\u{7}e\r\n")
        #expect(try trace.lines() == ["C a APPEND Sent {9+}", "C | ab", "C | cd\\x1b\\x07e", "C "])
    }

    @Test("a literal that the server does not ask for does not come")
    func refused() throws {
        let trace = try Trace()
        trace.client("a APPEND Sent {100}\r\n")
        trace.server("* 1 EXISTS\r\na NO too big\r\n")
        trace.client("b NOOP\r\n")
        trace.server("b OK\r\n")
        trace.client("c APPEND Sent {4}\r\n")
        trace.server("+ go on\r\n")
        trace.client("abcd\r\n")
        #expect(try trace.lines() == [
            "C a APPEND Sent {100}", "S * 1 EXISTS", "S a NO too big", "C b NOOP", "S b OK", "C c APPEND Sent {4}", "S + go on",
            "C | (4 bytes)", "C ",
        ])
    }

    @Test("one that comes unasked is hidden all the same")
    func unasked() throws {
        let trace = try Trace()
        trace.client("a APPEND Sent {9}\r\nsecret")
        trace.server("a NO\r\n")
        trace.client("abc\r\n")
        #expect(try !trace.lines().contains { $0.contains("secret") || $0.contains("abc") })
    }

    @Test("passwords are hidden, however they come and whatever is shown", arguments: [
        "a LOGIN ann \"secret\"\r\n", "a login ann secret\r\n", "a LOGIN {3+}\r\nann {6+}\r\nsecret\r\n",
        "a LOGIN ann {6+}\r\nsecret\r\n",
        "a AUTHENTICATE PLAIN secret\r\n", "a AUTHENTICATE PLAIN\r\nsecret\r\n", "a AUTHENTICATE LOGIN\r\nann\r\nsecret\r\n",
        "secret\r\n",
        "LOGIN ann secret\r\n", "a XLOGIN ann secret\r\n", "a  LOGIN ann secret\r\n", "a LOGIN ann {6}\r\nsecret\r\n",
        "a authenticate plain {6+}\r\nsecret\r\n",
    ], [false, true])
    func passwords(text: String, showsLiterals: Bool) throws {
        for piece in [1, 3, 100] {
            let trace = try Trace(showsLiterals: showsLiterals)
            let bytes = Array(text.utf8)
            for start in stride(from: 0, to: bytes.count, by: piece) {
                bytes[start..<min(start + piece, bytes.count)].withUnsafeBytes { trace.trace.received($0) }
            }
            trace.client("b NOOP\r\n")
            let lines = try trace.lines()
            #expect(!lines.contains { $0.contains("secret") || $0.contains("ann") }, "\(lines)")
            #expect(lines.last == "C b NOOP")
        }
    }

    @Test func longLinesAreCut() throws {
        let trace = try Trace()
        trace.client("a SEARCH SUBJECT " + String(repeating: "x", count: 20_000) + " {3+}\r\nabc\r\nb NOOP\r\n")
        let lines = try trace.lines()
        #expect(lines[0].utf8.count < 9000 && lines[0].hasSuffix("… (11831 more bytes)"), "\(lines[0].suffix(40))")
        #expect(lines[1...] == ["C | (3 bytes)", "C ", "C b NOOP"])
    }

    @Test func traceEnds() throws {
        let trace = try Trace(limit: 1000)
        for _ in 0..<100 { trace.client("a NOOP\r\n") }
        let lines = try trace.lines()
        #expect(lines.last == "- the trace is full" && lines.count < 40)
    }
}
