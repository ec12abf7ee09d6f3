import Foundation
import Glibc
import TestSupport
import Testing

/// systemd's side of the protocols: sd_notify(3), its watchdog, and sockets that it hands over.
@Suite struct ServiceManagerTests {
    /// Where a service tells how it is.
    private final class Manager {
        let descriptor: Int32
        let path: String

        init(_ path: String) throws {
            self.path = path
            descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            var name = Array(path.utf8)
            if name[0] == UInt8(ascii: "@") { name[0] = 0 }
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
            let status = withUnsafeBytes(of: &address) {
                bind(descriptor, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t(2 + name.count))
            }
            try #require(status == 0)
            var patience = timeval(tv_sec: 60, tv_usec: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        }

        deinit { close(descriptor) }

        /// The next message that has this line, as pairs.
        func next(with line: String) throws -> [Substring: Substring] {
            while true {
                var bytes = [UInt8](repeating: 0, count: 4096)
                let count = recv(descriptor, &bytes, bytes.count, 0)
                try #require(count > 0, "no message with \(line)")
                let lines = String(decoding: bytes.prefix(count), as: UTF8.self).split(separator: "\n")
                guard lines.contains(Substring(line)) else { continue }
                return Dictionary(lines.map { line in
                    let parts = line.split(separator: "=", maxSplits: 1)
                    return (parts[0], parts.count > 1 ? parts[1] : "")
                }) { $1 }
            }
        }
    }

    @Test("a server tells that it is ready, and that it ends", arguments: [false, true])
    func readyAndStopping(abstract: Bool) async throws {
        let directory = try TemporaryDirectory()
        let manager = try Manager(abstract ? "@imapd-test-\(UUID().uuidString)" : directory.path("notify"))
        let daemon = try RunningDaemon(["-p", "0", "-h", "127.0.0.1"], environment: ["NOTIFY_SOCKET": manager.path])
        #expect(try manager.next(with: "READY=1")["MAINPID"] == "\(daemon.child.pid)")
        // Whoever is told that it is ready can connect.
        #expect(try MailClient(port: try await daemon.port()).line()?.hasPrefix("* OK") == true)
        daemon.child.send(SIGTERM)
        _ = try manager.next(with: "STOPPING=1")
        #expect(await daemon.stop() == 0)
    }

    @Test(.enabled(if: isRoot, needsRoot))
    func reloadingAndWatchdog() async throws {
        let directory = try TemporaryDirectory()
        let manager = try Manager(directory.path("notify"))
        let daemon = try RunningDaemon(
            ["--fork", "-p", "0", "-h", "127.0.0.1"],
            environment: ["NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "200000", "WATCHDOG_PID": ""])
        _ = try manager.next(with: "READY=1")
        #expect(try manager.next(with: "WATCHDOG=1")["STATUS"] == "0 connections")
        let client = try MailClient(port: try await daemon.port())
        _ = try client.line()
        while try manager.next(with: "WATCHDOG=1")["STATUS"] != "1 connection" {}

        var before = timespec()
        clock_gettime(CLOCK_MONOTONIC, &before)
        daemon.child.send(SIGHUP)
        let time = try manager.next(with: "RELOADING=1")["MONOTONIC_USEC"].flatMap { Int($0) } ?? 0
        #expect(time >= before.tv_sec * 1_000_000 + before.tv_nsec / 1000)
        _ = try manager.next(with: "READY=1")

        // The program that takes over knows whom to tell.
        daemon.child.send(SIGUSR2)
        _ = try manager.next(with: "RELOADING=1")
        #expect(try manager.next(with: "READY=1")["STATUS"] == "1 connection")
        _ = try manager.next(with: "WATCHDOG=1")
        daemon.child.send(SIGTERM)
        _ = try manager.next(with: "STOPPING=1")
        #expect(await daemon.stop() == 0)
    }

    // MARK: - Sockets

    /// Opens sockets as systemd does, and becomes the program that it is told.
    private static let activator = """
        import fcntl, os, socket, sys
        names = sys.argv[1]
        sockets = [socket.create_server(("127.0.0.1", 0)) for name in names.split(":")]
        held = [fcntl.fcntl(s.fileno(), fcntl.F_DUPFD, 20) for s in sockets]
        def become():
            for number, descriptor in enumerate(held): os.dup2(descriptor, 3 + number)
            os.closerange(3 + len(held), 64)
            os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(held)), LISTEN_FDNAMES=names)
            os.execv(sys.argv[2], sys.argv[2:])

        """

    /// Keeps them too, and starts the program again when it has ended; after that, a second time, ends with it.
    private static let keeper = activator + """
        for _ in range(2):
            child = os.fork()
            if child == 0: become()
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        sys.exit(status)
        """

    private func launch(_ program: String, _ names: String, _ arguments: [String]) throws -> RunningDaemon {
        let python = try Program("python3", package: "python3")
        return try RunningDaemon(arguments, launcher: [python.path, "-c", program, names])
    }

    private func port(of line: Substring) -> Int? { line.firstMatch(of: /address=127.0.0.1:(\d+)/).flatMap { Int($0.1) } }

    @Test("sockets that are handed over are used instead of the settings', by their names")
    func socketActivation() async throws {
        let certificate = try await Certificate()
        let daemon = try launch(
            Self.activator + "become()", "imap:imaps", ["--listen", "127.0.0.1:1", "--cert", certificate.certificate, "--key", certificate.key])
        let plain = try await daemon.line { $0.contains("tls=starttls") }
        let tls = try await daemon.line { $0.contains("tls=tls") }
        let (plainPort, tlsPort) = (try #require(port(of: plain)), try #require(port(of: tls)))
        #expect(try MailClient(port: plainPort).line()?.contains("STARTTLS") == true)
        #expect(try MailClient(port: tlsPort, tls: true).line()?.hasPrefix("* OK") == true)
        #expect(await daemon.stop() == 0)
    }

    @Test("no client is refused while the server is started again")
    func restart() async throws {
        let daemon = try launch(Self.keeper, "imap", [])
        let line = try await daemon.line { $0.contains("listening") }
        let address = try #require(port(of: line))
        let first = try #require(process(of: line))
        #expect(try MailClient(port: address).line()?.hasPrefix("* OK") == true)
        kill(first, SIGTERM)
        _ = try await daemon.line { $0.contains("[\(first)]") && $0.contains("stopped") }
        // Whether the next one listens already or not.
        #expect(try MailClient(port: address).line()?.hasPrefix("* OK") == true)
        let second = try await daemon.line { $0.contains("listening") && !$0.contains("[\(first)]") }
        kill(try #require(process(of: second)), SIGTERM)
        #expect(await daemon.child.end(within: .seconds(60)) == 0)
    }

    private func process(of line: Substring) -> pid_t? { line.firstMatch(of: /imapd\[(\d+)\]/).flatMap { pid_t($0.1) } }

    @Test("a socket for TLS needs a certificate")
    func socketForTLS() async throws {
        let python = try Program("python3", package: "python3")
        let outcome = try await python.run(["-c", Self.activator + "become()", "imaps", RunningDaemon.executable])
        #expect(outcome.status == 78)
        #expect(outcome.errors.contains("no certificate"), "\(outcome)")
    }

    // MARK: - Units

    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..")

    @Test("systemd understands the units, and finds the service well shut in")
    func units() async throws {
        let analyze = try Program("systemd-analyze", package: "systemd")
        let directory = try TemporaryDirectory()
        for name in ["imapd.service", "imapd.socket", "imapd-tls.socket"] {
            let text = try String(contentsOf: Self.root.appendingPathComponent("systemd/\(name)"), encoding: .utf8)
            // The programs need not be installed.
            try text.replacing("/usr/sbin/imapd", with: "/bin/true").replacing("/usr/sbin/imapctl", with: "/bin/true")
                .write(toFile: directory.path(name), atomically: true, encoding: .utf8)
        }
        for name in ["imapd.service", "imapd.socket", "imapd-tls.socket"] {
            let outcome = try await analyze.run(["verify", "--man=no", "--recursive-errors=no", directory.path(name)])
            #expect(outcome.status == 0 && !outcome.errors.contains(name + ":"), "\(outcome)")
        }
        // In tenths; a service without any restriction has 96.
        let security = try await analyze.run(["security", "--offline=true", "--threshold=35", directory.path("imapd.service")])
        #expect(security.status == 0, "\(security)")
    }
}
