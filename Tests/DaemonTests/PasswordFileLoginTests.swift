import Authentication
import Foundation
import Glibc
import SystemAuthentication
import TestSupport
import Testing

/// Users of a password file, who need be no users of the system.
@Suite(.enabled(if: isRoot, needsRoot))
struct PasswordFileLoginTests {
    let directory: TemporaryDirectory
    let file: PasswordFile
    var use: String { directory.path("use") }
    static let owner = PasswordLine.Owner(uid: 59_999, gid: 59_998, home: "")

    init() throws {
        directory = try TemporaryDirectory()
        chmod(directory.url.path, 0o711)
        file = PasswordFile(path: directory.path("users"))
        var owner = Self.owner
        owner.home = directory.path("ann")
        mkdir(owner.home, 0o700)
        chown(owner.home, owner.uid, owner.gid)
        try file.set(PasswordLine(user: "ann", password: scram("pencil"), owner: owner))
        try file.set(PasswordLine(user: "ann", label: "phone", password: scram("app password")))
    }

    private func scram(_ password: String) -> StoredPassword {
        .scram(Secret(Array(password.utf8)), iterations: 4096)
    }

    private func start(implicitTLS: Bool? = nil, _ arguments: [String] = []) async throws -> ForkedDaemon {
        try await ForkedDaemon(
            implicitTLS: implicitTLS, ["--password-file", file.path, "--password-use", use, "--pam=no"] + arguments)
    }

    @Test func ownerIsTheFiles() async throws {
        let daemon = try await start(["--allow-plaintext-login", "--login-domain", "example.org"])
        let client = try daemon.client()
        #expect(try client.command("LOGIN ann wrong").last!.contains(" NO [AUTHENTICATIONFAILED]"))
        #expect(try client.command("LOGIN ann@example.org pencil").last!.contains(" OK "))
        let session = try daemon.process("session ann")
        #expect(session.status("Uid") == [String](repeating: "59999", count: 4))
        #expect(session.status("Gid") == [String](repeating: "59998", count: 4))
        #expect(session.status("Groups") == ["59998"])
        #expect(try client.command("SELECT INBOX").last!.contains(" OK "))
        #expect(FileManager.default.fileExists(atPath: directory.path("ann/Maildir/cur")))
        // PAM is not asked.
        #expect(try daemon.logIn(daemon.client()).contains(" NO "))
    }

    @Test func appPasswordIsNoted() async throws {
        let daemon = try await start(["--allow-plaintext-login"])
        #expect(try daemon.client().command("LOGIN ann \"app password\"").last!.contains(" OK "))
        let line = try await daemon.daemon.line { $0.contains(": login ") }
        #expect(line.contains("password=phone"), "\(line)")
        #expect(PasswordUse(directory: use).last(user: "ann", label: "phone") != nil)
        try file.remove(user: "ann", label: "phone")
        #expect(try daemon.client().command("LOGIN ann \"app password\"").last!.contains(" NO "))
    }

    @Test("beside PAM, the file's users are the file's, and app passwords anybody's")
    func besidePAM() async throws {
        let daemon = try await ForkedDaemon(["--password-file", file.path, "--password-use", use, "--allow-plaintext-login"])
        #expect(try !daemon.client().command("CAPABILITY")[0].contains("SCRAM"), "PAM's users could not use it")
        #expect(try daemon.client().command("LOGIN ann pencil").last!.contains(" OK "))
        #expect(try daemon.logIn(daemon.client()).contains(" OK "))
        try file.set(PasswordLine(user: daemon.user.name, label: "phone", password: scram("another")))
        #expect(try daemon.logIn(daemon.client(), password: "another").contains(" OK "))
        #expect(try daemon.logIn(daemon.client()).contains(" OK "))
        #expect(try daemon.logIn(daemon.client(), password: "wrong").contains(" NO "))
    }

    @Test("GNU SASL gets in by SCRAM, bound to the connection and not", arguments: ["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"])
    func gsasl(mechanism: String) async throws {
        let program = try Program("gsasl", package: "gsasl")
        let daemon = try await start(implicitTLS: false)
        func logIn(_ password: String, as user: String = "ann") async throws -> Program.Outcome {
            try await program.run(
                ["--imap", "--starttls", "--x509-ca-file=\(daemon.certificate.certificate)"]
                    + (mechanism.hasSuffix("PLUS") ? [] : ["--no-cb"]) + ["-m", mechanism, "-a", user, "-z", "", "-p", password, "--connect", "localhost:\(daemon.port)"])
        }
        let right = try await logIn("pencil")
        #expect(right.status == 0, "\(right)\n\(daemon.daemon.log)")
        let line = try await daemon.daemon.line { $0.contains(": login ") && $0.contains("user=ann") }
        #expect(line.contains(mechanism), "\(line)")
        #expect(try await logIn("app password", as: "ann/phone").status == 0)
        #expect(try await logIn("wrong").status != 0)
        #expect(try await logIn("pencil", as: "nobody").status != 0)
    }

    @Test func badLinesAreToldAtStart() async throws {
        try (String(contentsOfFile: file.path, encoding: .utf8) + "bob:secret:1:1:/\n")
            .write(toFile: file.path, atomically: true, encoding: .utf8)
        let daemon = try await start(["--allow-plaintext-login"])
        #expect(daemon.daemon.log.contains("users:3: the password is no hash"), "\(daemon.daemon.log)")
        #expect(!daemon.daemon.log.contains("secret"))
        #expect(try daemon.client().command("LOGIN bob secret").last!.contains(" NO "))
        #expect(try daemon.client().command("LOGIN ann pencil").last!.contains(" OK "))
    }
}
