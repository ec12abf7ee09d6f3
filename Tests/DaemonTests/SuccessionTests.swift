import Foundation
import Glibc
import IMAPSession
import TestSupport
import Testing
import Transport

@testable import Daemon

/// SIGUSR2: another version of the program takes over.
@Suite(.enabled(if: isRoot, needsRoot)) struct SuccessionTests {
    private func takeOver(_ daemon: ForkedDaemon, times: Int = 1) async throws {
        daemon.daemon.child.send(SIGUSR2)
        let daemon = daemon.daemon
        try await eventually("it has taken over") { daemon.log.components(separatedBy: ": took over").count > times }
    }

    @Test("connections go on, logged in or not, and are counted", arguments: [nil, true])
    func connections(implicitTLS: Bool?) async throws {
        let daemon = try await ForkedDaemon(
            implicitTLS: implicitTLS, ["--max-connections-per-user", "2", "--limit-exempt", "none", "--spares", "1",
                                    "--allow-plaintext-login"])
        let tls = implicitTLS == true
        let (session, stranger) = (try daemon.client(tls: tls), try daemon.client(tls: tls))
        #expect(try daemon.logIn(session).contains(" OK "))
        #expect(try session.command("SELECT INBOX").last?.contains(" OK ") == true)
        try await eventually("a spare is there") { !daemon.spares.isEmpty }
        let before = daemon.listener.descriptors.count

        try await takeOver(daemon)
        #expect(daemon.daemon.log.contains("took over connections=2"))
        #expect(daemon.listener.title == "imapd: listener")
        #expect(try session.command("NOOP").last?.contains(" OK ") == true)
        #expect(try daemon.logIn(stranger).contains(" OK "))
        let third = try daemon.client(tls: tls)
        #expect(try daemon.logIn(third).contains("[LIMIT]"))

        try session.command("LOGOUT")
        try await eventually("it has been noticed that a session ended") { daemon.processes("session").count == 1 }
        let fourth = try daemon.client(tls: tls)
        #expect(try daemon.logIn(fourth).contains(" OK "))

        // Nothing piles up.
        try await takeOver(daemon, times: 2)
        try await takeOver(daemon, times: 3)
        try await eventually("those that were spare are gone") {
            daemon.spares.count == 2 && daemon.listener.descendants.allSatisfy { !$0.isZombie }
        }
        try await eventually("it has no more descriptors than before") { daemon.listener.descriptors.count <= before }
        #expect(await daemon.daemon.stop() == 0)
        #expect(try stranger.line()?.hasPrefix("* BYE") == true)
    }

    @Test func nobodyIsRefusedMeanwhile() async throws {
        let daemon = try await ForkedDaemon()
        for round in 1...5 {
            daemon.daemon.child.send(SIGUSR2)
            for _ in 0..<20 { _ = try daemon.client() }
            try await eventually("it has taken over") {
                daemon.daemon.log.components(separatedBy: ": took over").count > round
            }
        }
        #expect(await daemon.daemon.stop() == 0)
    }

    @Test("what is owed stays owed")
    func penalties() async throws {
        let daemon = try await ForkedDaemon(
            ["--limit-exempt", "none", "--penalty-failure", "90", "--penalty-begin", "2m", "--penalty-longest", "10m",
             "--allow-plaintext-login"])
        let client = try daemon.client()
        #expect(try daemon.logIn(client, password: "wrong 1").contains(" NO "))
        try await takeOver(daemon)
        #expect(try daemon.logIn(client, password: "wrong 2").contains(" NO "))
        _ = try await daemon.daemon.line { $0.contains("penalty") }
        let other = try MailClient(port: daemon.port)
        #expect(try other.line()?.hasPrefix("* BYE") == true)
    }

    // MARK: - As clients see it

    private func line(of client: MailClient, where fits: (String) -> Bool) throws -> String? {
        while let line = try client.line() { if fits(line) { return line } }
        return nil
    }

    @Test("who waits with IDLE hears what comes, and who has not logged in can")
    func idle() async throws {
        let daemon = try await ForkedDaemon(implicitTLS: false, ["--allow-plaintext-login"])
        let idle = try daemon.client(), stranger = try daemon.client()
        _ = try daemon.logIn(idle)
        try idle.command("SELECT INBOX")
        try idle.send("i IDLE\r\n")
        #expect(try idle.line()?.hasPrefix("+") == true)
        try await takeOver(daemon)
        try stranger.command("STARTTLS")
        try stranger.startTLS()
        #expect(try daemon.logIn(stranger).contains(" OK "))
        try stranger.send("a APPEND INBOX {14+}\r\nSubject: x\r\n\r\n\r\n")
        #expect(try line(of: idle) { $0 == "* 1 EXISTS" } != nil)
        try await takeOver(daemon, times: 2)
        try idle.send("DONE\r\n")
        #expect(try line(of: idle) { $0.hasPrefix("i ") }?.hasPrefix("i OK") == true)
    }

    // MARK: - As administrators see it

    private struct Who: Decodable {
        struct Connection: Decodable, Equatable {
            var process: Int
            var user, mailbox, client, tls, mechanism: String?
            var address, state: String
            var since: Int
            var commands, received: UInt64
        }
        var connections: [Connection]
    }

    private struct Stats: Decodable, Equatable {
        var process, since: Int
        var accepted: UInt64
        var logins, commands: [String: UInt64]
        var received, sent: UInt64
    }

    private func ask<Answer: Decodable>(_ command: String, _ socket: String) async throws -> Answer {
        let outcome = try await Program.imapctl.run([command, "--json", "--socket", socket])
        try #require(outcome.status == 0, "\(outcome)")
        return try JSONDecoder().decode(Answer.self, from: outcome.standardOutput)
    }

    @Test("imapctl and metrics know what they knew, and are answered where they were")
    func administration() async throws {
        let directory = try TemporaryDirectory()
        let socket = directory.path("control"), metrics = directory.path("metrics"), pidFile = directory.path("pid")
        let daemon = try await ForkedDaemon(
            implicitTLS: true, ["--control-socket", socket, "--metrics-listen", metrics, "--pid-file", pidFile])
        let reader = try daemon.client(tls: true), other = try daemon.client(tls: true), stranger = try daemon.client(tls: true)
        for client in [reader, other] { _ = try daemon.logIn(client) }
        try other.command("LOGOUT")
        try reader.command("ID (\"name\" \"probe\")")
        try reader.command("SELECT INBOX")
        try await eventually("it has been noticed that a session ended") { daemon.processes("session").count == 1 }
        let before: Who = try await ask("who", socket), counted: Stats = try await ask("stats", socket)
        #expect(before.connections.count == 2)
        let session = try #require(before.connections.first { $0.user != nil })
        #expect(session.mailbox == "INBOX" && session.client == "name=probe" && session.tls?.hasPrefix("TLS") == true)

        for _ in 0..<2 {
            let upgrade = try await Program.imapctl.run(["upgrade", "--socket", socket])
            #expect(upgrade.status == 0 && upgrade.output == "the new program has taken over, with 2 connections\n", "\(upgrade)")
        }
        let after: Who = try await ask("who", socket), still: Stats = try await ask("stats", socket)
        #expect(after.connections == before.connections)
        #expect(still == counted && still.process == Int(daemon.daemon.child.pid))
        #expect(try String(contentsOfFile: pidFile, encoding: .utf8) == "\(daemon.daemon.child.pid)\n")

        try reader.command("NOOP")
        let page = try await Program("curl", package: "curl").run(["-s", "--unix-socket", metrics, "http://localhost/metrics"])
        #expect(page.output.contains("imapd_commands_total{command=\"NOOP\"} 1\n"), "\(page)")
        #expect(page.output.contains("imapd_commands_total{command=\"LOGOUT\"} 1\n"))
        #expect(page.output.contains("imapd_sessions_ended_total 1\n"))

        let kick = try await Program.imapctl.run(["kick", "--pid", "\(session.process)", "--socket", socket])
        #expect(kick.status == 0, "\(kick)")
        #expect(try reader.rest().last?.hasPrefix("* BYE [UNAVAILABLE]") == true)
        try await eventually("it is counted as ended") { daemon.processes("session").isEmpty }
        let rest: Stats = try await ask("stats", socket)
        #expect(rest.commands["NOOP"] == 1 && rest.received >= still.received && rest.logins == counted.logins)
        #expect(try daemon.logIn(stranger).contains(" OK "))
        #expect(await daemon.daemon.stop() == 0)
        #expect(!FileManager.default.fileExists(atPath: socket) && !FileManager.default.fileExists(atPath: pidFile))
    }

    @Test("more connections than descriptors that a program is started with")
    func manyDescriptors() async throws {
        let daemon = try await ForkedDaemon(
            ["--spares", "0", "--max-startups", "100:50:100"], launcher: ["/bin/sh", "-c", "ulimit -Sn 40; exec \"$@\"", "sh"])
        var clients = try (0..<40).map { _ in try daemon.client() }
        let limit = { try String(contentsOfFile: "/proc/\(daemon.process("monitor").pid)/limits", encoding: .utf8) }
        try await takeOver(daemon)
        for client in clients { #expect(try client.command("NOOP").last?.contains(" OK ") == true) }
        clients = []
        try await eventually("they are gone") { daemon.processes("monitor").isEmpty }
        let client = try daemon.client()
        #expect(try limit().contains(#/Max open files +40 /#))
        #expect(try client.command("NOOP").last?.contains(" OK ") == true)
    }

    // MARK: - What does not take over

    @Test("a program that would not start does not take over", arguments: [
        ("#!/bin/sh\necho imapd: no way >&2; exit 78\n", "no way"), ("#!/bin/sh\nkill -KILL $$\n", "SIGKILL"),
        ("garbage", "status 127"),
        (nil, "No such file"),
    ] as [(String?, String)])
    func misfit(program: String?, problem: String) async throws {
        let directory = try TemporaryDirectory()
        let link = directory.path("imapd"), socket = directory.path("control")
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: RunningDaemon.executable)
        let daemon = try await ForkedDaemon(
            ["--allow-plaintext-login", "--control-socket", socket],
            launcher: ["/bin/sh", "-c", "shift; exec \"$0\" \"$@\"", link])
        let client = try daemon.client()
        try await takeOver(daemon)
        #expect(try daemon.logIn(client).contains(" OK "))

        try FileManager.default.removeItem(atPath: link)
        if let program {
            try program.write(toFile: link, atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: link)
        }
        let upgrade = try await Program.imapctl.run(["upgrade", "--socket", socket])
        #expect(upgrade.status == 2 && upgrade.errors.contains(problem), "\(upgrade)")
        _ = try await daemon.daemon.line { $0.contains("no other program takes over") && $0.contains(problem) }
        #expect(try client.command("NOOP").last?.contains(" OK ") == true)
        _ = try daemon.client()
        let who = try await Program.imapctl.run(["who", "--socket", socket])
        #expect(who.status == 0, "\(who)")
        #expect(await daemon.daemon.stop() == 0)
    }

    @Test("settings that are wrong by now, or want a place that another has, are told before, and nothing changes")
    func wrongSettings() async throws {
        let directory = try TemporaryDirectory()
        let file = directory.path("imapd.conf"), socket = directory.path("control")
        try "greeting = old\n".write(toFile: file, atomically: true, encoding: .utf8)
        let daemon = try await ForkedDaemon(["--config", file, "--control-socket", socket])
        let taken = try Listener.listen(host: "127.0.0.1", port: 0, implicitTLS: false)
        for (line, problem) in [
            ("greting = new", "imapd.conf:1: "), ("metrics-listen = 127.0.0.1:\(taken[0].address.port)", "imapd.conf:1: "),
        ] {
            try "\(line)\n".write(toFile: file, atomically: true, encoding: .utf8)
            let upgrade = try await Program.imapctl.run(["upgrade", "--socket", socket])
            #expect(upgrade.status == 2 && upgrade.errors.contains(problem), "\(upgrade)")
            #expect(try MailClient(port: daemon.port).line()?.hasSuffix("old") == true)
        }
        let place = directory.path("metrics")
        try "greeting = new\nmetrics-listen = \(place)\n".write(toFile: file, atomically: true, encoding: .utf8)
        let upgrade = try await Program.imapctl.run(["upgrade", "--socket", socket])
        #expect(upgrade.status == 0, "\(upgrade)")
        #expect(try MailClient(port: daemon.port).line()?.hasSuffix("new") == true)
        #expect(FileManager.default.fileExists(atPath: place))
        #expect(await daemon.daemon.stop() == 0)
        #expect(!FileManager.default.fileExists(atPath: place))
    }
}

@Suite struct EstateTests {
    private static let estate: Estate = {
        var due = DueReports()
        due.serve(isProxy: true)
        var estate = Estate()
        estate.bound = [
            Estate.Bound(place: .init(host: "*", port: 993, implicitTLS: true),
                         sockets: [.init(descriptor: 3, implicitTLS: true), .init(descriptor: 4, implicitTLS: true)]),
            Estate.Bound(place: nil, sockets: [.init(descriptor: 70_000, implicitTLS: false)]),
        ]
        estate.entrances = [
            .init(kind: .control, place: "/run/c", descriptor: 5), .init(kind: .metrics, place: "localhost:1", descriptor: 6),
        ]
        estate.heirs = [
            Estate.Heir(
                process: 77, line: 9, page: 10, gate: 78, due: due, peer: PeerAddress(IPAddress("192.0.2.1"), port: 5),
                user: "ann", mechanism: .scram, tls: "TLSv1.3", age: 60, since: 1_800_000_000, isKicked: true),
            Estate.Heir(
                process: 79, line: nil, page: nil, gate: nil, due: DueReports(), peer: PeerAddress(nil, port: 0), user: nil,
                mechanism: nil, tls: nil, age: 0, since: 1, isKicked: false),
        ]
        estate.clerks = [
            Estate.Clerk(process: 80, kind: .control, line: 11, hasWished: true, wantsSuccession: true),
            Estate.Clerk(process: 81, kind: .metrics, line: nil, hasWished: false, wantsSuccession: false),
        ]
        estate.keepers = [Estate.Keeper(process: 82, listening: 12), Estate.Keeper(process: nil, listening: 13)]
        estate.descriptorLimit = 1024
        estate.started = 1_700_000_000
        estate.tallies.login(.accepted, .scram)
        estate.tallies.refuse(.denied)
        estate.tallies.crash("gate")
        estate.tallies.ended = 1 << 40
        let record = SessionRecord()
        record[.sent] = .max
        estate.tallies.totals.add(record)
        estate.sourceDebts = [IPNetwork(of: IPAddress("2001:db8::1")!, length: 64): Debt(owed: .seconds(70), isRefused: true)]
        estate.userDebts = ["bob": Debt(owed: .seconds(5), isRefused: false)]
        estate.pidFile = "/run/imapd.pid"
        return estate
    }()

    @Test func whatIsWrittenIsRead() {
        #expect(Estate(wire: Self.estate.wire) == Self.estate)
        #expect(Estate(wire: Estate().wire) == Estate())
    }

    @Test("nothing but all of it, of this version, is understood")
    func otherBytes() {
        let wire = Self.estate.wire
        for count in stride(from: 0, to: wire.count, by: 7) { #expect(Estate(wire: Array(wire.prefix(count))) == nil) }
        #expect(Estate(wire: wire + [0]) == nil)
        #expect(Estate(wire: [wire[0] + 1] + wire.dropFirst()) == nil)
    }

    @Test("sessions that count less or more than the successor are taken as they are")
    func otherCounts() {
        let known = SessionTotals()
        let fewer = SessionTotals(counters: [1], latencies: [2, 3])
        #expect(fewer[.received] == 1 && fewer[.sent] == 0 && fewer.buckets(.capability).first == 2)
        let more = SessionTotals(counters: known.counters + [9], latencies: known.latencies + [9])
        #expect(more == known)
    }

    @Test("a program says so if it does not understand what it is left")
    func otherVersion() async throws {
        let directory = try TemporaryDirectory()
        let file = directory.path("estate")
        try Data([0xFF] + Self.estate.wire.dropFirst()).write(to: URL(fileURLWithPath: file))
        // That the running one has its addresses is no fault of theirs.
        let running = try RunningDaemon(["-h", "127.0.0.1", "-p", "0", "--user", "me:secret"])
        let outcome = try await Program("sh", package: "dash").run(
            ["-c", "exec 3<\"$1\"; shift; exec \"$@\" --fork --succeed=3 --check-config", "sh", file, RunningDaemon.executable,
             "-h", "127.0.0.1", "-p", "\(running.port())"])
        #expect(outcome.status == 64 && outcome.errors.contains("start it anew"), "\(outcome)")
        #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome)")
        await running.stop()
    }

    @Test func onlyWithFork() async throws {
        let outcome = try await Program.imapd.run(["--succeed", "3", "--check-config"])
        #expect(outcome.status == 64 && outcome.errors.contains("--fork"), "\(outcome)")
    }
}
