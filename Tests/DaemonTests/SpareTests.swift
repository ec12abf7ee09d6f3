import Foundation
import Glibc
import TestSupport
import Testing

/// Processes that wait for clients.
@Suite(.enabled(if: isRoot, needsRoot))
struct SpareTests {
    private func waiting(_ daemon: ForkedDaemon, _ count: Int) async throws {
        try await eventually("\(count) monitors and gates wait") {
            daemon.spares.filter { $0.title == "imapd: spare gate" }.count == count && daemon.spares.count == 2 * count
        }
    }

    @Test("as many wait as are wanted, and are replaced when they are needed", arguments: [0, 1, 3])
    func number(count: Int) async throws {
        let daemon = try await ForkedDaemon(["--spares", "\(count)", "--allow-plaintext-login"])
        try await waiting(daemon, count)
        let before = Set(daemon.spares.map(\.pid))
        let clients = try (0..<5).map { _ in try daemon.client() }
        #expect(daemon.processes("gate").count == 5 && daemon.processes("monitor").count == 5)
        let served = Set(daemon.busy.map(\.pid))
        #expect(before.isSubset(of: served), "those that waited serve now")
        try await waiting(daemon, count)
        for client in clients { #expect(try daemon.logIn(client).contains(" OK ")) }
        for client in clients { client.close() }
        try await eventually("all have gone") { daemon.busy.isEmpty }
        try await waiting(daemon, count)
    }

    @Test("no more wait than may connect")
    func maximum() async throws {
        let daemon = try await ForkedDaemon(["--max-connections", "2"])
        try await waiting(daemon, 2)
        let client = try daemon.client()
        try await waiting(daemon, 1)
        _ = client
    }

    @Test func spareGateHoldsNoRights() async throws {
        let daemon = try await ForkedDaemon(implicitTLS: true, ["--spares", "1"])
        try await waiting(daemon, 1)
        let gate = try #require(daemon.spares.first { $0.title == "imapd: spare gate" })
        let monitor = try #require(daemon.spares.first { $0.title == "imapd: spare monitor" })
        let account = getpwnam("imapd") ?? getpwnam("nobody")
        #expect(gate.status("Uid") == Array(repeating: String(account!.pointee.pw_uid), count: 4))
        try await eventually("it waits") { gate.status("State").first == "S" }
        #expect(gate.root.hasSuffix("(deleted)") && gate.rootContent == [])
        #expect(gate.status("NoNewPrivs") == ["1"])
        // The channel; the client's socket will be the only other one.
        #expect(gate.descriptors.count == 1, "\(gate.descriptors)")
        #expect(gate.limit("Max open files")!.hard == "2")
        #expect(monitor.limit("Max open files")!.soft == ProcessView(getpid()).limit("Max open files")!.soft)
        let most = daemon.listener.limit("Max open files")!
        #expect(most.soft == most.hard, "it has a line for each connection")

        // It has neither sockets that listen, nor the other children's lines; but that where it can ask.
        let shared = daemon.listener.sockets.intersection(monitor.sockets)
        #expect(shared.count == 1 && shared.isDisjoint(with: daemon.listener.listeningSockets), "\(monitor.descriptors)")
        #expect(try !monitor.memoryHolds(daemon.certificate.secrets()), "the private key is for gates")
    }

    @Test("what a client does is its own: no two processes share its socket but monitor and gate")
    func descriptorsOfOthers() async throws {
        let daemon = try await ForkedDaemon(["--spares", "2"])
        let clients = try (0..<4).map { _ in try daemon.client() }
        try await waiting(daemon, 2)
        var holders: [String: Int] = [:]
        for process in daemon.listener.descendants + [daemon.listener] {
            for socket in Set(process.descriptors.values) where socket.hasPrefix("socket:") { holders[socket, default: 0] += 1 }
        }
        // All monitors ask at one socket, and the listener keeps its other end.
        let shared = daemon.questionSockets().union(try daemon.process("keeper").sockets)
        for socket in shared { holders[socket] = nil }
        // The client's socket is the monitor's and the gate's, each end of a channel or line is one process's.
        #expect(holders.values.filter { $0 > 2 }.isEmpty, "\(holders)")
        #expect(holders.values.filter { $0 == 2 }.count == clients.count, "\(holders)")
    }

    @Test("one that dies is replaced, and nobody notices", arguments: ["spare gate", "spare monitor"])
    func killedSpare(role: String) async throws {
        let daemon = try await ForkedDaemon(["--spares", "2"])
        try await waiting(daemon, 2)
        let before = Set(daemon.spares.map(\.pid))
        for victim in daemon.spares where victim.title == "imapd: \(role)" { kill(victim.pid, SIGKILL) }
        _ = try await daemon.daemon.line { $0.contains("crashed") && $0.contains("SIGKILL") }
        try await eventually("they have gone") { before.isDisjoint(with: daemon.listener.descendants.map(\.pid)) }
        _ = try daemon.client()
        _ = try daemon.client()
        try await waiting(daemon, 2)
        #expect(daemon.listener.descendants.filter(\.isZombie).isEmpty)
    }

    @Test("those that wait have the renewed certificate")
    func renewedCertificate() async throws {
        let daemon = try await ForkedDaemon(implicitTLS: true, ["--spares", "2"])
        try await waiting(daemon, 2)
        let old = try daemon.client(tls: true).serverCertificate
        try await waiting(daemon, 2)
        let stale = Set(daemon.spares.map(\.pid))
        let renewed = try await Certificate()
        for (new, present) in [(renewed.certificate, daemon.certificate.certificate), (renewed.key, daemon.certificate.key)] {
            try FileManager.default.removeItem(atPath: present)
            try FileManager.default.copyItem(atPath: new, toPath: present)
        }
        daemon.daemon.child.send(SIGHUP)
        _ = try await daemon.daemon.line { $0.contains("settings read again") }
        for _ in 1...3 { #expect(try daemon.client(tls: true).serverCertificate != old) }
        try await eventually("the old ones have gone") { stale.isDisjoint(with: daemon.listener.descendants.map(\.pid)) }
        try await waiting(daemon, 2)
        #expect(!daemon.daemon.log.contains("crashed") && !daemon.daemon.log.contains("failed"))
    }

    @Test func endsWithTheDaemon() async throws {
        let daemon = try await ForkedDaemon()
        let spares = daemon.spares
        daemon.daemon.child.send(SIGTERM)
        #expect(await daemon.daemon.child.end(within: .seconds(60)) == 0)
        try await eventually("all have gone") { spares.allSatisfy { !FileManager.default.fileExists(atPath: "/proc/\($0.pid)") } }
    }

    @Test("spares do not outlive a listener that is killed")
    func killedListener() async throws {
        let daemon = try await ForkedDaemon(["--spares", "2"])
        try await waiting(daemon, 2)
        let spares = daemon.spares
        daemon.daemon.child.send(SIGKILL)
        try await eventually("all have gone") { spares.allSatisfy { !FileManager.default.fileExists(atPath: "/proc/\($0.pid)") } }
    }

    // MARK: - Gates without anybody

    @Test("a gate that does not want to end does not outlive its session")
    func orphanedGate() async throws {
        let daemon = try await ForkedDaemon(implicitTLS: true)
        let client = try daemon.client(tls: true)
        #expect(try daemon.logIn(client).contains(" OK "))
        let gate = try daemon.process("gate"), session = try daemon.process("session")
        // One that is stopped hears nothing, as one that does not want to.
        kill(gate.pid, SIGSTOP)
        kill(session.pid, SIGKILL)
        try await eventually("both have gone") { daemon.busy.isEmpty }
        #expect(!daemon.listener.descendants.contains { $0.pid == gate.pid })
    }
}
