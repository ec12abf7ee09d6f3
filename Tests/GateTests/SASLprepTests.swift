import Foundation
import TestSupport
import Testing

@testable import Authentication

@Suite struct SASLprepTests {
    private func prepare(_ text: String) -> String? {
        SASLprep.prepare(Array(text.utf8)).map { String(decoding: $0, as: UTF8.self) }
    }

    @Test("the examples of RFC 4013 §3, and others", arguments: [
        ("I\u{AD}X", "IX"), ("user", "user"), ("USER", "USER"), ("\u{AA}", "a"), ("\u{2168}", "IX"),
        ("\u{7}", nil), ("\u{627}1", nil), ("\u{627}1\u{628}", "\u{627}1\u{628}"),
        ("", ""), ("a b", "a b"), ("a\u{A0}b", "a b"), ("a\u{3000}b", "a b"), ("a\u{200B}b", "a b"), ("\u{FEFF}a", "a"),
        ("\u{FB01}n", "fin"), ("\u{FF21}\u{FF11}", "A1"), ("o\u{308}", "\u{F6}"), ("\u{F6}", "\u{F6}"), ("\u{212B}", "\u{C5}"),
        // Marks in another order, and one that joins with nothing.
        ("a\u{301}\u{323}", "\u{1EA1}\u{301}"), ("q\u{307}\u{323}", "q\u{323}\u{307}"),
        // Syllables that are joined of parts, and what is no part.
        ("\u{1112}\u{1161}\u{11AB}", "\u{D55C}"), ("\u{D558}\u{11AB}", "\u{D55C}"), ("\u{D558}\u{11A7}", "\u{D558}\u{11A7}"),
        // Newer than Unicode 3.2.
        ("\u{1F600}", "\u{1F600}"), ("\u{1E9E}", "\u{1E9E}"),
        ("\u{7F}", nil), ("a\u{85}", nil), ("\u{E000}", nil), ("\u{FFFD}", nil), ("\u{FFFE}", nil), ("\u{10FFFD}", nil),
        ("\u{202E}", nil),
        ("\u{5D0}a", nil), ("a\u{5D0}", nil), ("\u{5D0}", "\u{5D0}"), ("\u{5D0}1", nil),
    ] as [(String, String?)])
    func examples(text: String, prepared: String?) {
        // By their bytes: Swift compares characters, which is what is looked at here.
        #expect(prepare(text).map { Array($0.utf8) } == prepared.map { Array($0.utf8) }, "\(text.unicodeScalars.map(\.value))")
    }

    @Test("what is no UTF-8 cannot be prepared")
    func malformed() {
        for bytes: [UInt8] in [[0xFF], [0xC3], [0xED, 0xA0, 0x80], [0x61, 0x80]] { #expect(SASLprep.prepare(bytes) == nil) }
    }

    @Test("as Python does it")
    func python() async throws {
        var random = SeededGenerator(4013)
        let blocks: [ClosedRange<UInt32>] = [
            0x20...0x7E, 0x80...0x36F, 0x300...0x345, 0x370...0x5FF, 0x600...0x6FF, 0x900...0xD7F, 0xE00...0x11FF,
            0x1E00...0x1FFF,
            0x2000...0x218F, 0x2460...0x24FF, 0x3000...0x33FF, 0xAC00...0xD7A3, 0xF900...0xFFEF, 0x1D100...0x1D7FF,
            0x2F800...0x2FA1D,
        ]
        var texts = blocks.flatMap { block in
            stride(from: block.lowerBound, through: block.upperBound, by: block.lowerBound == 0xAC00 ? 29 : 1)
                .compactMap { Unicode.Scalar($0).map { String($0) } }
        }
        for _ in 0..<4000 {
            var text = String.UnicodeScalarView()
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                if let scalar = Unicode.Scalar(.random(in: blocks.randomElement(using: &random)!, using: &random)) { text.append(scalar) }
            }
            texts.append(String(text))
        }
        let script = """
            import stringprep as s, sys, unicodedata
            nfkc = lambda t: unicodedata.ucd_3_2_0.normalize("NFKC", t)
            tables = [s.in_table_c12, s.in_table_c21_c22, s.in_table_c3, s.in_table_c4, s.in_table_c5, s.in_table_c6, s.in_table_c7,
                      s.in_table_c8, s.in_table_c9]
            for line in sys.stdin:
                text = bytes.fromhex(line).decode()
                # Python puts marks that came later in the order of a later Unicode.
                if any(unicodedata.ucd_3_2_0.category(c) == "Cn" for c in text):
                    print("?")
                    continue
                text = "".join(" " if s.in_table_c12(c) else c for c in text)
                text = nfkc("".join(c for c in text if not s.in_table_b1(c)))
                right = [s.in_table_d1(c) for c in text]
                bad = any(t(c) for t in tables for c in text) or any(right) and (
                    any(s.in_table_d2(c) for c in text) or not right[0] or not right[-1])
                print("-" if bad else text.encode().hex())
            """
        let hex = { (text: String) in text.utf8.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined() }
        let outcome = try await Program("python3", package: "python3").run(
            ["-c", script], input: Data(texts.map { hex($0) + "\n" }.joined().utf8))
        let wanted = outcome.output.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
        try #require(wanted.count == texts.count, "\(outcome)")
        let data = SASLprep.CharacterData()
        for (text, wanted) in zip(texts, wanted) {
            let got = SASLprep.prepare(text.utf8, data).map { hex(String(decoding: $0, as: UTF8.self)) } ?? "-"
            if got != wanted, wanted != "?" { Issue.record("\(text.unicodeScalars.map { String($0.value, radix: 16) }): \(got), Python says \(wanted)") }
        }
    }

    @Test("verifiers are what other programs make of the same password",
          arguments: ["pencil", "p\u{308}\u{AA}\u{2168}\u{A0}x", "\u{E9}\u{FB01}"])
    func gsasl(password: String) async throws {
        let salt = [UInt8](1...12)
        let outcome = try await Program("gsasl", package: "gsasl").run(
            ["--mkpasswd", "--mechanism", "SCRAM-SHA-256", "--password", password, "--iteration-count", "4096",
             "--salt", String(decoding: Base64.encode(salt), as: UTF8.self)], environment: ["LC_ALL": "C.UTF-8"])
        let verifier = SCRAMVerifier(password: Secret(Array(password.utf8)), salt: salt, iterations: 4096)
        #expect(outcome.output.contains(verifier.text.split(separator: ",").dropFirst(2).joined(separator: ",")), "\(outcome)\n\(verifier.text)")
    }

    @Test("a password is right as it was typed, prepared or not")
    func matching() {
        let secret = { (text: String) in Secret(Array(text.utf8)) }
        let verifier = SCRAMVerifier(password: secret("o\u{308}\u{A0}"), salt: [UInt8](1...12), iterations: 4096)
        #expect(verifier.matches(secret("o\u{308}\u{A0}")) && verifier.matches(secret("\u{F6} ")))
        #expect(!verifier.matches(secret("o ")))
        // What SASLprep refuses is used as it is.
        let odd = SCRAMVerifier(password: secret("a\u{7}"), salt: [UInt8](1...12), iterations: 4096)
        #expect(odd.matches(secret("a\u{7}")) && !odd.matches(secret("a")))
        let nothing = SCRAMVerifier(password: secret("\u{AD}"), salt: [UInt8](1...12), iterations: 4096)
        #expect(nothing.matches(secret("\u{AD}")) && !nothing.matches(secret("")))
    }
}
