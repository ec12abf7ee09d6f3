import Foundation
import Glibc
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
        #expect(LogRecord(.info, "login", ["user": "\(value)"]).line == "login user=\(written)")
    }

    @Test("a time is told as the C library tells it", arguments: [
        0, 1, 86_399, 86_400, 951_782_400, 1_709_164_800, 1_735_689_599, 4_107_542_399, 253_402_300_799, -1,
    ])
    func time(seconds: Int) {
        var parts = tm(), seconds = seconds
        gmtime_r(&seconds, &parts)
        let text = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 32) { buffer in
            strftime(buffer.baseAddress!, buffer.count, "%Y-%m-%dT%H:%M:%S", &parts)
            return String(cString: buffer.baseAddress!)
        }
        #expect(LogTime.utc(timespec(tv_sec: seconds, tv_nsec: 7_999_999)) == text + ".007Z")
    }

    @Test func messageIsOneLine() {
        #expect(!LogRecord(.info, "a\r\nb", [:]).line.contains { $0.isNewline })
    }

    @Test func pairsAreSorted() {
        #expect(LogRecord(.info, "end", ["b": "2", "a": "1", "c": "3"]).line == "end a=1 b=2 c=3")
    }

    @Test func eventsOwnPairsWin() {
        let sink = Lines()
        var logger = Logger(label: "test") { _ in EventLogHandler(sink: sink, level: .info) }
        logger[metadataKey: "user"] = "ada"
        logger.info("first")
        logger.info("second", metadata: ["user": "bob"])
        logger.debug("third")
        #expect(sink.lines.withLock { $0 } == ["first user=ada", "second user=bob"])
    }

    @Test("where it came from is first, the user last")
    func order() {
        let record = LogRecord(.notice, "login failed", ["user": "x peer=1", "a": "1", "verdict": "rejected", "peer": "192.0.2.1:5"])
        #expect(record.line == "login failed peer=192.0.2.1:5 a=1 verdict=rejected user=\"x peer=1\"")
    }

    @Test func longValuesAreCut() {
        let record = LogRecord(.info, "client", ["id": "\(String(repeating: "é", count: 5000))"])
        #expect((2000..<2100).contains(record.line.utf8.count))
    }

    @Test("JSON that a parser reads back, in one line", arguments: [
        "ada", "", "say \"hi\" \\", "a\r\n\t\0b", "\u{1B}[31m", "a\u{2028}b\u{202E}c\u{FEFF}\u{85}", "Jörg 👩‍👩‍👧", "}{,:[]", "12",
    ])
    func json(value: String) throws {
        let record = LogRecord(.warning, "a \"b\"", ["user": "\(value)", value: "x", "count": "3", "sent": "12345678901", "status": "\(value)"])
        let text = record.json(at: "2026-11-21T12:00:00.000Z", process: 77)
        #expect(text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F && $0 != "\u{2028}" && $0 != "\u{202E}" })
        let object = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        #expect(object["event"] as? String == "a \"b\"" && object["level"] as? String == "warning" && object["pid"] as? Int == 77)
        #expect(object["user"] as? String == value && object[value] as? String == "x")
        #expect(object["count"] as? Int == 3 && object["sent"] as? Int == 12_345_678_901)
        if value == "12" { #expect(object["status"] as? Int == 12) } else { #expect(object["status"] as? String == value) }
        #expect(object["time"] as? String == "2026-11-21T12:00:00.000Z")
    }

    /// What systemd-journald(8) makes of a message.
    private func fields(_ message: [UInt8]) -> [String: String]? {
        var fields: [String: String] = [:]
        var rest = message[...]
        while let end = rest.firstIndex(of: 0x0A) {
            let line = rest[..<end]
            rest = rest[(end + 1)...]
            if let equal = line.firstIndex(of: UInt8(ascii: "=")) {
                fields[String(decoding: line[..<equal], as: UTF8.self)] = String(decoding: line[(equal + 1)...], as: UTF8.self)
                continue
            }
            guard rest.count >= 8 else { return nil }
            let length = rest.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
            rest = rest.dropFirst(8)
            guard rest.count > length, rest[rest.startIndex + length] == 0x0A else { return nil }
            fields[String(decoding: line, as: UTF8.self)] = String(decoding: rest.prefix(length), as: UTF8.self)
            rest = rest.dropFirst(length + 1)
        }
        return rest.isEmpty ? fields : nil
    }

    @Test("a message of the journal has each value in a field of its own", arguments: ["ada", "", "a=b", "a\nPRIORITY=0\nb", "Jörg"])
    func journal(value: String) throws {
        let record = LogRecord(.error, "login failed", ["peer": "192.0.2.1:5", "user": "\(value)", "priority": "7", "a-b": "c", "1x": "y"])
        let message = try #require(fields(record.journal(facility: 2)))
        #expect(message == [
            "MESSAGE": record.line, "PRIORITY": "3", "SYSLOG_FACILITY": "2", "SYSLOG_IDENTIFIER": "imapd", "EVENT": "login failed",
            "PEER": "192.0.2.1:5", "USER": value, "IMAPD_PRIORITY": "7", "A_B": "c", "IMAPD_1X": "y",
        ])
    }

    private final class Lines: LogSink {
        let lines = Mutex<[String]>([])
        func write(_ record: LogRecord) { lines.withLock { $0.append(record.line) } }
    }
}
