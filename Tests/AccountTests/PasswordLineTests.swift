import Authentication
import Testing

@testable import SystemAuthentication

@Suite("A line of a password file")
struct PasswordLineTests {
    static let crypt = "$5$rounds=1000$abcdefgh$n5Oe8qZ3JtWvqzM0pKzG4v0qX1fZJ7w6b0yGdPpWmT1"
    static let scram = StoredPassword.scram(Secret(Array("pencil".utf8)), iterations: 4096).text

    @Test("comes back as it was", arguments: [
        "ann:\(crypt):5000:5001:/var/mail/ann", "ann:\(scram):5000:5000:/srv/a b", "ann:!", "änn@example.org:*",
        "ann/phone:\(scram)", "ann/phone-2.x_Y:\(crypt):2027-01-31",
    ])
    func text(line: String) throws {
        let parsed = try PasswordLine.parse(Array(line.utf8))
        #expect(parsed?.text == line.replacing(":*", with: ":!"))
    }

    @Test("has its parts")
    func parts() throws {
        let user = try #require(try PasswordLine.parse(Array("ann:!:5000:5001:/var/mail/ann".utf8)))
        #expect(user == PasswordLine(user: "ann", password: .locked, owner: .init(uid: 5000, gid: 5001, home: "/var/mail/ann")))
        let app = try #require(try PasswordLine.parse(Array("ann/phone:!:1970-01-02".utf8)))
        #expect(app == PasswordLine(user: "ann", label: "phone", password: .locked, expiry: Day(number: 1)))
        #expect(try PasswordLine.parse(Array("ann:!:::".utf8)) == PasswordLine(user: "ann", password: .locked))
        #expect(try PasswordLine.parse([]) == nil)
        #expect(try PasswordLine.parse(Array("# ann".utf8)) == nil)
    }

    @Test("is refused if it makes no sense, and says why", arguments: [
        ("ann", "there is no password"), (":!", "a user's name is missing"), ("ann:secret", "no hash"), ("ann:", "no hash"),
        ("ann:{PLAIN}secret", "no hash"), ("ann:$nonsense$", "no hash"), ("ann:!:0:0:/root", "root"),
        ("ann:!:x:5:/", "not a number"),
        ("ann:!:5:5:home", "absolute"), ("ann:!:5:5", "uid, gid and home"), ("ann:!:5:5:/a:b", "uid, gid and home"),
        ("ann/:!", "label"), ("ann/a b:!", "label"), ("ann/../x:!", "label"), ("ann/.:!", "label"), ("ann/x:!:soon", "expiry"),
        ("ann/x:!:2027-02-30", "expiry"), ("ann/x:!:2027-1-1", "expiry"), ("ann/x:!:2027-01-01:5", "expiry"), ("..:!", "name"),
        ("/x:!", "name"), ("a\u{1}b:!", "name"),
    ])
    func malformed(line: String, reason: String) {
        #expect { try PasswordLine.parse(Array(line.utf8)) } throws: { error in
            (error as? PasswordLine.Malformed)?.reason.contains(reason) == true
        }
    }

    @Test("that is not UTF-8 is refused")
    func encoding() {
        #expect(throws: PasswordLine.Malformed.self) { try PasswordLine.parse([0x61, 0xFF, 0x3A, 0x21]) }
    }
}

@Suite("A day")
struct DayTests {
    @Test("is what the calendar says", arguments: [("1970-01-01", 0), ("2000-02-29", 11016), ("2026-11-21", 20778)])
    func numbers(text: String, number: Int) {
        #expect(Day(text)?.number == number)
        #expect("\(Day(number: number))" == text)
    }

    @Test("is in the calendar",
          arguments: ["2026-02-29", "2026-13-01", "2026-00-10", "2026-01-00", "26-01-01", "2026-01-01x", "", "-"])
    func nonsense(text: String) {
        #expect(Day(text) == nil)
    }
}

@Suite("A stored password")
struct StoredPasswordTests {
    @Test("matches the password that it was made from, and no other", arguments: ["yescrypt", "scram"])
    func matches(kind: String) throws {
        let secret = Secret(Array("correct horse".utf8))
        let stored = kind == "scram" ? .scram(secret, iterations: 4096) : try #require(StoredPassword.yescrypt(secret))
        #expect(stored.matches(secret))
        #expect(!stored.matches(Secret(Array("correct horsf".utf8))))
        #expect(!stored.matches(Secret([])))
        #expect(StoredPassword(text: stored.text) == stored)
        #expect(stored.text.hasPrefix(kind == "scram" ? "{SCRAM-SHA-256}" : "$y$"))
    }

    @Test("is another one each time")
    func salt() {
        let secret = Secret(Array("x".utf8))
        #expect(StoredPassword.scram(secret, iterations: 4096) != StoredPassword.scram(secret, iterations: 4096))
    }

    @Test("that is locked matches nothing")
    func locked() {
        #expect(!StoredPassword.locked.matches(Secret([])))
        #expect(!StoredPassword.locked.matches(Secret(Array("!".utf8))))
    }
}
