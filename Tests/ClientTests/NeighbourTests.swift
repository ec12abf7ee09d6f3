import Foundation
import Glibc
import TestSupport
import Testing

/// imapd-neighbours(7), as written: only addresses, ports and files are put in.
@Suite struct NeighbourTests {
    /// The example with this text in it.
    private static func example(with text: String) throws -> String {
        let manual = try DocumentationTests.text("man/imapd-neighbours.7")
        let blocks = manual.matches(of: #/(?s)\.Bd -literal -offset indent\n(.*?)\.Ed\n/#).map { String($0.1) }
        let block = try #require(blocks.first { $0.contains(text) }, "no example has \(text)")
        return block.replacing("\\e", with: "\\").replacing("\\&", with: "")
    }

    /// A visit with curl, from an address that is this machine's but not the proxy's.
    private func visit(
        _ url: String, _ server: MailServer, port: Int, authority: String? = nil
    ) async throws -> Program.Outcome {
        try await Program("curl", package: "curl").run(
            ["--silent", "--show-error", "--interface", "127.0.0.2", "--cacert", authority ?? server.authority, "--ssl-reqd",
             "--resolve", "localhost:\(port):127.0.0.1", "--user", "\(server.user):\(server.password)", "--request", "NOOP",
             "\(url)://localhost:\(port)/"])
    }

    private func expectProxied(_ outcome: Program.Outcome, _ server: MailServer) {
        #expect(outcome.status == 0, "\(outcome)\n\(server.log)")
        #expect(server.log.contains(/: login peer=127\.0\.0\.2:/), "\(server.log)")
    }

    @Test func haproxy() async throws {
        let server = try await MailServer.start(.singleProcess, ["--proxy-from", "127.0.0.1"])
        let files = try TemporaryDirectory()
        let example = try Self.example(with: "send-proxy-v2"), other = try RunningServer.freePort()
        let proxy = try await RunningServer(Program("haproxy", package: "haproxy"), in: files.url) { port in
            try example.replacing("bind :143", with: "bind 127.0.0.1:\(other)").replacing("bind :993", with: "bind 127.0.0.1:\(port)")
                .replacing("192.0.2.10:143", with: "127.0.0.1:\(server.port(.starttls))")
                .replacing("192.0.2.10:993", with: "127.0.0.1:\(server.port(.tls))")
                .write(toFile: files.path("haproxy.cfg"), atomically: true, encoding: .utf8)
            return ["-db", "-f", files.path("haproxy.cfg")]
        }
        expectProxied(try await visit("imaps", server, port: proxy.port), server)
    }

    /// nginx with these blocks, in a directory of its own and without a daemon.
    private func nginx(
        _ modules: [String], in files: TemporaryDirectory, _ blocks: (Int) -> String
    ) async throws -> RunningServer {
        let program = try Program("nginx", package: "nginx-light")
        let loaded = try modules.map { module in
            let file = "/usr/lib/nginx/modules/ngx_\(module)_module.so"
            guard FileManager.default.fileExists(atPath: file) else {
                throw Program.Missing(description: "there is no \(file): apt-get install libnginx-mod-\(module)")
            }
            return "load_module \(file);\n"
        }
        return try await RunningServer(program, in: files.url) { port in
            try (loaded.joined() + "daemon off;\npid \(files.path("pid"));\nerror_log stderr;\nevents {}\n" + blocks(port))
                .write(toFile: files.path("nginx.conf"), atomically: true, encoding: .utf8)
            return ["-e", "stderr", "-p", files.url.path, "-c", files.path("nginx.conf")]
        }
    }

    @Test func nginxStream() async throws {
        let server = try await MailServer.start(.singleProcess, ["--proxy-from", "127.0.0.1"])
        let files = try TemporaryDirectory()
        let example = try Self.example(with: "stream {")
        let proxy = try await nginx(["stream"], in: files) { port in
            example.replacing("server { listen 143; proxy_pass 192.0.2.10:143; }", with: "")
                .replacing("listen 993", with: "listen 127.0.0.1:\(port)")
                .replacing("192.0.2.10:993", with: "127.0.0.1:\(server.port(.tls))")
        }
        expectProxied(try await visit("imaps", server, port: proxy.port), server)
    }

    /// With an http block, whose files may be anywhere.
    private static func http(_ files: TemporaryDirectory, _ block: String) -> String {
        let places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map { "\($0)_temp_path \(files.path($0));\n" }
        return "http {\naccess_log off;\n" + places.joined() + block + "}\n"
    }

    @Test("nginx ends TLS, asks where a user lives, and logs in there", arguments: [true, false])
    func nginxMail(implicitTLS: Bool) async throws {
        let server = try await MailServer.start(
            .singleProcess, ["--proxy-from", "127.0.0.1", "--allow-plaintext-login"])
        let files = try TemporaryDirectory()
        let certificate = try await Certificate()
        let mail = try Self.example(with: "auth_http"), map = try Self.example(with: "map $http_auth_user")
        let service = try RunningServer.freePort(), other = try RunningServer.freePort()
        try "\(server.user) 127.0.0.1;\n".write(toFile: files.path("mailhosts"), atomically: true, encoding: .utf8)
        let proxy = try await nginx(["mail"], in: files) { port in
            mail.replacing("127.0.0.1:8080", with: "127.0.0.1:\(service)")
                .replacing("listen 993 ssl", with: "listen 127.0.0.1:\(implicitTLS ? port : other) ssl")
                .replacing("listen 143", with: "listen 127.0.0.1:\(implicitTLS ? other : port)")
                .replacing("/etc/letsencrypt/live/mail.example.org/fullchain.pem", with: certificate.certificate)
                .replacing("/etc/letsencrypt/live/mail.example.org/privkey.pem", with: certificate.key)
            + Self.http(files, map.replacing("127.0.0.1:8080", with: "127.0.0.1:\(service)")
                .replacing("192.0.2.10", with: "127.0.0.255").replacing("/etc/nginx/mailhosts", with: files.path("mailhosts"))
                .replacing("Auth-Port 143", with: "Auth-Port \(server.port(.starttls))"))
        }
        expectProxied(
            try await visit(implicitTLS ? "imaps" : "imap", server, port: proxy.port, authority: certificate.certificate), server)
    }

    @Test func fail2banJail() async throws {
        let client = try Program("fail2ban-client", package: "fail2ban")
        let files = try TemporaryDirectory()
        let copied = try await Program("cp", package: "coreutils").run(["-r", "/etc/fail2ban", files.path("fail2ban")])
        try #require(copied.status == 0, "\(copied)")
        let filter = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../systemd/fail2ban/imapd.conf").standardizedFileURL.path
        try String(contentsOfFile: filter, encoding: .utf8)
            .write(toFile: files.path("fail2ban/filter.d/imapd.conf"), atomically: true, encoding: .utf8)
        try Self.example(with: "bantime").write(toFile: files.path("fail2ban/jail.local"), atomically: true, encoding: .utf8)
        let outcome = try await client.run(["-c", files.path("fail2ban"), "--dp"])
        #expect(outcome.status == 0, "\(outcome)")
        #expect(outcome.output.contains("'add', 'imapd', 'systemd'") && outcome.output.contains("_SYSTEMD_UNIT=imapd.service"),
                "\(outcome)")
    }
}
