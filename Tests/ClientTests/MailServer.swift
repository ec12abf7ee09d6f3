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

    let user: String
    let password = "correct horse"
    let directory: TemporaryDirectory
    private let daemons: [Security: RunningDaemon]
    private let ports: [Security: Int]

    /// The account's Maildir.
    var maildir: String { directory.path("Maildir") }
    /// The certificate of the daemons, which clients must be told to trust.
    var authority: String { directory.path("tls/cert.pem") }

    static func start(_ deployment: Deployment) async throws -> MailServer {
        try await MailServer(deployment)
    }

    private init(_ deployment: Deployment) async throws {
        directory = try TemporaryDirectory()
        try await Self.makeCertificate(in: directory.path("tls"))
        var arguments = ["-s", "maildir", "--maildir-path", directory.path("Maildir"), "-h", "127.0.0.1", "-p", "0",
                         "--cert", directory.path("tls/cert.pem"), "--key", directory.path("tls/key.pem")]
        switch deployment {
        case .singleProcess:
            user = "me"
            arguments += ["--user", "\(user):\(password)"]
        case .processPerConnection:
            let account = try SystemAccount(password: password, in: directory)
            user = account.name
            arguments += ["--fork", "--pam-confdir", account.configuration, "--first-valid-uid", "1"]
        }
        daemons = [.tls: try RunningDaemon(arguments + ["--tls"]), .starttls: try RunningDaemon(arguments)]
        ports = [.tls: try await Self.port(of: daemons[.tls]!), .starttls: try await Self.port(of: daemons[.starttls]!)]
    }

    func port(_ security: Security) -> Int { ports[security]! }

    /// What the daemons have logged, for a test that fails.
    var log: String {
        Security.allCases.map { "imapd for \($0) logged:\n\(daemons[$0]!.log)" }.joined(separator: "\n")
    }

    /// The port that the kernel has chosen for `-p 0`.
    private static func port(of daemon: RunningDaemon) async throws -> Int {
        let line = try await daemon.line { $0.contains("listening") }
        return try #require(line.firstMatch(of: /address=\S+:(\d+)/).flatMap { Int($0.1) }, "\(line)")
    }

    /// A pair as README.md has users make it.
    private static func makeCertificate(in directory: String) async throws {
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../certs-example/make-certificate").standardizedFileURL.path
        _ = try Program("openssl", package: "openssl")
        let outcome = try await Program("sh", package: "dash").run([script, directory, "localhost"])
        try #require(outcome.status == 0, "\(outcome)")
    }
}

/// A system user whom PAM knows by a password of ours.
///
/// The user is one that every Debian has and nobody is; PAM's configuration is a directory of the test's.
/// So the machine's accounts stay as they are.
private struct SystemAccount {
    let name = "news"
    let configuration: String

    init(password: String, in directory: TemporaryDirectory) throws {
        configuration = directory.path("pam.d")
        guard let module = glob("/usr/lib/*/pam_wrapper/pam_matrix.so").first else {
            throw Program.Missing(description: "pam_matrix.so is not installed: apt-get install libpam-wrapper")
        }
        let passwords = directory.path("passwords")
        try "\(name):\(password):imapd\n".write(toFile: passwords, atomically: true, encoding: .utf8)
        try FileManager.default.createDirectory(atPath: configuration, withIntermediateDirectories: true)
        try """
            auth required \(module) passdb=\(passwords)
            account required \(module) passdb=\(passwords)
            session required pam_permit.so

            """.write(toFile: configuration + "/imapd", atomically: true, encoding: .utf8)

        // The session is the user's, and makes the Maildir there.
        let maildir = directory.path("Maildir")
        try FileManager.default.createDirectory(atPath: maildir, withIntermediateDirectories: true)
        let entry = try #require(getpwnam(name), "the system has a user \(name)")
        try #require(chown(maildir, entry.pointee.pw_uid, entry.pointee.pw_gid) == 0 && chmod(directory.url.path, 0o711) == 0)
    }

    private func glob(_ pattern: String) -> [String] {
        var found = glob_t()
        defer { globfree(&found) }
        guard Glibc.glob(pattern, 0, nil, &found) == 0 else { return [] }
        return (0..<Int(found.gl_pathc)).compactMap { found.gl_pathv[$0].map { String(cString: $0) } }
    }
}
