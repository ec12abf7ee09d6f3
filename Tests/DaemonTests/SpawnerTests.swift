import Foundation
import Glibc
import TestSupport
import Testing

/// The process that forks monitors.
@Suite(.enabled(if: isRoot, needsRoot))
struct SpawnerTests {
    private func waiting(_ daemon: ForkedDaemon, _ count: Int) async throws -> ProcessView {
        try await eventually("\(count) monitors and gates wait") { daemon.spares.count == 2 * count }
        return try daemon.process("spawner")
    }

    @Test("it forks for the listener, has nothing of anybody's, and what monitors need")
    func rights() async throws {
        let daemon = try await ForkedDaemon(implicitTLS: true, ["--spares", "2"])
        let clients = try (0..<2).map { _ in try daemon.client(tls: true) }
        let spawner = try await waiting(daemon, 2)
        #expect(spawner.descendants.isEmpty, "\(spawner.descendants.map(\.title))")
        #expect(spawner.status("PPid") == ["\(daemon.listener.pid)"])
        for monitor in daemon.processes("spare monitor") {
            #expect(monitor.status("PPid") == ["\(daemon.listener.pid)"])
            // Where it can ask; and each has its line.
            #expect(spawner.sockets.intersection(monitor.sockets) == daemon.questionSockets())
            #expect(Set(monitor.descriptors.values).subtracting(spawner.descriptors.values).count == 2, "its line and its channel")
        }
        #expect(spawner.sockets.isDisjoint(with: daemon.listener.listeningSockets))
        for process in daemon.busy {
            #expect(process.sockets.intersection(spawner.sockets).subtracting(daemon.questionSockets()).isEmpty, "\(process.title)")
        }
        _ = clients
    }

    @Test("one that dies is replaced, is told of, and nobody notices", arguments: [0, 2])
    func killed(spares: Int) async throws {
        let daemon = try await ForkedDaemon(["--spares", "\(spares)", "--allow-plaintext-login"])
        let before = try daemon.client()
        let spawner = try await waiting(daemon, spares)
        kill(spawner.pid, SIGSEGV)
        let line = try await daemon.daemon.line { $0.contains("process crashed") }
        #expect(line.contains("critical") && line.contains("role=spawner") && line.contains("SIGSEGV"), "\(line)")
        #expect(try daemon.logIn(before).contains(" OK "))
        for _ in 0..<4 { #expect(try daemon.logIn(daemon.client()).contains(" OK ")) }
        #expect(try await waiting(daemon, spares).pid != spawner.pid)
        #expect(!daemon.daemon.log.contains("no process can be forked"))
        try await eventually("it is reaped") { daemon.listener.descendants.filter(\.isZombie).isEmpty }
    }

    @Test("one that does not answer is replaced")
    func stopped() async throws {
        let daemon = try await ForkedDaemon(["--spares", "0"])
        _ = try daemon.client()
        let spawner = try daemon.process("spawner")
        kill(spawner.pid, SIGSTOP)
        // Whoever comes now waits for a while.
        _ = try daemon.client()
        try await eventually("it has gone") { daemon.processes("spawner").allSatisfy { $0.pid != spawner.pid } }
        #expect(daemon.processes("spawner").count == 1)
    }

    @Test("what children inherit after a reload is what was read")
    func reload() async throws {
        let daemon = try await ForkedDaemon(["--spares", "1"])
        let before = try await waiting(daemon, 1)
        daemon.daemon.child.send(SIGHUP)
        _ = try await daemon.daemon.line { $0.contains("settings read again") }
        try await eventually("the old one has gone") {
            daemon.processes("spawner").count == 1 && !daemon.processes("spawner").contains { $0.pid == before.pid }
        }
        _ = try await waiting(daemon, 1)
        #expect(!daemon.daemon.log.contains("role=spawner"))
    }

    @Test("it ends with the listener", arguments: [SIGTERM, SIGKILL])
    func end(signal: Int32) async throws {
        let daemon = try await ForkedDaemon()
        let spawner = try await waiting(daemon, 8)
        daemon.daemon.child.send(signal)
        try await eventually("it has gone") { !FileManager.default.fileExists(atPath: "/proc/\(spawner.pid)") || spawner.isZombie }
    }

    /// Of every page that differs, a child that was forked before has a copy.
    @Test("it writes next to nothing while the listener serves")
    func writesNothing() async throws {
        let daemon = try await ForkedDaemon(["--spares", "2", "--allow-plaintext-login"])
        let spawner = try await waiting(daemon, 2)
        let first = try daemon.client()
        _ = try await waiting(daemon, 2)
        let before = spawner.faults
        for _ in 0..<20 { #expect(try daemon.logIn(daemon.client()).contains(" OK ")) }
        _ = try await waiting(daemon, 2)
        let forks = 20, pages = spawner.faults - before
        #expect(try daemon.process("spawner").pid == spawner.pid)
        #expect(pages <= 4 * forks, "\(pages) pages in \(forks) forks")
        _ = first
    }
}

extension ProcessView {
    /// Pages that it has written first, or first after a fork (proc(5), minflt).
    fileprivate var faults: Int {
        let words = (whole("stat") ?? "").split(separator: ")").last?.split(separator: " ") ?? []
        return words.count > 7 ? Int(words[7]) ?? 0 : 0
    }
}
