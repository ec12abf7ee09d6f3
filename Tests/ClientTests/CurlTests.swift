import Foundation
import TestSupport
import Testing

@Suite struct CurlTests {
    @Test func namesHaveThePrefixAndTheSeparatorThatTheyHad() async throws {
        let curl = try Program("curl", package: "curl")
        let server = try await MailServer.start(.singleProcess, ["--namespace-separator", "/", "--namespace-prefix=INBOX/"])
        func says(_ path: String, _ arguments: [String] = []) async throws -> String {
            let outcome = try await curl.run(["-sS", "--cacert", server.authority, "-u", "\(server.user):\(server.password)",
                                              "imaps://localhost:\(server.port(.tls))\(path)"] + arguments)
            try #require(outcome.status == 0, "\(outcome)\n\(server.log)")
            return outcome.output
        }
        let file = server.directory.url.appendingPathComponent("message")
        try sampleMessage(1).text.data(using: .isoLatin1)!.write(to: file)
        _ = try await says("/", ["-X", "CREATE INBOX/example.org/Sent"])
        _ = try await says("/INBOX%2Fexample.org%2FSent", ["-T", file.path])
        #expect(try await says("/INBOX%2Fexample.org%2FSent;UID=1") == sampleMessage(1).text)
        #expect(try await says("/", ["-X", "LIST \"\" *"]).contains("\"/\" INBOX/example.org/Sent\r\n"))
        #expect(FileManager.default.fileExists(atPath: server.maildir + "/.example&AC4-org.Sent/cur"))
    }

    @Test(arguments: MailServer.Deployment.possible, MailServer.Security.allCases)
    func readsAndWrites(_ deployment: MailServer.Deployment, _ security: MailServer.Security) async throws {
        let curl = try Program("curl", package: "curl")
        let server = try await MailServer.start(deployment)
        let base = "\(security == .tls ? "imaps" : "imap")://localhost:\(server.port(security))"

        func run(_ path: String, _ arguments: [String] = [], account: String? = nil) async throws -> Program.Outcome {
            try await curl.run(["-sS", "--cacert", server.authority, "--ssl-reqd",
                                "-u", account ?? "\(server.user):\(server.password)", base + path] + arguments)
        }
        func says(_ path: String, _ arguments: [String] = []) async throws -> String {
            let outcome = try await run(path, arguments)
            try #require(outcome.status == 0, "\(outcome)\n\(server.log)")
            return outcome.output
        }

        // Messages in: -T is APPEND.
        var large = sampleMessage(7)
        large.text += (0..<80_000).map { "line \($0) of a large message, and then some more words to fill it\r\n" }.joined()
        #expect(large.text.utf8.count > 5_000_000)
        for (number, message) in [sampleMessage(3), sampleMessage(1), large].enumerated() {
            let file = server.directory.url.appendingPathComponent("\(number)")
            try message.text.data(using: .isoLatin1)!.write(to: file)
            _ = try await says("/INBOX", ["-T", file.path])
        }

        // Mailboxes.
        _ = try await says("/", ["-X", "CREATE Saved"])
        let list = try await says("/").split(separator: "\r\n")
        #expect(list.count == 2 && list.allSatisfy { $0.hasPrefix("* LIST (") })
        #expect(list.contains { $0.hasSuffix("INBOX") } && list.contains { $0.hasSuffix("Saved") })
        #expect(try await says("/", ["-X", "LSUB \"\" *"]) == "")
        let examined = try await says("/", ["-X", "EXAMINE INBOX"])
        #expect(examined.contains("* 3 EXISTS"))
        #expect(try await says("/", ["-X", "STATUS INBOX (MESSAGES)"]).contains("(MESSAGES 3)"))

        // Messages out: whole, in part, several over one connection.
        #expect(try await run("/INBOX;UID=1").standardOutput == sampleMessage(3).text.data(using: .isoLatin1))
        #expect(try await run("/INBOX;UID=3").standardOutput == large.text.data(using: .isoLatin1))
        #expect(try await says("/INBOX;MAILINDEX=2") == sampleMessage(1).text)
        #expect(try await says("/INBOX;UID=2;SECTION=TEXT") == "no line end")
        #expect(try await says("/INBOX;UID=2;SECTION=HEADER.FIELDS%20(Subject)") == "Subject: message 1\r\n\r\n")
        #expect(try await says("/INBOX;UID=2;SECTION=TEXT;PARTIAL=3.4") == "line")
        #expect(try await says("/INBOX;UID=[2-3];SECTION=HEADER.FIELDS%20(Subject)")
                == "Subject: message 1\r\n\r\nSubject: message 7\r\n\r\n")
        let validity = try #require(examined.firstMatch(of: /UIDVALIDITY (\d+)/)).1
        #expect(try await says("/INBOX;UIDVALIDITY=\(validity);UID=2;SECTION=TEXT") == "no line end")
        #expect(try await run("/INBOX;UIDVALIDITY=1;UID=2").status == 78, "another UIDVALIDITY is a file not found")
        #expect(try await run("/nowhere;UID=1").status != 0)

        // Commands.
        #expect(try await says("/INBOX?SUBJECT%20%22message%207%22") == "* SEARCH 3\r\n")
        #expect(try await says("/INBOX", ["-X", "SEARCH LARGER 100000"]) == "* SEARCH 3\r\n")
        #expect(try await says("/INBOX", ["-X", "UID SEARCH ALL"]) == "* SEARCH 1 2 3\r\n")
        #expect(try await says("/INBOX", ["-X", "STORE 1 +FLAGS (\\Deleted)"]).contains("\\Deleted"))
        #expect(try await says("/INBOX", ["-X", "FETCH 1:* (UID FLAGS)"]).split(separator: "\r\n").count == 3)
        #expect(try await says("/INBOX", ["-X", "EXPUNGE"]).contains("* 1 EXPUNGE"))
        _ = try await says("/INBOX", ["-X", "UID COPY 2:3 Saved"])
        #expect(try await says("/Saved;UID=1;SECTION=TEXT") == "no line end")

        // Who may, and how.
        for mechanism in ["PLAIN", "LOGIN"] {
            #expect(try await says("/INBOX;UID=2;SECTION=TEXT", ["--login-options", "AUTH=\(mechanism)"]) == "no line end")
        }
        #expect(try await says("/INBOX;UID=2;SECTION=TEXT", ["--sasl-ir"]) == "no line end")
        let refused = try await run("/", account: "\(server.user):wrong")
        #expect(refused.status == 67, "a login that is denied: \(refused)")
        #expect(!server.log.contains(server.password))
    }

    @Test func sendsNoPasswordWithoutTLS() async throws {
        let server = try await MailServer.start(.singleProcess)
        let outcome = try await Program("curl", package: "curl").run(
            ["-sSv", "-u", "\(server.user):\(server.password)", "imap://localhost:\(server.port(.starttls))/"])
        #expect(outcome.status == 67, "\(outcome)")
        #expect(outcome.errors.contains("LOGINDISABLED"))
        #expect(!outcome.errors.contains("> A002 LOGIN") && !outcome.errors.contains("> A002 AUTHENTICATE"))
    }
}
