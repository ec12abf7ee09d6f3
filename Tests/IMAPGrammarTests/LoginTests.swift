import IMAPTypes
import Testing
@testable import IMAPGrammar

private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

@Suite struct LoginTests {
    @Test("is read before login and after", arguments: [
        ("a LOGIN joe secret", PreAuthCommand.notAuthenticated(.login(user: bytes("joe"), password: bytes("secret")))),
        ("a LOGIN \"joe\" \"a \\\"b\\\\\"", .notAuthenticated(.login(user: bytes("joe"), password: bytes("a \"b\\")))),
        ("a LOGIN {3}\r\njoe {6}\r\nse\r\nt!", .notAuthenticated(.login(user: bytes("joe"), password: bytes("se\r\nt!")))),
        ("a LOGIN joe p*ss%", .notAuthenticated(.login(user: bytes("joe"), password: bytes("p*ss%")))),
        ("a LOGIN joe \"\"", .notAuthenticated(.login(user: bytes("joe"), password: []))),
        ("a LOGIN NIL \"pässwörd\"", .notAuthenticated(.login(user: bytes("NIL"), password: bytes("pässwörd")))),
        ("a AUTHENTICATE plain", .notAuthenticated(.authenticate(mechanism: bytes("PLAIN"), initialResponse: nil))),
        ("a AUTHENTICATE PLAIN =", .notAuthenticated(.authenticate(mechanism: bytes("PLAIN"), initialResponse: []))),
        ("a AUTHENTICATE SCRAM-SHA-256 AGEAYg==",
         .notAuthenticated(.authenticate(mechanism: bytes("SCRAM-SHA-256"), initialResponse: bytes("AGEAYg==")))),
        ("a AUTHENTICATE PLAIN ", .notAuthenticated(.authenticate(mechanism: bytes("PLAIN"), initialResponse: nil))),
        ("a STARTTLS", .notAuthenticated(.startTLS)), ("a CAPABILITY ", .any(.capability)), ("a LOGOUT", .any(.logout)),
        ("a ID NIL", .any(.id(nil))), ("a ID ()", .any(.id([]))),
        ("a ID (\"name\" \"x y\" \"version\" NIL {2}\r\nos {3+}\r\na\nb)", .any(.id([
            IDField(name: bytes("name"), value: bytes("x y")), IDField(name: bytes("version"), value: nil),
            IDField(name: bytes("os"), value: bytes("a\nb")),
        ]))),
    ])
    func good(text: String, command: PreAuthCommand) throws {
        let early = try Parser.preAuthCommand(Array(text.utf8))
        #expect(early.command == command)
        #expect(early.tag.bytes.latin1 == "a")
        let expected: Command = switch command {
        case .any(let any): .any(any)
        case .notAuthenticated(let login): .notAuthenticated(login)
        }
        #expect(try parse(text) == expected)
    }

    @Test("is refused at", arguments: [
        ("a LOGIN", 7), ("a LOGIN joe", 11), ("a LOGIN joe a b", 14), ("a LOGIN joe a(b", 13), ("a LOGIN joe \"a", 14),
        ("a LOGIN (joe) x", 8), ("a AUTHENTICATE", 14), ("a AUTHENTICATE PLAIN * ", 21), ("a AUTHENTICATE PLAIN =x", 22),
        ("a AUTHENTICATE \"PLAIN\"", 15), ("a STARTTLS x", 11), ("a ID", 4), ("a ID (\"a\")", 9), ("a ID (a b)", 6),
        ("a ID x", 5),
        ("a LOGIN joe {5}", 15),
    ])
    func bad(text: String, offset: Int) {
        expectError(text, at: offset)
        do {
            _ = try Parser.preAuthCommand(Array(text.utf8))
            Issue.record("read")
        } catch .badArguments(_, let error) {
            #expect(error.offset == offset)
        } catch {
            Issue.record("\(error)")
        }
    }

    @Test("needs login", arguments: [
        "a SELECT INBOX", "a select", "a APPEND x {5", "a UID FETCH 1 FLAGS", "a IDLE", "a LIST", "a ENABLE IMAP4rev2",
        "a THREAD !!",
    ])
    func needsLogin(text: String) {
        do {
            _ = try Parser.preAuthCommand(Array(text.utf8))
            Issue.record("read")
        } catch .needsLogin(let tag) {
            #expect(tag.bytes.latin1 == "a")
            #expect(CommandError.needsLogin(tag).text == "Log in first")
        } catch {
            Issue.record("\(error)")
        }
    }

    @Test("is unknown", arguments: ["a FOO", "a LOGINS", "a ", "a \"LOGIN\" x y"])
    func unknown(text: String) {
        do {
            _ = try Parser.preAuthCommand(Array(text.utf8))
            Issue.record("read")
        } catch .unknownCommand(let tag) {
            #expect(tag.bytes.latin1 == "a")
        } catch {
            Issue.record("\(error)")
        }
    }

    @Test func fieldsOfIDAreLimited() {
        let field = "\"a\" \"b\""
        let most = Array(repeating: field, count: Parser.Limit.idFields).joined(separator: " ")
        #expect((try? parse("a ID (\(most))")) != nil)
        #expect((try? parse("a ID (\(most) \(field))")) == nil)
    }
}
