import Foundation
import Glibc
import TestSupport
import Testing

/// The process from which authenticators are forked.
@Suite(.enabled(if: isRoot, needsRoot))
struct KeeperTests {
    private func waiting(_ daemon: ForkedDaemon) async throws -> ProcessView {
        try await eventually("one authenticator waits") { daemon.processes("spare authenticator").count == 1 }
        return try daemon.process("keeper")
    }

    /// Of mapped libraries (proc(5)).
    private func libraries(_ process: ProcessView) throws -> Set<String> {
        let maps = try #require(process.whole("maps"))
        let names = maps.split(separator: "\n").compactMap { $0.split(separator: "/").last }
        return Set(names.map(String.init).filter { $0.contains(".so") })
    }

    @Test("PAM is in its memory and no other's, and the private key is not", arguments: Certificate.Kind.allCases)
    func memory(kind: Certificate.Kind) async throws {
        let daemon = try await ForkedDaemon(key: kind, implicitTLS: true)
        let keeper = try await waiting(daemon)
        let client = try daemon.client(tls: true)
        let isPAM: (String) -> Bool = { $0.hasPrefix("pam_") || $0.hasPrefix("libpam") }
        let loaded = try libraries(keeper)
        #expect(loaded.contains("pam_unix.so"), "\(loaded.sorted())\n\(daemon.daemon.log)")
        for process in [daemon.listener, try daemon.process("monitor"), try daemon.process("gate")] {
            #expect(try !libraries(process).contains(where: isPAM), "\(process.title)")
        }
        let secrets = try daemon.certificate.secrets()
        #expect(try daemon.listener.memoryHolds(secrets), "else this test looks for the wrong thing")
        #expect(try !keeper.memoryHolds(secrets))
        #expect(try !daemon.process("spare authenticator").memoryHolds(secrets))

        #expect(try daemon.logIn(client).contains(" OK "))
        #expect(try !keeper.memoryHolds([Array(daemon.user.password.utf8)]), "no password comes by")
        #expect(try !libraries(daemon.process("session")).contains(where: isPAM))
    }

    @Test("only monitors can ask")
    func whoCanAsk() async throws {
        let daemon = try await ForkedDaemon(implicitTLS: true, ["--spares", "2"])
        let keeper = try await waiting(daemon)
        #expect(keeper.status("Uid") == ["0", "0", "0", "0"])
        #expect(keeper.sockets.isDisjoint(with: daemon.listener.listeningSockets))
        let client = try daemon.client(tls: true)
        #expect(try daemon.logIn(client).contains(" OK "))
        try await eventually("others wait") { daemon.processes("spare monitor").count == 2 }
        let asking = daemon.questionSockets()
        #expect(asking.count == 1)
        for role in ["session", "gate", "spare gate", "keeper", "spare authenticator"] {
            for process in daemon.processes(role) { #expect(asking.isDisjoint(with: process.sockets), "\(process.title)") }
        }
        // And where it is heard is kept from all but the listener, who keeps it for the next keeper.
        let hearing = keeper.sockets.intersection(daemon.listener.sockets)
        #expect(hearing.count == 1)
        for role in ["session", "gate", "spare gate", "spare monitor"] {
            for process in daemon.processes(role) { #expect(hearing.isDisjoint(with: process.sockets), "\(process.title)") }
        }
    }

    @Test("one that dies is replaced, and who has connected before can log in")
    func replaced() async throws {
        let daemon = try await ForkedDaemon(["--allow-plaintext-login"])
        let keeper = try await waiting(daemon)
        let before = try daemon.client()
        kill(keeper.pid, SIGSEGV)
        let line = try await daemon.daemon.line { $0.contains("process crashed") }
        #expect(line.contains("critical") && line.contains("role=keeper") && line.contains("SIGSEGV"), "\(line)")
        #expect(try daemon.logIn(before).contains(" OK "))
        let next = try await waiting(daemon)
        #expect(next.pid != keeper.pid)
        #expect(try daemon.logIn(daemon.client()).contains(" OK "))
        try await eventually("nobody is left of the old one") {
            daemon.processes("spare authenticator").count == 1 && daemon.listener.descendants.filter(\.isZombie).isEmpty
        }
    }

    @Test("an authenticator that crashes is told of, and costs the client's address")
    func crash() async throws {
        let files = try TemporaryDirectory()
        let pipe = files.path("pipe"), script = files.path("script")
        try #require(mkfifo(pipe, 0o600) == 0)
        try "#!/bin/sh\n[ \"$PAM_USER\" = imapd-slow ] && cat \(pipe)\nexit 0\n"
            .write(toFile: script, atomically: true, encoding: .utf8)
        chmod(script, 0o755)
        let daemon = try await ForkedDaemon(
            user: SystemUser(), pam: .unix(first: ["auth optional pam_exec.so quiet \(script)"]),
            ["--allow-plaintext-login", "--limit-exempt", "none"])
        let client = try daemon.client()
        try client.send("s1 LOGIN imapd-slow wrong\r\n")
        let writer = await Task.detached { open(pipe, O_WRONLY) }.value
        kill(try daemon.process("authenticator").pid, SIGABRT)
        // What its module has started goes on without it.
        close(writer)
        #expect(try client.lines(through: "s1").last!.hasPrefix("s1 NO [UNAVAILABLE]"))
        let line = try await daemon.daemon.line { $0.contains("authenticator crashed") }
        #expect(line.contains("critical") && line.contains("SIGABRT") && line.contains("peer=127.0.0.1:"), "\(line)")
        _ = try await daemon.daemon.line { $0.contains(": penalty ") && $0.contains("source=127.0.0.1") }
    }

    @Test("an authenticator whose answer nobody waits for is ended")
    func forgotten() async throws {
        let files = try TemporaryDirectory()
        let pipe = files.path("pipe"), script = files.path("script")
        try #require(mkfifo(pipe, 0o600) == 0)
        try "#!/bin/sh\ncat \(pipe)\n".write(toFile: script, atomically: true, encoding: .utf8)
        chmod(script, 0o755)
        let daemon = try await ForkedDaemon(
            user: SystemUser(), pam: .unix(first: ["auth optional pam_exec.so quiet \(script)"]), ["--allow-plaintext-login"])
        let client = try daemon.client()
        try client.send("s1 LOGIN imapd-slow wrong\r\n")
        let writer = await Task.detached { open(pipe, O_WRONLY) }.value
        let authenticator = try daemon.process("authenticator")
        kill(try daemon.process("monitor").pid, SIGKILL)
        try await eventually("it has gone") { !FileManager.default.fileExists(atPath: "/proc/\(authenticator.pid)") }
        close(writer)
        _ = try await waiting(daemon)
        #expect(!daemon.daemon.log.contains("authenticator crashed"))
    }

    @Test("after a reload, who has connected before asks the old one, which ends with them")
    func reload() async throws {
        let daemon = try await ForkedDaemon(["--allow-plaintext-login", "--spares", "1"])
        let old = try await waiting(daemon)
        let before = try daemon.client()
        daemon.daemon.child.send(SIGHUP)
        _ = try await daemon.daemon.line { $0.contains("settings read again") }
        try await eventually("there are two") { daemon.processes("keeper").count == 2 }
        #expect(try daemon.logIn(daemon.client()).contains(" OK "))
        #expect(try daemon.logIn(before).contains(" OK "))
        try await eventually("the old one has ended") { !daemon.processes("keeper").contains { $0.pid == old.pid } }
        #expect(daemon.processes("keeper").count == 1)
        #expect(!daemon.daemon.log.contains("role=keeper"))
    }

    @Test("an old one that dies is replaced, too, as long as somebody asks it", arguments: [SIGHUP, SIGUSR2])
    func replacedForThoseBefore(change: Int32) async throws {
        let daemon = try await ForkedDaemon(["--allow-plaintext-login", "--spares", "1"])
        let old = try await waiting(daemon)
        let before = try daemon.client()
        let descriptors = daemon.listener.descriptors.count
        daemon.daemon.child.send(change)
        _ = try await daemon.daemon.line { $0.contains("settings read again") || $0.contains("took over") }
        try await eventually("there are two") { daemon.processes("keeper").count == 2 }
        let present = try #require(daemon.processes("keeper").first { $0.pid != old.pid })
        kill(old.pid, SIGSEGV)
        _ = try await daemon.daemon.line { $0.contains("process crashed") && $0.contains("role=keeper") }
        #expect(try daemon.logIn(before, password: "wrong").contains(" NO [AUTHENTICATIONFAILED]"))
        #expect(try daemon.logIn(before).contains(" OK "))
        try await eventually("it has ended with the last who asked it") { daemon.processes("keeper").map(\.pid) == [present.pid] }
        try before.command("LOGOUT")
        try await eventually("nothing is left of it") {
            daemon.spares.count == 2 && daemon.listener.descriptors.count <= descriptors
        }
    }

    @Test("ends with the daemon, also with one that is killed", arguments: [SIGTERM, SIGKILL])
    func end(signal: Int32) async throws {
        let daemon = try await ForkedDaemon()
        let keeper = try await waiting(daemon), spare = try daemon.process("spare authenticator")
        daemon.daemon.child.send(signal)
        _ = await daemon.daemon.child.end(within: .seconds(60))
        try await eventually("both have gone") {
            [keeper, spare].allSatisfy { !FileManager.default.fileExists(atPath: "/proc/\($0.pid)") || $0.isZombie }
        }
    }
}
