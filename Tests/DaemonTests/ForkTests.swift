import Foundation
import Glibc
import TestSupport
import Testing

/// `imapd --fork` from outside: what the kernel says of each role.
@Suite(.enabled(if: isRoot, needsRoot))
struct ForkTests {
    // MARK: - Roles

    @Test func listenerIsRootAndReadsNobody() async throws {
        let daemon = try await ForkedDaemon()
        #expect(daemon.listener.title == "imapd: listener")
        #expect(daemon.listener.command == "imapd: listener")
        #expect(daemon.listener.status("Uid") == ["0", "0", "0", "0"])
        // But for the moment in which another one forks.
        try await eventually("it has one thread") { daemon.listener.status("Threads") == ["1"] }
        try await eventually("nobody else is there") { daemon.busy.isEmpty }
    }

    @Test(arguments: [nil, true, false])
    func gateHoldsNoRights(implicitTLS: Bool?) async throws {
        let daemon = try await ForkedDaemon(implicitTLS: implicitTLS)
        let client = try daemon.client(tls: implicitTLS == true)
        if implicitTLS == false {
            try client.command("STARTTLS")
            try client.startTLS()
        }
        let gate = try daemon.process("gate")
        try expectUnprivileged(gate)
        #expect(gate.command == "imapd: gate")
        let gateAccount = getpwnam("imapd") ?? getpwnam("nobody")
        #expect(gate.status("Uid") == Array(repeating: String(gateAccount!.pointee.pw_uid), count: 4))
        #expect(!gate.status("Groups").contains("0"))

        // A directory without a name, where nothing is and nothing can be made.
        #expect(gate.root.hasSuffix("(deleted)"))
        #expect(gate.rootContent == [])
        #expect(throws: (any Error).self) { try Data().write(to: URL(fileURLWithPath: "/proc/\(gate.pid)/root/new")) }

        // The client and the monitor, and nothing else but what leads nowhere.
        let leading = gate.descriptors.values.filter { $0 != "/dev/null" }
        #expect(leading.count == 2 && leading.allSatisfy { $0.hasPrefix("socket:") }, "\(gate.descriptors)")
        // Nor can it get another one: all numbers below the limit are taken.
        let most = try #require(gate.limit("Max open files").flatMap { Int($0.hard) })
        #expect((0..<most).allSatisfy { gate.descriptors[$0] != nil })

        #expect(gate.limit("Max processes")!.hard == "0")
        #expect(gate.limit("Max file size")!.hard == "0")
        #expect(gate.limit("Max core file size")!.hard == "0")
        #expect(gate.limit("Max address space")!.hard != "unlimited")
        #expect(gate.limit("Max cpu time")!.soft != "unlimited")
        #expect(gate.parent == (try daemon.process("monitor")).pid)
    }

    @Test(arguments: [nil, true])
    func monitorHoldsWhatItNeeds(implicitTLS: Bool?) async throws {
        let daemon = try await ForkedDaemon(implicitTLS: implicitTLS)
        let client = try daemon.client(tls: implicitTLS == true)
        let monitor = try daemon.process("monitor")
        #expect(monitor.status("Uid") == ["0", "0", "0", "0"])
        #expect(monitor.limit("Max core file size")!.hard == "0")
        #expect(monitor.parent == daemon.listener.pid)
        let listening = daemon.listener.listeningSockets
        #expect(!daemon.listener.sockets.isDisjoint(with: listening), "else this test looks for the wrong thing")
        #expect(monitor.sockets.isDisjoint(with: listening), "the listening socket")
        _ = client
    }

    @Test(arguments: [nil, true, false])
    func sessionIsTheUser(implicitTLS: Bool?) async throws {
        let daemon = try await ForkedDaemon(implicitTLS: implicitTLS, ["--allow-plaintext-login"])
        let client = try daemon.client(tls: implicitTLS == true)
        if implicitTLS == false {
            try client.command("STARTTLS")
            try client.startTLS()
        }
        let monitor = try daemon.process("monitor").pid
        let answer = try daemon.logIn(client)
        try #require(answer.contains(" OK "), "\(answer)\n\(daemon.daemon.log)")
        let session = try daemon.process("session")
        #expect(session.pid == monitor)
        #expect(session.title == "imapd: session \(daemon.user.name)")
        #expect(session.command == "imapd: session ".trimmingCharacters(in: .whitespaces)
                || session.command.hasPrefix("imapd: session"))
        try expectUnprivileged(session)
        #expect(session.status("Uid") == Array(repeating: String(daemon.user.uid), count: 4))
        #expect(session.status("Gid") == Array(repeating: String(daemon.user.gid), count: 4))
        #expect(Set(session.status("Groups")) == [String(daemon.user.gid), String(daemon.user.group)])
        #expect(session.limit("Max core file size")!.hard == "0")
        #expect(session.workingDirectory == URL(fileURLWithPath: daemon.user.home).resolvingSymlinksInPath().path)

        let listening = daemon.listener.descriptors.values.filter { $0.hasPrefix("socket:") }
        #expect(Set(session.descriptors.values).isDisjoint(with: listening))
        #expect(try client.command("SELECT INBOX").last!.contains(" OK "))

        // Without TLS there is nobody in between.
        if implicitTLS == nil {
            try await eventually("the gate has gone") { daemon.processes("gate").isEmpty }
            try await eventually("nor is it left unreaped") { session.children.isEmpty }
        } else {
            let gate = try daemon.process("gate")
            #expect(gate.limit("Max cpu time")!.soft == "unlimited", "a relay may live for weeks")
            let sessions = Set(session.descriptors.values.filter { $0.hasPrefix("socket:") })
            #expect(sessions.isDisjoint(with: gate.descriptors.values), "the client's socket is the gate's alone")
        }
        #expect(try client.command("LOGOUT").last!.contains(" OK "))
        #expect(try client.line() == nil)
        try await eventually("all have gone") { daemon.busy.isEmpty }
    }

    private func expectUnprivileged(_ process: ProcessView) throws {
        for set in ["CapPrm", "CapEff", "CapInh", "CapAmb"] {
            #expect(process.status(set).first.map { UInt64($0, radix: 16) } == 0, "\(process.title): \(set)")
        }
        #expect(process.status("NoNewPrivs") == ["1"], "\(process.title)")
        #expect(process.status("Threads") == ["1"], "\(process.title)")
        // A process that is not dumpable has files in /proc that are root's.
        var status = stat()
        #expect(stat("/proc/\(process.pid)/mem", &status) == 0 && status.st_uid == 0, "\(process.title) is dumpable")
    }

    // MARK: - The private key

    @Test(arguments: Certificate.Kind.allCases)
    func privateKeyIsWhereTLSIsSpokenOnly(kind: Certificate.Kind) async throws {
        let daemon = try await ForkedDaemon(key: kind, implicitTLS: true)
        let client = try daemon.client(tls: true)
        let secrets = try daemon.certificate.secrets()
        #expect(try daemon.listener.memoryHolds(secrets), "else this test looks for the wrong thing")
        #expect(try daemon.process("gate").memoryHolds(secrets))
        #expect(try daemon.logIn(client).contains(" OK "))
        #expect(try !daemon.process("session").memoryHolds(secrets))
    }

    @Test func passwordLeavesMemory() async throws {
        let daemon = try await ForkedDaemon(implicitTLS: true)
        let client = try daemon.client(tls: true)
        #expect(try daemon.logIn(client).contains(" OK "))
        let password = [Array(daemon.user.password.utf8)]
        #expect(try !daemon.process("session").memoryHolds(password))
        #expect(try !daemon.process("gate").memoryHolds(password))
        #expect(try !daemon.listener.memoryHolds(password))
    }

    // MARK: - Serving

    @Test func startTLSDropsWhatCameBefore() async throws {
        let daemon = try await ForkedDaemon(implicitTLS: false)
        let client = try daemon.client()
        #expect(try client.command("CAPABILITY").first!.contains("STARTTLS"))
        // In one piece, so that the gate reads it before TLS begins.
        try client.send("a1 STARTTLS\r\na2 NOOP\r\na3 CAPABILITY\r\n")
        #expect(try client.lines(through: "a1").last!.hasPrefix("a1 OK"))
        try client.startTLS()
        try client.send("b1 NOOP\r\n")
        #expect(try client.line()!.hasPrefix("b1 OK"))
        #expect(try !client.command("CAPABILITY").first!.contains("STARTTLS"))
        #expect(try daemon.logIn(client).contains(" OK "))
        #expect(try client.command("NOOP").last!.contains(" OK "))
    }

    @Test func noPasswordBeforeTLS() async throws {
        let daemon = try await ForkedDaemon(implicitTLS: false)
        let client = try daemon.client()
        #expect(try client.command("CAPABILITY").first!.contains("LOGINDISABLED"))
        #expect(try daemon.logIn(client).contains(" NO "))
    }

    @Test func whatWasReadAheadIsServed() async throws {
        let daemon = try await ForkedDaemon(["--allow-plaintext-login"])
        let client = try daemon.client()
        try client.send("a1 LOGIN \(daemon.user.name) \"\(daemon.user.password)\"\r\na2 SELECT INBOX\r\na3 NOOP\r\na4 LOGOUT\r\n")
        let lines = try client.rest()
        #expect(lines.contains { $0.hasPrefix("a2 OK") } && lines.last!.hasPrefix("a4 OK"), "\(lines)")
    }

    @Test func manyConnectionsAtOnce() async throws {
        let daemon = try await ForkedDaemon(implicitTLS: true)
        let clients = try (0..<40).map { _ in try daemon.client(tls: true) }
        for client in clients { #expect(try daemon.logIn(client).contains(" OK ")) }
        #expect(daemon.processes("session").count == 40)
        for client in clients { client.close() }
        try await eventually("all have gone") { daemon.busy.isEmpty }
    }

    @Test func oneConnectionTooMany() async throws {
        let daemon = try await ForkedDaemon(["--max-connections", "2"])
        let clients = [try daemon.client(), try daemon.client()]
        let third = try MailClient(port: daemon.port)
        let bye = try third.rest()
        #expect(bye.count == 1 && bye[0].hasPrefix("* BYE "), "\(bye)")
        clients[0].close()
        try await eventually("there is room again") { daemon.processes("monitor").count == 1 }
        #expect(try clients[1].command("NOOP").last!.contains(" OK "))
        _ = try daemon.client()
    }

    // MARK: - Certificates

    @Test func renewedCertificateIsForTheConnectionsToCome() async throws {
        let daemon = try await ForkedDaemon(implicitTLS: true)
        let before = try daemon.client(tls: true)
        let renewed = try await Certificate()
        for (new, old) in [(renewed.certificate, daemon.certificate.certificate), (renewed.key, daemon.certificate.key)] {
            try FileManager.default.removeItem(atPath: old)
            try FileManager.default.copyItem(atPath: new, toPath: old)
        }
        daemon.daemon.child.send(SIGHUP)
        _ = try await daemon.daemon.line { $0.contains("settings read again") }
        let after = try daemon.client(tls: true)
        #expect(before.serverCertificate != nil && before.serverCertificate != after.serverCertificate)
        #expect(try before.command("NOOP").last!.contains(" OK "))

        // A certificate that cannot be read changes nothing.
        try FileManager.default.removeItem(atPath: daemon.certificate.key)
        daemon.daemon.child.send(SIGHUP)
        _ = try await daemon.daemon.line { $0.contains("the settings stay as they were") }
        #expect(try daemon.client(tls: true).serverCertificate == after.serverCertificate)
    }

    /// In a network of its own, where nobody else has these ports.
    @Test(.enabled(if: hasNameSpaces, needsNameSpaces))
    func usualPorts() async throws {
        let certificate = try await Certificate()
        let pam = try PAMConfiguration.unix(), files = try TemporaryDirectory()
        let outcome = try await Program("unshare", package: "util-linux").run(["--net", "sh", "-c", """
            ip link set lo up
            \(RunningDaemon.executable) --fork --tls --cert \(certificate.certificate) --key \(certificate.key) \
                --pam-confdir \(pam.path) 2>log & pid=$!
            until [ $(grep -c listening log) = 4 ]; do kill -0 $pid || { cat log; exit 1; }; done
            kill $pid; wait $pid; echo ended with $?; cat log
            """], in: files.url)
        #expect(outcome.output.contains("ended with 0"), "\(outcome)")
        for part in ["0.0.0.0:143 tls=starttls", "[::]:143 tls=starttls", "0.0.0.0:993 tls=tls", "[::]:993 tls=tls"] {
            #expect(outcome.output.replacing("\"", with: "").contains("address=\(part)"), "\(part)\n\(outcome)")
        }
    }

    // MARK: - Ends

    @Test(arguments: [SIGTERM, SIGINT])
    func goodbye(signal: Int32) async throws {
        let daemon = try await ForkedDaemon(implicitTLS: true)
        let stranger = try daemon.client(tls: true), user = try daemon.client(tls: true), idle = try daemon.client(tls: true)
        #expect(try daemon.logIn(user).contains(" OK "))
        #expect(try daemon.logIn(idle).contains(" OK "))
        try idle.command("SELECT INBOX")
        try idle.send("i1 IDLE\r\n")
        #expect(try idle.line()!.hasPrefix("+"))

        daemon.daemon.child.send(signal)
        for client in [stranger, user, idle] {
            let lines = try client.rest()
            #expect(lines.last?.hasPrefix("* BYE ") == true, "\(lines)")
        }
        #expect(await daemon.daemon.child.end(within: .seconds(60)) == 0)
        #expect(throws: MailClient.Failure.self) { try MailClient(port: daemon.port) }
    }

    @Test("SIGTERM to a session ends that one")
    func goodbyeOfOne() async throws {
        let daemon = try await ForkedDaemon(implicitTLS: true)
        let one = try daemon.client(tls: true)
        #expect(try daemon.logIn(one).contains(" OK "))
        let session = try daemon.process("session")
        let other = try daemon.client(tls: true)
        #expect(try daemon.logIn(other).contains(" OK "))
        kill(session.pid, SIGTERM)
        #expect(try one.rest().last?.hasPrefix("* BYE ") == true)
        #expect(try other.command("NOOP").last!.contains(" OK "))
        try await eventually("its processes have gone") { daemon.busy.count == 2 }
    }

    @Test(arguments: ["gate", "session"])
    func killedChildIsReapedAndLogged(role: String) async throws {
        let daemon = try await ForkedDaemon(implicitTLS: true)
        let other = try daemon.client(tls: true)
        let others = daemon.processes("gate").map(\.pid)
        let client = try daemon.client(tls: true)
        if role == "session" { #expect(try daemon.logIn(client).contains(" OK ")) }
        let victim = role == "session" ? try daemon.process("session")
            : try #require(daemon.processes("gate").first { !others.contains($0.pid) })
        kill(victim.pid, SIGKILL)
        let line = try await daemon.daemon.line { $0.contains("crashed") }
        #expect(line.contains("critical") && line.contains("SIGKILL") && line.contains("127.0.0.1:"), "\(line)")
        #expect(try client.line() == nil)
        try await eventually("all of that connection have gone") { daemon.busy.count == 2 }
        #expect(try other.command("NOOP").last!.contains(" OK "))
    }
}
