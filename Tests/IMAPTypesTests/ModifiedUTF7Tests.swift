import IMAPTypes
import TestSupport
import Testing

@Suite struct ModifiedUTF7Tests {
    @Test("encodes and decodes", arguments: [
        ("", ""), ("INBOX", "INBOX"), ("a&b", "a&-b"), ("&", "&-"), ("&&", "&-&-"), ("台北", "&U,BTFw-"),
        ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"), ("Entwürfe", "Entw&APw-rfe"), ("é&", "&AOk-&-"),
        ("&é", "&-&AOk-"), ("é-", "&AOk--"), ("-", "-"), ("😀", "&2D3eAA-"), ("a😀b", "a&2D3eAA-b"), ("\u{FFFF}", "&,,8-"),
        ("\n", "&AAo-"), ("\u{7F}", "&AH8-"), ("~ +,/", "~ +,/"),
    ])
    func both(text: String, encoded: String) {
        #expect(ModifiedUTF7.encode(text) == Array(encoded.utf8))
        #expect(ModifiedUTF7.decode(Array(encoded.utf8)) == text)
        #expect(ModifiedUTF7.decodeCanonical(Array(encoded.utf8)) == text)
    }

    @Test("refuses what is not modified UTF-7", arguments: [
        "&", "a&", "&AOk", "&AOk!-", "&A-", "&AO-", "&AOl-", "&AOkA-", "&3gDYPQ-", "&2D0AYQ-", "é", "\n", "\u{7F}", "&Jjo/-",
        "&=-", "& -", "&&-",
    ])
    func bad(encoded: String) {
        #expect(ModifiedUTF7.decode(Array(encoded.utf8)) == nil)
        #expect(ModifiedUTF7.decodeCanonical(Array(encoded.utf8)) == nil)
    }

    @Test("reads needless shifts, but not as the one form of a name", arguments: [
        ("&AGE-", "a"), ("&ACY-", "&"), ("&AOk-&AOk-", "éé"), ("&2D0-&3gA-", "😀"), ("&AOkAYQ-", "éa"),
    ])
    func needless(encoded: String, text: String) {
        #expect(ModifiedUTF7.decode(Array(encoded.utf8)) == text)
        #expect(ModifiedUTF7.decodeCanonical(Array(encoded.utf8)) == nil)
    }

    @Test("writes in base64 what it is told to") func escaped() {
        let encoded = ModifiedUTF7.encode("a.b/é.") { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "/") }
        #expect(encoded == Array("a&AC4-b&AC8A6QAu-".utf8))
        #expect(ModifiedUTF7.decode(encoded) == "a.b/é.")
    }

    /// Of strings of all planes, and of those that look like the encoding.
    @Test("reads back what it wrote", arguments: 0..<40 as Range<UInt64>)
    func roundTrip(seed: UInt64) {
        var random = SeededGenerator(seed)
        for _ in 0..<200 {
            var scalars = String.UnicodeScalarView()
            for _ in 0..<Int.random(in: 0..<12, using: &random) {
                let ranges: [ClosedRange<UInt32>] = [0x20...0x7E, 0...0xFF, 0x26...0x2D, 0...0xFFFF, 0x10000...0x10FFFF]
                let value = UInt32.random(in: ranges.randomElement(using: &random)!, using: &random)
                if let scalar = Unicode.Scalar(value) { scalars.append(scalar) }
            }
            let text = String(scalars)
            let encoded = ModifiedUTF7.encode(text)
            #expect(encoded.allSatisfy { (0x20...0x7E).contains($0) })
            let decoded = ModifiedUTF7.decodeCanonical(encoded)
            #expect(decoded?.unicodeScalars.elementsEqual(text.unicodeScalars) == true, "\(encoded)")
        }
    }

    /// Of random bytes of its alphabet: whatever decodes is the one encoding of what it decodes to.
    @Test("has one form for each string", arguments: 0..<40 as Range<UInt64>)
    func oneForm(seed: UInt64) {
        var random = SeededGenerator(seed &+ 1_000)
        let alphabet = Array("&&&---AOkJjo2D3eAgZ+,/ 09z".utf8)
        for _ in 0..<500 {
            let bytes = (0..<Int.random(in: 0..<10, using: &random)).map { _ in alphabet.randomElement(using: &random)! }
            if let text = ModifiedUTF7.decodeCanonical(bytes) { #expect(ModifiedUTF7.encode(text) == bytes) }
        }
    }
}
