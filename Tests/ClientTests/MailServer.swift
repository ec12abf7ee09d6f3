import Foundation
import Glibc
import TestSupport
import Testing

/// `imapd` as clients meet it: an account with a Maildir, reached by TLS from the first byte and by STARTTLS.
///
/// Two daemons stand behind it, one for each, as `--port` makes one listener.
final class MailServer: Sendable {
    enum Deployment: String, CaseIterable, Sendable, CustomTestStringConvertible {
        case singleProcess = "one process"
        case processPerConnection = "imapd --fork"

        /// Those that this user may start.
        static let possible: [Deployment] = geteuid() == 0 ? allCases : [.singleProcess]

        var testDescription: String { rawValue }
    }

    enum Security: String, CaseIterable, Sendable {
        case tls, starttls
    }

    /// With processes per connection, a user that every Debian has and nobody is, so that the machine's accounts stay as they are.
    let user: String
    let password = "correct horse"
    let directory: TemporaryDirectory
    /// What PAM is told.
    private let accounts: PAMConfiguration?
    private let daemons: [Security: RunningDaemon]
    private let ports: [Security: Int]

    /// The account's Maildir.
    var maildir: String { directory.path("Maildir") }
    /// The certificate of the daemons, which clients must be told to trust.
    var authority: String { directory.path("tls/cert.pem") }

    static func start(_ deployment: Deployment, _ arguments: [String] = []) async throws -> MailServer {
        try await MailServer(deployment, arguments)
    }

    private init(_ deployment: Deployment, _ more: [String]) async throws {
        directory = try TemporaryDirectory()
        try await Self.makeCertificate(in: directory.path("tls"))
        var arguments = ["-s", "maildir", "--maildir-path", directory.path("Maildir"), "-h", "127.0.0.1", "-p", "0",
                         "--cert", directory.path("tls/cert.pem"), "--key", directory.path("tls/key.pem")] + more
        switch deployment {
        case .singleProcess:
            user = "me"
            accounts = nil
            arguments += ["--user", "\(user):\(password)"]
        case .processPerConnection:
            user = "news"
            accounts = try .list([(user, password)])
            try Self.giveMaildir(to: user, in: directory)
            arguments += ["--fork", "--pam-confdir", accounts!.path, "--first-valid-uid", "1"]
        }
        daemons = [.tls: try RunningDaemon(arguments + ["--tls"]), .starttls: try RunningDaemon(arguments)]
        ports = [.tls: try await daemons[.tls]!.port(), .starttls: try await daemons[.starttls]!.port()]
    }

    func port(_ security: Security) -> Int { ports[security]! }

    /// What the daemons have logged, for a test that fails.
    var log: String {
        Security.allCases.map { "imapd for \($0) logged:\n\(daemons[$0]!.log)" }.joined(separator: "\n")
    }

    /// A pair as README.md has users make it.
    private static func makeCertificate(in directory: String) async throws {
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../certs-example/make-certificate").standardizedFileURL.path
        _ = try Program("openssl", package: "openssl")
        let outcome = try await Program("sh", package: "dash").run([script, directory, "localhost"])
        try #require(outcome.status == 0, "\(outcome)")
    }

    /// The session is the user's, and makes the mailboxes there.
    private static func giveMaildir(to user: String, in directory: TemporaryDirectory) throws {
        let maildir = directory.path("Maildir")
        try FileManager.default.createDirectory(atPath: maildir, withIntermediateDirectories: true)
        let entry = try #require(getpwnam(user), "the system has a user \(user)")
        try #require(chown(maildir, entry.pointee.pw_uid, entry.pointee.pw_gid) == 0 && chmod(directory.url.path, 0o711) == 0)
    }
}

/// Says so where half of the servers are missing.
@Suite struct DeploymentTests {
    @Test(.enabled(if: geteuid() == 0, "needs root: to meet imapd --fork, too"))
    func clientsMeetEveryDeployment() {
        #expect(MailServer.Deployment.possible == MailServer.Deployment.allCases)
    }
}
