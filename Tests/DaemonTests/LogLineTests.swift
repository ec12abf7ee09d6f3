import Logging
import Synchronization
import Testing

@testable import Daemon

@Suite struct LogLineTests {
    @Test("values stay within their quotes and lines", arguments: [
        ("ada", "ada"), ("", "\"\""), ("a b", "\"a b\""), ("a=b", "\"a=b\""), ("say \"hi\"", "\"say \\\"hi\\\"\""),
        ("back\\slash", "\"back\\\\slash\""), ("a\nuser=root", "\"a\\u{a}user=root\""), ("\u{1B}[31m", "\"\\u{1b}[31m\""),
        ("a\u{2028}b", "\"a\\u{2028}b\""), ("\u{202E}abc", "\"\\u{202e}abc\""), ("Jörg", "Jörg"), ("127.0.0.1:143", "127.0.0.1:143"),
    ])
    func values(value: String, written: String) {
        #expect(LineLogHandler.line("login", ["user": "\(value)"]) == "login user=\(written)")
    }

    @Test func messageIsOneLine() {
        #expect(!LineLogHandler.line("a\r\nb", [:]).contains { $0.isNewline })
    }

    @Test func pairsAreSorted() {
        #expect(LineLogHandler.line("end", ["b": "2", "a": "1", "c": "3"]) == "end a=1 b=2 c=3")
    }

    @Test func eventsOwnPairsWin() {
        let sink = Lines()
        var logger = Logger(label: "test") { _ in LineLogHandler(sink: sink, level: .info) }
        logger[metadataKey: "user"] = "ada"
        logger.info("first")
        logger.info("second", metadata: ["user": "bob"])
        logger.debug("third")
        #expect(sink.lines.withLock { $0 } == ["first user=ada", "second user=bob"])
    }

    private final class Lines: LogSink {
        let lines = Mutex<[String]>([])
        func write(_ level: Logger.Level, _ line: String) { lines.withLock { $0.append(line) } }
    }
}
