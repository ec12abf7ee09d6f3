import Foundation
import Glibc
import TestSupport
import Testing

/// Sessions that are written down, and what sessions leave in the log.
@Suite struct TraceTests {
    /// Says things that must not be in a trace, and some that must.
    private func talk(_ client: MailClient, _ user: String, _ password: String) throws {
        #expect(try client.command("LOGIN \(user) \"\(password)\"").last?.contains(" OK ") == true)
        #expect(try client.command("LOGIN \(user) \"\(password)\"").last?.contains(" BAD ") == true)
        #expect(try client.command("AUTHENTICATE PLAIN \(Data("\0\(user)\0\(password)".utf8).base64EncodedString())").last?
            .contains(" BAD ") == true)
        try client.send("l LOGIN {\(user.utf8.count)+}\r\n\(user) {\(password.utf8.count)+}\r\n\(password)\r\n")
        _ = try client.lines(through: "l")
        let message = "Subject: confidential\r\n\r\nfor your eyes only\r\n"
        try client.send("p APPEND INBOX {\(message.utf8.count)+}\r\n\(message)\r\n")
        #expect(try client.lines(through: "p").last?.contains(" OK ") == true)
        _ = try client.command("SELECT INBOX")
        _ = try client.command("UID FETCH * (BODY[] FLAGS)")
        _ = try client.command("FETCH 1:* FLAGS")
        _ = try client.command("STORE 1:* +FLAGS.SILENT (\\Deleted)")
        _ = try client.command("COPY * INBOX")
        _ = try client.command("EXPUNGE")
        _ = try client.command("LOGOUT")
    }

    private func expectTrace(_ directory: String, _ user: String, _ password: String, showsLiterals: Bool) throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: directory)
        try #require(files.count == 1 && files[0].hasPrefix(user + "."), "\(files)")
        let path = directory + "/" + files[0]
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600 && status.st_uid == geteuid())
        let text = try String(contentsOfFile: path, encoding: .utf8)
        #expect(text.contains(" - session of \(user) from 127.0.0.1:") && text.contains(" - end: logged out\n"), "\(text)")
        #expect(text.contains("UID FETCH * (BODY[] FLAGS)\n") && text.contains(#/ S \* \d+ FETCH .*BODY\[\] \{\d+\}/#), "\(text)")
        #expect(text.contains("(hidden)") && !text.contains(password) && text.contains("for your eyes only") == showsLiterals, "\(text)")
        #expect(!text.contains(Data("\0\(user)\0\(password)".utf8).base64EncodedString()))
    }

    private func expectSessionEnd(_ log: String) throws {
        let end = try #require(log.split(separator: "\n").first { $0.contains("session end") })
        // Two messages were there at first in a store in memory; a Maildir was empty.
        #expect(end.contains(" appended=1 ") && end.contains(" copied=1 ") && end.contains(" bodies=1 "), "\(end)")
        #expect(end.contains(#/ commands=1[01] /#) && end.contains(#/ expunged=[24] /#) && end.contains(#/ fetched=[24] /#), "\(end)")
        #expect(end.contains(" moved=0 ") && end.contains(#/ received=\d{3} /#) && end.contains(#/ sent=\d{3,} /#), "\(end)")
    }

    @Test("one process", arguments: [false, true])
    func oneProcess(showsLiterals: Bool) async throws {
        let files = try TemporaryDirectory()
        let password = "correct horse battery"
        let daemon = try RunningDaemon([
            "-p", "0", "-h", "127.0.0.1", "--user", "me:\(password)", "--log-level", "trace", "--trace", "somebody, me",
            "--trace-directory", files.url.path, "--trace-literals=\(showsLiterals ? "yes" : "no")",
        ])
        try talk(try await MailClient(port: daemon.port()), "me", password)
        await daemon.stop()
        try expectTrace(files.url.path, "me", password, showsLiterals: showsLiterals)
        try expectSessionEnd(daemon.log)
        #expect(daemon.log.contains(#/ notice: trace .*file=/#) && daemon.log.contains(#/debug: select .*mailbox=INBOX messages=\d/#))
        #expect(!daemon.log.contains(password) && !daemon.log.contains("confidential"))
    }

    @Test("processes: the file is root's, and the user's session writes it", .enabled(if: isRoot, needsRoot))
    func processes() async throws {
        let files = try TemporaryDirectory()
        let user = try await SystemUser()
        let daemon = try await ForkedDaemon(user: user, pam: .unix(), [
            "--allow-plaintext-login", "--trace", user.name, "--trace-directory", files.url.path,
        ])
        try talk(daemon.client(), user.name, user.password)
        _ = try await daemon.daemon.line { $0.contains("session end") }
        await daemon.daemon.stop()
        try expectTrace(files.url.path, user.name, user.password, showsLiterals: false)
        try expectSessionEnd(daemon.daemon.log)
    }

    @Test("nobody is written down who is not named")
    func others() async throws {
        let files = try TemporaryDirectory()
        let daemon = try RunningDaemon([
            "-p", "0", "-h", "127.0.0.1", "--user", "me:secret", "--trace", "mee", "--trace-directory", files.url.path,
        ])
        try talk(try await MailClient(port: daemon.port()), "me", "secret")
        await daemon.stop()
        #expect(try FileManager.default.contentsOfDirectory(atPath: files.url.path) == [])
    }

    @Test("a client tells who it is before it logs in, once")
    func identity() async throws {
        let daemon = try RunningDaemon(["-p", "0", "-h", "127.0.0.1", "--user", "me:secret"])
        let client = try await MailClient(port: daemon.port())
        _ = try client.command("ID (\"name\" \"Test\" \"version\" \"1 x=y\")")
        _ = try client.command("ID (\"name\" \"Other\")")
        _ = try client.command("LOGOUT")
        await daemon.stop()
        #expect(daemon.log.contains("id=\"name=Test version=1 x=y\"") && !daemon.log.contains("Other"))
    }

    @Test("a client that cannot agree on TLS is logged with the reason", .enabled(if: isRoot, needsRoot))
    func reason() async throws {
        let daemon = try await ForkedDaemon(implicitTLS: true)
        let client = try MailClient(port: daemon.port)
        try client.send("GET / HTTP/1.0\r\n\r\n")
        _ = try? client.rest()
        let line = try await daemon.daemon.line { $0.contains("end without login") }
        #expect(line.contains("reason=\"TLS: http request\""), "\(line)")
    }
}
