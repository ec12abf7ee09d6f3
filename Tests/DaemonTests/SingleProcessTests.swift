import Foundation
import Glibc
import TestSupport
import Testing

/// `imapd` without --fork, as somebody without rights meets it.
@Suite struct SingleProcessTests {
    @Test("mail in memory, in clear text on loopback")
    func memory() async throws {
        let daemon = try RunningDaemon(["-s", "memory", "-p", "0", "-h", "127.0.0.1", "--user", "me:secret"])
        let client = try MailClient(port: try await daemon.port())
        #expect(try client.line()!.hasPrefix("* OK "))
        #expect(try client.command("LOGIN me wrong").last!.contains(" NO [AUTHENTICATIONFAILED]"))
        #expect(try client.command("LOGIN me secret").last!.contains(" OK "))
        #expect(try client.command("SELECT INBOX").contains("* 2 EXISTS"))
        #expect(try client.command("LOGOUT").last!.contains(" OK "))
        #expect(try client.line() == nil)
        #expect(await daemon.stop() == 0)
        #expect(!daemon.log.contains("secret"))
    }

    @Test("anybody may log in with the password that is printed")
    func printedPassword() async throws {
        let files = try TemporaryDirectory()
        let program = try Program("sh", package: "dash")
        let outcome = try await program.run(
            ["-c", """
                \(RunningDaemon.executable) -p 0 -h 127.0.0.1 >out 2>err & pid=$!
                until grep -q listening err; do kill -0 $pid || exit 1; done
                cat out; kill $pid; wait $pid
                """], in: files.url)
        #expect(outcome.status == 0, "\(outcome)")
        let password = try #require(outcome.output.firstMatch(of: /password (\S+)/)).1
        #expect(password.count >= 12)
        // What goes to a log stays there.
        #expect(try !String(contentsOfFile: files.path("err"), encoding: .utf8).contains(password))
    }

    @Test func passwordIsNotInTheProcessTable() async throws {
        let daemon = try RunningDaemon(["-p", "0", "-h", "127.0.0.1", "--user", "me:hidden-secret"])
        _ = try await daemon.port()
        #expect(!ProcessView(daemon.child.pid).title.contains("hidden-secret"))
    }

    @Test("without TLS, and not on loopback, there are no passwords")
    func noPlaintextBeyondLoopback() async throws {
        // Mail in files may be somebody's; mail in memory is the developer's.
        let files = try TemporaryDirectory()
        let daemon = try RunningDaemon(
            ["-s", "maildir", "--maildir-path", files.path("mail"), "-p", "0", "-h", "127.0.0.1", "--user", "me:secret"])
        let client = try MailClient(port: try await daemon.port())
        _ = try client.line()
        #expect(try client.command("CAPABILITY").first!.contains("LOGINDISABLED"))
        #expect(try client.command("LOGIN me secret").last!.contains(" NO "))
    }

    @Test(arguments: [true, false])
    func tls(implicit: Bool) async throws {
        let certificate = try await Certificate()
        let daemon = try RunningDaemon(
            ["-p", "0", "-h", "127.0.0.1", "--user", "me:secret", "--cert", certificate.certificate, "--key", certificate.key]
                + (implicit ? ["--tls"] : []))
        let client = try MailClient(port: try await daemon.port(), tls: implicit)
        #expect(try client.line()!.hasPrefix("* OK "))
        if !implicit {
            try client.send("a STARTTLS\r\nb NOOP\r\n")
            #expect(try client.lines(through: "a").last!.hasPrefix("a OK"))
            try client.startTLS()
        }
        #expect(try client.command("LOGIN me secret").last!.contains(" OK "))
        let line = try await daemon.line { $0.contains(": tls ") }
        #expect(line.contains("version=TLSv1.3") && line.contains("cipher=TLS_"), "\(line)")
        #expect(await daemon.stop() == 0)
    }

    @Test func mailOutlivesTheDaemon() async throws {
        let files = try TemporaryDirectory()
        let arguments = ["-s", "maildir", "--maildir-path", files.path("mail"), "-p", "0", "-h", "127.0.0.1",
                         "--user", "me:secret", "--allow-plaintext-login"]
        for turn in 1...2 {
            let daemon = try RunningDaemon(arguments)
            let client = try MailClient(port: try await daemon.port())
            _ = try client.line()
            try client.command("LOGIN me secret")
            #expect(try client.command("SELECT INBOX").contains("* \(turn - 1) EXISTS"))
            try client.send("a APPEND INBOX {5+}\r\nA: b\n\r\n")
            #expect(try client.lines(through: "a").last!.hasPrefix("a OK"))
            #expect(await daemon.stop() == 0)
        }
    }

    @Test(arguments: [SIGTERM, SIGINT])
    func goodbye(signal: Int32) async throws {
        let daemon = try RunningDaemon(["-p", "0", "-h", "127.0.0.1", "--user", "me:secret"])
        let port = try await daemon.port()
        let clients = try (0..<3).map { _ in try MailClient(port: port) }
        for client in clients { _ = try client.line() }
        try clients[0].command("LOGIN me secret")
        try clients[1].command("LOGIN me secret")
        try clients[1].command("SELECT INBOX")
        try clients[1].send("i IDLE\r\n")
        #expect(try clients[1].line()!.hasPrefix("+"))
        daemon.child.send(signal)
        for client in clients {
            let lines = try client.rest()
            #expect(lines.last?.hasPrefix("* BYE ") == true, "\(lines)")
        }
        #expect(await daemon.child.end(within: .seconds(60)) == 0)
    }

    @Test func severalHosts() async throws {
        let daemon = try RunningDaemon(["-p", "0", "-h", "127.0.0.1,127.0.0.2"])
        _ = try await daemon.line { $0.contains("address=127.0.0.1:") }
        let line = try await daemon.line { $0.contains("address=127.0.0.2:") }
        let port = try #require(line.firstMatch(of: /address=\S+:(\d+)/).flatMap { Int($0.1) })
        #expect(try MailClient(port: port, host: "127.0.0.2").line()!.hasPrefix("* OK "))
    }
}
