import Foundation
import Glibc
import TestSupport
import Testing

/// No password is told to anybody but PAM.
@Suite struct SecretsTests {
    /// Every way in which a password can come: right and wrong, whole and torn, in a line, a literal and base64.
    private func talk(_ port: Int, _ user: String, right: String, wrong: String) throws {
        func base64(_ text: String) -> String { Data(text.utf8).base64EncodedString() }
        for password in [wrong, right] {
            for text in [
                "a LOGIN \(user) \"\(password)\"\r\n",
                "a LOGIN {\(user.utf8.count)+}\r\n\(user) {\(password.utf8.count)+}\r\n\(password)\r\n",
                "a AUTHENTICATE PLAIN \(base64("\0\(user)\0\(password)"))\r\n",
                "a AUTHENTICATE PLAIN\r\n\(base64("\0\(user)\0\(password)"))\r\n",
                "a AUTHENTICATE LOGIN\r\n\(base64(user))\r\n\(base64(password))\r\n",
                "a AUTHENTICATE PLAIN \(base64("\(user)\0\(password)"))\r\n",
                "a AUTHENTICATE PLAIN \(base64("other\0\(user)\0\(password)"))\r\n",
                "a AUTHENTICATE PLAIN =\(base64(password))\r\n",
                "a LOGIN \(user) \"\(password)\" again\r\n", "a LOGIN \"\(password)\r\n", "\(password)\r\n",
                "a LOGIN \(user) {\(password.utf8.count + 1)}\r\n\(password)",
                "a AUTHENTICATE PLAIN\r\n\(password)\r\n", "a XLOGIN \(user) \(password)\r\n",
            ] {
                let client = try MailClient(port: port)
                try client.send(text)
                client.endSending()
                _ = try? client.rest()
            }
        }
    }

    private func expectNone(_ text: String, _ passwords: [String], _ what: Comment) {
        for password in passwords {
            #expect(!text.contains(password), what)
            let encoded = Data(password.utf8).base64EncodedString().prefix { $0 != "=" }
            // Wherever it begins within the three bytes that become four letters, its middle is the same.
            for shift in 0..<3 {
                let middle = Data(password.utf8.dropFirst(shift)).base64EncodedString().prefix { $0 != "=" }.dropLast()
                #expect(!text.contains(middle), what)
            }
            #expect(!text.contains(encoded), what)
        }
    }

    @Test(.enabled(if: isRoot, needsRoot))
    func processes() async throws {
        let daemon = try await ForkedDaemon(["--allow-plaintext-login", "--log-level", "trace"])
        let passwords = [daemon.user.password, "battery staple wrong"]
        try talk(daemon.port, daemon.user.name, right: passwords[0], wrong: passwords[1])
        // Somebody who is in, and somebody whose password is being asked about.
        let inside = try daemon.client()
        #expect(try daemon.logIn(inside).contains(" OK "))
        for process in [daemon.listener] + daemon.listener.descendants {
            for file in ["cmdline", "environ", "comm"] {
                let text = (try? Data(contentsOf: URL(fileURLWithPath: "/proc/\(process.pid)/\(file)"))) ?? Data()
                expectNone(String(decoding: text, as: UTF8.self), passwords, "\(process.title): \(file)")
            }
            // One may have ended meanwhile.
            if let cores = process.limit("Max core file size") { #expect(cores.hard == "0", "\(process.title)") }
        }
        await daemon.daemon.stop()
        #expect(daemon.daemon.log.contains("login failed") && daemon.daemon.log.contains(": login "))
        expectNone(daemon.daemon.log, passwords, "\(daemon.daemon.log)")
    }

    @Test func oneProcess() async throws {
        let passwords = ["correct horse battery", "battery staple wrong"]
        let daemon = try RunningDaemon(["-p", "0", "--user", "me:\(passwords[0])", "--log-level", "trace", "--failure-delay", "0"])
        try await talk(daemon.port(), "me", right: passwords[0], wrong: passwords[1])
        let line = try String(contentsOfFile: "/proc/\(daemon.child.pid)/cmdline", encoding: .utf8)
        expectNone(line, passwords, "\(line)")
        await daemon.stop()
        #expect(daemon.log.contains("login failed"))
        expectNone(daemon.log, passwords, "\(daemon.log)")
    }
}
