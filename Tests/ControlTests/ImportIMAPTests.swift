import Foundation
import Glibc
import IMAPTypes
@testable import Maildir
import MailStore
import Testing
import TestSupport

/// Mail from another IMAP server.
@Suite struct ImportIMAPTests {
    /// An account as people have them: two levels, keywords, a special use, a name that is not ASCII, and odd messages.
    static func fill(_ store: MaildirStore) throws {
        try store.create("Work.Größe", use: nil)
        try store.create("Sent", use: .sent)
        try store.append("Subject: 1\r\n\r\none\r\n", [.seen, .answered], ["$Label1", "work"], date: 1_000_000_000)
        try store.append("", to: "Sent", .seen, date: 1_100_000_000)
        try store.append("X: {3}\r\n\r\n) a1 OK\r\n", to: "Sent", [.draft, .flagged], date: 1_100_000_001)
        let long = "Subject: \u{FC}\r\n\r\n" + String(repeating: "long\r\n", count: 100_000)
        try store.append(long, to: "Work.Größe", [.deleted], ["work"])
        for number in 0..<450 {
            try store.append("Subject: \(number)\r\n\r\nx\r\n", to: "Sent", date: 1_200_000_000 + Int64(number))
        }
        try store.subscribe("Sent")
        try store.subscribe("Gone")
        while try store.tidy() {}
    }

    static let mailboxes: [MailboxName] = ["INBOX", "Sent", "Work.Größe"]

    struct Line: Decodable, Equatable {
        let mailbox: String, imported: Int, known: Int
    }

    static func lines(_ outcome: Program.Outcome) throws -> [Line] {
        try outcome.standardOutput.split(separator: 0x0A).map { try JSONDecoder().decode(Line.self, from: $0) }
    }

    static func compare(_ source: ControlAccount, _ account: ControlAccount) throws {
        for name in mailboxes {
            #expect(try TransferTests.contents(account, name) == TransferTests.contents(source, name), "\(name)")
        }
    }

    // MARK: imapd

    /// A server with an account, and what its users must know.
    static func withServer(_ body: (ControlAccount, _ options: [String], Certificate) async throws -> Void) async throws {
        let source = try ControlAccount()
        try fill(source.store())
        let certificate = try await Certificate()
        let daemon = try RunningDaemon([
            "-s", "maildir", "--maildir-path", source.path, "-h", "127.0.0.1", "-p", "0", "--user", "me:\"se cr\\et",
            "--cert", certificate.certificate, "--key", certificate.key,
        ])
        let password = source.directory.path("password")
        try Data("\"se cr\\et\n".utf8).write(to: URL(fileURLWithPath: password))
        try await body(source, [
            "import", "imap", "127.0.0.1", "--port", "\(daemon.port())", "--login", "me", "--password-file", password,
        ], certificate)
        await daemon.stop()
    }

    /// How to come to trust that server, and where its mail goes.
    static func words(by certificate: Certificate, into account: ControlAccount) -> [String] {
        [
            "--tls", "starttls", "--ca-file", certificate.certificate, "--tls-name", "localhost", "--json",
            "--maildir", account.path,
        ]
    }

    @Test func `Everything comes, and a second time only what is new`() async throws {
        try await Self.withServer { source, server, certificate in
            let account = try ControlAccount()
            _ = try account.store()
            let words = server + Self.words(by: certificate, into: account)
            var outcome = try await Program.imapctl.run(words)
            #expect(outcome.status == 0, "\(outcome)")
            #expect(try Self.lines(outcome) == [
                Line(mailbox: "INBOX", imported: 1, known: 0), Line(mailbox: "Sent", imported: 452, known: 0),
                Line(mailbox: "Work.Größe", imported: 1, known: 0),
            ])
            try Self.compare(source, account)
            let store = try account.store()
            #expect(try store.subscriptions() == ["Sent"])
            #expect(try store.mailboxes().first { $0.name == "Sent" }?.use == .sent)

            // What is gone here stays gone, and what is new there comes.
            let sent = try store.open("Sent", readOnly: false)
            _ = try sent.expunge([1])
            try source.store().append("new\r\n", to: "Sent")
            outcome = try await Program.imapctl.run(words)
            #expect(try Self.lines(outcome).map(\.imported) == [0, 1, 0], "\(outcome)")
            _ = try sent.refresh()
            #expect(sent.uids.count == 453 - 1 + 1)

            // Without the memory nothing comes twice either.
            try account.remove("imapd.imported")
            outcome = try await Program.imapctl.run(words)
            #expect(try Self.lines(outcome).map(\.imported) == [0, 1, 0], "\(outcome)")
        }
    }

    @Test(arguments: [
        ([], "TLS"), (["--tls", "starttls"], "certificate"), (["--tls", "none"], "takes no password"),
        (["--tls", "starttls", "--ca-file", "CERTIFICATE"], "IP address mismatch"),
        (["--tls", "starttls", "--ca-file", "/nowhere"], "/nowhere"),
        (["--tls", "starttls", "--ca-file", "CERTIFICATE", "--tls-name", "other.example"], "ostname mismatch"),
    ])
    func `No password goes to a server that is not the one that is meant`(_ options: [String], _ told: String) async throws {
        try await Self.withServer { _, server, certificate in
            let account = try ControlAccount()
            _ = try account.store()
            let words = server + options.map { $0 == "CERTIFICATE" ? certificate.certificate : $0 } + ["--maildir", account.path]
            let outcome = try await Program.imapctl.run(words)
            #expect(outcome.status == 2 && outcome.errors.contains(told), "\(outcome)")
            #expect(!outcome.errors.contains("se cr"))
        }
    }

    @Test func `Mailboxes can be chosen, left out, and put below another`() async throws {
        try await Self.withServer { source, server, certificate in
            let account = try ControlAccount()
            _ = try account.store()
            try source.store().create("All", use: .all)
            try source.store().append("twice\r\n", to: "All")
            let words = server + [
                "--tls", "starttls", "--ca-file", certificate.certificate, "--tls-name", "localhost", "--maildir", account.path,
                "--mailbox", "Old",
            ]
            var outcome = try await Program.imapctl.run(words + ["--skip", "Sent"])
            #expect(outcome.status == 0, "\(outcome)")
            #expect(try Set(account.store().mailboxes().map(\.name)) == ["INBOX", "Old", "Old.Work.Größe"])
            outcome = try await Program.imapctl.run(words + ["--", "All", "inbox"])
            #expect(outcome.status == 0 && outcome.output.contains("Old.All: 1 message"), "\(outcome)")
            outcome = try await Program.imapctl.run(words + ["--", "Nowhere"])
            #expect(outcome.status == 2 && outcome.errors.contains("no mailbox Nowhere"), "\(outcome)")
        }
    }

    @Test func `A wrong password is said`() async throws {
        try await Self.withServer { source, server, certificate in
            let words = server + [
                "--tls", "starttls", "--ca-file", certificate.certificate, "--tls-name", "localhost", "--maildir", source.path,
                "--password-file", "-",
            ]
            let outcome = try await Program.imapctl.run(words, input: Data("wrong\n".utf8))
            #expect(outcome.status == 2 && outcome.errors.contains("logging in as me: the server says NO"), "\(outcome)")
        }
    }

    // MARK: Dovecot

    @Test func `Dovecot's mail comes with names of another separator`() async throws {
        let host = try await MailHost(.dovecot)
        let source = try ControlAccount(at: host.maildir)
        let store = try source.store()
        try store.create("Work.Größe", use: nil)
        try store.append("Subject: 1\r\n\r\none\r\n", [.seen, .answered], ["$Label1", "work"], date: 1_000_000_000)
        try store.append("From: x\r\n\r\ntwo\r\n", to: "Work.Größe", .flagged, date: 1_100_000_000)
        try store.subscribe("Work.Größe")
        #expect(try await host.imapctl("export", "dovecot").status == 0)
        host.own()
        let configuration = host.directory.path("dovecot.conf")
        let more = "\nnamespace inbox {\n inbox = yes\n prefix = mine/\n separator = /\n}\n"
        let text = try String(contentsOfFile: configuration, encoding: .utf8)
        try Data((text + more).utf8).write(to: URL(fileURLWithPath: configuration))

        let account = try ControlAccount()
        _ = try account.store()
        // As root it becomes the owner of the Maildir, who cannot run Dovecot for itself.
        let command = "cat | " + (host.access.command ?? "")
        for imported in [1, 0] {
            let outcome = try await account.imapctl("import", "imap", "old", "--command", command, "--json")
            #expect(outcome.status == 0, "\(outcome)")
            #expect(try Self.lines(outcome) == [
                Line(mailbox: "INBOX", imported: imported, known: 1 - imported),
                Line(mailbox: "Work.Größe", imported: imported, known: 1 - imported),
            ], "\(outcome)")
        }
        for name in ["INBOX", "Work.Größe"] as [MailboxName] {
            #expect(try TransferTests.contents(account, name) == TransferTests.contents(source, name))
        }
        #expect(try account.store().subscriptions() == ["Work.Größe"])
    }

    // MARK: Servers that mean harm

    @Test(arguments: [
        ("", "closed"), ("HTTP/1.1 200 OK\\r\\n", "turns us away"), ("* BYE no\\r\\n", "turns us away: no"),
        ("* PREAUTH x\\r\\n* 1 FETCH (BODY[] {99999999999}\\r\\n", "more than makes sense"),
        ("* PREAUTH x\\r\\n* BYE later\\r\\n", "ends the connection: later"),
        ("* PREAUTH x\\r\\n" + String(repeating: "* LIST (((((((((((((((((((((((\\r\\n", count: 3) + "a1 NO x\\r\\n",
         "says NO: x"),
    ])
    func `What a server says is limited and makes sense, or is the end`(_ said: String, _ told: String) async throws {
        let account = try ControlAccount()
        _ = try account.store()
        // It listens on, for otherwise what we say to it would be the failure.
        let command = said.isEmpty ? "true" : "printf '\(said)'; exec cat > /dev/null"
        let outcome = try await account.imapctl("import", "imap", "evil", "--command", command)
        #expect(outcome.status == 2 && outcome.errors.contains(told), "\(outcome)")
    }
}
