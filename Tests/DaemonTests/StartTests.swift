import Foundation
import Glibc
import TestSupport
import Testing

/// Why imapd does not start: a line for everything that is wrong, and the exit status that the manual promises.
@Suite struct StartTests {
    private func run(_ arguments: [String], as user: uid_t? = nil) async throws -> Program.Outcome {
        if let user {
            let number = String(user)
            return try await Program("setpriv", package: "util-linux").run(
                ["--reuid", number, "--regid", number, "--clear-groups", RunningDaemon.executable] + arguments)
        }
        return try await Program.imapd.run(arguments)
    }

    private func lines(_ outcome: Program.Outcome) -> [String] {
        outcome.errors.split(separator: "\n").map(String.init)
    }

    @Test func help() async throws {
        let outcome = try await run(["--help"])
        #expect(outcome.status == 0)
        #expect(outcome.output.contains("--maildir-path PATH"))
        #expect(outcome.errors == "")
    }

    @Test func version() async throws {
        let outcome = try await run(["--version"])
        #expect(outcome.status == 0)
        #expect(outcome.output.hasPrefix("imapd "))
    }

    @Test("mistakes of every kind are told at once")
    func everythingAtOnce() async throws {
        let outcome = try await run(["--prot", "143", "-s", "floppy", "--cert", "/nonexistent/cert.pem", "--key", "/nonexistent/key.pem",
                                     "-h", "192.0.2.1", "-p", "0"])
        let lines = lines(outcome)
        #expect(outcome.status == 64)
        #expect(lines.count == 5, "\(lines)")
        #expect(lines.allSatisfy { $0.hasPrefix("imapd: ") })
        for part in ["did you mean --port?", "floppy", "/nonexistent/cert.pem", "/nonexistent/key.pem", "192.0.2.1"] {
            #expect(lines.count { $0.contains(part) } == 1, "\(part) in \(lines)")
        }
    }

    @Test("a prefix that the separator does not fit", arguments: [
        ["--namespace-prefix", "INBOX/"], ["--namespace-prefix", "INBOX.", "--namespace-separator", "/"],
        ["--namespace-prefix", ".."], ["--namespace-prefix", "INBOX..x."], ["--namespace-prefix", "."],
    ])
    func namespace(arguments: [String]) async throws {
        let outcome = try await run(arguments + ["-p", "0", "-h", "127.0.0.1"])
        #expect(outcome.status == 78)
        #expect(lines(outcome).count == 1 && outcome.errors.contains("namespace-prefix"), "\(outcome)")
    }

    @Test func memoryIsOneProcesss() async throws {
        let outcome = try await run(["--fork", "-s", "memory", "-p", "0"])
        #expect(outcome.status == 64)
        #expect(outcome.errors.contains("--fork") && outcome.errors.contains("--storage memory"))
    }

    @Test func portInUse() async throws {
        let daemon = try RunningDaemon(["-p", "0", "-h", "127.0.0.1"])
        let port = try await daemon.port()
        let outcome = try await run(["-p", String(port), "-h", "127.0.0.1"])
        #expect(outcome.status == 69)
        #expect(lines(outcome).count == 1 && outcome.errors.contains("127.0.0.1:\(port)"), "\(outcome)")
    }

    @Test func unknownHost() async throws {
        let outcome = try await run(["-p", "0", "-h", "no-such-host.invalid"])
        #expect(outcome.status == 69)
        #expect(outcome.errors.contains("no-such-host.invalid"))
    }

    @Test func certificateAndKeyThatDoNotBelongTogether() async throws {
        let (one, other) = (try await Certificate(), try await Certificate())
        let outcome = try await run(["-p", "0", "--cert", one.certificate, "--key", other.key])
        #expect(outcome.status == 78)
        #expect(lines(outcome).count == 1 && outcome.errors.contains("does not belong"), "\(outcome)")
    }

    @Test func filesThatAreNoCertificates() async throws {
        let outcome = try await run(["-p", "0", "--cert", "/etc/passwd", "--key", "/etc/passwd"])
        #expect(outcome.status == 78)
        #expect(lines(outcome).count == 2, "\(outcome)")
    }

    @Test("an expired certificate is a warning: clients decide")
    func expiredCertificate() async throws {
        let certificate = try await Certificate(days: -1)
        let daemon = try RunningDaemon(["-p", "0", "-h", "127.0.0.1", "--tls", "--cert", certificate.certificate, "--key", certificate.key])
        _ = try await daemon.port()
        #expect(daemon.log.contains("warning") && daemon.log.contains("expired"), "\(daemon.log)")
        #expect(await daemon.stop() == 0)
    }

    // MARK: - Rights

    /// Who may do nothing.
    private static let nobody: uid_t = 65_534

    @Test(.enabled(if: isRoot, "needs root: to be somebody without rights"))
    func forkNeedsRoot() async throws {
        let outcome = try await run(["--fork", "-p", "0", "-h", "127.0.0.1"], as: Self.nobody)
        #expect(outcome.status == 77)
        #expect(lines(outcome).count == 1 && outcome.errors.contains("root"), "\(outcome)")
    }

    @Test(.enabled(if: isRoot, "needs root: to be somebody without rights"))
    func unreadableKey() async throws {
        let certificate = try await Certificate()
        chmod(certificate.key, 0o600)
        let outcome = try await run(["-p", "0", "--cert", certificate.certificate, "--key", certificate.key], as: Self.nobody)
        #expect(outcome.status == 78)
        #expect(outcome.errors.contains("denied"), "\(outcome)")
    }

    @Test(.enabled(if: isRoot, needsRoot), arguments: ["root", "imapd-no-such-user"])
    func gateUserThatWillNotDo(name: String) async throws {
        let outcome = try await run(["--fork", "-p", "0", "-h", "127.0.0.1", "--gate-user", name])
        #expect(outcome.status == 78)
        #expect(lines(outcome).count == 1 && outcome.errors.contains(name), "\(outcome)")
    }
}
