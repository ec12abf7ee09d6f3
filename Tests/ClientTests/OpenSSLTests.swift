import Foundation
import TestSupport
import Testing

/// The tool with which administrators look at a mail server first.
@Suite struct OpenSSLTests {
    @Test(arguments: MailServer.Deployment.possible, MailServer.Security.allCases)
    func talksByHand(_ deployment: MailServer.Deployment, _ security: MailServer.Security) async throws {
        let server = try await MailServer.start(deployment)
        for version in ["-tls1_2", "-tls1_3"] {
            let outcome = try await connect(server, security, [version], """
                a1 LOGIN \(server.user) "\(server.password)"
                a2 SELECT INBOX
                a3 LOGOUT

                """)
            #expect(outcome.status == 0, "\(outcome)\n\(server.log)")
            for line in ["a1 OK [CAPABILITY ", "* 0 EXISTS", "\na2 OK [READ-WRITE]", "\n* BYE ", "\na3 OK "] {
                #expect(outcome.output.contains(line), "\(outcome)")
            }
        }
    }

    @Test(arguments: MailServer.Security.allCases)
    func refusesOldVersions(_ security: MailServer.Security) async throws {
        let server = try await MailServer.start(.singleProcess)
        // Security level 0 lets the client offer what it would not by itself.
        let outcome = try await connect(server, security, ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], "a LOGOUT\n")
        #expect(outcome.status != 0, "\(outcome)")
        #expect(!outcome.output.contains("BYE"))
    }

    @Test func agreesOnTheProtocolAndResumes() async throws {
        let server = try await MailServer.start(.singleProcess)
        let session = server.directory.path("session")
        let first = try await connect(server, .tls, ["-alpn", "imap", "-sess_out", session], "a LOGOUT\n", quiet: false)
        #expect(first.output.contains("ALPN protocol: imap"), "\(first)")
        #expect(first.output.contains("New, TLSv1.3"), "\(first)")
        let second = try await connect(server, .tls, ["-sess_in", session], "a LOGOUT\n", quiet: false)
        #expect(second.output.contains("Reused, TLSv1.3"), "\(second)")
    }

    /// Runs s_client until the server ends the connection.
    private func connect(_ server: MailServer, _ security: MailServer.Security, _ arguments: [String], _ lines: String,
                         quiet: Bool = true) async throws -> Program.Outcome {
        try await Program("openssl", package: "openssl").run(
            ["s_client", "-connect", "localhost:\(server.port(security))", "-servername", "localhost", "-crlf", "-ign_eof",
             "-CAfile", server.authority, "-verify_return_error", "-verify_hostname", "localhost"]
                + (quiet ? ["-quiet"] : []) + (security == .starttls ? ["-starttls", "imap"] : []) + arguments,
            input: Data(lines.utf8))
    }
}
