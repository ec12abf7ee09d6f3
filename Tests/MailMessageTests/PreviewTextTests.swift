import MailMessage
import TestSupport
import Testing

@Suite("Previews")
struct PreviewTextTests {
    private func plain(_ text: String) -> String {
        String(decoding: Array(text.utf8).withUnsafeBytes { PreviewText.plain($0) }, as: UTF8.self)
    }

    private func html(_ text: String) -> String {
        String(decoding: Array(text.utf8).withUnsafeBytes { PreviewText.html($0) }, as: UTF8.self)
    }

    @Test("of plain text are one line of what people read", arguments: [
        ("", ""), ("   \r\n\t\n", ""), ("Hello\r\nWorld\r\n", "Hello World"), ("  a \t b\u{A0}\u{2003}c  ", "a b c"),
        // Invisible: byte order mark, zero width space, soft hyphen, bidirectional override, NUL, escape.
        ("\u{FEFF}a\u{200B}b\u{AD}c\u{202E}d\0\u{1B}[1m", "abcd[1m"), ("\u{200C} \u{200C}x\u{200C}y", "x\u{200C}y"),
        ("Grüße, 日本語 \u{1F468}\u{200D}\u{1F469}", "Grüße, 日本語 \u{1F468}\u{200D}\u{1F469}"),
        // What others said, only if there is nothing else.
        ("> quoted\r\n> more\r\nmy words\r\n", "my words"), ("> quoted\n>> deeper\n", "quoted deeper"),
        (" > quoted\nAnswer\n", "Answer"),
        ("text\n-- \nsignature", "text"), ("text\r\n-- \r\nsignature", "text"), ("-- no signature", "-- no signature"),
        ("=====\nTitle\n-----\ntext\n* * *\n", "Title text"), ("--\ntext", "-- text"),
        ("-----BEGIN PGP MESSAGE-----\n\nhQEMA\n", ""), ("-----BEGIN PGP PUBLIC KEY BLOCK-----\nx\n", ""),
        ("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nsigned\n-----BEGIN PGP SIGNATURE-----\nx\n", "signed"),
    ])
    func plainText(text: String, preview: String) { #expect(plain(text).unicodeScalars.elementsEqual(preview.unicodeScalars)) }

    @Test("of HTML have no tags", arguments: [
        ("<p>Hello <b>W</b>orld</p><p>again</p>", "Hello World again"), ("a<br>b<BR/>c<td>d", "a b c d"),
        ("<html><head><title>no</title><style type=\"a>b\">p { x }</style></head><body>yes</body></html>", "yes"),
        ("<script>if (a < b && c) document.write('<p>no</p>')</script>yes", "yes"), ("<!-- no > --> yes <!-- never ends", "yes"),
        ("<!DOCTYPE html><?xml version='1'?>yes<![endif]>", "yes"), ("<a href=\"x>y\" title='>'>link</a>", "link"),
        ("1 < 2 &amp;&nbsp;3 &gt; 2", "1 < 2 & 3 > 2"),
        ("Gr&uuml;&szlig;e &#8364; &#x20ac; &Agrave; &yuml; &hellip;", "Grüße € € À ÿ …"),
        ("AT&T &unknown; &#xFFFFFFFFF; &#99999999; &", "AT&T &unknown; &#xFFFFFFFFF; \u{FFFD} &"),
        ("<blockquote>quoted</blockquote>mine", "mine"), ("<blockquote>only <p>this</blockquote>", "only this"),
        ("</blockquote>a<blockquote>", "a"), ("preheader&zwnj;&nbsp;&zwnj;&nbsp;text", "preheader\u{200C} text"),
        ("<style>never ends", ""), ("text <unfinished", "text"), ("<", "<"), ("</", ""), ("&#", "&#"), ("", ""),
    ])
    func htmlText(text: String, preview: String) { #expect(html(text).unicodeScalars.elementsEqual(preview.unicodeScalars)) }

    @Test("have 200 characters at most, and no space at the end", arguments: [
        (194, 199), (195, 200), (196, 200), (198, 200), (199, 199), (200, 200), (201, 200), (5000, 200),
    ])
    func length(letters: Int, characters: Int) {
        let words = String(repeating: "ü", count: letters) + " more"
        #expect(plain(words).unicodeScalars.count == characters)
        #expect(html(words) == plain(words))
        #expect(plain(words).last != " ")
    }

    @Test("come of any bytes")
    func anyBytes() {
        var generator = SeededGenerator(11)
        let seeds = ["<p>a</p>", "<!--", "-->", "&amp;", "&#x", "<style>", "</style", "<blockquote>", "\"", "'", "<", ">", "\n",
                     "> "]
        for _ in 0..<2000 {
            var bytes: [UInt8] = []
            for _ in 0..<Int.random(in: 0...40, using: &generator) {
                if Bool.random(using: &generator) { bytes += Array(seeds.randomElement(using: &generator)!.utf8) } else {
                    bytes.append(UInt8.random(in: 0...255, using: &generator))
                }
            }
            for preview in [bytes.withUnsafeBytes { PreviewText.plain($0) }, bytes.withUnsafeBytes { PreviewText.html($0) }] {
                let text = String(validating: preview, as: UTF8.self)
                #expect(text != nil)
                #expect((text?.unicodeScalars.count ?? 0) <= 200)
                #expect(!preview.contains { $0 < 0x20 })
            }
        }
    }
}
