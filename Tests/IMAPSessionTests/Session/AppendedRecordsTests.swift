import Foundation
import Logging
import Maildir
import TestSupport
import Testing

/// What clients ask of a message first is known when it comes in by APPEND: nobody need read it for that.
@Suite struct AppendedRecordsTests {
    private func hold(_ directory: TemporaryDirectory, _ commands: String) throws -> String {
        let path = directory.path("Maildir")
        let peer = try SessionPeer(readAhead: commands + "z LOGOUT\r\n", store: {
            // Its errors show as missing answers.
            try! MaildirStore(path: path, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        })
        let said = try peer.readAll()
        #expect(peer.waitForEnd())
        return said
    }

    private static let message = """
        From: Ann <ann@example.org>\r
        Subject: told by nobody else\r
        Message-ID: <1@example.org>\r
        Content-Type: multipart/mixed; boundary=b\r
        \r
        --b\r
        Content-Type: text/plain; charset=utf-8\r
        \r
        One line.\r
        --b\r
        Content-Type: image/png\r
        \r
        ...\r
        --b--\r

        """

    private static let asked = """
        a EXAMINE INBOX\r
        b FETCH 1:* (ENVELOPE BODY BODYSTRUCTURE RFC822.SIZE INTERNALDATE THREADID PREVIEW)\r
        c FETCH 1:* (BODY.PEEK[HEADER.FIELDS (FROM SUBJECT MESSAGE-ID)])\r
        d SORT (SUBJECT) UTF-8 ALL\r
        e SEARCH SUBJECT nobody\r

        """

    @Test(arguments: [1, 3])
    func `A client that comes later reads no message`(_ count: Int) throws {
        let directory = try TemporaryDirectory()
        let literal = "{\(Self.message.utf8.count)+}\r\n\(Self.message)"
        let said = try hold(directory, "a APPEND INBOX" + String(repeating: " (\\Seen) " + literal, count: count) + "\r\n")
        #expect(said.contains("a OK"))
        // As it is told with the messages there, by somebody who has no cache.
        let cache = directory.path("Maildir/imapd.cache"), other = directory.path("cache")
        try FileManager.default.moveItem(atPath: cache, toPath: other)
        let expected = try hold(directory, Self.asked)
        #expect(expected.contains("told by nobody else") && expected.contains("image"))
        try? FileManager.default.removeItem(atPath: cache)
        try FileManager.default.moveItem(atPath: other, toPath: cache)
        // And when there is nothing in them to be read any more.
        let cur = directory.path("Maildir/cur")
        for name in try FileManager.default.contentsOfDirectory(atPath: cur) {
            let file = try FileHandle(forUpdating: URL(fileURLWithPath: cur + "/" + name))
            let size = Int(try file.seekToEnd())
            try file.seek(toOffset: 0)
            try file.write(contentsOf: Data(repeating: 0x78, count: size))
            try file.close()
        }
        #expect(try hold(directory, Self.asked) == expected)
    }
}
