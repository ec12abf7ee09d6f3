import Foundation
import TestSupport
import Testing

/// TLS as those see it who look for weaknesses from outside.
@Suite struct ScannerTests {
    private let cipherSuites: Set<String> = [
        "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256",
        "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305", "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES128-GCM-SHA256",
    ]

    @Test("what sslscan finds", arguments: MailServer.Security.allCases)
    func sslscan(security: MailServer.Security) async throws {
        let server = try await MailServer.start(.singleProcess)
        let outcome = try await Program("sslscan", package: "sslscan").run(
            ["--no-colour"] + (security == .starttls ? ["--starttls-imap"] : []) + ["localhost:\(server.port(security))"])
        #expect(outcome.status == 0, "\(outcome)")
        let lines = outcome.output.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        func line(_ start: String) -> String? { lines.map { $0.joined(separator: " ") }.first { $0.hasPrefix(start) } }
        for version in ["SSLv2", "SSLv3", "TLSv1.0", "TLSv1.1"] { #expect(line("\(version) ") == "\(version) disabled") }
        for version in ["TLSv1.2", "TLSv1.3"] { #expect(line("\(version) ") == "\(version) enabled") }
        #expect(line("TLSv1.2 not vulnerable to heartbleed") != nil)
        #expect(!outcome.output.contains("ffdhe"), "\(outcome)")
        #expect(line("Session renegotiation not supported") != nil || line("Secure session renegotiation supported") == nil)
        let found = lines.filter { ["Accepted", "Preferred"].contains($0.first) && $0.count > 4 }.map { $0[4] }
        #expect(!found.isEmpty && Set(found).isSubset(of: cipherSuites), "\(found)\n\(outcome.output)")
    }

    @Test("nobody may begin the handshake again", arguments: MailServer.Security.allCases)
    func renegotiation(security: MailServer.Security) async throws {
        let server = try await MailServer.start(.singleProcess)
        // A line that is "R" alone asks s_client to.
        let outcome = try await Program("openssl", package: "openssl").run(
            ["s_client", "-connect", "localhost:\(server.port(security))", "-tls1_2", "-crlf", "-CAfile", server.authority]
                + (security == .starttls ? ["-starttls", "imap"] : []), input: Data("R\n".utf8))
        #expect(outcome.output.contains("RENEGOTIATING") || outcome.errors.contains("RENEGOTIATING"), "\(outcome)")
        #expect(outcome.errors.contains("no renegotiation") || outcome.status != 0, "\(outcome)")
        #expect(outcome.output.contains("Compression: NONE"))
    }
}
