import Foundation
import Glibc
import Maildir
import TestSupport
import Testing

/// Passwords that a server is not told: SCRAM.
@Suite(.enabled(if: geteuid() == 0, "needs root: servers that become the users whose mail they serve"))
struct ImportLoginTests {
    private let directory: TemporaryDirectory
    private let account: ControlAccount

    init() throws {
        directory = try TemporaryDirectory()
        chmod(directory.url.path, 0o711)
        account = try ControlAccount()
        _ = try account.store()
        for (name, text) in [("right", "pen,cil=\n"), ("wrong", "pencil\n")] {
            try Data(text.utf8).write(to: URL(fileURLWithPath: directory.path(name)))
        }
    }

    private func start(_ password: [String], _ options: [String]) async throws -> (daemon: RunningDaemon, certificate: Certificate) {
        let file = directory.path("users"), home = directory.path("ann")
        mkdir(home, 0o700)
        chown(home, 59_999, 59_999)
        let set = try await Program.imapctl.run(
            ["password", "set", "ann", "--uid", "59999", "--home", home, "--file", file] + password, input: Data("pen,cil=\n".utf8))
        try #require(set.status == 0, "\(set)")
        let certificate = try await Certificate()
        return (try RunningDaemon([
            "--fork", "-h", "127.0.0.1", "-p", "0", "--cert", certificate.certificate, "--key", certificate.key,
            "--password-file", file, "--password-use", directory.path("use"), "--pam=no", "--control-socket", "none",
            "--failure-delay", "0",
        ] + options), certificate)
    }

    private func run(_ port: Int, _ options: [String], password: String = "right") async throws -> Program.Outcome {
        try await Program.imapctl.run(
            ["import", "imap", "127.0.0.1", "--port", "\(port)", "--login", "ann", "--password-file", directory.path(password),
             "--maildir", account.path] + options)
    }

    @Test("SCRAM is bound to TLS where both can, and goes without TLS too", arguments: [true, false])
    func ours(isProtected: Bool) async throws {
        let (daemon, certificate) = try await start(["--iterations", "4096"], ["--sasl", "scram-sha-256-plus,scram-sha-256", "--allow-plaintext-login"])
        let options = isProtected
            ? ["--tls", "starttls", "--ca-file", certificate.certificate, "--tls-name", "localhost"] : ["--tls", "none"]
        let port = try await daemon.port()
        let outcome = try await run(port, options)
        try #require(outcome.status == 0, "\(outcome)")
        let line = try await daemon.line { $0.contains(": login peer=") }
        #expect(line.contains(isProtected ? "SCRAM-SHA-256-PLUS" : "SCRAM-SHA-256\""), "\(line)")
        let refused = try await run(port, options, password: "wrong")
        #expect(refused.status == 2 && refused.errors.contains("logging in as ann: the server says NO"), "\(refused)")
        await daemon.stop()
    }

    @Test("a server that offers SCRAM, and does not have what it takes, is told the password over TLS only")
    func fallback() async throws {
        let (daemon, certificate) = try await start(["--crypt"], ["--sasl", "scram-sha-256,plain", "--allow-plaintext-login"])
        let port = try await daemon.port()
        let outcome = try await run(
            port, ["--tls", "starttls", "--ca-file", certificate.certificate, "--tls-name", "localhost"])
        try #require(outcome.status == 0, "\(outcome)")
        let line = try await daemon.line { $0.contains(": login peer=") }
        #expect(line.contains("PLAIN"), "\(line)")
        #expect(try await run(port, ["--tls", "none"]).status == 2)
        await daemon.stop()
    }

    @Test("Dovecot takes SCRAM", arguments: ["right", "wrong"])
    func dovecot(_ password: String) async throws {
        let program = try Program("dovecot", package: "dovecot-imapd")
        let verifier = try await Program("doveadm", package: "dovecot-core").run(["pw", "-s", "SCRAM-SHA-256", "-p", "pen,cil="])
        try #require(verifier.status == 0, "\(verifier)")
        let home = directory.path("home")
        mkdir(home, 0o700)
        chown(home, 59_999, 59_999)
        try "ann:\(verifier.output.trimmingCharacters(in: .newlines))\n".write(
            toFile: directory.path("passwd"), atomically: true, encoding: .utf8)
        chmod(directory.path("passwd"), 0o644)
        // As Foundation has started it, it would never see a signal, and so not end.
        let unblocked = """
            import os, signal, sys
            signal.pthread_sigmask(signal.SIG_SETMASK, [])
            os.execv(sys.argv[1], sys.argv[1:])
            """
        let server = try await RunningServer(Program("python3", package: "python3"), in: directory.url) { port in
            try """
                base_dir = \(directory.path("run"))
                state_dir = \(directory.path("state"))
                log_path = /dev/stderr
                protocols = imap
                ssl = no
                disable_plaintext_auth = yes
                auth_mechanisms = scram-sha-256
                first_valid_uid = 1
                mail_location = maildir:\(home)/Maildir
                passdb {
                  driver = passwd-file
                  args = \(directory.path("passwd"))
                }
                userdb {
                  driver = static
                  args = uid=59999 gid=59999 home=\(home)
                }
                service imap-login {
                  inet_listener imap {
                    address = 127.0.0.1
                    port = \(port)
                  }
                  inet_listener imaps {
                    port = 0
                  }
                }
                """.write(toFile: directory.path("dovecot.conf"), atomically: true, encoding: .utf8)
            return ["-c", unblocked, program.path, "-F", "-c", directory.path("dovecot.conf")]
        }
        let outcome = try await run(server.port, ["--tls", "none"], password: password)
        if password == "right" {
            #expect(outcome.status == 0 && outcome.output.contains("INBOX"), "\(outcome)")
        } else {
            #expect(outcome.status == 2 && outcome.errors.contains("logging in as ann: the server says NO"), "\(outcome)")
        }
    }
}
