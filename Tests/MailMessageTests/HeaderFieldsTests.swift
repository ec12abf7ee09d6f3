import MailMessage
import TestSupport
import Testing

@Suite("Header fields")
struct HeaderFieldsTests {
    @Test("a date is an instant with a zone", arguments: [
        ("Fri, 21 Nov 1997 09:55:06 -0600", 880_127_706, -360), ("Tue, 1 Jul 2003 10:52:37 +0200", 1_057_049_557, 120),
        ("Thu,      13        Feb          1969      23:32               -0330 (Newfoundland Time)", -27_723_480, -210),
        ("21 Nov 97 09:55:06 GMT", 880_106_106, 0), ("Mon, 7 Feb 1994 21:52:25 -0800 (PST)", 760_686_745, -480),
        ("1 Jan 2020", 1_577_836_800, 0), ("1 Jan 20 10:00 EST", 1_577_890_800, -300),
        ("Wed Jan  1 10:00:00 2020", 1_577_872_800, 0),
        ("01-Jan-2020 00:00:00 Z", 1_577_836_800, 0), ("1 Jan 100 00:00:00 +0000", 946_684_800, 0),
        ("31 Dec 2016 23:59:60 +0000", 1_483_228_800, 0),
        ("1 january 2020 0:00 A", 1_577_836_800, 0), ("Sat, 1 Jan 2000 00:00:00 +9999", 946_684_800, 0),
    ])
    func date(value: String, seconds: Int64, zone: Int) {
        let date = MessageDate(Array(value.utf8)[...])
        #expect(date?.seconds == seconds)
        #expect(date?.zone == zone)
    }

    @Test("what is no date is none", arguments: ["", "yesterday", "30 Feb 2020", "1 Jan", "99999999999999999999 Jan 2020",
        "0 Jan 2020", "(", "1 2 3 4"])
    func noDate(value: String) {
        #expect(MessageDate(Array(value.utf8)[...]) == nil)
    }

    @Test("the day of a date is its sender's")
    func localDay() {
        #expect(MessageDate(Array("1 Jan 1970 00:30:00 +0100".utf8)[...])?.localDay == 0)
        #expect(MessageDate(Array("31 Dec 1969 23:30:00 -0100".utf8)[...])?.localDay == -1)
    }

    @Test("a subject has a base (RFC 5256 §2.1)", arguments: [
        ("Re: hello", "hello", true), ("hello", "hello", false), ("RE: Fwd: FW : hello (fwd) (FWD) ", "hello", true),
        ("[list] Re: hello", "hello", true),
        ("[list] hello", "hello", false), ("Re[2]: hello", "hello", true), ("[Fwd: hello]", "hello", true),
        ("[fwd: Re: hello]", "hello", true),
        ("[x]", "[x]", false), ("[a][b]", "[b]", false), ("Re:", "", true), ("  spaced   out  ", "spaced out", false),
        ("", "", false),
        ("=?utf-8?q?Re=3A_caf=C3=A9?=", "café", true), ("Regarding: x", "Regarding: x", false), ("re", "re", false),
        ("[", "[", false), ("[fwd:", "[fwd:", false),
        ("Re: [list] Re: hello", "hello", true), ("(fwd)", "", true), ("[Fwd: ]", "", true),
    ])
    func baseSubject(value: String, expected: String, isReply: Bool) {
        let subject = BaseSubject(value.utf8)
        #expect(subject.text.text == expected)
        #expect(subject.isReplyOrForward == isReply)
    }

    @Test("message ids are found among other things", arguments: [
        ("<a@b>", ["a@b"]), ("<a@b> <c@d>\t<e@f>", ["a@b", "c@d", "e@f"]), ("<a@b><c@d>", ["a@b", "c@d"]),
        ("<\"01KF8JCEOCBS0045PS\"@xxx.yyy.com>", ["01KF8JCEOCBS0045PS@xxx.yyy.com"]), ("Your message of <a@b> today", ["a@b"]),
        ("a@b", []), ("<a>", []), ("<@b>", []), ("<a@>", []), ("<a@b", []), ("<<a@b>", ["a@b"]), ("", []),
        ("(<x@y>) <a@b>", ["a@b"]),
        ("\"<x@y>\" <a@b>", ["a@b"]), ("<a @ b>", ["a@b"]),
    ] as [(String, [String])])
    func messageIDs(value: String, expected: [String]) {
        #expect(MessageID.list(Array(value.utf8)[...]).map(\.text) == expected)
    }

    @Test("fields are chosen by name (RFC 9051 §6.4.5.1)", arguments: [
        (["from"], false, "FROM: a\r\n\r\n"), (["subject", "x"], false, "Subject: folded\r\n twice\r\n\r\n"), ([], false,
         "\r\n"),
        (["subject"], true, "FROM: a\r\nTo : c\r\n\r\n"), (["to"], false, "To : c\r\n\r\n"), (["Bcc"], false, "\r\n"),
    ] as [([String], Bool, String)])
    func select(names: [String], isNot: Bool, expected: String) {
        let header = Array("FROM: a\r\nSubject: folded\n twice\r\nno field\nTo : c\n\nbody".utf8)
        var output: [UInt8] = []
        header.withUnsafeBytes {
            HeaderBlock.select(names.map { Array($0.utf8) }, isNot: isNot,
                from: UnsafeRawBufferPointer(rebasing: $0.prefix(header.count - 4)), into: &output)
        }
        #expect(output.text == expected)
    }
}
