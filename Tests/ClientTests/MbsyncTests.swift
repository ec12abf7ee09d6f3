import Foundation
import TestSupport
import Testing

@Suite struct MbsyncTests {
    /// INBOX, mailboxes within mailboxes, and a name that goes over the wire in UTF-7.
    static let names = ["INBOX", "Work", "Work/Projects", "Entw&APw-rfe"]

    @Test(arguments: MailServer.Deployment.possible, MailServer.Security.allCases)
    func synchronisesBothWays(_ deployment: MailServer.Deployment, _ security: MailServer.Security) async throws {
        let mbsync = try Program("mbsync", package: "isync")
        let server = try await MailServer.start(deployment)
        let near = LocalMaildir(root: server.directory.url.appendingPathComponent("near"))
        let configuration = server.directory.path("mbsyncrc")
        try Self.configuration(server, security, near).write(toFile: configuration, atomically: true, encoding: .utf8)

        func synchronise() async throws {
            let outcome = try await mbsync.run(["-V", "-c", configuration, "-a"], in: server.directory.url)
            try #require(outcome.status == 0, "\(outcome)\n\(server.log)")
        }

        // Half of the messages on either side, half of them with flags.
        let count = security == .tls ? 500 : 200
        let flags: [Set<String>] = [[], ["\\Seen"], [], ["\\Seen", "\\Answered"], [], ["\\Flagged", "\\Seen", "$Forwarded"],
                                    [], ["\\Draft"]]
        var far: Mailboxes = [:], wanted: Mailboxes = [:]
        for (index, name) in Self.names.enumerated() {
            let share = stride(from: index, to: count, by: 4).map { number in
                var message = sampleMessage(number)
                message.flags = flags[(number / 4) % flags.count]
                return message
            }
            wanted[name] = share
            far[name] = Array(share.prefix(share.count / 2))
            try near.add(name, Array(share.dropFirst(share.count / 2)), firstNumber: index * 1000)
        }
        try await server.append(far)
        try await synchronise()

        var held = try await server.mailboxes()
        #expect(differences(held, try near.mailboxes(Self.names)) == [])
        #expect(differences(held, wanted) == [])

        // A second time, there is nothing to do on either side.
        let files = try Self.names.map { try Set(near.files($0)) }
        try await synchronise()
        let filesNow = try Self.names.map { try Set(near.files($0)) }
        #expect(filesNow == files)
        #expect(try await server.mailboxes() == held)

        // Flags, deletions and arrivals, both ways at once.
        for name in Self.names {
            let uids = held[name]!.map(\.uid)
            try await server.change(name, "+FLAGS.SILENT (\\Answered)", uids: Array(uids[0..<5]))
            try await server.change(name, "-FLAGS.SILENT (\\Seen \\Flagged)", uids: Array(uids[5..<10]))
            try await server.change(name, "delete", uids: Array(uids[10..<15]))
            let others = Set(held[name]![20...].map(\.copied.text))
            let unchanged = try near.files(name).filter { others.contains(try near.message($0).copied.text) }
            for file in unchanged[0..<5] { try near.mark(file, "FS") }
            for file in unchanged[5..<10] { try near.mark(file, "") }
            for file in unchanged[10..<15] { try FileManager.default.removeItem(at: file) }
            try near.add(name, [sampleMessage(1000)], firstNumber: 90000)
        }
        try await server.append(["Work": [sampleMessage(1001)]])
        try await synchronise()
        held = try await server.mailboxes()
        // From each of four mailboxes ten are gone, and one is new; one more is new in one.
        #expect(held.values.joined().count == count - 4 * 10 + 4 + 1)
        #expect(differences(held, try near.mailboxes(Self.names)) == [])
        for name in Self.names {
            let answered = held[name]!.prefix(5).filter { $0.flags.contains("\\Answered") }
            #expect(answered.count == 5)
            let markedNear = held[name]!.filter { $0.flags == ["\\Flagged", "\\Seen"] }
            #expect(markedNear.count == 5)
        }
    }

    /// A client that asks for NAMESPACE leaves the prefix away by itself, and one that is told a path finds the same mailboxes.
    @Test(arguments: MailServer.Deployment.possible, ["UseNamespace yes", "Path INBOX."])
    func findsMailboxesBehindAPrefix(_ deployment: MailServer.Deployment, _ path: String) async throws {
        let mbsync = try Program("mbsync", package: "isync")
        let server = try await MailServer.start(deployment, ["--namespace-prefix", "INBOX."])
        let near = LocalMaildir(root: server.directory.url.appendingPathComponent("near"))
        let configuration = server.directory.path("mbsyncrc")
        let text = Self.configuration(server, .tls, near).replacing("IMAPStore far\n", with: "IMAPStore far\n\(path)\n")
        try text.write(toFile: configuration, atomically: true, encoding: .utf8)
        try near.add("INBOX", [sampleMessage(1)], firstNumber: 1)
        try near.add("Work", [sampleMessage(2)], firstNumber: 2)
        try near.add("Work/Projects", [sampleMessage(3)], firstNumber: 3)
        for _ in 0..<2 {
            let outcome = try await mbsync.run(["-V", "-c", configuration, "-a"], in: server.directory.url)
            try #require(outcome.status == 0, "\(outcome)\n\(server.log)")
        }
        let folders = try FileManager.default.contentsOfDirectory(atPath: server.maildir).filter { $0.hasPrefix(".") }
        #expect(folders.sorted() == [".Work", ".Work.Projects"])
        for folder in ["", "/.Work", "/.Work.Projects"] {
            #expect(try FileManager.default.contentsOfDirectory(atPath: server.maildir + folder + "/cur").count == 1)
        }
    }

    static func configuration(_ server: MailServer, _ security: MailServer.Security, _ near: LocalMaildir) -> String {
        """
        IMAPStore far
        Host localhost
        Port \(server.port(security))
        User \(server.user)
        Pass "\(server.password)"
        SSLType \(security == .tls ? "IMAPS" : "STARTTLS")
        SystemCertificates no
        CertificateFile \(server.authority)

        MaildirStore near
        Path \(near.root.path)/
        Inbox \(near.root.path)/INBOX
        SubFolders Verbatim

        Channel all
        Far :far:
        Near :near:
        Patterns *
        Create Both
        Remove Both
        Expunge Both
        CopyArrivalDate yes
        SyncState *

        """
    }
}
