import TestSupport
import Testing

@testable import MailMessage

/// What anybody may mail must not cost more time than its length accounts for.
@Suite(.serialized) struct GrowthTests {
    private func many(_ text: String, _ count: Int) -> [UInt8] {
        let unit = Array(text.utf8)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(unit.count * count)
        for _ in 0..<count { bytes += unit }
        return bytes
    }

    static let subjects = [
        ("", "[a]", "x"), ("", "[a] ", ""), ("", "re: ", "x"), ("", "re[a]: ", "x"), ("", "[fwd:", "x"), ("x", "(fwd)", ""),
        ("", "re[", "x"), ("", "[", "]"), ("re", " ", ":x"), ("[fwd:", "[a]", "]"), ("", "fwd[", ""),
    ]

    @Test("base subjects", arguments: subjects)
    func subject(start: String, middle: String, end: String) {
        let ratio = growth(of: 500) { count in
            _ = BaseSubject(Array(start.utf8) + many(middle, count) + Array(end.utf8))
        }
        #expect(ratio < mostGrowth)
    }

    @Test("encoded words", arguments: [
        "=?a?q?a", "=?utf-8?q?a", "=?", "=?=", "=?utf-8?", "=?utf-8?q?a?=", "=?utf-8?q?a?= ", "=?utf-8?q?a?= =?iso-8859-1?q?a?= ",
        "=?utf-8?b?4pyT?=", "?=", "=?utf-8*=?q?", "=?x\u{20}",
    ])
    func encodedWords(text: String) {
        let ratio = growth(of: 500) { count in
            var output: [UInt8] = []
            many(text, count).withUnsafeBytes { EncodedWord.decode($0, into: &output) }
        }
        #expect(ratio < mostGrowth)
    }

    @Test("words that are not ended cost no more than others")
    func endlessWords() {
        func time(_ text: String) -> Double {
            let bytes = many(text, 10_000)
            return processorTime {
                var output: [UInt8] = []
                bytes.withUnsafeBytes { EncodedWord.decode($0, into: &output) }
            }
        }
        #expect(time("=?utf-8?q?a") < 20 * time("=?utf-8?q?a?="))
    }

    @Test("names of charsets that nobody knows are asked for in vain a few times only")
    func unknownCharsets() {
        func time(_ text: (Int) -> String) -> Double {
            let bytes = Array((0..<2_000).map(text).joined().utf8)
            return processorTime {
                var output: [UInt8] = []
                bytes.withUnsafeBytes { EncodedWord.decode($0, into: &output) }
            }
        }
        let known = time { _ in "=?iso-8859-1?q?a?= " }
        #expect(time { "=?unknown-\($0)?q?a?= " } < 20 * known)
    }

    static let fields = [
        "(", "()", "(a(b)", "\\", "\"", "\"a\"", "<", "<a@b>", "<a@b", "a@", "a@b,", "a:", "a:;", ";", "a b ", "a. ", "@", "[",
        "a<a@b",
        "<@", "(a)<", " \t", "=", "a=b;", ";a=\"", ";name=(", ";(", "/",
    ]

    @Test("addresses, parameters and ids", arguments: fields)
    func structured(text: String) {
        var list = AddressList(), field = StructuredField()
        let ratio = growth(of: 500) { count in
            let bytes = Array("a/b;".utf8) + many(text, count)
            list.removeAll()
            list.append(bytes[4...])
            _ = MessageID.list(bytes[...])
            field.parseContentType(bytes[...])
            field.parseDisposition(bytes[4...])
            field.parseLanguages(bytes[4...])
            _ = MessageDate(bytes[4...])
        }
        #expect(ratio < mostGrowth)
    }

    static let messages = [
        "a: b\n", "a: b\n ", " \n", "\t", "\r", "\r\n", "a", ":", "To: a\r\n ", "\n\n", "--b\n", "--b--\n",
        "--b\nContent-Type: a/b\n\n",
        "Content-Type: multipart/mixed; boundary=b\n\n--b\n", "Content-Type: message/rfc822\n\n", "Content-Type: text/plain\n",
        "Content-Type: multipart/digest; boundary=b\n\n--b\n\n", "-", "--", "Subject:\n", "\0",
    ]

    @Test("messages", arguments: messages)
    func message(text: String) {
        let ratio = growth(of: 500) { count in
            for start in ["", "Content-Type: multipart/mixed; boundary=b\n\n--b\n"] {
                var parser = MessageParser()
                let bytes = Array(start.utf8) + many(text, count)
                bytes.withUnsafeBytes { parser.feed($0) }
                parser.finish()
                _ = parser.structure.value(.subject, of: MessageStructure.root)
            }
        }
        #expect(ratio < mostGrowth)
    }

    @Test("messages that come in the smallest pieces", arguments: messages)
    func pieces(text: String) {
        let ratio = growth(of: 200) { count in
            var parser = MessageParser()
            for byte in many(text, count) { withUnsafeBytes(of: byte) { parser.feed($0) } }
            parser.finish()
        }
        #expect(ratio < mostGrowth)
    }
}
