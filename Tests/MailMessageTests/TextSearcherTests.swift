import MailMessage
import TestSupport
import Testing

@Suite("TextSearcher")
struct TextSearcherTests {
    @Test("finds without regard to case", arguments: [
        ("hello", "say Hello there", true), ("HELLO", "hello", true), ("hello", "hell o", false), ("", "", true),
        ("x", "", false),
        ("straße", "STRASSE", false), ("straße", "Straße", true), ("müller", "MÜLLER", true), ("müller", "MU\u{308}LLER", true),
        ("привет", "ПРИВЕТ, мир", true), ("cafe", "un café", true), ("日本", "これは日本語", true), ("日本", "これは語", false),
        ("한국", "대한민국 한국", true), ("a b", "a\u{A0}b", true), ("abc", "ＡＢＣ", true), ("[x]", "{x}", false), ("@", "`", false),
        ("a", "0123456789abcdefA", true), ("efg", "0123456789abcdefghi", true), ("z", "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyZ",
         true),
        ("éa", "xéA", true), ("ﬁn", "fin", true),
    ])
    func find(needle: String, text: String, isFound: Bool) {
        var searcher = TextSearcher(Array(needle.utf8), folder: CaseFolder())
        Array(text.utf8).withUnsafeBytes { searcher.search($0) }
        #expect(searcher.isFound == isFound)
    }

    @Test("finds across pieces, as a plain search of the folded text would", arguments: 0..<30)
    func pieces(seed: UInt64) {
        var generator = SeededGenerator(seed)
        let folder = CaseFolder()
        let alphabet = Array("aAbéÉ\u{301}я")
        for _ in 0..<40 {
            let text = (0..<40).map { _ in alphabet.randomElement(using: &generator)! }
            let needle = (0..<Int.random(in: 1...4, using: &generator)).map { _ in alphabet.randomElement(using: &generator)! }
            var searcher = TextSearcher(Array(String(needle).utf8), folder: folder)
            var at = 0
            let scalars = Array(String(text).unicodeScalars)
            while at < scalars.count {
                let end = min(scalars.count, at + Int.random(in: 1...10, using: &generator))
                let piece = String(String.UnicodeScalarView(scalars[at..<end]))
                Array(piece.utf8).withUnsafeBytes { searcher.search($0) }
                at = end
            }
            let haystack = folder.fold(String(text).utf8), wanted = folder.fold(String(needle).utf8)
            let expected = haystack.indices.contains { haystack[$0...].starts(with: wanted) }
            #expect(searcher.isFound == expected, "\(String(needle)) in \(String(text))")
        }
    }

    @Test("forgets what was found only when told to")
    func reset() {
        var searcher = TextSearcher(Array("ab".utf8), folder: CaseFolder())
        Array("a".utf8).withUnsafeBytes { searcher.search($0) }
        searcher.begin()
        Array("b".utf8).withUnsafeBytes { searcher.search($0) }
        #expect(!searcher.isFound)
        Array("ab".utf8).withUnsafeBytes { searcher.search($0) }
        searcher.begin()
        #expect(searcher.isFound)
        searcher.reset()
        #expect(!searcher.isFound)
    }
}
