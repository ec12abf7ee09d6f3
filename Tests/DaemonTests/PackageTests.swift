import Foundation
import TestSupport
import Testing

/// What `systemd/debian/make-deb` makes a package of.
@Suite struct PackageTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..")
        .standardized
    private static let debian = root.appendingPathComponent("systemd/debian")

    private static func text(_ name: String) throws -> String {
        try String(contentsOf: debian.appendingPathComponent(name), encoding: .utf8)
    }

    @Test func changelogTellsTheVersion() async throws {
        let outcome = try await Program.imapd.run(["--version"])
        let released = try #require(try Self.text("changelog").firstMatch(of: /^imapd \(([0-9.]+)[^)]*\)/)?.1)
        #expect(outcome.output == "imapd \(released)\n")
    }

    @Test("scripts that a shell runs can be read by it", arguments: ["postinst", "prerm", "postrm"])
    func maintainerScripts(_ name: String) async throws {
        let outcome = try await Program("sh", package: "dash").run(["-n", Self.debian.appendingPathComponent(name).path])
        #expect(outcome.status == 0, "\(outcome)")
    }

    @Test func makeDebCanBeRead() async throws {
        let outcome = try await Program("bash", package: "bash").run(["-n", Self.debian.appendingPathComponent("make-deb").path])
        #expect(outcome.status == 0, "\(outcome)")
    }

    /// As it is, and with everything in it that an administrator may take the # from.
    @Test(arguments: [false, true])
    func settingsAreRight(all: Bool) async throws {
        var text = try Self.text("imapd.conf")
        if all { text = text.replacing(/(?m)^#(?=\w)/, with: "") }
        let directory = try TemporaryDirectory()
        try text.write(toFile: directory.path("imapd.conf"), atomically: true, encoding: .utf8)
        let outcome = try await Program.imapd.run(["--fork", "--tls", "--config", directory.path("imapd.conf"), "--show-config"])
        #expect(outcome.status == 0, "\(outcome)")
        #expect(outcome.output.contains("maildir-path = ~/Maildir"))
    }

    @Test func everyManualIsThere() throws {
        let manuals = try FileManager.default.contentsOfDirectory(atPath: Self.root.appendingPathComponent("man").path)
        #expect(manuals.count > 4 && manuals.allSatisfy { $0.contains(/\.[1-8]$/) }, "make-deb takes man/*.[1-8]")
    }
}
