import Foundation
import Glibc
import TestSupport
import Testing

/// Who gets in through `imapd --fork`, asking real PAM, and what the log says.
@Suite(.enabled(if: isRoot, needsRoot))
struct LoginTests {
    @Test func systemUser() async throws {
        let daemon = try await ForkedDaemon(["--allow-plaintext-login"])
        let client = try daemon.client()
        #expect(try daemon.logIn(client, password: "wrong").contains(" NO [AUTHENTICATIONFAILED]"))
        #expect(try daemon.logIn(client).contains(" OK "))
        _ = try await daemon.daemon.line { $0.contains("login failed") && $0.contains(daemon.user.name) }
        let line = try await daemon.daemon.line { $0.contains(": login ") && $0.contains("user=\(daemon.user.name)") }
        #expect(line.contains("peer=127.0.0.1:") && line.contains("mechanism=LOGIN"), "\(line)")

        try client.command("LOGOUT")
        client.close()
        let end = try await daemon.daemon.line { $0.contains("session end") && $0.contains(daemon.user.name) }
        #expect(end.contains("reason=\"logged out\"") && end.contains("received=11 "), "\(end)")
        expectNoPassword(daemon)
    }

    @Test("PAM's modules have their turn, and are told who comes from where", arguments: [false, true])
    func pamSession(opensSession: Bool) async throws {
        let files = try TemporaryDirectory()
        let script = files.path("script"), seen = files.path("seen")
        try "#!/bin/sh\necho $PAM_TYPE $PAM_SERVICE $PAM_USER $PAM_RHOST $PAM_TTY >> \(seen)\n"
            .write(toFile: script, atomically: true, encoding: .utf8)
        chmod(script, 0o755)
        let lines = ["auth required pam_unix.so"] + ["auth", "account", "session"].map { "\($0) required pam_exec.so quiet \(script)" }
        let daemon = try await ForkedDaemon(user: SystemUser(), pam: PAMConfiguration(lines), [
            "--allow-plaintext-login", "--pam-session=\(opensSession ? "yes" : "no")",
        ])
        #expect(try daemon.logIn(daemon.client()).contains(" OK "))
        let types = ["auth", "account"] + (opensSession ? ["open_session", "close_session"] : [])
        let told = try String(contentsOfFile: seen, encoding: .utf8).split(separator: "\n").map(String.init)
        #expect(told == types.map { "\($0) imapd \(daemon.user.name) 127.0.0.1 imap" }, "\(told)")
    }

    @Test("somebody of whom name services cannot tell is not somebody whom they do not know",
          .enabled(if: hasNameSpaces, needsNameSpaces))
    func failingNameServices() async throws {
        let files = try TemporaryDirectory(), etc = files.path("etc")
        // An /etc of its own, as the real one is changed by other tests at any time.
        let script = """
            cp -a /etc/. \(etc); set -e; printf 'passwd: files\\ngroup: files\\n' > \(etc)/nsswitch.conf
            mount --bind \(etc) /etc; exec "$@"
            """
        try FileManager.default.createDirectory(atPath: etc, withIntermediateDirectories: false)
        let daemon = try await ForkedDaemon(
            user: SystemUser(), pam: PAMConfiguration(["auth required pam_permit.so", "account required pam_permit.so"]),
            ["--allow-plaintext-login"], launcher: ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", script, "sh"])
        #expect(try daemon.logIn(daemon.client()).contains(" OK "))
        #expect(try daemon.client().command("LOGIN imapd-nobody x").last!.contains(" NO [CONTACTADMIN]"))
        // A file that nobody can open: no driver has this number.
        try FileManager.default.removeItem(atPath: etc + "/passwd")
        try #require(mknod(etc + "/passwd", S_IFCHR | 0o644, 60 << 8) == 0)
        #expect(try daemon.logIn(daemon.client()).contains(" NO [UNAVAILABLE]"))
        _ = try await daemon.daemon.line { $0.contains("login failed") && $0.contains("name services: ") }
    }

    @Test(arguments: ["PLAIN", "LOGIN"])
    func mechanisms(mechanism: String) async throws {
        let daemon = try await ForkedDaemon(implicitTLS: true)
        let client = try daemon.client(tls: true)
        let (user, password) = (base64(daemon.user.name), base64(daemon.user.password))
        try client.send("a1 AUTHENTICATE \(mechanism)\r\n")
        #expect(try client.line()!.hasPrefix("+"))
        if mechanism == "PLAIN" {
            try client.send(base64("\0\(daemon.user.name)\0\(daemon.user.password)") + "\r\n")
        } else {
            try client.send(user + "\r\n")
            #expect(try client.line()!.hasPrefix("+"))
            try client.send(password + "\r\n")
        }
        #expect(try client.lines(through: "a1").last!.hasPrefix("a1 OK"))
        expectNoPassword(daemon)
    }

    @Test func listedUser() async throws {
        let user = try await SystemUser()
        let daemon = try await ForkedDaemon(
            user: user, pam: .list([(user.name, "another"), ("imapd-no-such-user", "secret"), ("root", "secret")]),
            ["--allow-plaintext-login"])
        let client = try daemon.client()
        #expect(try daemon.logIn(client, password: "another").contains(" OK "))

        // PAM would let these in; they are no users to become.
        for name in ["imapd-no-such-user", "root"] {
            let client = try daemon.client()
            #expect(try client.command("LOGIN \(name) secret").last!.contains(" NO "))
        }
    }

    @Test func lowUIDs() async throws {
        let user = try await SystemUser()
        let daemon = try await ForkedDaemon(
            user: user, pam: .unix(), ["--allow-plaintext-login", "--first-valid-uid", String(user.uid + 1)])
        #expect(try daemon.logIn(daemon.client()).contains(" NO "))
    }

    @Test(arguments: [SystemUser.State.accountExpired, .passwordExpired])
    func expired(state: SystemUser.State) async throws {
        let daemon = try await ForkedDaemon(user: SystemUser(state), pam: .unix(), ["--allow-plaintext-login"])
        #expect(try daemon.logIn(daemon.client()).contains(" NO [EXPIRED]"))
        // A stranger learns nothing of it.
        #expect(try daemon.logIn(daemon.client(), password: "wrong").contains(" NO [AUTHENTICATIONFAILED]"))
    }

    @Test func unknownUserAndWrongPasswordAreAnsweredAlike() async throws {
        let daemon = try await ForkedDaemon(["--allow-plaintext-login"])
        let wrong = try daemon.client().command("LOGIN \(daemon.user.name) wrong").last
        let unknown = try daemon.client().command("LOGIN imapd-no-such-user wrong").last
        #expect(wrong == unknown)
    }

    @Test func threeFailuresAreTheEnd() async throws {
        let daemon = try await ForkedDaemon(["--allow-plaintext-login"])
        let client = try daemon.client()
        for _ in 1...2 { #expect(try daemon.logIn(client, password: "wrong").contains(" NO ")) }
        #expect(try client.command("NOOP").last!.contains(" OK "))
        try client.send("a3 LOGIN \(daemon.user.name) wrong\r\na4 LOGIN \(daemon.user.name) \"\(daemon.user.password)\"\r\n")
        let lines = try client.rest()
        #expect(lines.contains { $0.hasPrefix("a3 NO ") } && lines.last!.hasPrefix("* BYE "), "\(lines)")
        #expect(!lines.contains { $0.hasPrefix("a4 ") })
        try await eventually("its processes have gone") { daemon.busy.isEmpty }
    }

    @Test func failuresAreAnsweredLate() async throws {
        let daemon = try await ForkedDaemon(["--allow-plaintext-login", "--failure-delay", "1"])
        let client = try daemon.client(), other = try daemon.client()
        for seconds in [1, 2] {
            let begin = ContinuousClock.now
            #expect(try daemon.logIn(client, password: "wrong").contains(" NO "))
            #expect(ContinuousClock.now - begin >= .seconds(seconds), "each takes twice as long as the one before")
        }
        try client.send("a LOGIN nobody wrong\r\n")
        #expect(try daemon.logIn(other).contains(" OK "))
        // Whoever hangs up meanwhile is not waited for.
        client.close()
        try await eventually("its processes have gone") { daemon.processes("monitor").isEmpty }
    }

    @Test func timeToLogIn() async throws {
        let daemon = try await ForkedDaemon(["--allow-plaintext-login", "--login-timeout", "1"])
        let client = try daemon.client()
        let lines = try client.rest()
        #expect(lines.count == 1 && lines[0].hasPrefix("* BYE "), "\(lines)")
        try await eventually("its processes have gone") { daemon.busy.isEmpty }
    }

    @Test func slowFailureBlocksNobody() async throws {
        // PAM hangs for one user, until this test lets it go on.
        let files = try TemporaryDirectory()
        let gate = files.path("gate"), script = files.path("script")
        try #require(mkfifo(gate, 0o600) == 0)
        try "#!/bin/sh\n[ \"$PAM_USER\" = imapd-slow ] && cat \(gate)\nexit 0\n"
            .write(toFile: script, atomically: true, encoding: .utf8)
        chmod(script, 0o755)
        let daemon = try await ForkedDaemon(
            user: SystemUser(), pam: .unix(first: ["auth optional pam_exec.so quiet \(script)"]), ["--allow-plaintext-login"])

        let slow = try daemon.client()
        try slow.send("s1 LOGIN imapd-slow wrong\r\n")
        // Opening for writing waits for the reader.
        let opened = Task.detached { open(gate, O_WRONLY) }
        let writer = await opened.value
        #expect(daemon.processes("authenticator").count == 1)

        #expect(try daemon.logIn(daemon.client()).contains(" OK "))
        close(writer)
        #expect(try slow.lines(through: "s1").last!.hasPrefix("s1 NO "))
    }

    @Test func authenticatorGoesWithItsAttempt() async throws {
        let daemon = try await ForkedDaemon(["--allow-plaintext-login"])
        let client = try daemon.client()
        #expect(try daemon.logIn(client, password: "wrong").contains(" NO "))
        try await eventually("it has gone") { daemon.busy.count == 2 && daemon.processes("authenticator").isEmpty }
    }

    private func base64(_ text: String) -> String { Data(text.utf8).base64EncodedString() }

    /// Not even at the level of trace, as it is given or in base64.
    private func expectNoPassword(_ daemon: ForkedDaemon) {
        let log = daemon.daemon.log
        #expect(!log.contains(daemon.user.password))
        #expect(!log.contains(base64(daemon.user.password)))
        #expect(!log.contains(base64("\0\(daemon.user.name)\0\(daemon.user.password)")))
    }
}
