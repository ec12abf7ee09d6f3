import IMAPTypes
import Testing
@testable import IMAPGrammar

/// The commands of the examples in RFC 9051 §6 and RFC 3501 §6.
@Suite struct RFCExampleTests {
    static let commands: [String] = [
        "abcd CAPABILITY", "efgh STARTTLS", "a002 NOOP", "A023 LOGOUT", "a004 AUTHENTICATE PLAIN dGVzdAB0ZXN0AHRlc3Q=",
        "A001 AUTHENTICATE GSSAPI", "A01 AUTHENTICATE PLAIN", "A01 AUTHENTICATE EXTERNAL =", "a001 LOGIN SMITH SESAME",
        "t2 ENABLE CONDSTORE X-GOOD-IDEA", "a1 ENABLE CONDSTORE", "A142 SELECT INBOX", "A143 SELECT Drafts",
        "A932 EXAMINE blurdybloop",
        "A003 CREATE owatagusiam/", "A004 CREATE owatagusiam/blurdybloop", "A682 LIST \"\" *", "A683 DELETE blurdybloop",
        "A685 DELETE foo/bar",
        "A86 LIST \"\" %", "A683 RENAME blurdybloop sarasoop", "Z433 RENAME INBOX old-mail", "1002 SUBSCRIBE Y",
        "1003 UNSUBSCRIBE X",
        "A002 SUBSCRIBE #news.comp.mail.mime", "A002 UNSUBSCRIBE #news.comp.mail.mime", "A101 LIST \"\" \"\"",
        "A102 LIST #news.comp.mail.misc \"\"", "A103 LIST /usr/staff/jones \"\"", "A202 LIST ~/Mail/ %", "A01 LIST \"\" \"*\"",
        "A02 LIST (SUBSCRIBED) \"\" \"*\"", "A03 LIST () \"\" \"%\" RETURN (CHILDREN)",
        "A04 LIST (REMOTE) \"\" \"%\" RETURN (CHILDREN)",
        "A05 LIST (REMOTE SUBSCRIBED) \"\" \"*\"", "A06 LIST (REMOTE) \"\" \"*\" RETURN (SUBSCRIBED)",
        "C04 LIST (SUBSCRIBED RECURSIVEMATCH) \"\" \"%\" RETURN (CHILDREN)", "D03 LIST (RECURSIVEMATCH SUBSCRIBED) \"\" \"*2\"",
        "a1 LIST \"\" (\"foo\")", "a3 LIST (SUBSCRIBED RECURSIVEMATCH) \"\" foo RETURN (CHILDREN)",
        "a3.1 LIST \"\" (% music/rock)",
        "A01 LIST \"\" % RETURN (STATUS (MESSAGES UNSEEN))",
        "A02 LIST (SUBSCRIBED RECURSIVEMATCH) \"\" % RETURN (STATUS (MESSAGES))",
        "A001 NAMESPACE", "A002 CREATE \"INBOX.Sent Mail\"", "A002 LIST (SPECIAL-USE) \"\" \"*\"",
        "A003 LIST (SPECIAL-USE) \"#mh/\" \"*\"",
        "A006 CREATE \"#mh/Deleted Items\"", "A002 LIST \"\" \"~mark/%\"", "A042 STATUS blurdybloop (UIDNEXT MESSAGES)",
        "A004 COPY 2:4 meeting",
        "A005 UID COPY 305:310 meeting", "A002 IDLE", "A003 FETCH 4 ALL", "A341 CLOSE", "A342 UNSELECT", "A202 EXPUNGE",
        "A282 SEARCH RETURN (MIN COUNT) FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\"",
        "A283 SEARCH RETURN () FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\"", "A284 SEARCH TEXT \"string not in mailbox\"",
        "A285 SEARCH CHARSET UTF-8 TEXT {12}\r\nотпуск", "A284 SEARCH RETURN (MIN) UNSEEN",
        "A285 UID SEARCH RETURN (MIN MAX) 1:5000",
        "A286 SEARCH RETURN (COUNT) DELETED", "A283 FETCH $ (UID INTERNALDATE FLAGS BODY.PEEK[HEADER])",
        "A300 SEARCH RETURN (SAVE) SINCE 1-Jan-2004 NOT FROM \"Smith\"", "A301 UID SEARCH UID $ SMALLER 4096",
        "A301 UID SEARCH $ SMALLER 4096",
        "P283 SEARCH CHARSET UTF-8 (OR $ 1,3000:3021) TEXT {8+}\r\nмать",
        "B283 SEARCH RETURN (SAVE) CHARSET KOI8-R (OR $ 1,3000:3021) TEXT {4}\r\nXXXX", "E283 COPY $ \"Other Messages\"",
        "F282 SEARCH RETURN (SAVE) KEYWORD $Junk", "F284 STORE $ +FLAGS.Silent (\\Deleted)",
        "C283 SEARCH RETURN (ALL SAVE) SINCE 12-Feb-2006 NOT FROM \"Smith\"",
        "C286 SEARCH RETURN (MAX SAVE MIN COUNT) SINCE 12-Feb-2006 NOT FROM \"Smith\"",
        "A654 FETCH 2:4 (FLAGS BODY[HEADER.FIELDS (DATE FROM)])", "A003 STORE 2:4 +FLAGS (\\Deleted)", "a UID MOVE 42:69 foo",
        "A003 UID EXPUNGE 3000:3002", "A999 UID FETCH 4827313:4828442 FLAGS",
        // RFC 3501.
        "a004 LOGIN joe password", "A003 LSUB \"#news.\" \"comp.%\"", "FXXZ CHECK",
        "A282 SEARCH FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\"",
        "A284 SEARCH CHARSET UTF-8 TEXT {6}\r\nXXXXXX",
        // RFC 7162, RFC 5256, RFC 6154, RFC 2971.
        "s101 UID FETCH 300:500 (FLAGS) (CHANGEDSINCE 12345 VANISHED)",
        "d105 STORE 7,5,9 (UNCHANGEDSINCE 320162338) +FLAGS.SILENT (\\Deleted)",
        "a SEARCH MODSEQ \"/flags/\\\\draft\" all 620162338", "A142 SELECT INBOX (CONDSTORE)",
        "A04 SELECT INBOX (QRESYNC (67890007 90060115194045000 41:211,214:541 (1:29997 20,30)))",
        "A283 SORT (SUBJECT REVERSE DATE) UTF-8 ALL",
        "A284 THREAD REFERENCES US-ASCII TEXT \"gewp\"", "t2 CREATE MySpecial (USE (\\Drafts \\Sent))",
        "t3 LIST \"\" \"%\" RETURN (SPECIAL-USE)",
        "a023 ID (\"name\" \"sodr\" \"version\" \"19.34\" \"vendor\" \"Pink Floyd Music Limited\")", "a042 ID NIL",
    ]

    @Test("are read", arguments: commands, [WireMode(), .imap4rev2])
    func read(text: String, mode: WireMode) throws {
        #expect(throws: Never.self) { try Parser.command(Array(text.utf8), mode: mode) }
        // The reader finds the same command in what the client sends.
        let heard = hear(Array((text + "\r\n").utf8), mode: mode, chunk: { 1 }).heard.filter { $0 != .continuation }
        #expect(heard == [.command(Array(text.utf8).latin1)])
    }

    @Test func unknownCommand() {
        do {
            _ = try parse("A442 XPIG-LATIN")
            Issue.record("read")
        } catch let error as CommandError {
            guard case .unknownCommand(let tag) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(tag.bytes.latin1 == "A442")
        } catch {
            Issue.record("\(error)")
        }
    }

    /// RFC 9051 §6.3.12.
    @Test func append() {
        let message = String(repeating: "x", count: 326)
        #expect(hear("A003 APPEND saved-messages (\\Seen) {326}\r\n\(message)\r\n")
            == [.append("A003 saved-messages flags 326", message: message), .appendEnd])
    }

    /// RFC 3502: the client learns of the failure in place of the second "+".
    @Test func multiappend() {
        let command = "A003 APPEND saved-messages (\\Seen) {5}\r\n"
            + "first (\\Seen) \" 7-Feb-1994 22:43:04 -0800\" {6}\r\nsecond\r\n"
        #expect(hear(command) == [
            .append("A003 saved-messages flags 5", message: "first"), .append("- - flags 760689784 6", message: "second"),
            .appendEnd,
        ])
    }
}
