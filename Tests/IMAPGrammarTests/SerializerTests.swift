import IMAPTypes
import Testing
@testable import IMAPGrammar

private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

@Suite struct SerializerAtomTests {
    @Test("number", arguments: [0, 1, 9, 10, 99, 100, 4_294_967_295, 9_223_372_036_854_775_807, UInt64.max])
    func number(value: UInt64) {
        #expect(written { $0.number(value) } == String(value))
    }

    @Test("string", arguments: [
        ("", "\"\""), ("abc", "\"abc\""), ("a b", "\"a b\""), ("a\"b\\", "\"a\\\"b\\\\\""), ("a\r\nb", "{4}\r\na\r\nb"), ("\r",
        "{1}\r\n\r"),
        ("\n", "{1}\r\n\n"), ("\t\u{7F}", "\"\t\u{7F}\""), ("NIL", "\"NIL\""), ("a\0b", "{3}\r\na?b"),
    ])
    func string(value: String, text: String) {
        #expect(written { $0.string(bytes(value)) } == text)
        #expect(written { $0.string(bytes("x" + value)[1...]) } == text)
        #expect(written { $0.nstring(bytes(value)) } == text)
    }

    @Test func stringsOfEightBitsDependOnTheMode() {
        #expect(written { $0.string(bytes("é")) } == "{2}\r\n" + bytes("é").latin1)
        #expect(written(mode: .utf8Accept) { $0.string(bytes("é\"")) } == "\"" + bytes("é").latin1 + "\\\"\"")
        #expect(written(mode: .imap4rev2) { $0.string([0xE9]) } == "{1}\r\n\u{E9}")
    }

    @Test func longStringsAreLiterals() {
        let longest = String(repeating: "x", count: Serializer.longestQuoted)
        #expect(written { $0.string(bytes(longest)) } == "\"\(longest)\"")
        #expect(written { $0.string(bytes(longest + "x")) } == "{\(Serializer.longestQuoted + 1)}\r\n\(longest)x")
    }

    @Test func nilIsNIL() {
        #expect(written { $0.nstring(nil as [UInt8]?) } == "NIL")
    }

    @Test("astring", arguments: [
        ("abc]", "abc]"), ("", "\"\""), ("a b", "\"a b\""), ("nil", "\"nil\""), ("NILS", "NILS"), ("%", "\"%\""),
    ])
    func astring(value: String, text: String) {
        #expect(written { $0.astring(bytes(value)) } == text)
    }

    @Test func literalHeaders() {
        #expect(written { $0.literalHeader(size: 0) } == "{0}\r\n")
        #expect(written { $0.literal8Header(size: 12) } == "~{12}\r\n")
    }

    @Test func sequenceSets() {
        #expect(written { $0.sequenceSet(UIDSet([1, 2, 3, 5, 7, 8].map { UID($0)! })) } == "1:3,5,7:8")
        #expect(written { $0.sequenceSet([3, 4, 5, 1, 2, 2, 9]) } == "3:5,1:2,2,9")
        #expect(written { $0.sequenceSet([UInt32.max - 1, .max]) } == "4294967294:4294967295")
        #expect(written { $0.sequenceSet([UID(7)!]) } == "7")
    }

    @Test func parentheses() {
        #expect(written { $0.parenthesized([1, 2, 3] as [UInt32]) { $0.number($1) } } == "(1 2 3)")
        #expect(written { $0.parenthesized([] as [UInt32]) { $0.number($1) } } == "()")
    }

    @Test("date-time", arguments: [
        (0, 0, "\" 1-Jan-1970 00:00:00 +0000\""), (837_596_665, -420, "\"17-Jul-1996 02:44:25 -0700\""),
        (-1, 0, "\"31-Dec-1969 23:59:59 +0000\""), (951_782_400, 330, "\"29-Feb-2000 05:30:00 +0530\""),
        (.max, 0, "\"31-Dec-9999 23:59:59 +0000\""), (.min, 0, "\" 1-Jan-0000 00:00:00 +0000\""),
        (.max, 5999, "\"31-Dec-9999 23:59:59 +9959\""), (.min, -5999, "\" 1-Jan-0000 00:00:00 -9959\""),
    ] as [(Int64, Int16, String)])
    func dateTime(seconds: Int64, zone: Int16, text: String) {
        #expect(written { $0.dateTime(InternalDate(seconds: seconds, zone: zone)) } == text)
    }

    @Test func bytesCanBePutInPlace() {
        #expect(written {
            $0.write("ab")
            $0.write(atMost: 100) { room in
                room.copyBytes(from: bytes("cd"))
                return 2
            }
            $0.write(atMost: 0) { _ in 0 }
            $0.write("e")
        } == "abcde")
    }

    @Test func theBufferIsReused() {
        var serializer = Serializer()
        serializer.write("abc")
        #expect(serializer.count == 3)
        serializer.removeAll()
        #expect(serializer.isEmpty)
        #expect(serializer.bytes.capacity >= 3)
        serializer.reserve(1_000_000)
        serializer.removeAll()
        #expect(serializer.bytes.capacity < 1_000_000)
    }
}

@Suite struct StatusTests {
    let tag = Tag(Array("a1".utf8))!

    @Test func conditions() {
        #expect(written { $0.tagged(tag, .ok, "Done") } == "a1 OK Done\r\n")
        #expect(written { $0.tagged(tag, .no, .nonexistent, "No such mailbox") } == "a1 NO [NONEXISTENT] No such mailbox\r\n")
        #expect(written { $0.tagged(tag, .bad, "No") } == "a1 BAD No\r\n")
        #expect(written { $0.untagged(.bad, "x") } == "* BAD x\r\n")
        #expect(written { $0.untagged(.ok, .readOnly, "x") } == "* OK [READ-ONLY] x\r\n")
        #expect(written { $0.answer(nil, .bad, "x") } == "* BAD x\r\n")
        #expect(written { $0.answer(tag, .bad, "x") } == "a1 BAD x\r\n")
        #expect(written { $0.bye("Bye") } == "* BYE Bye\r\n")
        #expect(written { $0.bye(.unavailable, "Bye") } == "* BYE [UNAVAILABLE] Bye\r\n")
        #expect(written { $0.continuation("Go on") } == "+ Go on\r\n")
        #expect(written { $0.continuation(base64: []) } == "+ \r\n")
        #expect(written { $0.continuation(base64: bytes("AGE=")) } == "+ AGE=\r\n")
    }

    @Test("response codes", arguments: [
        (.alert, "ALERT"), (.tooBig, "TOOBIG"), (.unknownCTE, "UNKNOWN-CTE"), (.useAttr, "USEATTR"), (.noModSeq, "NOMODSEQ"),
        (.appendUID(UIDValidity(38505)!, UIDSet([UID(3955)!])), "APPENDUID 38505 3955"),
        (.appendUID(UIDValidity(1)!, UIDSet([UID(3)!, UID(4)!])), "APPENDUID 1 3:4"),
        (.copyUID(UIDValidity(38505)!, source: [304, 319, 320].map { UID($0)! },
                  destination: [3956, 3957, 3958].map { UID($0)! }),
         "COPYUID 38505 304,319:320 3956:3958"),
        (.badCharset([]), "BADCHARSET"), (.badCharset(["UTF-8", "US-ASCII"]), "BADCHARSET (UTF-8 US-ASCII)"),
        (.capability(["IMAP4rev2", "STATUS=SIZE"]), "CAPABILITY IMAP4rev2 STATUS=SIZE"),
        (.highestModSeq(ModSequence(715_194_045_007)!), "HIGHESTMODSEQ 715194045007"), (.modified([7, 8, 9]), "MODIFIED 7:9"),
        (.permanentFlags([.deleted, .seen], [], canCreate: true), "PERMANENTFLAGS (\\Deleted \\Seen \\*)"),
        (.permanentFlags([], [Keyword("$Junk")!], canCreate: false), "PERMANENTFLAGS ($Junk)"),
        (.permanentFlags([], [], canCreate: true), "PERMANENTFLAGS (\\*)"),
        (.permanentFlags([], [], canCreate: false), "PERMANENTFLAGS ()"),
        (.uidNext(4392), "UIDNEXT 4392"), (.uidValidity(UIDValidity(3_857_529_045)!), "UIDVALIDITY 3857529045"),
        (.unseen(SequenceNumber(12)!), "UNSEEN 12"),
    ] as [(ResponseCode, String)])
    func codes(code: ResponseCode, text: String) {
        #expect(written { $0.untagged(.ok, code, "x") } == "* OK [\(text)] x\r\n")
    }

    @Test func codesWithoutData() {
        let codes: [ResponseCode] = [
            .alert, .alreadyExists, .authenticationFailed, .authorizationFailed, .cannot, .clientBug, .closed, .contactAdmin,
            .corruption, .expired, .expungeIssued, .hasChildren, .inUse, .limit, .nonexistent, .noModSeq, .noPerm, .notSaved,
            .overQuota, .parse, .privacyRequired, .readOnly, .readWrite, .serverBug, .tooBig, .tryCreate, .uidNotSticky,
            .unavailable, .unknownCTE, .useAttr,
        ]
        for code in codes {
            let name = "\(code)".uppercased().filter(\.isLetter)
            #expect(written { $0.responseCode(code) }.filter(\.isLetter) == name)
        }
    }

    @Test("a text cannot break its line", arguments: ["", "a\rb", "a\nb", "a\0b", "[x", "é", "\t", "\u{7F}"])
    func respText(text: String) {
        #expect(RespText(bytes(text)) == nil)
        let replaced = RespText(replacingIn: text)
        #expect(RespText(replaced.bytes) == replaced)
    }

    @Test func textsPass() {
        #expect(RespText(bytes("a [b] c"))?.bytes == bytes("a [b] c"))
        #expect(RespText(replacingIn: "a\r\nbé").bytes == bytes("a??b?"))
        #expect(RespText(replacingIn: "[ALERT] x").bytes == bytes("?[ALERT] x"))
    }

    @Test func atomsAreAtoms() {
        #expect(Atom("X-Y")?.bytes == bytes("X-Y"))
        for text in ["", "a b", "a\r", "a\n", "\0", "é", "a]"] { #expect(Atom(text) == nil) }
        #expect(written { $0.atom(Atom("X-Y")!) } == "X-Y")
    }
}

@Suite struct DataTests {
    @Test func selected() {
        #expect(written { $0.exists(172) } == "* 172 EXISTS\r\n")
        #expect(written { $0.recent(0) } == "* 0 RECENT\r\n")
        #expect(written { $0.expunge(SequenceNumber(3)!) } == "* 3 EXPUNGE\r\n")
        #expect(written { $0.flags(.all, [Keyword("$Junk")!]) }
            == "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Junk)\r\n")
        #expect(written { $0.vanished(UIDSet([UID(41)!, UID(42)!]), earlier: true) } == "* VANISHED (EARLIER) 41:42\r\n")
        #expect(written { $0.vanished(UIDSet([UID(41)!]), earlier: false) } == "* VANISHED 41\r\n")
    }

    @Test func server() {
        #expect(written { $0.capability(["IMAP4rev2", "AUTH=PLAIN"]) } == "* CAPABILITY IMAP4rev2 AUTH=PLAIN\r\n")
        #expect(written { $0.enabled([]) } == "* ENABLED\r\n")
        #expect(written { $0.enabled(["IMAP4rev2"]) } == "* ENABLED IMAP4rev2\r\n")
        #expect(written { $0.id(nil) } == "* ID NIL\r\n")
        #expect(written { $0.id([]) } == "* ID NIL\r\n")
        #expect(written { $0.id([IDField(name: bytes("name"), value: bytes("imapd")), IDField(name: bytes("os"), value: nil)]) }
            == "* ID (\"name\" \"imapd\" \"os\" NIL)\r\n")
    }

    @Test func capabilitiesAreAtoms() {
        for name in Capability.beforeLogin(startTLS: true, mechanisms: ["PLAIN"]) + Capability.afterLogin {
            #expect(Atom(name) != nil)
        }
        #expect(Capability.beforeLogin(startTLS: true, mechanisms: []).contains("LOGINDISABLED"))
        #expect(!Capability.beforeLogin(startTLS: false, mechanisms: ["PLAIN"]).contains("LOGINDISABLED"))
    }

    @Test func search() {
        #expect(written { $0.search([]) } == "* SEARCH\r\n")
        #expect(written { $0.search([2, 84, 882]) } == "* SEARCH 2 84 882\r\n")
        #expect(written { $0.search([2, 5], modSequence: ModSequence(917_162_500)!) } == "* SEARCH 2 5 (MODSEQ 917162500)\r\n")
        #expect(written { $0.search([], modSequence: ModSequence(9)!) } == "* SEARCH\r\n")
        #expect(written { $0.sort([5, 3, 4]) } == "* SORT 5 3 4\r\n")
    }

    @Test func esearch() {
        var response = ESearchResponse(tag: Tag(bytes("A282"))!, byUID: false)
        #expect(written { $0.esearch(response) } == "* ESEARCH (TAG \"A282\")\r\n")
        response.min = 2
        response.count = 3
        #expect(written { $0.esearch(response) } == "* ESEARCH (TAG \"A282\") MIN 2 COUNT 3\r\n")
        response = ESearchResponse(tag: Tag(bytes("A283"))!, byUID: true)
        response.all = [2, 10, 11]
        #expect(written { $0.esearch(response) } == "* ESEARCH (TAG \"A283\") UID ALL 2,10:11\r\n")
        response.all = []
        response.count = 0
        #expect(written { $0.esearch(response) } == "* ESEARCH (TAG \"A283\") UID COUNT 0\r\n")
        response = ESearchResponse(tag: nil, byUID: false)
        response.max = 7
        response.modSequence = ModSequence(9)!
        #expect(written { $0.esearch(response) } == "* ESEARCH MAX 7 MODSEQ 9\r\n")
    }

    /// The examples of RFC 5256 §4, and chains and fans.
    @Test("threads", arguments: [
        ([], "* THREAD\r\n"), ([(2, 0)], "* THREAD (2)\r\n"), ([(2, 0), (3, 0)], "* THREAD (2)(3)\r\n"),
        ([(2, 0), (3, 0), (6, 1), (4, 2), (23, 3), (44, 2), (7, 3), (96, 4)], "* THREAD (2)(3 6 (4 23)(44 7 96))\r\n"),
        ([(nil, 0), (3, 1), (5, 1)], "* THREAD ((3)(5))\r\n"),
        ([(166, 0), (167, 0), (nil, 0), (168, 1), (169, 1), (172, 0)], "* THREAD (166)(167)((168)(169))(172)\r\n"),
        ([(1, 0), (2, 1), (3, 2), (4, 3)], "* THREAD (1 2 3 4)\r\n"),
        ([(1, 0), (2, 1), (3, 1), (4, 1)], "* THREAD (1 (2)(3)(4))\r\n"),
        ([(1, 0), (2, 1), (3, 2), (4, 2), (5, 1), (6, 0)], "* THREAD (1 (2 (3)(4))(5))(6)\r\n"),
        ([(nil, 0), (3, 1), (4, 2), (5, 2), (6, 1)], "* THREAD ((3 (4)(5))(6))\r\n"),
    ] as [([(UInt32?, Int)], String)])
    func threads(entries: [(UInt32?, Int)], text: String) {
        #expect(written { $0.thread(entries.map { Serializer.ThreadEntry($0, depth: $1) }) } == text)
    }

    @Test func threadsMayBeDeep() {
        let chain = (0..<100_000).map { Serializer.ThreadEntry(UInt32($0 + 1), depth: $0) }
        #expect(written { $0.thread(chain) }.hasSuffix(" 99999 100000)\r\n"))
    }
}

@Suite struct MailboxResponseTests {
    private let name = MailboxName("台北 x")!

    @Test func names() {
        #expect(written { $0.mailbox(.inbox) } == "INBOX")
        #expect(written { $0.mailbox(name) } == "\"&U,BTFw- x\"")
        #expect(written(mode: .imap4rev2) { $0.mailbox(name) } == bytes("\"台北 x\"").latin1)
        #expect(written { $0.mailbox(MailboxName("A&B")!) } == "A&-B")
        #expect(written(mode: .utf8Accept) { $0.mailbox(MailboxName("A&B")!) } == "A&B")
    }

    @Test func lists() {
        #expect(written { $0.list(ListResponse(.inbox, separator: "/")) } == "* LIST () \"/\" INBOX\r\n")
        #expect(written { $0.list(ListResponse(nil, separator: "/", attributes: .noSelect)) }
            == "* LIST (\\Noselect) \"/\" \"\"\r\n")
        #expect(written { $0.lsub(ListResponse(MailboxName("#news.x"), separator: nil)) } == "* LSUB () NIL #news.x\r\n")
        #expect(written {
            $0.list(ListResponse(MailboxName("a b"), separator: "\\", attributes: [.hasNoChildren, .subscribed],
                                 use: [.sent, .drafts]))
        } == "* LIST (\\Subscribed \\HasNoChildren \\Sent \\Drafts) \"\\\\\" \"a b\"\r\n")
        #expect(written { $0.list(ListResponse(MailboxName("x"), separator: ".", use: [.junk])) }
            == "* LIST (\\Junk) \".\" x\r\n")
    }

    @Test func listsWithExtendedData() {
        var response = ListResponse(MailboxName("Foo"), separator: "/", attributes: .nonExistent)
        response.childInfo = .subscribed
        #expect(written { $0.list(response) } == "* LIST (\\NonExistent) \"/\" Foo (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n")
        response.childInfo = [.subscribed, .specialUse]
        response.oldName = MailboxName("B r")
        #expect(written { $0.list(response) }
            == "* LIST (\\NonExistent) \"/\" Foo (\"CHILDINFO\" (\"SUBSCRIBED\" \"SPECIAL-USE\") \"OLDNAME\" (\"B r\"))\r\n")
        response.childInfo = []
        #expect(written { $0.list(response) } == "* LIST (\\NonExistent) \"/\" Foo (\"OLDNAME\" (\"B r\"))\r\n")
    }

    @Test func status() {
        #expect(written { $0.status(MailboxName("blurdybloop")!, [(.messages, .number(231)), (.uidNext, .number(44292))]) }
            == "* STATUS blurdybloop (MESSAGES 231 UIDNEXT 44292)\r\n")
        #expect(written { $0.status(.inbox, []) } == "* STATUS INBOX ()\r\n")
    }

    @Test func namespace() {
        #expect(written { $0.namespace(personal: [Serializer.Namespace(prefix: "", separator: "/")]) }
            == "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n")
        #expect(written {
            $0.mode = .imap4rev2
            $0.namespace(personal: [Serializer.Namespace(prefix: "é/", separator: "/")])
        } == bytes("* NAMESPACE ((\"é/\" \"/\")) NIL NIL\r\n").latin1)
        #expect(written {
            $0.namespace(personal: [], otherUsers: [Serializer.Namespace(prefix: "~", separator: "/")],
                         shared: [Serializer.Namespace(prefix: "é.", separator: "."),
                                  Serializer.Namespace(prefix: "b", separator: nil)])
        } == "* NAMESPACE NIL ((\"~\" \"/\")) ((\"&AOk-.\" \".\")(\"b\" NIL))\r\n")
    }
}

@Suite struct FetchResponseTests {
    @Test func aLine() {
        var keywords = KeywordSet()
        keywords[1] = true
        keywords[127] = true
        let table = [Keyword("$Junk")!, Keyword("x")!]
        #expect(written {
            $0.fetch(SequenceNumber(5)!)
            $0.fetchUID(UID(7)!)
            $0.space()
            $0.fetchFlags([.seen, .answered], keywords, of: table, isRecent: true)
            $0.space()
            $0.fetchInternalDate(InternalDate(seconds: 0))
            $0.space()
            $0.fetchSize(44_827)
            $0.space()
            $0.fetchModSeq(ModSequence(9)!)
            $0.fetchEnd()
        } == "* 5 FETCH (UID 7 FLAGS (\\Answered \\Seen \\Recent x) INTERNALDATE \" 1-Jan-1970 00:00:00 +0000\" "
            + "RFC822.SIZE 44827 MODSEQ (9))\r\n")
    }

    @Test("flags", arguments: [([], false, "FLAGS ()"), ([], true, "FLAGS (\\Recent)"), (.seen, false, "FLAGS (\\Seen)")]
        as [(SystemFlags, Bool, String)])
    func flags(system: SystemFlags, isRecent: Bool, text: String) {
        #expect(written { $0.fetchFlags(system, KeywordSet(), of: [], isRecent: isRecent) } == text)
    }

    @Test func keywordsAlone() {
        var keywords = KeywordSet()
        keywords[0] = true
        #expect(written { $0.fetchFlags([], keywords, of: [Keyword("x")!], isRecent: false) } == "FLAGS (x)")
    }

    @Test("sections are echoed", arguments: [
        (Section(), nil, "BODY[]"), (Section(part: [1, 2]), 0, "BODY[1.2]<0>"), (Section(text: .text), nil, "BODY[TEXT]"),
        (Section(part: [1], text: .mime), 5, "BODY[1.MIME]<5>"), (Section(text: .header), nil, "BODY[HEADER]"),
        (Section(text: .headerFields([bytes("Date"), bytes("a b")])), nil, "BODY[HEADER.FIELDS (Date \"a b\")]"),
        (Section(part: [3], text: .headerFieldsNot([bytes("X")])), nil, "BODY[3.HEADER.FIELDS.NOT (X)]"),
    ] as [(Section, UInt64?, String)])
    func sections(section: Section, origin: UInt64?, text: String) {
        #expect(written { $0.bodySection(section, origin: origin) } == text)
    }

    @Test func binary() {
        #expect(written { $0.binary(part: [1, 2]) } == "BINARY[1.2]")
        #expect(written { $0.binary(part: [], origin: 7) } == "BINARY[]<7>")
        #expect(written { $0.binarySize(part: [4]) } == "BINARY.SIZE[4]")
    }
}
