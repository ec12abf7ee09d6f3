import Foundation
import MailMessage
import TestSupport
import Testing

@Suite("TransferDecoder")
struct TransferDecoderTests {
    @Test("knows encodings by name", arguments: [
        ("7bit", true), ("8BIT", true), ("binary", true), ("Base64 ", true), ("quoted-printable (x)", true), ("", true),
        ("x-uuencode", false), ("base65", false),
    ])
    func names(value: String, isKnown: Bool) {
        #expect((TransferEncoding(Array(value.utf8)[...]) != nil) == isKnown)
    }

    @Test("decodes base64", arguments: [
        ("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYg==", "foob"), ("Zm9v\r\nYmFy\r\n", "foobar"),
        ("Z m 9 v", "foo"), ("Zm9vYg", "foob"), ("Zg==Zg==", "ff"), ("!Zm9v!", "foo"), ("Z", ""), ("====", ""), ("Zm9v=",
         "foo"),
    ])
    func base64(encoded: String, expected: String) {
        #expect(decode(.base64, [Array(encoded.utf8)]).text == expected)
    }

    @Test("decodes quoted-printable", arguments: [
        ("caf=C3=A9", "café"), ("caf=c3=a9", "café"), ("soft=\r\nbreak", "softbreak"), ("soft=\nbreak", "softbreak"),
        ("soft= \t\r\nbreak", "softbreak"), ("trailing  \r\nspace", "trailing\r\nspace"), ("a b  c\n", "a b  c\n"),
        ("=", ""), ("=4", "=4"), ("=4x", "=4x"), ("=zz", "=zz"), ("==41", "=A"), ("a=", "a"), ("1 = 2", "1 = 2"),
        ("Now's the time =\r\nfor all folk to come=\r\n to the aid of their country.",
         "Now's the time for all folk to come to the aid of their country."), ("lone\rCR", "lone\rCR"), ("end \t", "end"),
    ])
    func quotedPrintable(encoded: String, expected: String) {
        #expect(decode(.quotedPrintable, [Array(encoded.utf8)]).text == expected)
    }

    @Test("round-trips, in any pieces", arguments: 0..<20)
    func roundTrip(seed: UInt64) {
        var generator = SeededGenerator(seed)
        let original = (0..<Int.random(in: 0...3000, using: &generator)).map { _ in UInt8.random(in: 0...255,
            using: &generator) }
        let base64 = Array(Data(original).base64EncodedString(options: .lineLength76Characters).utf8)
        #expect(decode(.base64, base64.pieces(using: &generator)) == original)
        let quoted = original.enumerated().flatMap { index, byte in
            Array((index % 20 == 19 ? "=\r\n" : "").utf8)
                + (byte > 0x20 && byte < 0x7F && byte != 0x3D ? [byte] : Array(String(format: "=%02X", byte).utf8))
        }
        #expect(decode(.quotedPrintable, quoted.pieces(using: &generator)) == original)
    }

    @Test("gives the same for any pieces of anything", arguments: 0..<20)
    func pieces(seed: UInt64) {
        var generator = SeededGenerator(seed)
        for _ in 0..<20 {
            let alphabet = Array("=  \t\r\n\rA4f=Zg+/".utf8)
            let bytes = (0..<200).map { _ in alphabet.randomElement(using: &generator)! }
            for encoding in [TransferEncoding.identity, .base64, .quotedPrintable] {
                #expect(decode(encoding, [bytes]) == decode(encoding, bytes.pieces(using: &generator)))
            }
        }
    }

    private func decode(_ encoding: TransferEncoding, _ pieces: [[UInt8]]) -> [UInt8] {
        var decoder = TransferDecoder(encoding)
        var output: [UInt8] = []
        for piece in pieces { piece.withUnsafeBytes { decoder.decode($0, into: &output) } }
        decoder.finish(into: &output)
        return output
    }
}
