import MailMessage
import TestSupport
import Testing

@Suite("StructuredField")
struct StructuredFieldTests {
    @Test("takes a Content-Type apart", arguments: [
        ("text/plain; charset=us-ascii (Plain text)", "text/plain charset=us-ascii"),
        ("text/plain; charset=\"us-ascii\"", "text/plain charset=us-ascii"),
        ("TEXT / PLAIN ; charset = utf-8", "TEXT/PLAIN charset=utf-8"),
        ("multipart/mixed;boundary=\"a;b\\\"c\"", "multipart/mixed boundary=a;b\"c"),
        ("application/pdf; name=My file (1).pdf; x=y", "application/pdf name=My file (1).pdf x=y"),
        ("text/plain; ; =x; a; b=; c=\"", "text/plain b= c="),
        ("text/plain charset=utf-8", "text/plain"),
        ("text", ""), ("/plain", ""), ("", ""), (";", ""), ("text/", ""),
        ("application/x-stuff; title*0*=us-ascii'en'This%20; title*1=\"b\"",
         "application/x-stuff title*0*=us-ascii'en'This%20 title*1=b"),
        ("multipart/mixed; boundary=gc0p4Jq0M2Yt08jU534c0p", "multipart/mixed boundary=gc0p4Jq0M2Yt08jU534c0p"),
    ])
    func contentType(value: String, expected: String) {
        var field = StructuredField()
        field.parseContentType(Array(value.utf8)[...])
        #expect(field.described(separator: "/") == expected)
    }

    @Test("takes a Content-Disposition apart", arguments: [
        ("attachment; filename=genome.jpeg; modification-date=\"Wed, 12 Feb 1997 16:29:51 -0500\"",
         "attachment filename=genome.jpeg modification-date=Wed, 12 Feb 1997 16:29:51 -0500"),
        ("inline", "inline"), ("==", ""),
    ])
    func disposition(value: String, expected: String) {
        var field = StructuredField()
        field.parseDisposition(Array(value.utf8)[...])
        #expect(field.described(separator: "/") == expected)
    }

    @Test("lists languages", arguments: [("en, de-CH (Swiss)", "en,de-CH"), (",,,", ""), ("mi , en", "mi,en")])
    func languages(value: String, expected: String) {
        var field = StructuredField()
        field.parseLanguages(Array(value.utf8)[...])
        #expect(field.described(separator: ",") == expected)
    }
}

extension StructuredField {
    fileprivate func described(separator: String) -> String {
        ([words.map { Array(self[$0]).text }.joined(separator: separator)]
            + parameters.map { Array(self[$0.name]).text + "=" + Array(self[$0.value]).text }).joined(separator: " ")
    }
}
