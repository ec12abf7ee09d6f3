import Authentication
import Foundation
import Privilege
import TestSupport
import Testing

@testable import SystemAuthentication

@Suite("A password file")
struct PasswordFileTests {
    let directory: TemporaryDirectory
    let file: PasswordFile
    static let scram = StoredPassword.scram(Secret(Array("pencil".utf8)), iterations: 4096)

    init() throws {
        directory = try TemporaryDirectory()
        file = PasswordFile(path: directory.path("users"))
    }

    private func write(_ text: String, mode: Int = 0o600) throws {
        try Data(text.utf8).write(to: URL(filePath: file.path))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file.path)
    }

    private var text: String {
        get throws { try String(contentsOfFile: file.path, encoding: .utf8) }
    }

    @Test("says of a user what is in its lines, and of nobody else")
    func entry() throws {
        try write("""
            # users
            annabel:!:1:1:/
            ann/phone:\(Self.scram.text)
            ann:!:5000:5000:/var/mail/ann
            ann/phone:!
            an:!
            ann:!:6000:6000:/
            ann/desk:!:2027-01-31
            """)
        let entry = try file.entry(of: "ann")
        #expect(entry.user?.owner?.uid == 5000)
        #expect(entry.appPasswords.map(\.label) == ["phone", "desk"])
        #expect(entry.firstPassword == Self.scram)
        #expect(try file.entry(of: "nobody").isEmpty)
        #expect(try file.entry(of: "").isEmpty)
    }

    @Test("is read whole, however long it is")
    func long() throws {
        let lines = (0..<5000).map { "user\($0):!:\($0 + 1):1:/home/user\($0)" }
        try write(lines.joined(separator: "\n") + "\n" + "last:!:7:7:/" )
        #expect(try file.entry(of: "user4999").user?.owner?.uid == 5000)
        #expect(try file.entry(of: "last").user?.owner?.uid == 7)
        #expect(try file.contents().lines.count == 5001)
    }

    @Test("tells what is wrong, with the lines' numbers")
    func problems() throws {
        try write("ann:!\n\nbob:secret\nann:!\n", mode: 0o644)
        let (lines, problems) = try file.contents()
        #expect(lines.map(\.user) == ["ann"])
        #expect(problems.map(\.line) == [3, 4, nil])
        #expect(problems[2].reason.contains("chmod 600"))
    }

    @Test("that is not there is told apart from one that says nothing")
    func missing() {
        #expect(throws: PasswordFile.Unreadable.self) { try file.entry(of: "ann") }
    }

    @Test("changes one line, and keeps all others, comments and errors too, and its mode")
    func set() throws {
        try write("# users\nbob:secret\nann:!:1:1:/\nann/phone:!\n", mode: 0o640)
        try file.set(PasswordLine(user: "ann", password: .locked, owner: .init(uid: 2, gid: 3, home: "/x")))
        #expect(try text == "# users\nbob:secret\nann:!:2:3:/x\nann/phone:!\n")
        try file.set(PasswordLine(user: "ann", label: "desk", password: .locked, expiry: Day(number: 1)))
        #expect(try text == "# users\nbob:secret\nann:!:2:3:/x\nann/phone:!\nann/desk:!:1970-01-02\n")
        let mode = try FileManager.default.attributesOfItem(atPath: file.path)[.posixPermissions] as? Int
        #expect(mode == 0o640)
    }

    @Test("behind a symbolic link is changed where it is, and the link stays")
    func link() throws {
        let link = PasswordFile(path: directory.path("link"))
        try FileManager.default.createDirectory(atPath: directory.path("elsewhere"), withIntermediateDirectories: false)
        try FileManager.default.createSymbolicLink(atPath: link.path, withDestinationPath: "elsewhere/users")
        #expect(throws: PasswordFile.Unreadable.self, "it would not be known whether it is to be there") {
            try link.set(PasswordLine(user: "ann", password: .locked))
        }
        try "bob:!:1:1:/\n".write(toFile: directory.path("elsewhere/users"), atomically: false, encoding: .utf8)
        try link.set(PasswordLine(user: "ann", password: .locked))
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link.path) == "elsewhere/users")
        #expect(try PasswordFile(path: directory.path("elsewhere/users")).contents().lines.map(\.user) == ["bob", "ann"])
        #expect(try link.remove(user: "bob", label: nil))
        #expect(try link.contents().lines.map(\.user) == ["ann"])
    }

    @Test("is made when the first user is, for nobody else to read")
    func new() throws {
        try file.set(PasswordLine(user: "ann", password: .locked))
        #expect(try text == "ann:!\n")
        let mode = try FileManager.default.attributesOfItem(atPath: file.path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
    }

    @Test("loses an app password, or a user with all of them")
    func remove() throws {
        try write("ann:!\nann/phone:!\nann/desk:!\nbob:!\n")
        #expect(try file.remove(user: "ann", label: "phone"))
        #expect(try text == "ann:!\nann/desk:!\nbob:!\n")
        #expect(try !file.remove(user: "ann", label: "phone"))
        #expect(try file.remove(user: "ann", label: nil))
        #expect(try text == "bob:!\n")
    }
}

@Suite("Who may log in")
struct AccountDirectoryTests {
    let directory: TemporaryDirectory
    let accounts: AccountDirectory
    static var password: Secret { Secret(Array("pencil".utf8)) }

    init() throws {
        directory = try TemporaryDirectory()
        let scram = StoredPassword.scram(Self.password, iterations: 4096).text
        let app = StoredPassword.scram(Secret(Array("app".utf8)), iterations: 4096).text
        try Data("""
            ann:\(scram):5000:5001:/var/mail/ann
            ann/phone:\(app)
            ann/old:\(StoredPassword.scram(Secret(Array("old".utf8)), iterations: 4096).text):2020-01-01
            bob:!:5002:5002:/var/mail/bob
            """.utf8).write(to: URL(filePath: directory.path("users")))
        var accounts = AccountDirectory(passwordFile: PasswordFile(path: directory.path("users")), pam: nil)
        accounts.domains = ["example.org"]
        accounts.passwordUse = PasswordUse(directory: directory.path("lib/use"))
        self.accounts = accounts
    }

    private func logIn(_ user: String, _ password: String) -> Result<AccountDirectory.Accepted, AccountDirectory.Refused> {
        let credentials = Credentials(user: Array(user.utf8), password: Secret(Array(password.utf8)))!
        return Result { () throws(AccountDirectory.Refused) in try accounts.logIn(credentials, peer: "192.0.2.1") }
    }

    private func verdict(_ user: String, _ password: String) -> Verdict? {
        if case .failure(let refused) = logIn(user, password) { return refused.verdict }
        return nil
    }

    @Test("is somebody with one of the passwords, by any of the names", arguments: [
        ("ann", "pencil", nil), ("ann@example.org", "pencil", nil), ("ann@EXAMPLE.org", "pencil", nil), ("ann", "app", "phone"),
        ("ann/phone", "app", "phone"), ("ann/phone@example.org", "app", "phone"),
    ])
    func accepted(user: String, password: String, label: String?) throws {
        let accepted = try logIn(user, password).get()
        #expect(accepted.account == Account(name: "ann", uid: 5000, gid: 5001, groups: [5001], home: "/var/mail/ann"))
        #expect(accepted.label == label)
    }

    @Test("is nobody else", arguments: [
        ("ann", "wrong"), ("ann", ""), ("ann/phone", "pencil"), ("ann/desk", "app"), ("ann/", "pencil"), ("bob", "!"),
        ("bob", ""),
        ("eve", "pencil"), ("ann@example.com", "pencil"), ("@example.org", "pencil"),
    ])
    func rejected(user: String, password: String) {
        #expect(verdict(user, password) == .rejected)
    }

    @Test("is told that an app password has expired only with that password")
    func expired() {
        #expect(verdict("ann", "old") == .expired)
        #expect(verdict("ann/old", "wrong") == .rejected)
    }

    @Test("leaves a note of when an app password was used")
    func use() throws {
        let use = try #require(accounts.passwordUse)
        #expect(use.last(user: "ann", label: "phone") == nil)
        _ = try logIn("ann", "pencil").get()
        #expect(use.last(user: "ann", label: "phone") == nil)
        _ = try logIn("ann", "app").get()
        #expect(use.last(user: "ann", label: "phone") != nil)
        use.forget(user: "ann", label: "phone")
        #expect(use.last(user: "ann", label: "phone") == nil)
    }

    @Test("cannot be said while the file cannot be read")
    func unavailable() {
        var accounts = accounts
        accounts.passwordFile = PasswordFile(path: directory.path("gone"))
        let credentials = Credentials(user: Array("ann".utf8), password: Self.password)!
        #expect { try accounts.logIn(credentials, peer: "") } throws: { ($0 as? AccountDirectory.Refused)?.verdict == .unavailable }
    }

    @Test("gets a SCRAM challenge that does not tell who is there")
    func decoys() throws {
        for user in ["eve", "bob", "ann/desk"] {
            let opening = try #require(SCRAMOpening(Array("n,,n=\(user),r=12345678".utf8), isPlus: false, offersPlus: false))
            let challenges = try (0..<2).map { _ in String(decoding: try accounts.challenge(opening), as: UTF8.self) }
            let salts = Set(challenges.map { $0.split(separator: ",")[1] })
            #expect(salts.count == 1, "asked twice, it is the same")
            #expect(challenges.allSatisfy { $0.hasSuffix(",i=4096") })
        }
    }
}
