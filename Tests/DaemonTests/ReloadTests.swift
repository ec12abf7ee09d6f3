import Foundation
import Glibc
import TestSupport
import Testing

@testable import Daemon

/// SIGHUP: settings and certificates change, and no connection ends.
@Suite(.enabled(if: isRoot, needsRoot)) final class ReloadTests {
    private let directory: TemporaryDirectory
    private let pam: PAMConfiguration
    private let user: SystemUser
    private var path: String { directory.path("imapd.conf") }

    init() async throws {
        directory = try TemporaryDirectory()
        pam = try .unix()
        user = try await SystemUser()
    }

    private func configure(_ settings: String) throws {
        try settings.write(toFile: path, atomically: true, encoding: .utf8)
    }

    private func start() throws -> RunningDaemon {
        try RunningDaemon(
            ["--fork", "--config", path, "--pam-confdir", pam.path, "--first-valid-uid", "1", "--allow-plaintext-login"])
    }

    private func greeting(_ port: Int, host: String = "127.0.0.1") throws -> (MailClient, String) {
        let client = try MailClient(port: port, host: host)
        return (client, try client.line() ?? "")
    }

    private func reload(_ daemon: RunningDaemon, until text: String) async throws {
        daemon.child.send(SIGHUP)
        _ = try await daemon.line { $0.contains(text) }
    }

    @Test("new connections have new settings, old ones go on, and a bad file changes nothing")
    func settings() async throws {
        try configure("listen = 127.0.0.1:0\ngreeting = one\nspares = 2\n")
        let daemon = try start()
        let port = try await daemon.port()
        let (old, first) = try greeting(port)
        #expect(first.hasSuffix("one"))
        #expect(try old.command("LOGIN \(user.name) \"\(user.password)\"").last?.contains(" OK ") == true)

        try configure("listen = 127.0.0.1:0\nlisten = 127.0.0.2:0\ngreeting = two\nspares = 2\npid-file = /nonexistent/pid\n")
        try await reload(daemon, until: "setting=pid-file")
        let line = try await daemon.line { $0.contains("listening address=127.0.0.2") }
        let second = try #require(line.firstMatch(of: /127.0.0.2:(\d+)/).flatMap { Int($0.1) })
        #expect(try greeting(port).1.hasSuffix("two"))
        #expect(try greeting(second, host: "127.0.0.2").1.hasSuffix("two"))
        #expect(try old.command("SELECT INBOX").last?.contains(" OK ") == true)

        try configure("listen = 127.0.0.3:0\ngreting = three\nlogin-timeout = soon\n")
        try await reload(daemon, until: "\(path):3: login-timeout")
        #expect(daemon.log.contains("\(path):2: there is no setting greting"))
        #expect(!daemon.log.contains("127.0.0.3"))
        #expect(try greeting(port).1.hasSuffix("two"))

        try configure("listen = 127.0.0.2:0\ngreeting = four\n")
        try await reload(daemon, until: "no longer listening address=127.0.0.1:\(port)")
        try await eventually("it has read its settings twice") {
            daemon.log.components(separatedBy: "settings read again").count == 3
        }
        #expect(try greeting(second, host: "127.0.0.2").1.hasSuffix("four"))
        #expect(throws: (any Error).self) { try MailClient(port: port) }
        #expect(try old.command("NOOP").last?.contains(" OK ") == true)
        #expect(await daemon.stop() == 0)
    }

    /// The certificate that a client is shown.
    private func shown(_ port: Int) async throws -> Substring? {
        let outcome = try await Program("openssl", package: "openssl").run(["s_client", "-connect", "127.0.0.1:\(port)"])
        return pem(outcome.output)
    }

    private func pem(_ text: String) -> Substring? {
        text.firstMatch(of: /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/)?.output
    }

    /// As a program does that renews certificates, and was done an hour ago.
    private func put(_ file: String, as name: String) throws {
        let target = directory.path(name)
        try? FileManager.default.removeItem(atPath: target)
        try FileManager.default.copyItem(atPath: file, toPath: target)
        try FileManager.default.setAttributes([.modificationDate: Date(timeIntervalSinceNow: -3600)], ofItemAtPath: target)
    }

    @Test("renewed certificates are noticed, and those that are wrong are not used")
    func certificates() async throws {
        let (first, second) = (try await Certificate(), try await Certificate(.rsa))
        try put(first.certificate, as: "cert.pem")
        try put(first.key, as: "key.pem")
        try configure(
            "listen-tls = 127.0.0.1:0\ncert = \(directory.path("cert.pem"))\nkey = \(directory.path("key.pem"))\nspares = 2\n")
        let daemon = try start()
        let port = try await daemon.port()

        try put(second.certificate, as: "cert.pem")
        try put(second.key, as: "key.pem")
        #expect(try await shown(port) == pem(String(contentsOfFile: second.certificate, encoding: .utf8)))
        _ = try await daemon.line { $0.contains("certificates read again") }

        try put(first.key, as: "key.pem")
        // The files are looked at once a second.
        while !daemon.log.contains("the certificates stay as they were") { _ = try await shown(port) }
        #expect(daemon.log.contains("does not belong"))
        #expect(try await shown(port) == pem(String(contentsOfFile: second.certificate, encoding: .utf8)))
    }
}

@Suite struct ReverseLookupTests {
    @Test(.enabled(if: isRoot, needsRoot))
    func nameOfAClient() async throws {
        let daemon = try RunningDaemon(["--fork", "-p", "0", "-h", "127.0.0.1", "--reverse-lookups"])
        let client = try MailClient(port: try await daemon.port())
        #expect(try client.line()?.hasPrefix("* OK") == true)
        let line = try await daemon.line { $0.contains(" name ") }
        #expect(line.contains("name=localhost") && line.contains("confirmed=yes") && line.contains("peer=127.0.0.1:"), "\(line)")
        #expect(await daemon.stop() == 0)
    }
}

@Suite struct FileWatchTests {
    @Test("a file that has just been written may not be complete")
    func settled() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("file")
        try "1".write(toFile: path, atomically: false, encoding: .utf8)
        var (fresh, old, gone, same) = (FileWatch([path]), FileWatch([path]), FileWatch([path]), FileWatch([path]))
        let hasChanged = same.hasChanged()
        #expect(!hasChanged)
        try "22".write(toFile: path, atomically: true, encoding: .utf8)
        let freshHasChanged = fresh.hasChanged()
        #expect(!freshHasChanged)
        try FileManager.default.setAttributes([.modificationDate: Date(timeIntervalSinceNow: -10)], ofItemAtPath: path)
        // At most once a second.
        let answers = [old.hasChanged(), old.hasChanged()]
        #expect(answers == [true, false])
        try FileManager.default.removeItem(atPath: path)
        let goneHasChanged = gone.hasChanged()
        #expect(goneHasChanged)
    }
}
