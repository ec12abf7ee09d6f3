import Foundation
import TestSupport
import Testing

@Suite struct FetchmailTests {
    @Test(arguments: MailServer.Deployment.possible, MailServer.Security.allCases)
    func fetches(_ deployment: MailServer.Deployment, _ security: MailServer.Security) async throws {
        let fetchmail = try Program("fetchmail", package: "fetchmail")
        let server = try await MailServer.start(deployment)
        // It breaks lines longer than its buffer itself: those are for other clients.
        let messages = (0..<22).filter { $0 % 9 != 5 }.map(sampleMessage)
        try await server.append(["INBOX": messages])

        let arrived = server.directory.url.appendingPathComponent("arrived")
        try FileManager.default.createDirectory(at: arrived, withIntermediateDirectories: true)
        let configuration = server.directory.path("fetchmailrc")

        /// Runs fetchmail; what it has handed to its MDA is in `arrived`, a file for each message.
        func fetch(_ options: String) async throws -> Program.Outcome {
            // With sslproto and without ssl, it insists on STARTTLS.
            try """
                set invisible
                poll localhost protocol imap port \(server.port(security))
                user "\(server.user)" password "\(server.password)" is "me" here
                \(security == .tls ? "ssl" : "") sslproto "TLS1.2+" sslcertck sslcertfile "\(server.authority)"
                no rewrite no mimedecode \(options)
                mda "sh -c 'cat > $(mktemp \(arrived.path)/XXXXXX)'"

                """.write(toFile: configuration, atomically: true, encoding: .utf8)
            // It wants its secrets read by nobody else.
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: configuration)
            return try await fetchmail.run(["-v", "-N", "-f", configuration, "--pidfile", server.directory.path("pid")],
                                           in: server.directory.url)
        }
        func arrivals() throws -> [String] {
            try FileManager.default.contentsOfDirectory(at: arrived, includingPropertiesForKeys: nil).map { file in
                defer { try? FileManager.default.removeItem(at: file) }
                let text = String(data: try Data(contentsOf: file), encoding: .isoLatin1)!
                return text.components(separatedBy: "\n").filter { !$0.hasPrefix("Return-Path:") }.joined(separator: "\n")
            }.sorted()
        }
        // It hands on lines that end in LF, and ends the last.
        let wanted = messages.map { message in
            let text = message.text.components(separatedBy: "\r\n").joined(separator: "\n")
            return text.hasSuffix("\n") ? text : text + "\n"
        }.sorted()

        let kept = try await fetch("fetchall keep")
        try #require(kept.status == 0, "\(kept)\n\(server.log)")
        let first = try arrivals()
        #expect(first.count == messages.count)
        for (message, wanted) in zip(first, wanted) { #expect(message == wanted) }
        #expect(try await server.mailboxes()["INBOX"]!.count { $0.flags.contains("\\Seen") } == messages.count)

        // All are seen: nothing is new, which it says with 1.
        #expect(try await fetch("keep").status == 1)
        try await server.append(["INBOX": [sampleMessage(30)]])
        #expect(try await fetch("keep").status == 0)
        #expect(try arrivals().count == 1)

        let removed = try await fetch("fetchall nokeep expunge 3")
        try #require(removed.status == 0, "\(removed)\n\(server.log)")
        #expect(try arrivals().count == messages.count + 1)
        #expect(try await server.mailboxes()["INBOX"] == [])
    }
}
