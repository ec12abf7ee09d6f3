import Foundation
import Logging
import Maildir
import TestSupport
import Testing

/// A client that was away for longer than expunges are remembered (RFC 7162 §3.2.5): here since before the mailbox was ours.
@Suite struct VanishedTests {
    /// UIDs 5, 7 and 9 of a mailbox that another server had up to 19.
    private func select(_ parameters: String) throws -> String {
        let directory = try TemporaryDirectory()
        let path = directory.path("Maildir")
        for part in ["", "/cur", "/new", "/tmp"] {
            try FileManager.default.createDirectory(atPath: path + part, withIntermediateDirectories: false)
        }
        var list = "3 V1500000000 N20 G00112233445566778899aabbccddeeff\n"
        for uid in [5, 7, 9] {
            let name = "10000000\(uid).M1P1.host"
            try Data("Subject: \(uid)\n\n".utf8).write(to: URL(fileURLWithPath: "\(path)/cur/\(name):2,S"))
            list += "\(uid) :\(name)\n"
        }
        try Data(list.utf8).write(to: URL(fileURLWithPath: path + "/dovecot-uidlist"))
        let commands = "a ENABLE QRESYNC\r\nb SELECT INBOX (QRESYNC (\(parameters)))\r\nz LOGOUT\r\n"
        let peer = try SessionPeer(readAhead: commands, store: {
            // Its errors show as missing answers.
            try! MaildirStore(path: path, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        })
        let said = try peer.readAll()
        #expect(peer.waitForEnd())
        #expect(said.contains("* 3 EXISTS") && said.contains("b OK"))
        return said
    }

    @Test("every UID that is not there is told", arguments: [
        ("1500000000 42 1:12", "1:4,6,8,10:12"),
        // Without known UIDs, of all that were given.
        ("1500000000 42", "1:4,6,8,10:19"),
        ("1500000000 42 5,7", nil),
        // What the client counts as we do, it knows (§3.2.5.2).
        ("1500000000 42 1:12 (1:3 5,7,9)", "10:12"), ("1500000000 42 1:12 (1:2 5,7)", "8,10:12"),
        ("1500000000 42 1:12 (2 5)", "1:4,6,8,10:12"),
        // Another mailbox.
        ("1499999999 42 1:12", nil),
    ])
    func everything(_ parameters: String, _ vanished: String?) throws {
        let said = try select(parameters)
        if let vanished {
            #expect(said.contains("* VANISHED (EARLIER) \(vanished)\r\n"), "\(said)")
        } else {
            #expect(!said.contains("VANISHED"), "\(said)")
        }
    }
}
