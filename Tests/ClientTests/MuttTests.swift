import Foundation
import TestSupport
import Testing

@Suite struct MuttTests {
    @Test(arguments: MailServer.Deployment.possible, MailServer.Security.allCases)
    func savesAndCopies(_ deployment: MailServer.Deployment, _ security: MailServer.Security) async throws {
        _ = try Program("mutt", package: "mutt")
        // mutt wants a terminal, and gets one of script's.
        let script = try Program("script", package: "bsdutils")
        let server = try await MailServer.start(deployment)
        let messages = (0..<9).map(sampleMessage)
        try await server.append(["INBOX": messages])

        let base = "\(security == .tls ? "imaps" : "imap")://localhost:\(server.port(security))/"
        let configuration = server.directory.path("muttrc")
        func press(_ keys: String, in mailbox: String = "\(base)INBOX") async throws {
            try """
                set imap_user="\(server.user)" imap_pass="\(server.password)" folder="\(base)" spoolfile="\(mailbox)"
                set ssl_force_tls=yes ssl_starttls=yes certificate_file="\(server.authority)"
                set header_cache="" record="" postponed="" mailcap_path="" mbox_type=mbox sort=mailbox-order
                set move=no delete=yes quit=yes confirmappend=no confirmcreate=no wait_key=no
                push '\(keys)'

                """.write(toFile: configuration, atomically: true, encoding: .utf8)
            let outcome = try await script.run(["-qec", "mutt -n -F '\(configuration)'", "/dev/null"],
                                               environment: ["TERM": "xterm"], in: server.directory.url)
            try #require(outcome.status == 0, "\(outcome)\n\(server.log)")
        }

        // Three copied by the server, two saved to a new mailbox (copied, then deleted), one saved to a file.
        let file = server.directory.path("saved.mbox")
        try await press("""
            <tag-pattern>~s "message [012]"<enter><tag-prefix><copy-message>=Copied<enter>\
            <untag-pattern>~A<enter><tag-pattern>~s "message [34]"<enter><tag-prefix><save-message>=Saved<enter>\
            <untag-pattern>~A<enter><limit>~s "message 5"<enter><save-message>\(file)<enter><quit>
            """)
        var held = try await server.mailboxes()
        #expect(texts(held["INBOX"]) == texts([0, 1, 2, 6, 7, 8].map { messages[$0] }))
        #expect(texts(held["Copied"]) == texts(Array(messages[0...2])))
        #expect(texts(held["Saved"]) == texts(Array(messages[3...4])))
        let saved = try String(contentsOfFile: file, encoding: .isoLatin1)
        #expect(saved.hasPrefix("From ") && saved.contains("Subject: message 5\n"))
        #expect(saved.contains(String(repeating: "one long line ", count: 1000) + "\n"))

        // From the file into a mailbox, which is APPEND; flags set here are read there.
        try await press("<flag-message><copy-message>=Copied<enter><quit>", in: file)
        try await press("""
            <limit>~s "message 0"<enter><flag-message><limit>~s "message 1"<enter><delete-message><limit>~A<enter><quit>
            """)
        held = try await server.mailboxes()
        #expect(held["Copied"]!.count == 4)
        #expect(held["Copied"]!.last!.text.contains("Subject: message 5\r\n"))
        #expect(texts(held["INBOX"]) == texts([0, 2, 6, 7, 8].map { messages[$0] }))
        #expect(held["INBOX"]!.first!.flags.contains("\\Flagged"))
    }

    private func texts(_ messages: [Message]?) -> [String]? {
        messages?.map(\.text)
    }
}
