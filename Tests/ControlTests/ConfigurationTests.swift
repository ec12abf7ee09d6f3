import Foundation
import Glibc
import IMAPTypes
import Logging
@testable import Maildir
import MailStore
import Testing
import TestSupport

private let accountName = getpwuid(geteuid()).map { String(cString: $0.pointee.pw_name) }

/// imapctl goes by the settings of imapd.
@Suite struct ConfigurationTests {
    let directory: TemporaryDirectory
    var file: String { directory.path("imapd.conf") }

    init() throws { directory = try TemporaryDirectory() }

    private func write(_ lines: String...) throws {
        try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: URL(fileURLWithPath: file))
    }

    private func imapctl(_ arguments: String...) async throws -> Program.Outcome {
        try await Program.imapctl.run(arguments + ["--config", file])
    }

    private func store(_ path: String) throws -> MaildirStore {
        try MaildirStore(path: path, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    @Test(.enabled(if: accountName != nil, "needs an account"))
    func `The Maildir and the separator are those of the settings, and options count more`() async throws {
        let me = try #require(accountName)
        try store(directory.path("\(me)-mail")).create("a.b", use: nil)
        try store(directory.path("other")).create("c.d", use: nil)
        try write("maildir-path = \(directory.url.path)/%u-mail", "namespace-separator = /")
        #expect(try await imapctl("mailboxes").output.contains("\na/b "))
        let other = directory.path("other")
        #expect(try await imapctl("mailboxes", "--maildir-path", other, "--namespace-separator", ".").output.contains("\nc.d "))
        #expect(try await imapctl("mailboxes", "--maildir", other).output.contains("\nc/d "))
    }

    @Test func `The daemon is asked where the settings have its socket, whatever else is wrong with them`() async throws {
        try write("fork = yes", "control-socket = \(directory.path("door"))", "keepalive = x")
        let asked = try await imapctl("who")
        #expect(asked.status == 2 && asked.errors.contains("answers at \(directory.path("door"))"), "\(asked)")
        let other = try await imapctl("reload", "--socket", directory.path("other"))
        #expect(other.status == 2 && other.errors.contains("answers at \(directory.path("other"))"), "\(other)")
        try write("control-socket = none")
        let none = try await imapctl("stats")
        #expect(none.status == 2 && none.errors.contains("control-socket is none in \(file)"), "\(none)")
        let missing = try await Program.imapctl.run(["who", "--config", directory.path("nowhere")])
        #expect(missing.status == 2 && missing.errors.contains("nowhere: No such file"), "\(missing)")
        // It answers there, too.
        guard geteuid() == 0 else { return }
        try write("fork = yes", "control-socket = \(directory.path("door"))", "listen = 127.0.0.1:0")
        let daemon = try RunningDaemon(["--config", file])
        _ = try await daemon.port()
        #expect(try await imapctl("who", "--json").output == "{\"connections\":[]}\n")
        await daemon.stop()
    }

    @Test func `What is wrong with the settings is told, and nothing is guessed`() async throws {
        try write("maildir-path = \(directory.url.path)/%u", "namespace-seperator = /", "keepalive = x")
        let outcome = try await imapctl("mailboxes")
        #expect(outcome.status == 2 && outcome.errors.contains(":2: ") && outcome.errors.contains(":3: "), "\(outcome)")
        let missing = try await Program.imapctl.run(["mailboxes", "--config", directory.path("nowhere")])
        #expect(missing.status == 2 && missing.errors.contains("nowhere"), "\(missing)")
    }

    @Test(.enabled(if: geteuid() == 0, "needs root: to become another user"))
    func `Users of the password file are known, and all of them are looked at`() async throws {
        chmod(directory.url.path, 0o755)
        for name in ["ann", "bob"] {
            let outcome = try await Program.imapctl.run(
                ["password", "set", name, "--uid", "54321", "--home", directory.path(name), "--file", directory.path("users"),
                 "--iterations", "4096"], input: Data("secret\n".utf8))
            #expect(outcome.status == 0, "\(outcome)")
            try FileManager.default.createDirectory(atPath: directory.path(name), withIntermediateDirectories: true)
            try store(directory.path("\(name)/Maildir")).append("Subject: of \(name)\r\n\r\nx\r\n")
            for path in [""] + (try FileManager.default.subpathsOfDirectory(atPath: directory.path(name))) {
                lchown(directory.path(name) + "/" + path, 54321, 54321)
            }
        }
        try write("password-file = \(directory.path("users"))", "maildir-path = \(directory.url.path)/%u/Maildir")
        #expect(try await imapctl("search", "--user", "bob", "INBOX", "SUBJECT", "of bob").status == 0)
        #expect(try await imapctl("mailboxes", "--user", "carl").errors.contains("there is no user carl"))
        let quota = try await imapctl("quota", "--all").output
        #expect(quota.contains("\nann ") && quota.contains("\nbob "), "\(quota)")
        let expired = try await imapctl("delete-expired", "--all", "--older-than", "0m", "--by", "saved", "Trash", "INBOX")
        #expect(expired.status == 0 && expired.output.contains("bob (\(directory.path("bob/Maildir"))):"), "\(expired)")
        // Which file it is, the settings say here too.
        #expect(try await imapctl("password", "list").output.contains("\nbob "))
    }

    @Test func `What a client has expunged comes back, if imapd keeps it`() async throws {
        try FileManager.default.createDirectory(atPath: directory.path("me"), withIntermediateDirectories: true)
        let maildir = directory.path("me/Maildir")
        try store(maildir).append("Subject: gone\r\n\r\nx\r\n", date: 1_000_000_000)
        try write("storage = maildir", "maildir-path = \(maildir)", "expunge-delay = 7d", "host = 127.0.0.1", "port = 0",
                  "user = me:secret", "allow-plaintext-login = yes")
        let daemon = try RunningDaemon(["--config", file])
        do {
            let client = try MailClient(port: try await daemon.port())
            _ = try client.line()
            for command in ["LOGIN me secret", "SELECT INBOX", "STORE 1 +FLAGS.SILENT (\\Deleted)", "EXPUNGE", "LOGOUT"] {
                #expect(try client.command(command).last?.contains(" OK") == true, "\(command)")
            }
        }
        await daemon.stop()
        #expect(try await imapctl("undelete", "--list", "--maildir", maildir).output.contains("gone"))
        #expect(try await imapctl("undelete", "--maildir", maildir).output == "INBOX: 1 message back\n")
        #expect(try store(maildir).open(.inbox, readOnly: true).uids == [2])
        // imapctl itself keeps what it expunges, as the settings say.
        let expire = try await imapctl(
            "delete-expired", "--yes", "--older-than", "1d", "--by", "received", "INBOX", "--maildir", maildir)
        #expect(expire.output.contains("1 message"), "\(expire)")
        #expect(try await imapctl("undelete", "--maildir", maildir).output == "INBOX: 1 message back\n")
    }
}
