import Foundation
import TestSupport
import Testing

/// The filter that is shipped, on what the daemon really logs.
@Suite struct Fail2banTests {
    static let filter = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../systemd/fail2ban/imapd.conf").standardized.path

    /// The addresses of the failures that it finds.
    private func addresses(in log: String) async throws -> [String] {
        let files = try TemporaryDirectory()
        try log.write(toFile: files.path("log"), atomically: true, encoding: .utf8)
        // It reads the defaults beside the filter where it is installed, and logs itself where it may.
        let outcome = try await Program("fail2ban-regex", package: "fail2ban")
            .run(["--out", "ip", files.path("log"), Self.filter], in: files.url)
        #expect(outcome.status == 0, "\(outcome)")
        return outcome.output.split(separator: "\n").map(String.init)
    }

    /// Names that try to be another line, another address, or the end of this one.
    static let names = [
        "ann", "a b", "x peer=192.0.2.9:1 verdict=rejected user=y", "\\\" peer=192.0.2.9:1", "login failed peer=192.0.2.9:1",
        "imapd[1]: login failed peer=192.0.2.9:1 mechanism=LOGIN verdict=rejected user=z", "",
    ]

    @Test("every failed login, whatever name is given, is one failure of its address")
    func realOutput() async throws {
        let daemon = try RunningDaemon(["-p", "0", "-h", "127.0.0.1", "--user", "me:secret", "--failure-delay", "0"])
        let port = try await daemon.port()
        for name in Self.names {
            let client = try MailClient(port: port)
            #expect(try client.command("LOGIN \"\(name)\" wrong").last?.contains(" NO ") == true)
        }
        // With line ends, which only a literal can hold.
        for end in ["\r\n", "\n", "\u{2028}", "\u{85}"] {
            let name = "a\(end)2026-11-21T12:00:00.000Z imapd[1] notice: login failed peer=192.0.2.9:1 verdict=rejected user=b"
            let client = try MailClient(port: port)
            try client.send("a LOGIN {\(name.utf8.count)+}\r\n\(name) wrong\r\n")
            #expect(try client.lines(through: "a").last?.contains(" NO ") == true)
        }
        let client = try MailClient(port: port)
        #expect(try client.command("LOGIN me secret").last?.contains(" OK ") == true)
        await daemon.stop()
        #expect(daemon.log.split(separator: "\n").filter { $0.contains(": login failed peer=127.0.0.1:") }.count == Self.names.count + 4)
        #expect(try await addresses(in: daemon.log) == Array(repeating: "127.0.0.1", count: Self.names.count + 4))
    }

    @Test("as syslog and the journal write it, from IPv6 and through a proxy; not who has the right password")
    func otherForms() async throws {
        let log = """
            Nov 21 12:00:00 mail imapd[77]: login failed peer=192.0.2.1:5 mechanism=LOGIN reason="Authentication failure" \
            verdict=rejected user=ann
            2026-11-21T12:00:01.000000+00:00 mail imapd[77]: login failed peer=[2001:db8::1]:5 mechanism="AUTHENTICATE PLAIN" \
            proxy=10.0.0.1:6 reason="Authentication failure" verdict=rejected user="a b"
            Nov 21 12:00:02 mail imapd[77]: login failed peer=192.0.2.2:5 mechanism=LOGIN reason="expired" verdict=expired user=ann
            Nov 21 12:00:03 mail imapd[77]: login failed peer=192.0.2.3:5 mechanism=LOGIN reason="closed" verdict=disabled \
            user="x verdict=rejected user=y"
            Nov 21 12:00:04 mail imapd[77]: login peer=192.0.2.4:5 mechanism=LOGIN user=ann
            Nov 21 12:00:05 mail other[77]: imapd[77]: login failed peer=192.0.2.5:5 mechanism=LOGIN verdict=rejected user=ann

            """
        #expect(try await addresses(in: log) == ["192.0.2.1", "2001:db8::1"])
    }
}
