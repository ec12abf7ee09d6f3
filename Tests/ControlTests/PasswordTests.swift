import Authentication
import Foundation
import Glibc
import SystemAuthentication
import TestSupport
import Testing

/// imapctl password, and what imapd then thinks of it.
@Suite struct PasswordTests {
    let directory: TemporaryDirectory
    let accounts: AccountDirectory

    init() throws {
        directory = try TemporaryDirectory()
        var accounts = AccountDirectory(passwordFile: PasswordFile(path: directory.path("users")), pam: nil)
        accounts.passwordUse = PasswordUse(directory: directory.path("use"))
        self.accounts = accounts
    }

    private func imapctl(_ arguments: String..., input: String = "") async throws -> Program.Outcome {
        try await Program.imapctl.run(
            ["password"] + arguments + ["--file", directory.path("users"), "--password-use", directory.path("use")],
            input: Data(input.utf8))
    }

    private func logIn(_ user: String, _ password: String) -> AccountDirectory.Accepted? {
        try? accounts.logIn(Credentials(user: Array(user.utf8), password: Secret(Array(password.utf8)))!, peer: "")
    }

    @Test("A password that is set is good, whatever it is kept as", arguments: [["--iterations", "4096"], ["--crypt"]])
    func set(options: [String]) async throws {
        let arguments = ["password", "set", "ann", "--uid", "5000", "--home", "/var/mail/ann", "--file", directory.path("users")]
        let outcome = try await Program.imapctl.run(arguments + options, input: Data("pencil\nmore\n".utf8))
        #expect(outcome.status == 0, "\(outcome)")
        #expect(logIn("ann", "pencil")?.account.gid == 5000)
        #expect(logIn("ann", "pencil\nmore") == nil)
        // Its owner stays.
        #expect(try await imapctl("set", "ann", "--iterations", "4096", input: "rubber").status == 0)
        #expect(logIn("ann", "pencil") == nil)
        #expect(logIn("ann", "rubber")?.account.home == "/var/mail/ann")
        let mode = try FileManager.default.attributesOfItem(atPath: directory.path("users"))[.posixPermissions] as? Int
        #expect(mode == 0o600)
    }

    @Test("An app password is shown once, good until it expires, and listed with its last use")
    func app() async throws {
        _ = try await imapctl("set", "ann", "--uid", "5000", "--home", "/a", "--iterations", "4096", input: "pencil")
        let made = try await imapctl("app", "ann", "phone", "--expires", "2999-12-31")
        let password = made.output.trimmingCharacters(in: .newlines)
        #expect(password.wholeMatch(of: /([a-z2-9]{4}-){4}[a-z2-9]{4}/) != nil, "\(made)")
        #expect(try !String(contentsOfFile: directory.path("users"), encoding: .utf8).contains(password))

        struct Line: Decodable, Equatable {
            let user: String, label: String?, kind: String, expires: String?
            let last_used: Int?
        }
        func list() async throws -> [Line] {
            try JSONDecoder().decode([Line].self, from: try await imapctl("list", "--json").standardOutput)
        }
        #expect(try await list() == [
            Line(user: "ann", label: nil, kind: "scram", expires: nil, last_used: nil),
            Line(user: "ann", label: "phone", kind: "scram", expires: "2999-12-31", last_used: nil),
        ])
        #expect(logIn("ann", password)?.label == "phone")
        #expect(try await list()[1].last_used != nil)

        let another = try await imapctl("app", "ann", "phone").output.trimmingCharacters(in: .newlines)
        #expect(another != password && logIn("ann", password) == nil && logIn("ann", another) != nil)
        #expect(try await imapctl("app", "ann", "old", "--expires", "2001-01-01").status == 0)
        #expect(try await imapctl("remove", "ann", "phone").status == 0)
        #expect(logIn("ann", another) == nil)
        #expect(logIn("ann", "pencil") != nil)
    }

    @Test("A user who is locked or removed is out")
    func lock() async throws {
        _ = try await imapctl("set", "ann", "--uid", "5000", "--home", "/a", "--iterations", "4096", input: "pencil")
        let app = try await imapctl("app", "ann", "phone").output.trimmingCharacters(in: .newlines)
        #expect(try await imapctl("lock", "ann").status == 0)
        #expect(logIn("ann", "pencil") == nil && logIn("ann", app) != nil)
        #expect(try await imapctl("remove", "ann").status == 0)
        #expect(logIn("ann", app) == nil)
        #expect(try await imapctl("remove", "ann").status == 2)
        #expect(try await imapctl("lock", "ann").status == 2)
    }

    @Test("What makes no sense is refused before anything is changed", arguments: [
        ["set", "a:b"], ["set", "ann", "--uid", "0", "--home", "/"], ["set", "ann", "--uid", "5"], ["set", "ann", "--gid", "5"],
        ["set", "ann", "--uid", "5", "--home", "relative"], ["set", "ann", "--iterations", "1"], ["app", "ann", "a b"],
        ["app", "ann", "phone", "--expires", "tomorrow"], ["app", "a/b", "phone"],
    ])
    func nonsense(arguments: [String]) async throws {
        let outcome = try await Program.imapctl.run(
            ["password"] + arguments + ["--file", directory.path("users")], input: Data("pencil\n".utf8))
        #expect(outcome.status == 64, "\(outcome)")
        #expect(!FileManager.default.fileExists(atPath: directory.path("users")))
    }

    @Test("No password is none")
    func empty() async throws {
        #expect(try await imapctl("set", "ann", input: "").status == 2)
        #expect(try await imapctl("set", "ann", input: "\n").status == 2)
    }
}
