import Authentication
import CLinux
import Gate
import Glibc
import IMAPServer
import Logging
import Privilege
import SystemAuthentication
import SystemPackage
import Transport

/// The process that decides for one connection. It is root, and hears nothing but a few short messages of its gate.
func runMonitor(client: Int32, peer: PeerAddress, usesImplicitTLS: Bool, _ household: Household) -> Never {
    ProcessTitle.set("monitor")
    var logger = household.logger
    logger[metadataKey: "peer"] = "\(peer)"
    logger.info("connect")

    let ends: (first: Int32, second: Int32)
    do throws(Errno) {
        ends = try Descriptor.streamPair().release()
    } catch {
        logger.error("no resources for a connection", metadata: ["error": "\(error)"])
        Refusal.send("No resources for another connection", to: client, isPlaintext: !usesImplicitTLS)
        _exit(0)
    }
    let monitor = getpid()
    let gate = fork()
    switch gate {
    case 0: runGate(client: client, channel: ends.second, monitor: monitor, usesImplicitTLS: usesImplicitTLS, household)
    case -1:
        logger.error("no resources for a gate", metadata: ["error": "\(Errno(rawValue: errno))"])
        Refusal.send("No resources for another connection", to: client, isPlaintext: !usesImplicitTLS)
        _exit(0)
    default: break
    }
    // The private key is for gates only.
    household.tls?.wipe()
    closeAll(but: [client, ends.first, household.signals.end] + household.logDescriptors)
    if usesImplicitTLS { close(client) }

    let channel = Connection(descriptor: ends.first, shutdown: household.signals.end)
    MonitorRole(
        household: household, gate: gate, client: usesImplicitTLS ? nil : client, peer: peer, logger: logger, channel: channel
    ).run()
}

struct MonitorRole: ~Copyable {
    private let household: Household
    private let gate: pid_t
    /// The client's socket; `nil` once only the gate can use it, because TLS has begun.
    private var client: Int32?
    private let peer: PeerAddress
    private let logger: Logger
    private var channel: GateChannel
    private var failures = 0

    /// Beyond the gate's own limit: a gate that keeps to its rules ends first.
    private static let slack: Duration = .seconds(30)

    init(household: Household, gate: pid_t, client: Int32?, peer: PeerAddress, logger: Logger, channel: Connection) {
        self.household = household
        self.gate = gate
        self.client = client
        self.peer = peer
        self.logger = logger
        self.channel = GateChannel(
            connection: channel,
            due: DueMessages(tlsIsPossible: household.tls != nil, attempts: household.policy.attempts),
            deadline: Deadline(after: household.policy.timeLimit + Self.slack))
    }

    consuming func run() -> Never {
        do throws(GateChannel.Failure) {
            while true {
                let message = try channel.next()
                switch message.kind {
                case .secured: try hearSecured(message)
                case .credentials:
                    // Returns when the password is gone from this process, which may soon be the session.
                    guard let (account, mechanism) = try hearCredentials(message) else { continue }
                    let login = Login(
                        account: account, mechanism: mechanism, client: client, channel: channel.connection, gate: gate,
                        shutdown: household.signals.end)
                    runSession(login, household, logger)
                case .ended:
                    guard let end = GateEnd(code: try channel.body(of: message).first ?? .max) else { throw message.violation }
                    logger.info("end without login", metadata: ["reason": "\(end.reason)"])
                    endGate(atMost: Self.slack)
                case .handover: throw message.violation
                }
            }
        } catch {
            give(up: error)
        }
    }

    // MARK: - Messages

    private mutating func hearSecured(_ message: GateChannel.Announced) throws(GateChannel.Failure) {
        var reader = WireReader(try channel.body(of: message))
        guard let version = reader.text(atMost: 32), let cipher = reader.text(atMost: 64), let alpn = reader.byte(),
              let serverName = reader.text(atMost: 255), reader.isAtEnd
        else { throw message.violation }
        let information = TLSInformation(
            version: version, cipher: cipher, usesALPN: alpn == 1, serverName: serverName.isEmpty ? nil : serverName)
        logger.info("tls", metadata: information.metadata)
        if let client { close(client) }
        client = nil
    }

    private mutating func hearCredentials(
        _ message: GateChannel.Announced
    ) throws(GateChannel.Failure) -> (Account, LoginAttempt.Mechanism)? {
        let body = try channel.body(of: message)
        defer { body.wipe() }
        guard let attempt = LoginAttempt(wire: body) else { throw message.violation }
        return try judge(attempt)
    }

    /// The account, if the credentials are its; else the gate has been told, late.
    private mutating func judge(
        _ attempt: LoginAttempt
    ) throws(GateChannel.Failure) -> (Account, LoginAttempt.Mechanism)? {
        let result = attempt.credentials.map { ask($0) } ?? .refused(.rejected, reason: "not acceptable")
        switch result {
        case .accepted(let account):
            return (account, attempt.mechanism)
        case .refused(let verdict, let reason):
            failures += 1
            logger.notice(
                "login failed",
                metadata: [
                    "user": "\(attempt.credentials?.user ?? "")", "mechanism": "\(attempt.mechanism.name)",
                    "verdict": "\(verdict)", "reason": "\(reason)",
                ])
            try wait(household.policy.delay(afterFailure: failures))
            let answer = Answer(.init(verdict), isLast: failures >= household.policy.attempts)
            try channel.answer(answer)
            return nil
        }
    }

    /// The gate has nothing to say until it is answered.
    private func wait(_ time: Duration) throws(GateChannel.Failure) {
        do throws(ConnectionEnd) {
            guard time > .zero, try channel.connection.wait(atMost: time) == .input else { return }
        } catch { throw .end(error) }
        throw .end(.closed)
    }

    /// Has PAM asked, by a process that lives no longer than that.
    private func ask(_ credentials: Credentials) -> AuthenticatorResult {
        let answer: DescriptorPair
        do throws(Errno) {
            answer = try Descriptor.pipe()
        } catch {
            return .refused(.unavailable, reason: "pipe: \(error)")
        }
        let (reading, writing) = answer.release()
        let child = fork()
        if child == 0 { runAuthenticator(credentials, answer: writing, peer: peer, household) }
        close(writing)
        defer { close(reading) }
        guard child > 0 else { return .refused(.unavailable, reason: "fork: \(Errno(rawValue: errno))") }

        let bytes = AuthenticatorResult.receive(from: reading, orUntil: household.signals.end)
        if bytes == nil { kill(child, SIGKILL) }
        switch ProcessEnd(waitingFor: child) {
        case .exited: break
        case .killed(let signal) where bytes != nil:
            logger.critical("authenticator crashed", metadata: ["signal": "\(ProcessEnd.name(of: signal))"])
        case .killed: break
        }
        guard let bytes else {
            // The next wait finds out if it is the daemon that ends.
            return .refused(.unavailable, reason: "PAM did not answer in time")
        }
        return AuthenticatorResult(wire: bytes) ?? .refused(.unavailable, reason: "PAM did not answer")
    }

    // MARK: - The end

    private consuming func give(up failure: GateChannel.Failure) -> Never {
        switch failure {
        case .end(.shutdown): logger.info("end without login", metadata: ["reason": "shutdown"])
        case .end(.closed): break  // What became of the gate says more.
        case .end(let end):
            logger.error("gate does not answer", metadata: ["reason": "\(end)"])
            kill(gate, SIGKILL)
        case .notDue(let kind, let length):
            logger.critical("gate broke the protocol", metadata: ["kind": "\(kind)", "length": "\(length)"])
            kill(gate, SIGKILL)
        }
        endGate(atMost: .seconds(5))
    }

    /// A gate that is alone says goodbye to its client, and ends.
    private consuming func endGate(atMost time: Duration) -> Never {
        shutdown(channel.connection.descriptor, Int32(SHUT_RDWR))
        guard let end = ProcessEnd(waitingFor: gate, atMost: time) else {
            logger.error("gate does not end")
            kill(gate, SIGKILL)
            _exit(0)
        }
        switch end {
        case .exited(0): break
        case .exited(let status):
            logger.critical("gate failed", metadata: ["process": "\(gate)", "status": "\(status)"])
        case .killed(let signal):
            logger.critical("gate crashed", metadata: ["process": "\(gate)", "signal": "\(ProcessEnd.name(of: signal))"])
        }
        _exit(0)
    }
}
