import Foundation
import TestSupport
import Testing

/// Behind HAProxy and nginx, which pass TLS on as it comes and tell from where.
@Suite struct ProxyServerTests {
    enum Kind: String, CaseIterable, Sendable {
        case haproxyVersion1 = "send-proxy", haproxyVersion2 = "send-proxy-v2", haproxyVersion2Checked = "send-proxy-v2 proxy-v2-options crc32c"
        case nginx

        func start(for target: Int, in directory: TemporaryDirectory) async throws -> RunningServer {
            switch self {
            case .nginx:
                let program = try Program("nginx", package: "nginx-light")
                let module = "/usr/lib/nginx/modules/ngx_stream_module.so"
                guard FileManager.default.fileExists(atPath: module) else {
                    throw Program.Missing(description: "there is no \(module): apt-get install libnginx-mod-stream")
                }
                return try await RunningServer(program, in: directory.url) { port in
                    try """
                        load_module \(module);
                        daemon off;
                        pid \(directory.path("pid"));
                        error_log stderr;
                        events {}
                        stream { server { listen 127.0.0.1:\(port); proxy_pass 127.0.0.1:\(target); proxy_protocol on; } }
                        """.write(toFile: directory.path("nginx.conf"), atomically: true, encoding: .utf8)
                    return ["-e", "stderr", "-p", directory.url.path, "-c", directory.path("nginx.conf")]
                }
            default:
                return try await RunningServer(Program("haproxy", package: "haproxy"), in: directory.url) { port in
                    try """
                        defaults
                            mode tcp
                            timeout connect 60s
                            timeout client 60s
                            timeout server 60s
                        listen imap
                            bind 127.0.0.1:\(port)
                            server imapd 127.0.0.1:\(target) \(rawValue)

                        """.write(toFile: directory.path("haproxy.cfg"), atomically: true, encoding: .utf8)
                    return ["-db", "-f", directory.path("haproxy.cfg")]
                }
            }
        }
    }

    @Test("the client's address is known, before TLS begins with the first byte and before STARTTLS",
          arguments: Kind.allCases, MailServer.Security.allCases)
    func clients(kind: Kind, security: MailServer.Security) async throws {
        for deployment in MailServer.Deployment.possible {
            let server = try await MailServer.start(deployment, ["--proxy-from", "127.0.0.1"])
            let files = try TemporaryDirectory()
            let proxy = try await kind.start(for: server.port(security), in: files)
            // All of 127.0.0.0/8 is this machine, but only 127.0.0.1 is the proxy.
            let outcome = try await Program("curl", package: "curl").run(
                ["--silent", "--show-error", "--interface", "127.0.0.2", "--cacert", server.authority, "--ssl-reqd",
                 "--resolve", "localhost:\(proxy.port):127.0.0.1", "--user", "\(server.user):\(server.password)",
                 "--request", "NOOP", "\(security == .tls ? "imaps" : "imap")://localhost:\(proxy.port)/"])
            #expect(outcome.status == 0, "\(outcome)\n\(server.log)")
            let line = server.log.split(separator: "\n").first { $0.contains(": login peer=") }
            #expect(line?.contains(": login peer=127.0.0.2:") == true, "\(server.log)")
            // Without the proxy, nobody is served from where it is.
            let direct = try await Program("curl", package: "curl").run(
                ["--silent", "--cacert", server.authority, "--resolve", "localhost:\(server.port(security)):127.0.0.1",
                 "\(security == .tls ? "imaps" : "imap")://localhost:\(server.port(security))/"])
            #expect(direct.status != 0)
        }
    }
}
