import IMAPGrammar
import IMAPTypes
import MailStore
import TestSupport
import Testing
@testable import IMAPSession

@Suite("MessageSearch")
struct MessageSearchTests {
    private static let day = CalendarDay(year: 2020, month: 1, day: 2)!

    /// 1: plain. 2: multipart with an encoded text. 3: encoded words. 4: an image. 5: broken. 6: its content is gone.
    private static func mailbox() -> FakeMailbox {
        let mailbox = FakeMailbox([
            Corpus.message("plain"), Corpus.message("forwarded-multipart"), Corpus.message("encoded-words"),
            Array("Subject: image\nContent-Type: image/png\n\nhello pixels\n".utf8),
            Array("Date: nonsense\nX-Empty:\nSubject: two\n lines\n\n".utf8), Array("Subject: gone\n\n".utf8),
        ])
        mailbox.messages[0].metadata.flags = [.seen, .flagged]
        mailbox.messages[1].metadata.keywords[0] = true
        mailbox.messages[1].metadata.modSequence = ModSequence(9)!
        for (index, hours) in [-1, 0, 23, 24, 48,
            72].enumerated() { mailbox.messages[index].internalDate = day.daysSinceEpoch * 86_400 + Int64(hours) * 3600 }
        mailbox.messages[5].isGone = true
        return mailbox
    }

    private func search(_ key: SearchKey, charset: String? = nil, in mailbox: FakeMailbox = mailbox()) throws -> [UInt32] {
        let environment = SearchEnvironment(resolve: { _, byUID in byUID ? UIDSet([UID(2)!,
            UID(5)!]) : UIDSet(UID.first...UID(3)!) },
                                            isRecent: { $0.rawValue == 1 || $0.rawValue == 4 })
        let command = SearchCommand(byUID: false, charset: charset.map { Array($0.utf8) }, returning: nil, key: key)
        return try MessageSearch(command, in: mailbox, environment).matches(among: mailbox.uids).map(\.rawValue)
    }

    private static func header(_ name: String, _ value: String) -> SearchKey { .header(name: Array(name.utf8),
        value: Array(value.utf8)) }
    private static func body(_ value: String) -> SearchKey { .body(Array(value.utf8)) }
    private static func text(_ value: String) -> SearchKey { .text(Array(value.utf8)) }

    @Test("finds what a key means (RFC 9051 §6.4.4)", arguments: [
        (.all, [1, 2, 3, 4, 5, 6]),
        (.flag(.seen, isSet: true), [1]), (.flag(.seen, isSet: false), [2, 3, 4, 5, 6]),
        (.keyword(Keyword("$WORK")!, isSet: true), [2]), (.keyword(Keyword("none")!, isSet: true), []),
        (.keyword(Keyword("none")!, isSet: false), [1, 2, 3, 4, 5, 6]),
        (.recent, [1, 4]), (.new, [4]), (.old, [2, 3, 5, 6]),
        (.sequence(.lastCommand), [1, 2, 3]), (.uid(.lastCommand), [2, 5]), (.modSeq(ModSequence(2)!), [2]),
        (.before(day), [1]), (.on(day), [2, 3]), (.since(day), [2, 3, 4, 5]),
        (.sentOn(CalendarDay(year: 1994, month: 2, day: 7)!), [1]),
        (.sentBefore(CalendarDay(year: 2000, month: 1, day: 1)!), [1]),
        (.sentSince(CalendarDay(year: 2000, month: 1, day: 1)!), [3]),
        (.larger(1_000), []), (.larger(326), [2]), (.smaller(60), [4, 5]), (.larger(UInt64.max), []),
        (header("subject", "AFTERNOON"), [1]), (header("SUBJECT", "understand the example"), [3]), (header("from", "andré"),
         [3]),
        (header("from", "ANDRE"), [3]), (header("to", "äpfel und Birnen"), [3]), (header("x-empty", ""), [5]),
        (header("bcc", ""), []),
        (header("subject", "two lines"), [5]), (header("subject", "Two"), [2, 5]),
        (body("JOE"), [1]), (body("café au lait"), [2]), (body("<p>CAF\u{C9}"), [2]), (body("see below"), [2]),
        (body("PHA+"), []),
        (text("nonsenseX-Empty"), []), (text("x-empty: "), [5]),
        (body("afternoon"), []), (text("afternoon"), [1]), (body("the forwarded one"), [2]), (text("b@example.org"), [2]),
        (body("pixels"), []),
        (text("image"), [4]), (text(""), [1, 2, 3, 4, 5]), (text("Subject: two"), [2, 5]),
        (.not(text("afternoon")), [2, 3, 4, 5]), (.not(header("subject", "gone")), [1, 2, 3, 4, 5]), (.not(.larger(1)), []),
        (.or(body("joe"), .flag(.seen, isSet: false)), [1, 2, 3, 4, 5, 6]), (.and([body("joe"), .flag(.seen, isSet: true)]),
         [1]),
        (.and([text("e"), text("o"), header("to", "")]), [1, 3]), (.and([]), [1, 2, 3, 4, 5, 6]),
        (.or(header("subject", "gone"), .uid(.lastCommand)), [2, 5]),
    ] as [(SearchKey, [UInt32])])
    func key(key: SearchKey, expected: [UInt32]) throws {
        #expect(try search(key) == expected)
    }

    @Test("understands strings in the charset of the command")
    func charset() throws {
        #expect(try search(.header(name: Array("from".utf8), value: [0xE9]), charset: "ISO-8859-1") == [3])
        #expect(try search(.body([0xE9]), charset: "iso-8859-1") == [2])
        #expect(try search(.body(Array("é".utf8)), charset: "utf-8") == [2])
        #expect(throws: UnknownCharset.self) { try search(.all, charset: "x-nothing") }
        #expect(UnknownCharset().known.contains("UTF-8"))
    }

    @Test("opens a message once, and only if it must")
    func economy() throws {
        let mailbox = Self.mailbox()
        _ = try search(.and([Self.text("x"), .flag(.seen, isSet: true), .sequence(.lastCommand)]), in: mailbox)
        #expect(mailbox.opens == 1)
        _ = try search(.or(Self.text("nothing like it"), .and([Self.body("neither"), Self.header("subject", "a")])),
            in: mailbox)
        #expect(mailbox.opens == 1 + 5)
        mailbox.opens = 0
        _ = try search(.or(.flag(.seen, isSet: true), .or(.since(Self.day), .larger(1))), in: mailbox)
        #expect(mailbox.opens == 0)
    }

    @Test("finds in messages that do not fit into memory, where pieces meet too")
    func large() throws {
        var message = Array("Subject: large\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\n".utf8)
        message += [UInt8](repeating: 0x61, count: 131_072 - message.count - 3)
        message += Array("needle\nx\n".utf8)
        message += [UInt8](repeating: 0x62, count: 300_000)
        message += Array("\n--b\nSubject: in the last header\nContent-Type: text/html; charset=utf-8\n\nlast résumé\n--b--\n".utf8)
        let mailbox = FakeMailbox([message])
        for (wanted, isFound) in [("NEEDLE", true), ("aaaneedle", true), ("last header", true), ("LAST R\u{C9}SUM\u{C9}",
            true), ("ab", false)] {
            #expect(try search(Self.body(wanted), in: mailbox) == (isFound ? [1] : []), "\(wanted)")
        }
    }
}
