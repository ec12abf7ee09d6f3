import Foundation
import Glibc
import TestSupport
import Testing
import Transport

/// What processes that wait hold on to.
@Suite struct MemoryTests {
    @Test("silence is told once, and again after the client has said something")
    func silence() throws {
        let (first, second) = try Descriptor.streamPair().release()
        let client = Descriptor(owning: first), connection = Connection(descriptor: second)
        var told = 0
        connection.whenSilent = { told += 1 }
        #expect(try connection.wait(atMost: .milliseconds(10)) == .timeout)
        #expect(told == 0, "that was too short for a silence")
        #expect(try connection.wait(atMost: .milliseconds(1100)) == .timeout)
        #expect(told == 1)
        send(client.number, "a", 1, 0)
        #expect(try connection.wait(atMost: .seconds(60)) == .input)
        #expect(told == 1)
        var byte: UInt8 = 0
        #expect(try withUnsafeMutableBytes(of: &byte) { (buffer) throws(ConnectionEnd) in
            try connection.receive(into: buffer, atMost: .seconds(60))
        } == 1)
        #expect(try connection.wait(atMost: .milliseconds(1100)) == .timeout)
        #expect(told == 2)
    }

    @Test("what changes in PAM's configuration counts at the next login", .enabled(if: isRoot, needsRoot))
    func changedService() async throws {
        let pam = try PAMConfiguration.unix()
        let daemon = try await ForkedDaemon(user: SystemUser(), pam: pam, ["--allow-plaintext-login"])
        let service = pam.path + "/imapd"
        let before = try String(contentsOfFile: service, encoding: .utf8)
        for (text, answer) in [(before, " OK "), ("auth required pam_deny.so\n", " NO "), (before, " OK ")] {
            try text.write(toFile: service, atomically: false, encoding: .utf8)
            #expect(try daemon.logIn(daemon.client()).contains(answer))
        }
    }

    @Test("a service with a module that is not there lets nobody in, and the daemon runs", .enabled(if: isRoot, needsRoot))
    func missingModule() async throws {
        let daemon = try await ForkedDaemon(
            user: SystemUser(), pam: .unix(first: ["auth required pam_that_is_not_there.so"]), ["--allow-plaintext-login"])
        #expect(try daemon.logIn(daemon.client()).contains(" NO "))
        #expect(try daemon.client().command("NOOP").last!.contains(" OK "))
    }

    @Test("a session that needs more memory than it may have says goodbye and ends alone, and the log tells why",
          .enabled(if: isRoot, needsRoot), arguments: [false, true])
    func limit(usesTLS: Bool) async throws {
        let daemon = try await ForkedDaemon(implicitTLS: usesTLS ? true : nil, ["--allow-plaintext-login", "--session-memory", "1M"])
        let other = try daemon.client(tls: usesTLS), client = try daemon.client(tls: usesTLS)
        #expect(try daemon.logIn(other).contains(" OK "))
        #expect(try daemon.logIn(client).contains(" OK "))
        let arrivals = daemon.user.home + "/Maildir/new"
        for number in 0..<20_000 {
            let file = open("\(arrivals)/\(number).with-a-name-that-is-not-too-short.example.org", O_WRONLY | O_CREAT, 0o644)
            try #require(file >= 0)
            close(file)
        }
        try client.send("a SELECT INBOX\r\n")
        let rest = try client.rest()
        #expect(rest.last?.hasPrefix("* BYE [LIMIT] ") == true && !rest.contains { $0.hasPrefix("a ") }, "\(rest)")
        let line = try await daemon.daemon.line { $0.contains("session needed too much memory") }
        #expect(line.contains("user=\(daemon.user.name)") && line.contains("setting=session-memory"), "\(line)")
        #expect(try other.command("NOOP").last!.contains(" OK "))
        // It is no crash, which would cost the user.
        #expect(try daemon.logIn(daemon.client(tls: usesTLS)).contains(" OK "), "\(daemon.daemon.log)")
        let usual = try await ForkedDaemon(user: daemon.user, pam: .unix(), ["--allow-plaintext-login"])
        let again = try usual.client()
        #expect(try usual.logIn(again).contains(" OK "))
        #expect(try again.command("SELECT INBOX").last!.contains(" OK "))
    }

    /// Some 130 and 200 KiB in a release build. A debug build needs more; but what this looks for, pages of the parent's that
    /// are copied for nothing, costs hundreds.
    @Test("idle sessions and gates have few pages of their own", .enabled(if: isRoot, needsRoot))
    func idle() async throws {
        let daemon = try await ForkedDaemon(implicitTLS: true)
        let client = try daemon.client(tls: true)
        #expect(try daemon.logIn(client).contains(" OK "))
        #expect(try client.command("SELECT INBOX").last!.contains(" OK "))
        try client.send("i IDLE\r\n")
        #expect(try client.line()!.hasPrefix("+"))
        for role in ["session", "gate"] {
            let process = try daemon.process(role)
            try await eventually("\(role): \(Self.privateMemory(process)) KiB") { Self.privateMemory(process) < 450 }
        }
    }

    /// In KiB (proc(5), smaps_rollup).
    private static func privateMemory(_ process: ProcessView) -> Int {
        let text = (try? String(contentsOfFile: "/proc/\(process.pid)/smaps_rollup", encoding: .utf8)) ?? ""
        return text.split(separator: "\n").filter { $0.hasPrefix("Private_") }.reduce(0) { sum, line in
            sum + (line.split(separator: " ").dropLast().last.flatMap { Int($0) } ?? 0)
        }
    }
}
