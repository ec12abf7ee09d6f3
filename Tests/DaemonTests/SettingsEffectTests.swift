import Foundation
import Glibc
import TestSupport
import Testing

@testable import Daemon

/// What settings change for clients, in a server of one process.
@Suite struct SettingsEffectTests {
    private func daemon(_ settings: String) async throws -> (RunningDaemon, TemporaryDirectory) {
        let directory = try TemporaryDirectory()
        let path = directory.path("imapd.conf")
        try ("listen = 127.0.0.1:0\nuser = me:secret\nfailure-delay = 0\nallow-plaintext-login = yes\n" + settings)
            .write(toFile: path, atomically: false, encoding: .utf8)
        chmod(path, 0o600)
        let daemon = try RunningDaemon(["--config", path])
        _ = try await daemon.port()
        return (daemon, directory)
    }

    private func client(_ daemon: RunningDaemon) async throws -> (client: MailClient, greeting: String) {
        let client = try MailClient(port: try await daemon.port())
        return (client, try client.line() ?? "")
    }

    @Test func greeting() async throws {
        let (daemon, _) = try await daemon("greeting = \"Mail of example.org \"")
        #expect(try await client(daemon).greeting.hasSuffix("] Mail of example.org "))
    }

    @Test func identity() async throws {
        let (daemon, _) = try await daemon("id = support-url https://example.org/mail\nid = version\nid = Name example")
        let (client, _) = try await client(daemon)
        #expect(try client.command("ID NIL").first == "* ID (\"name\" \"imapd\")")
        _ = try client.command("LOGIN me secret")
        #expect(try client.command("ID NIL").first
            == "* ID (\"support-url\" \"https://example.org/mail\" \"Name\" \"example\")")
    }

    @Test("a hidden capability is not told, and cannot be enabled")
    func hiddenCapability() async throws {
        let (daemon, _) = try await daemon("hide-capability = qresync imap4rev2\nhide-capability = AUTH=LOGIN")
        let (client, greeting) = try await client(daemon)
        #expect(greeting.contains("AUTH=PLAIN") && !greeting.contains("AUTH=LOGIN") && !greeting.contains("IMAP4rev2"))
        let login = try client.command("LOGIN me secret")
        let capability = try client.command("CAPABILITY")
        for line in [login.last, capability.first] {
            #expect(line?.contains("CONDSTORE") == true)
            #expect(line?.contains("QRESYNC") == false && line?.contains("IMAP4rev2") == false)
        }
        #expect(try client.command("ENABLE QRESYNC CONDSTORE IMAP4rev2").first == "* ENABLED CONDSTORE")
    }

    @Test("what is hidden from one user is not told before it is known who comes")
    func hiddenForOne() async throws {
        let (daemon, _) = try await daemon("hide-capability-for = me SORT IDLE\nhide-capability-for = you MOVE")
        let (client, _) = try await client(daemon)
        #expect(try client.command("LOGIN me secret").last?.contains("CAPABILITY") == false)
        let capability = try client.command("CAPABILITY").first ?? ""
        let words = capability.split(separator: " ")
        #expect(!words.contains("SORT") && !words.contains("IDLE") && words.contains("MOVE"))
    }

    @Test("a new account gets its mailboxes, and keeps to what the client does with them")
    func specialMailboxes() async throws {
        let directory = try TemporaryDirectory()
        defer { withExtendedLifetime(directory) {} }
        let maildir = directory.path("Maildir")
        let settings = """
            storage = maildir
            maildir-path = \(maildir)
            special-use = Sent Messages \\Sent
            special-use = Trash \\trash
            """
        let (daemon, _) = try await daemon(settings)
        let (first, _) = try await client(daemon)
        _ = try first.command("LOGIN me secret")
        let list = try first.command("LIST (SPECIAL-USE SUBSCRIBED) \"\" *")
        #expect(list.contains { $0.contains("\\Sent") && $0.contains("Sent Messages") && $0.contains("\\Subscribed") }, "\(list)")
        #expect(list.contains { $0.contains("\\Trash") && $0.contains(" Trash") }, "\(list)")
        #expect(try first.command("DELETE Trash").last?.contains(" OK ") == true)

        let (second, _) = try await client(daemon)
        _ = try second.command("LOGIN me secret")
        #expect(try second.command("LIST \"\" *").contains { $0.contains("Trash") } == false)
    }

    @Test("mailboxes that are there are what the settings say, unless the account says otherwise")
    func usesOfOldMailboxes() async throws {
        let directory = try TemporaryDirectory()
        defer { withExtendedLifetime(directory) {} }
        for folder in ["", ".Sent", ".Trash", ".Bin"] {
            for name in ["cur", "new", "tmp"] {
                try FileManager.default.createDirectory(
                    atPath: directory.path("Maildir/\(folder)/\(name)"), withIntermediateDirectories: true)
            }
        }
        let (daemon, _) = try await daemon("""
            storage = maildir
            maildir-path = \(directory.path("Maildir"))
            special-use = Sent \\Sent
            special-use = Drafts \\Drafts
            special-use = Trash \\Trash
            special-use = Bin \\Trash
            """)
        let (client, _) = try await client(daemon)
        _ = try client.command("LOGIN me secret")
        let list = try client.command("LIST \"\" * RETURN (SPECIAL-USE)")
        #expect(list.contains { $0.contains("\\Sent") && $0.hasSuffix(" Sent") }, "\(list)")
        #expect(list.count { $0.contains("\\Trash") } == 1, "\(list)")
        #expect(list.contains { $0.contains("\\Trash") && $0.hasSuffix(" Trash") }, "\(list)")
        // Not an account that begins.
        #expect(!list.contains { $0.contains("Drafts") })
    }

    @Test func largestMessage() async throws {
        let (daemon, _) = try await daemon("largest-message = 64K")
        let (client, _) = try await client(daemon)
        _ = try client.command("LOGIN me secret")
        #expect(try client.command("APPEND INBOX {65537}").last?.contains("TOOBIG") == true)
    }

    @Test func loginAttempts() async throws {
        let (daemon, _) = try await daemon("login-attempts = 1")
        let (client, _) = try await client(daemon)
        try client.send("a LOGIN me wrong\r\n")
        let rest = try client.rest()
        #expect(rest.first?.hasPrefix("a NO") == true && rest.last?.hasPrefix("* BYE") == true, "\(rest)")
    }

    @Test func loginCommands() async throws {
        let (daemon, _) = try await daemon("login-commands = 5")
        let (client, _) = try await client(daemon)
        for _ in 0..<5 { _ = try client.command("NOOP") }
        try client.send("a NOOP\r\n")
        #expect(try client.rest().last?.contains("Too many commands") == true)
    }

    @Test func pidFile() async throws {
        let directory = try TemporaryDirectory()
        defer { withExtendedLifetime(directory) {} }
        let path = directory.path("imapd.pid")
        let (daemon, _) = try await daemon("pid-file = \(path)")
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "\(daemon.child.pid)\n")
        #expect(await daemon.stop() == 0)
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test("the Maildir of a user in a domain")
    func maildirPath() async throws {
        let directory = try TemporaryDirectory()
        defer { withExtendedLifetime(directory) {} }
        try FileManager.default.createDirectory(atPath: directory.path("example.org"), withIntermediateDirectories: true)
        let (daemon, _) = try await daemon("storage = maildir\nmaildir-path = \(directory.path("%d/%u"))")
        let (client, _) = try await client(daemon)
        #expect(try client.command("LOGIN me secret").last?.contains("UNAVAILABLE") == true)
        _ = try await daemon.line { $0.contains("no domain") }
    }

    @Test("several addresses, each with its own kind of TLS")
    func listeners() async throws {
        let certificate = try await Certificate()
        let directory = try TemporaryDirectory()
        let path = directory.path("imapd.conf")
        try """
            listen = 127.0.0.1:0
            listen = 127.0.0.2:0
            listen-tls = 127.0.0.1:0
            cert = \(certificate.certificate)
            key = \(certificate.key)
            """.write(toFile: path, atomically: false, encoding: .utf8)
        let daemon = try RunningDaemon(["--config", path])
        _ = try await daemon.line { $0.contains("listening") && $0.contains("tls=tls") }
        #expect(daemon.log.matches(of: #/listening address=127.0.0.[12]:\d+ tls=starttls/#).count == 2)
    }

    @Test("mistakes in values that mean something to IMAP", arguments: [
        ("greeting = [ALERT] hello", "begin with ["), ("greeting = Grüße", "ASCII"),
        ("hide-capability = UIDPLUSS", "did you mean UIDPLUS?"),
        ("hide-capability = STARTTLS", "that can be hidden"), ("hide-capability-for = me", "USER CAPABILITY"),
        ("special-use = Sent", "\\Sent"), ("special-use = Sent \\Gesendet", "\\Sent"), ("special-use = INBOX \\Sent", "INBOX"),
        ("id = version \u{E9}", "ASCII"), ("listen = a:b", "HOST:PORT"), ("largest-message = 1", "64K"),
        ("log-facility = kern", "local7"),
        ("listen = a\nport = 1", "host and port"),
    ])
    func mistakes(text: String, reason: String) async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("imapd.conf")
        try text.write(toFile: path, atomically: false, encoding: .utf8)
        let outcome = try await Program.imapd.run(["--config", path, "--check-config"])
        #expect(outcome.status == 78, "\(outcome)")
        #expect(outcome.errors.contains("\(path):") && outcome.errors.contains(reason), "\(outcome)")
        #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome)")
    }
}
