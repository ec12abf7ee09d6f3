import Foundation
import TestSupport
import Testing

/// imapd with what certbot puts into `live/`, as imapd-neighbours(7) has it, and an authority for tests.
@Suite(.enabled(if: isRoot, needsRoot)) struct CertbotTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func pebble(_ identity: Certificate) async throws -> RunningServer {
        let pebble = try Program("pebble", package: "pebble")
        return try await RunningServer(Program("env", package: "coreutils"), in: directory.url) { port in
            let settings: [String: Any] = [
                "listenAddress": "127.0.0.1:\(port)", "certificate": identity.certificate, "privateKey": identity.key,
                "httpPort": 1, "tlsPort": 1, "ocspResponderURL": "", "externalAccountBindingRequired": false,
            ]
            let file = directory.path("pebble.json")
            try JSONSerialization.data(withJSONObject: ["pebble": settings]).write(to: URL(fileURLWithPath: file))
            return ["PEBBLE_VA_ALWAYS_VALID=1", "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0", pebble.path, "-config", file]
        }
    }

    @Test("a certificate of certbot's is used, and so is the renewed one, without a word to imapd")
    func renewal() async throws {
        let identity = try await Certificate()
        let authority = try await pebble(identity)
        let certbot = try Program("certbot", package: "certbot")
        func run(_ arguments: String...) async throws {
            let places = ["config", "work", "logs"].flatMap { ["--\($0)-dir", directory.path($0)] }
            let server = ["--server", "https://localhost:\(authority.port)/dir"]
            let outcome = try await certbot.run(
                arguments + places + server + ["--http-01-port", "\(RunningServer.freePort())", "--non-interactive"],
                environment: ["REQUESTS_CA_BUNDLE": identity.certificate])
            try #require(outcome.status == 0, "\(outcome)")
        }
        try await run(
            "certonly", "--standalone", "-d", "mail.example.org", "--agree-tos", "--register-unsafely-without-email")

        let live = directory.path("config/live/mail.example.org")
        let daemon = try RunningDaemon(
            ["--fork", "-p", "0", "-h", "127.0.0.1", "--tls", "--cert", "\(live)/fullchain.pem", "--key", "\(live)/privkey.pem"])
        let port = try await daemon.port()
        let first = try #require(try await shown(port))
        #expect(try String(contentsOfFile: "\(live)/cert.pem", encoding: .utf8).contains(first))

        try await run("renew", "--force-renewal", "--no-random-sleep-on-renew")
        let renewed = try String(contentsOfFile: "\(live)/cert.pem", encoding: .utf8)
        try #require(!renewed.contains(first))
        // A pair is left alone for as long as it may not be complete.
        var now: Substring? = first
        let deadline = ContinuousClock.now + .seconds(60)
        while now == first, ContinuousClock.now < deadline { now = try await shown(port) }
        #expect(try renewed.contains(#require(now)), "\(daemon.log)")
        #expect(await daemon.stop() == 0)
    }

    /// The host's own certificate.
    private func shown(_ port: Int) async throws -> Substring? {
        let outcome = try await Program("openssl", package: "openssl").run(["s_client", "-connect", "127.0.0.1:\(port)"])
        return outcome.output.firstMatch(of: /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/)?.output
    }
}
