import CLinux
import Foundation
import Glibc
import TestSupport
import Testing

/// What gates and sessions can still do in their sandboxes, and what `--sandbox` says where the kernel has none.
@Suite(.enabled(if: isRoot, needsRoot))
struct SandboxTests {
    @Test(.enabled(if: hasSandbox, needsSandbox))
    func filtersAreInForce() async throws {
        let daemon = try await ForkedDaemon(implicitTLS: true)
        let client = try daemon.client(tls: true)
        #expect(try daemon.logIn(client).contains(" OK "))
        for role in ["gate", "session"] { #expect(try daemon.process(role).status("Seccomp") == ["2"], "\(role)") }
        #expect(!daemon.daemon.log.contains("sandbox"))
    }

    @Test(arguments: [nil, true])
    func everyCommand(implicitTLS: Bool?) async throws {
        let daemon = try await ForkedDaemon(implicitTLS: implicitTLS, ["--allow-plaintext-login"])
        for (number, charset) in ["ISO-2022-JP", "EUC-JP", "ISO-2022-KR", "BIG5", "KOI8-R", "WINDOWS-1251", "UTF-7"].enumerated() {
            // What ISO 2022 and UTF-7 do with these bytes is their own affair: their code is loaded.
            try daemon.user.makeFile("Maildir/new/\(number)", """
                From: =?\(charset)?Q?=C4=E3?= <a@example.org>
                Subject: =?\(charset)?Q?=C4=E3?= x\(number)
                Content-Type: text/plain; charset=\(charset)
                Content-Transfer-Encoding: 8bit

                \u{C4}\u{E3} y\(number)

                """)
        }
        for directory in ["cur", "tmp"] { try daemon.user.makeFile("Maildir/\(directory)/.keep") }
        let client = try daemon.client(tls: implicitTLS == true)
        #expect(try daemon.logIn(client).contains(" OK "))
        for command in [
            "ENABLE CONDSTORE QRESYNC", "ID (\"name\" \"x\")", "NAMESPACE", "CAPABILITY", "LIST \"\" \"*\" RETURN (STATUS (SIZE))",
            "CREATE Work", "CREATE Work.Sub", "SUBSCRIBE Work", "LSUB \"\" \"*\"", "CREATE Sent (USE (\\Sent))", "RENAME Work Done",
            "SELECT INBOX", "UID FETCH 1:* (UID FLAGS ENVELOPE BODYSTRUCTURE BODY.PEEK[] BINARY.PEEK[1])",
            "SEARCH CHARSET UTF-8 TEXT y3", "SEARCH BODY y1", "SORT (SUBJECT) UTF-8 ALL", "THREAD REFERENCES UTF-8 ALL",
            "STORE 1 +FLAGS ($Keyword \\Seen)", "COPY 1:3 Done", "MOVE 4 Done", "STORE 1 +FLAGS (\\Deleted)", "EXPUNGE", "CHECK",
            "NOOP", "STATUS Done (MESSAGES UIDNEXT)", "UNSELECT", "EXAMINE Done", "CLOSE", "RENAME INBOX Old", "DELETE Done.Sub",
            "UNSUBSCRIBE Work", "SELECT Old", "UID SEARCH RETURN (SAVE) ALL", "UID STORE $ FLAGS (\\Seen)", "SEARCH CHARSET NONE TEXT x",
        ] {
            let lines = try client.command(command)
            #expect(lines.last?.contains(command.contains("NONE") ? " NO " : " OK ") == true, "\(command): \(lines)\n\(daemon.daemon.log)")
        }
        let big = String(repeating: "0123456789\r\n", count: 40_000)
        try client.send("b1 APPEND Old {\(big.utf8.count)+}\r\n\(big)\r\n")
        #expect(try client.lines(through: "b1").last!.hasPrefix("b1 OK"))
        try client.send("i1 IDLE\r\n")
        #expect(try client.line()!.hasPrefix("+"))
        try daemon.user.makeFile("Maildir/.Old/new/arrived", "Subject: now\n\n")
        #expect(try client.line()!.contains("EXISTS"))
        try client.send("DONE\r\n")
        #expect(try client.lines(through: "i1").last!.hasPrefix("i1 OK"))
        // A process that was stopped goes on in the midst of poll(2).
        let session = try daemon.process("session")
        kill(session.pid, SIGSTOP)
        try await eventually("it has stopped") { session.status("State").first == "T" }
        kill(session.pid, SIGCONT)
        try await eventually("it goes on") { session.status("State").first == "S" }
        #expect(try client.command("LOGOUT").last!.contains(" OK "))
        try await eventually("all have gone") { daemon.busy.isEmpty }
        #expect(!daemon.daemon.log.contains("crashed"), "\(daemon.daemon.log)")
    }

    // MARK: - Where mail is

    @Test("a Maildir that is elsewhere, and mailboxes that are", arguments: ["nothing", "Maildir", "mailbox"])
    func links(what: String) async throws {
        let daemon = try await ForkedDaemon(["--allow-plaintext-login"])
        let user = daemon.user
        switch what {
        case "Maildir":
            try user.makeFile("elsewhere/mail/new/1", "Subject: 1\n\n")
            try user.makeFile("elsewhere/mail/.Archive/cur/1:2,", "Subject: 1\n\n")
            try FileManager.default.createSymbolicLink(atPath: "\(user.home)/Maildir", withDestinationPath: "elsewhere/mail")
        case "mailbox":
            try user.makeFile("elsewhere/archive/cur/1:2,", "Subject: 1\n\n")
            try user.makeFile("elsewhere/secret")
            try user.makeFile("Maildir/new/1", "Subject: 1\n\n")
            try FileManager.default.createSymbolicLink(
                atPath: "\(user.home)/Maildir/.Archive", withDestinationPath: "../elsewhere/archive")
            try FileManager.default.createSymbolicLink(atPath: "\(user.home)/Maildir/.Home", withDestinationPath: "..")
        default: break
        }
        for file in ["elsewhere/archive", "elsewhere/mail/.Archive", "elsewhere/mail"] {
            for directory in ["cur", "new", "tmp"] where FileManager.default.fileExists(atPath: "\(user.home)/\(file)") {
                try user.makeFile("\(file)/\(directory)/.keep")
            }
        }
        let client = try daemon.client()
        let answer = try daemon.logIn(client)
        #expect(answer.contains(" OK "), "\(answer) \(daemon.daemon.log)")
        if what == "nothing" {
            #expect(try client.command("CREATE Archive").last!.contains(" OK "))
            #expect(try client.command("APPEND INBOX {1+}\r\nx").last!.contains(" OK "))
        }
        #expect(try client.command("SELECT INBOX").contains { $0.hasPrefix("* 1 EXISTS") })
        #expect(try client.command("COPY 1 Archive").last!.contains(" OK "), "\(daemon.daemon.log)")
        let archive = try client.command("SELECT Archive")
        #expect(archive.contains { $0.hasPrefix(what == "nothing" ? "* 1 EXISTS" : "* 2 EXISTS") }, "\(archive)")
        #expect(try client.command("STORE 1 +FLAGS (\\Seen)").last!.contains(" OK "))
        #expect(try client.command("MOVE 1 INBOX").last!.contains(" OK "), "\(daemon.daemon.log)")
        // What is no mailbox is not opened by a link to it.
        #expect(try client.command("SELECT Home").last!.contains(" NO "))
    }

    // MARK: - Kernels without

    private static let landlock = "444,445,446"

    @Test func withoutLandlock() async throws {
        let daemon = try await ForkedDaemon(["--allow-plaintext-login"], launcher: Self.launcher(lacking: Self.landlock))
        let client = try daemon.client()
        #expect(try daemon.logIn(client).contains(" OK "))
        #expect(try client.command("SELECT INBOX").last!.contains(" OK "))
        _ = try await daemon.daemon.line { $0.contains("warning") && $0.contains("no Landlock") }
    }

    @Test func withoutFilters() async throws {
        let daemon = try await ForkedDaemon(
            ["--allow-plaintext-login"], launcher: Self.launcher(lacking: "\(Self.landlock),\(SYS_seccomp)"))
        let client = try daemon.client()
        #expect(try daemon.logIn(client).contains(" OK "))
        #expect(try client.command("SELECT INBOX").last!.contains(" OK "))
        _ = try await daemon.daemon.line { $0.contains("warning") && $0.contains("seccomp") }
    }

    @Test(arguments: [(landlock, "no Landlock"), ("\(SYS_seccomp)", "no filters")])
    func required(lacking: String, told: String) async throws {
        let launcher = Self.launcher(lacking: lacking)
        let outcome = try await Program.beside("escape").run(
            Array(launcher.dropFirst()) + [RunningDaemon.executable, "--fork", "-h", "127.0.0.1", "-p", "0", "--sandbox", "required"])
        #expect(outcome.status == 78, "\(outcome)")
        #expect(outcome.errors.contains("sandbox") && outcome.errors.contains(told), "\(outcome)")
    }

    @Test func off() async throws {
        let daemon = try await ForkedDaemon(["--allow-plaintext-login", "--sandbox", "off"])
        let client = try daemon.client()
        #expect(try daemon.process("gate").status("Seccomp") == ["0"])
        #expect(try daemon.logIn(client).contains(" OK "))
        #expect(try daemon.process("session").status("Seccomp") == ["0"])
        _ = try await daemon.daemon.line { $0.contains("warning") && $0.contains("sandbox: off") }
    }

    private static func launcher(lacking calls: String) -> [String] { [Program.beside("escape").path, "lacking", calls] }

    // MARK: - What they begin with

    @Test("nothing of the environment that started the daemon reaches its children")
    func environment() async throws {
        let daemon = try await ForkedDaemon(launcher: ["/usr/bin/env", "LD_BIND_NOW=1", "GCONV_PATH=/tmp", "SECRET=hunter2-environment"])
        let client = try daemon.client()
        #expect(try !daemon.process("gate").memoryHolds([Array("hunter2-environment".utf8)]))
        _ = client
    }

    @Test("signals are as the kernel gives them to a new process")
    func signals() async throws {
        let daemon = try await ForkedDaemon(implicitTLS: true)
        let client = try daemon.client(tls: true)
        #expect(try daemon.logIn(client).contains(" OK "))
        // Two signals are the C library's own, which can neither be seen nor set through it.
        let internals: UInt64 = 3 << 31
        // A session wants to tell when it ends for want of memory.
        let fatal = [SIGILL, SIGTRAP, SIGABRT].reduce(UInt64(0)) { $0 | 1 << UInt64($1 - 1) }
        for (role, handled) in [("gate", 0), ("session", fatal)] {
            let caught = try daemon.process(role).status("SigCgt").first.flatMap { UInt64($0, radix: 16) }
            #expect(caught.map { $0 & ~internals } == handled, "\(role) has handlers")
        }
    }

    @Test("a session without filters starts no thread, and with them few")
    func threadLimit() async throws {
        for policy in hasSandbox ? ["off", "required"] : ["off"] {
            let daemon = try await ForkedDaemon(["--allow-plaintext-login", "--sandbox", policy])
            let client = try daemon.client()
            #expect(try daemon.logIn(client).contains(" OK "))
            #expect(try daemon.process("session").limit("Max processes")!.hard == (policy == "off" ? "0" : "256"))
        }
    }

    @Test("several readers read in the sandbox, and are gone when the command is done", arguments: ["off", "best"])
    func readers(policy: String) async throws {
        let daemon = try await ForkedDaemon(["--allow-plaintext-login", "--sandbox", policy])
        let charsets = ["ISO-2022-JP", "EUC-JP", "BIG5", "KOI8-R", "WINDOWS-1251", "UTF-7", "UTF-8", "UTF-16"]
        for number in 0..<400 {
            try daemon.user.makeFile("Maildir/new/\(1_700_000_000 + number).\(number).x", """
                From: <\(number)@example.org>
                Subject: =?\(charsets[number % 8])?Q?=C4=E3?= x\(number)
                Content-Type: text/plain; charset=\(charsets[number % 8])
                Content-Transfer-Encoding: 8bit

                text y\(number)

                """)
        }
        for directory in ["cur", "tmp"] { try daemon.user.makeFile("Maildir/\(directory)/.keep") }
        let client = try daemon.client()
        #expect(try daemon.logIn(client).contains(" OK "))
        #expect(try client.command("SELECT INBOX").last!.contains(" OK "))
        for (command, answers) in [
            ("SEARCH BODY y7", 1), ("UID FETCH 1:* (BODYSTRUCTURE PREVIEW)", 400), ("SORT (SUBJECT) UTF-8 ALL", 1),
            ("UID FETCH 1:* (ENVELOPE)", 400),
        ] {
            let lines = try client.command(command)
            #expect(lines.last?.contains(" OK ") == true, "\(command): \(lines.suffix(3))\n\(daemon.daemon.log)")
            #expect(lines.count { $0.hasPrefix("* ") } == answers, "\(command)")
            let session = try daemon.process("session")
            try await eventually("no reader is left of \(command)") { session.status("Threads") == ["1"] }
        }
    }
}

/// Without root nothing is held, and nothing pretends to be.
@Suite struct SandboxSettingTests {
    @Test func isForForking() async throws {
        let outcome = try await Program.imapd.run(["--sandbox", "required", "-p", "0"])
        #expect(outcome.status == 64 && outcome.errors.contains("--sandbox"), "\(outcome)")
    }
}
