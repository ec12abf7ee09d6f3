import Foundation
import TestSupport
import Testing

/// Clients with certificates and no password.
@Suite(.enabled(if: geteuid() == 0, "needs root: certificates are for imapd --fork"))
struct ClientCertificateTests {
    @Test(arguments: MailServer.Security.allCases)
    func opensslCurlAndImaplib(_ security: MailServer.Security) async throws {
        let authority = try await CertificateAuthority()
        let server = try await MailServer.start(
            .processPerConnection, ["--client-ca", authority.file, "--certificate-name", "cn"])
        let identity = try await authority.issue(cn: server.user, algorithm: ["rsa:2048"])
        let port = server.port(security)

        let openssl = try await Program("openssl", package: "openssl").run(
            ["s_client", "-quiet", "-connect", "localhost:\(port)", "-crlf", "-ign_eof", "-CAfile", server.authority,
             "-verify_return_error", "-cert", identity.certificate, "-key", identity.key]
                + (security == .starttls ? ["-starttls", "imap"] : []),
            input: Data("a AUTHENTICATE EXTERNAL =\nb SELECT INBOX\nc LOGOUT\n".utf8))
        for line in ["a OK ", "b OK [READ-WRITE]", "c OK "] { #expect(openssl.output.contains(line), "\(openssl)\n\(server.log)") }

        // Without a password curl takes the one mechanism that needs none; it names the user.
        let curl = try await Program("curl", package: "curl").run(
            ["-sS", "--ssl-reqd", "--cacert", server.authority, "--cert", identity.certificate, "--key", identity.key,
             "--login-options", "AUTH=EXTERNAL", "-u", "\(server.user):", "-X", "STATUS INBOX (MESSAGES)",
             "\(security == .tls ? "imaps" : "imap")://localhost:\(port)/"])
        #expect(curl.output == "* STATUS INBOX (MESSAGES 0)\r\n", "\(curl)\n\(server.log)")

        let imaplib = try await server.python("external.py", over: security, [identity.certificate, identity.key])
        #expect(imaplib.status == 0, "\(imaplib)\n\(server.log)")
    }
}
