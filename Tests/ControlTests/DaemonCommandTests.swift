@testable import Control
import Foundation
import Glibc
import TestSupport
import Testing

/// imapctl and a running imapd.
@Suite(.enabled(if: geteuid() == 0, "needs root: imapd --fork becomes the users whose mail it serves"))
struct DaemonCommandTests {
    private let directory: TemporaryDirectory
    private let pam: PAMConfiguration
    private let user: SystemUser
    private let daemon: RunningDaemon
    private let port: Int
    private var socket: String { directory.path("control") }
    private var metrics: String { directory.path("metrics") }

    init() async throws {
        directory = try TemporaryDirectory()
        pam = try .unix()
        user = try await SystemUser()
        try "failure-delay = 0\nlimit-exempt = none\npenalty-begin = 1\n".write(
            toFile: directory.path("imapd.conf"), atomically: true, encoding: .utf8)
        daemon = try RunningDaemon([
            "--fork", "-h", "127.0.0.1", "-p", "0", "--pam-confdir", pam.path, "--first-valid-uid", "1",
            "--allow-plaintext-login", "--config", directory.path("imapd.conf"), "--control-socket", directory.path("control"),
            "--metrics-listen", directory.path("metrics"), "--spares", "2",
        ])
        port = try await daemon.port()
    }

    private func imapctl(_ arguments: String...) async throws -> Program.Outcome {
        try await Program.imapctl.run(arguments + ["--socket", socket])
    }

    private func client(loggedIn: Bool = true) throws -> MailClient {
        let client = try MailClient(port: port)
        try #require(try client.line()?.hasPrefix("* OK") == true)
        if loggedIn { try #require(try client.command("LOGIN \(user.name) \"\(user.password)\"").last?.contains(" OK ") == true) }
        return client
    }

    private struct Listing: Decodable {
        var connections: [Who.Connection]
    }

    private func who(_ arguments: String...) async throws -> [Who.Connection] {
        let outcome = try await Program.imapctl.run(["who", "--json"] + arguments + ["--socket", socket])
        try #require(outcome.status == 0, "\(outcome)")
        return try JSONDecoder().decode(Listing.self, from: outcome.standardOutput).connections
    }

    @Test("who is there, and who is kicked")
    func whoAndKick() async throws {
        let reader = try client(), other = try client(), stranger = try client(loggedIn: false)
        _ = try reader.command("ID (\"name\" \"probe \u{1B}[2J\")")
        _ = try reader.command("SELECT INBOX")
        try other.send("x IDLE\r\n")
        _ = try other.line()

        let all = try await who()
        #expect(all.map(\.state).sorted() == ["authenticated", "not authenticated", "selected"])
        let selected = try #require(all.first { $0.state == "selected" })
        #expect(selected.user == user.name && selected.mailbox == "INBOX" && selected.client == "name=probe ?[2J")
        #expect(selected.address == "127.0.0.1" && selected.tls == nil && selected.mechanism == "LOGIN")
        #expect(selected.commands == 2 && selected.received > 20 && selected.sent > 100)
        #expect(abs(selected.since - Int(Date().timeIntervalSince1970)) < 3600)
        #expect(all.first { $0.command == "IDLE" }?.user == user.name)
        #expect(try await who("nobody-of-this-name").isEmpty)
        #expect(try await who("127.0.0.1").count == 3)
        let table = try await imapctl("who").output.split(separator: "\n")
        #expect(table.count == 4 && table[0].hasPrefix("USER"))
        #expect(table.contains { $0.contains(user.name) && $0.contains("INBOX") && $0.contains("name=probe ?[2J") })

        // One of two.
        let kick = try await imapctl("kick", "--pid", "\(selected.process)")
        #expect(kick.status == 0 && kick.output == "1 connection is ended\n", "\(kick)")
        #expect(try reader.rest() == ["* BYE [UNAVAILABLE] An administrator has ended this connection"])
        _ = try await daemon.line { $0.contains("session end") && $0.contains("reason=kicked") }
        try other.send("DONE\r\n")
        #expect(try other.line()?.hasPrefix("x OK") == true)
        #expect(try await imapctl("kick", "--pid", "\(selected.process)").status == 1)
        #expect(try await imapctl("kick", "--pid", "1").status == 1)

        #expect(try await imapctl("kick", user.name).output == "1 connection is ended\n")
        #expect(try other.rest().last?.hasPrefix("* BYE") == true)
        #expect(try await imapctl("kick", "--address", "127.0.0.0/8").output == "1 connection is ended\n")
        #expect(try stranger.rest().last?.hasPrefix("* BYE") == true)
        _ = try await daemon.line { $0.contains("end without login") && $0.contains("reason=kicked") }
    }

    @Test("a file that is wrong is told line by line, and one that is right is read")
    func reload() async throws {
        let old = try client()
        let path = directory.path("imapd.conf")
        try "greting = x\nlogin-timeout = soon\n".write(toFile: path, atomically: true, encoding: .utf8)
        let bad = try await imapctl("reload")
        #expect(bad.status == 2 && bad.errors.contains("\(path):1: ") && bad.errors.contains("\(path):2: "), "\(bad)")
        try "greeting = changed\n".write(toFile: path, atomically: true, encoding: .utf8)
        let good = try await imapctl("reload")
        #expect(good.status == 0 && good.output == "the settings are read again\n", "\(good)")
        #expect(try MailClient(port: port).line()?.hasSuffix("changed") == true)
        #expect(try old.command("NOOP").last?.contains(" OK ") == true)
        #expect(try await imapctl("who").status == 0)
        // Without a socket there is the signal.
        try "greeting = again\n".write(toFile: path, atomically: true, encoding: .utf8)
        let deaf = try await Program.imapctl.run(
            ["reload", "--socket", directory.path("nowhere"), "--or-signal", "\(daemon.child.pid)"])
        #expect(deaf.status == 0 && deaf.output.isEmpty, "\(deaf)")
        let deadline = ContinuousClock.now + .seconds(60)
        while try MailClient(port: port).line()?.hasSuffix("again") != true { try #require(ContinuousClock.now < deadline) }
    }

    @Test("all are told the end, and whoever asked for it hears of it")
    func stop() async throws {
        let one = try client(), stranger = try client(loggedIn: false)
        let stop = try await imapctl("stop")
        #expect(stop.status == 0 && stop.output == "imapd has ended, with 2 connections\n", "\(stop)")
        #expect(try one.rest() == ["* BYE [UNAVAILABLE] The server is going down"])
        #expect(try stranger.rest().last?.hasPrefix("* BYE") == true)
        #expect(await daemon.child.end(within: .seconds(60)) == 0)
        #expect(!FileManager.default.fileExists(atPath: socket) && !FileManager.default.fileExists(atPath: metrics))
        let after = try await imapctl("who")
        #expect(after.status == 2 && after.errors.contains("no imapd is running that answers at \(socket)"), "\(after)")
    }

    private struct Counts: Decodable {
        var limits: [Limits.Entry]
    }

    @Test("who is refused, and forgiven")
    func limits() async throws {
        let inside = try client()
        let guesser = try client(loggedIn: false)
        _ = try guesser.command("LOGIN \(user.name) wrong")
        _ = try await daemon.line { $0.contains("penalty") && $0.contains("source=127.0.0.1") }
        #expect(try MailClient(port: port).line()?.hasPrefix("* BYE") == true)
        let outcome = try await imapctl("limits", "--json")
        let entries = try JSONDecoder().decode(Counts.self, from: outcome.standardOutput).limits
        let source = try #require(entries.first)
        #expect(source.source == "127.0.0.1" && source.refused && (1...10).contains(source.owed) && source.connections >= 1)
        #expect(entries.first { $0.user == user.name }?.connections == 1)
        let table = try await imapctl("limits").output
        #expect(table.contains("REFUSED") && table.contains("127.0.0.1") && table.contains("yes"))
        #expect(try await imapctl("limits", "--clear", "192.0.2.1").status == 1)
        #expect(try await imapctl("limits", "--clear", "127.0.0.1").output == "what 127.0.0.1 owes is forgiven\n")
        #expect(try client().command("NOOP").last?.contains(" OK ") == true)
        #expect(try inside.command("NOOP").last?.contains(" OK ") == true)
    }

    // MARK: - Metrics

    private func samples() async throws -> [String: Double] {
        let curl = try await Program("curl", package: "curl").run(["-sS", "--unix-socket", metrics, "http://localhost/metrics"])
        try #require(curl.status == 0, "\(curl)")
        return curl.output.split(separator: "\n").reduce(into: [:]) { result, line in
            guard !line.hasPrefix("#"), let space = line.lastIndex(of: " ") else { return }
            result[String(line[..<space])] = Double(line[line.index(after: space)...])
        }
    }

    @Test("numbers are those of what has happened, also when a session was killed")
    func metricsAreRight() async throws {
        let before = try await samples()
        #expect(before["imapd_connections{state=\"selected\"}"] == 0)
        #expect(before["imapd_commands_total{command=\"NOOP\"}"] == 0)
        let one = try client(), two = try client()
        for _ in 0..<5 { _ = try one.command("NOOP") }
        for _ in 0..<3 { _ = try two.command("NOOP") }
        _ = try two.command("SELECT INBOX")
        _ = try two.command("NONSENSE")
        let loser = try client(loggedIn: false)
        _ = try loser.command("LOGIN \(user.name) wrong")

        func expect(_ samples: [String: Double], _ name: String, _ value: Double, _ at: SourceLocation = #_sourceLocation) {
            #expect(samples[name] == value, "\(name)", sourceLocation: at)
        }
        let during = try await samples()
        expect(during, "imapd_commands_total{command=\"NOOP\"}", 8)
        expect(during, "imapd_commands_total{command=\"SELECT\"}", 1)
        expect(during, "imapd_commands_total{command=\"INVALID\"}", 1)
        expect(during, "imapd_command_duration_seconds_count{command=\"NOOP\"}", 8)
        expect(during, "imapd_connections{state=\"selected\"}", 1)
        expect(during, "imapd_connections{state=\"authenticated\"}", 1)
        expect(during, "imapd_logins_total{result=\"accepted\",mechanism=\"LOGIN\"}", 2)
        expect(during, "imapd_logins_total{result=\"rejected\",mechanism=\"LOGIN\"}", 1)
        expect(during, "imapd_connections_accepted_total", 3)
        let received = try #require(during["imapd_received_bytes_total"])
        #expect(received >= 8 * 9)

        // Its numbers outlive it.
        let killed = try #require(try await who().first { $0.state == "selected" })
        kill(pid_t(killed.process), SIGKILL)
        _ = try? two.rest()
        _ = try one.command("LOGOUT")
        _ = try await daemon.line { $0.contains("signal=SIGKILL") }
        for _ in 0..<200 {
            if try await samples()["imapd_sessions_ended_total"] == 2 { break }
        }
        let after = try await samples()
        expect(after, "imapd_sessions_ended_total", 2)
        expect(after, "imapd_commands_total{command=\"NOOP\"}", 8)
        expect(after, "imapd_commands_total{command=\"SELECT\"}", 1)
        expect(after, "imapd_commands_total{command=\"LOGOUT\"}", 1)
        expect(after, "imapd_connections{state=\"selected\"}", 0)
        #expect(after["imapd_received_bytes_total"] ?? 0 >= received)
        let stats = try await imapctl("stats")
        #expect(stats.status == 0 && stats.output.contains("8 NOOP"), "\(stats)")
    }

    // MARK: - Who means ill

    /// What the socket answers to these bytes, when nothing follows them.
    private func ask(_ path: String, _ bytes: [UInt8], ending: Bool = true) throws -> String {
        let descriptor = try connect(path)
        defer { close(descriptor) }
        _ = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
        if ending { shutdown(descriptor, Int32(SHUT_WR)) }
        var answer: [UInt8] = [], buffer = [UInt8](repeating: 0, count: 4096)
        while case let count = recv(descriptor, &buffer, buffer.count, 0), count > 0 { answer += buffer[..<count] }
        return String(decoding: answer, as: UTF8.self)
    }

    private func connect(_ path: String) throws -> Int32 {
        let descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(status == 0)
        return descriptor
    }

    @Test("garbage, half requests, and silence hold up nobody")
    func hostile() async throws {
        // Those who say nothing take all places; mail is served.
        let silent = try (0..<4).map { _ in try connect(socket) }
        defer { silent.forEach { close($0) } }
        try await waitForAnswerers(4)
        #expect(try client().command("NOOP").last?.contains(" OK ") == true)
        #expect(try ask(socket, Array("who\n".utf8)) == "")
        silent.dropFirst().forEach { shutdown($0, Int32(SHUT_WR)) }
        try await waitForAnswerers(1, atMost: true)

        // Each leaves its place when it has ended.
        #expect(try ask(socket, Array("wh".utf8)).contains("\"error\""))
        try await waitForAnswerers(1, atMost: true)
        #expect(try ask(socket, [0xFF, 0, 0x0A]).contains("not UTF-8"))
        try await waitForAnswerers(1, atMost: true)
        #expect(try ask(socket, [UInt8](repeating: 0x61, count: 100_000)).contains("too long") == true)
        try await waitForAnswerers(1, atMost: true)
        #expect(try ask(socket, Array("drop tables\n".utf8)).contains("does not know"))
        try await waitForAnswerers(1, atMost: true)
        #expect(try ask(socket, Array("stats\nstop\n".utf8), ending: false).hasSuffix("{\"end\":true}\n"))
        try await waitForAnswerers(1, atMost: true)
        #expect(try ask(metrics, Array("GET /metrics HTTP/1.1\r\n\r\nGET".utf8), ending: false).hasPrefix("HTTP/1.1 200 OK"))
        try await waitForAnswerers(1, atMost: true)
        #expect(try ask(metrics, Array("\r\n\r\n".utf8)).hasPrefix("HTTP/1.1 400"))
        try await waitForAnswerers(1, atMost: true)
        #expect(try ask(metrics, []) == "")
        try await waitForAnswerers(1, atMost: true)
        // Who is not root has nothing to say here, whatever the socket's mode is.
        chmod(directory.url.path, 0o755)
        chmod(socket, 0o666)
        let nobody = try await Program("setpriv", package: "util-linux").run(
            ["--reuid=65534", "--regid=65534", "--clear-groups", "curl", "-sS", "--max-time", "20", "--unix-socket", socket,
             "http://x/"])
        #expect(nobody.status != 0 && nobody.output.isEmpty)
        _ = try await daemon.line { $0.contains("not root's control connection uid=65534") }
        #expect(try await who().count == 0)
        #expect(try client().command("NOOP").last?.contains(" OK ") == true)
        #expect(await daemon.stop() == 0)
    }

    /// Those who have said nothing end by themselves after a while.
    private func waitForAnswerers(_ count: Int, atMost: Bool = false) async throws {
        let listener = ProcessView(daemon.child.pid)
        let deadline = ContinuousClock.now + .seconds(60)
        func isDone() -> Bool {
            let present = listener.descendants.count { $0.title == "imapd: answerer" && !$0.isZombie }
            return present == count || atMost && present < count
        }
        while !isDone() {
            try #require(ContinuousClock.now < deadline, "\(listener.descendants.map(\.title))")
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    @Test("an answerer has given up what it does not need")
    func answerer() async throws {
        let silent = try connect(socket)
        defer { close(silent) }
        try await waitForAnswerers(1)
        let listener = ProcessView(daemon.child.pid)
        let process = try #require(listener.descendants.first { $0.title == "imapd: answerer" })
        var view: [String: String] = [:]
        let deadline = ContinuousClock.now + .seconds(60)
        // It says its name first.
        while view["Seccomp"] != "2", ContinuousClock.now < deadline {
            let status = try String(contentsOfFile: "/proc/\(process.pid)/status", encoding: .utf8)
            for line in status.split(separator: "\n") {
                let parts = line.split(separator: ":", maxSplits: 1)
                view[String(parts[0])] = parts[1].trimmingCharacters(in: .whitespaces)
            }
        }
        #expect(view["Seccomp"] == "2")
        #expect(view["CapEff"] == "0000000000000000" && view["NoNewPrivs"] == "1")
        #expect(view["Uid"]?.hasPrefix("0") == false)
        #expect(try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process.pid)/fd").sorted() == ["0", "1"])
    }
}

@Suite struct DaemonAbsentTests {
    @Test("where no daemon runs, that is said", arguments: [
        ["who"], ["stats"], ["limits"], ["kick", "ada"], ["reload"], ["stop"], ["who", "--json"],
    ])
    func absent(command: [String]) async throws {
        let directory = try TemporaryDirectory()
        let outcome = try await Program.imapctl.run(command + ["--socket", directory.path("control")])
        #expect(outcome.status == 2 && outcome.output.isEmpty)
        #expect(outcome.errors.contains("no imapd is running that answers at \(directory.path("control"))"))
    }

    @Test(arguments: [["kick"], ["kick", "a", "--pid", "1"], ["kick", "a\nstop"], ["kick", ""], ["limits", "--clear", ""]])
    func wrong(command: [String]) async throws {
        #expect(try await Program.imapctl.run(command).status == 64)
    }
}
