import MailMessage
import TestSupport
import Testing

@Suite("Charset")
struct CharsetTests {
    @Test("makes UTF-8 of what mail declares", arguments: [
        ("us-ascii", [0x61], "a"), ("utf-8", [0xC3, 0xA9], "é"), ("ISO-8859-1", [0xE9, 0x80], "é€"), ("iso-8859-15", [0xA4],
         "€"),
        ("windows-1252", [0x93, 0x94], "\u{201C}\u{201D}"), ("koi8-r", [0xC1, 0xC2], "аб"),
        ("ISO-2022-JP", [0x1B, 0x24, 0x42, 0x46, 0x7C, 0x1B, 0x28, 0x42], "日"),
        ("shift_jis", [0x93, 0xFA], "日"), ("gb2312", [0xC4, 0xE3], "你"), ("big5", [0xA7, 0x41], "你"),
        ("euc-kr", [0xB0, 0xA1], "가"),
        ("utf-16", [0xFE, 0xFF, 0x00, 0xE9], "é"), ("utf-7", Array("+AOk-".utf8), "é"),
        ("utf-8", [0x61, 0xFF, 0x62], "a\u{FFFD}b"), ("utf-8", [0xC3], "\u{FFFD}"), ("euc-jp", [0xFF, 0x61], "\u{FFFD}a"),
        // A letter that waits for a mark comes before what is no mark, and at the end.
        ("windows-1255", [0xF9, 0xEC, 0xE5, 0xED, 0xE0], "שלוםא"), ("windows-1255", [0xE0, 0xFF, 0x61], "א\u{FFFD}a"),
        ("windows-1255", [0xE0, 0x61], "אa"), ("windows-1255", [0xFF, 0xE7, 0x2D], "\u{FFFD}ח-"),
        ("us-ascii", [0xE9], "é"), ("us-ascii", [0xC3, 0xA9], "é"),
    ] as [(String, [UInt8], String)])
    func decode(name: String, bytes: [UInt8], expected: String) throws {
        let charset = try #require(Charset(name.utf8))
        #expect(decoded(charset, [bytes]).text == expected)
        // Byte by byte too, and in any two pieces.
        #expect(decoded(charset, bytes.map { [$0] }).text == expected)
        for cut in 1..<max(1, bytes.count) {
            #expect(decoded(charset, [Array(bytes[..<cut]), Array(bytes[cut...])]).text == expected, "cut at \(cut)")
        }
    }

    @Test("knows where ASCII is not what it seems", arguments: [
        ("utf-7", "+AOk-", "é"), ("ISO-2022-JP", "\u{1B}$BF|\u{1B}(B", "日"), ("ISO-2022-KR", "\u{1B}$)C\u{E}0!\u{F}", "가"),
        ("utf-16be", "\0a", "a"), ("utf-16le", "a\0", "a"), ("iso-2022-jp-2", "\u{1B}$BF|\u{1B}(B", "日"), ("ibm037", "@", " "),
        ("iso-8859-5", "a~\\", "a~\\"), ("euc-jp", "a~\\", "a~\\"), ("big5", "a~\\", "a~\\"), ("shift_jis", "a~\\", "a~\\"),
    ])
    func sevenBit(name: String, text: String, expected: String) throws {
        #expect(decoded(try #require(Charset(name.utf8)), [Array(text.utf8)]).text == expected)
    }

    @Test("does not know every name", arguments: ["", "x-unknown", "utf-8//TRANSLIT", "../../etc/passwd", "a b",
        String(repeating: "x", count: 100)])
    func unknown(name: String) {
        #expect(Charset(name.utf8) == nil)
    }

    @Test("knows those that it names", arguments: Charset.common)
    func common(name: String) {
        #expect(Charset(name.utf8) != nil)
    }

    @Test("always makes UTF-8", arguments: Charset.common)
    func always(name: String) throws {
        var generator = SeededGenerator(7)
        for _ in 0..<20 {
            let bytes = (0..<200).map { _ in UInt8.random(in: 0...255, using: &generator) }
            let output = decoded(try #require(Charset(name.utf8)), bytes.pieces(using: &generator))
            #expect(String(validating: output, as: UTF8.self) != nil)
        }
    }

    private func decoded(_ charset: Charset, _ pieces: [[UInt8]]) -> [UInt8] {
        var decoder = CharsetDecoder(charset)
        var output: [UInt8] = []
        for piece in pieces { piece.withUnsafeBytes { decoder.decode($0, into: &output) } }
        decoder.finish(into: &output)
        return output
    }
}

@Suite("EncodedWord")
struct EncodedWordTests {
    /// RFC 2047 §8, and what it does not have.
    @Test("is decoded as people read it", arguments: [
        ("(=?ISO-8859-1?Q?a?=)", "(a)"), ("(=?ISO-8859-1?Q?a?= b)", "(a b)"), ("(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)",
         "(ab)"),
        ("(=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=)", "(ab)"), ("(=?ISO-8859-1?Q?a_b?=)", "(a b)"),
        ("(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)", "(a b)"),
        ("=?ISO-8859-1?Q?Andr=E9?= Pirard", "André Pirard"),
        ("=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?= =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
         "If you can read this you understand the example."),
        ("=?utf-8?b?w6RwZmVs?=", "äpfel"), ("=?utf-8?q?caf=C3?= =?utf-8?q?=A9?=", "café"),
        ("=?US-ASCII*EN?Q?Keith_Moore?=", "Keith Moore"),
        ("=?x-unknown?q?a?=", "=?x-unknown?q?a?="), ("=?utf-8?x?a?=", "=?utf-8?x?a?="), ("=?utf-8?q?open", "=?utf-8?q?open"),
        ("=?", "=?"), ("a =?utf-8?q??= b", "a  b"), ("plain", "plain"), ("", ""), ("=?utf-8?q?with space?=", "with space"),
        ("=?utf-8?q?=ZZ?=", "=ZZ"),
    ])
    func decode(value: String, expected: String) {
        var output: [UInt8] = []
        Array(value.utf8).withUnsafeBytes { EncodedWord.decode($0, into: &output) }
        #expect(output.text == expected)
    }

    @Test("raw bytes are UTF-8 if they can be, else Latin-1")
    func raw() {
        var output: [UInt8] = []
        ([0x61, 0xE9, 0x20, 0xC3, 0xA9] as [UInt8]).withUnsafeBytes { EncodedWord.decode($0, into: &output) }
        #expect(output.text == "aé é")
    }
}
