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
///
/// It is forked before there is a connection, with no descriptors but those that it needs, and gets that from the listener.
///
/// - Parameter page: where it tells what it does, as a session (`SessionRecord`).
func runMonitor(line: Line, _ page: SessionPage.Memory?, _ household: Household) -> Never {
    ProcessTitle.set("spare monitor", command: "monitor")
    let gate = GateProcess(household, page)
    // Which only gates need, and those who look at certificates.
    if household.tls?.asksForCertificates != true { close(household.emptyDirectory.descriptor) }
    household.tls?.wipe()                       // the private key, which only gates need
    guard line.say(Report.ready(gate: gate.pid)) else { _exit(0) }

    let (client, peer) = awaitClient(line, gate, household)
    guard client.send(to: gate.channel.descriptor) else { gate.end(atMost: .seconds(5), line, household.logger) }
    ProcessTitle.change("monitor")
    var logger = household.logger
    logger[metadataKey: "peer"] = "\(peer)"
    logger.info("connect")
    if household.settings.reverseLookups { tellName(of: peer, household, logger) }
    if client.usesImplicitTLS { close(client.socket) }
    MonitorRole(
        household: household, line: line, page: page, gate: gate, client: client, peer: peer, logger: logger
    ).run()
}

/// Waits until the listener has somebody for us. Ends if it has nobody, or if the gate has ended.
private func awaitClient(_ line: Line, _ gate: GateProcess, _ household: Household) -> (GateClient, PeerAddress) {
    while true {
        // A gate has nothing to say yet.
        guard let event = try? gate.channel.wait(atMost: nil, alongside: line.descriptor), event == .other else { break }
        switch line.hear(Order.self) {
        case .message(.serve(let usesImplicitTLS), let socket?):
            let peer = PeerAddress(peerOf: socket)
            let isProxy = peer.address.map { household.proxies.contains($0) } ?? false
            let challenge = household.tls?.asksForCertificates == true ? CertificateProof.freshChallenge() : nil
            return (GateClient(socket: socket, usesImplicitTLS: usesImplicitTLS, isProxy: isProxy, challenge: challenge), peer)
        case .nothing: continue
        case .end, .nonsense, .message: break
        }
        break
    }
    gate.end(atMost: .seconds(5), line, household.logger)
}

struct MonitorRole: ~Copyable {
    let household: Household
    let line: Line
    let page: SessionPage.Memory?
    private let gate: GateProcess
    /// The client's socket; `nil` once only the gate can use it, because TLS has begun.
    private var client: Int32?
    /// The client, also when a proxy has brought it.
    private var peer: PeerAddress
    private(set) var logger: Logger
    private(set) var channel: GateChannel
    /// What the client must have signed, if it has a certificate.
    let challenge: [UInt8]?
    private var failures = 0
    /// TLS's version.
    private var tls: String?

    /// What SCRAM's last message belongs to.
    private struct Exchange {
        var attempt: SCRAMAttempt
        var opening: SCRAMOpening
        var challenge: [UInt8]
    }
    private var exchange: Exchange?

    /// Beyond the gate's own limit: a gate that keeps to its rules ends first.
    private static let slack: Duration = .seconds(30)

    init(
        household: Household, line: Line, page: SessionPage.Memory?, gate: GateProcess, client: GateClient, peer: PeerAddress,
        logger: Logger
    ) {
        self.household = household
        self.line = line
        self.page = page
        self.gate = gate
        self.client = client.usesImplicitTLS ? nil : client.socket
        self.peer = peer
        self.logger = logger
        challenge = client.challenge
        self.channel = GateChannel(
            connection: gate.channel,
            due: DueMessages(
                tlsIsPossible: household.tls != nil,
                scramIsPossible: household.accounts.mechanisms.contains(where: \.isSCRAM),
                certificatesArePossible: client.challenge != nil && household.accounts.mechanisms.contains(.external),
                attempts: household.policy.attempts, isProxied: client.isProxy),
            deadline: Deadline(after: household.policy.timeLimit + Self.slack))
    }

    consuming func run() -> Never {
        do throws(GateChannel.Failure) {
            while true {
                // The password is gone from this process, which is to be the session.
                guard let admission = try step() else { continue }
                if household.tls?.asksForCertificates == true { close(household.emptyDirectory.descriptor) }
                close(household.keeper.descriptor)
                runSession(login(admission), household, logger)
            }
        } catch {
            give(up: error)
        }
    }

    // MARK: - Messages

    /// Hears one message. Returns whom to let in, if somebody has shown to be that.
    mutating func step() throws(GateChannel.Failure) -> Admission? {
        let message = try channel.next()
        switch message.kind {
        case .proxied: try hearProxied(message)
        case .secured: try hearSecured(message)
        case .identified: try hearIdentified(message)
        case .credentials: return try hearCredentials(message)
        case .opening: try hearOpening(message)
        case .clientFinal: return try hearClientFinal(message)
        case .certificate: return try hearCertificate(message)
        case .ended:
            guard let end = GateEnd(wire: try channel.body(of: message)) else { throw message.violation }
            logger.info("end without login", metadata: ["reason": "\(end.reason)"])
            if end == .connection(.timedOut) { _ = line.say(Report.timedOut) }
            gate.end(atMost: Self.slack, line, logger)
        case .handover: throw message.violation
        }
        return nil
    }

    /// A proxy that is believed has told for whom it connects.
    private mutating func hearProxied(_ message: GateChannel.Announced) throws(GateChannel.Failure) {
        let body = try channel.body(of: message)
        // For itself.
        guard !body.isEmpty else { return try channel.answer(Answer(.accepted, isLast: false)) }
        guard let client = PeerAddress(wire: body) else { throw message.violation }
        logger[metadataKey: "proxy"] = "\(peer)"
        logger[metadataKey: "peer"] = "\(client)"
        peer = client
        logger.info("proxied")
        let refusal = line.say(Report.proxied(client)) ? line.awaitAdmission() : Line.noAnswer
        if let refusal { logger.notice("refused", metadata: ["reason": "\(refusal.text)"]) }
        try channel.answer(refusal.map { Answer($0) } ?? Answer(.accepted, isLast: false))
    }

    private mutating func hearSecured(_ message: GateChannel.Announced) throws(GateChannel.Failure) {
        var reader = WireReader(try channel.body(of: message))
        guard let version = reader.text(atMost: 32), let cipher = reader.text(atMost: 64), let alpn = reader.byte(),
              let serverName = reader.text(atMost: 255), reader.isAtEnd
        else { throw message.violation }
        let information = TLSInformation(
            version: version, cipher: cipher, usesALPN: alpn == 1, serverName: serverName.isEmpty ? nil : serverName)
        logger.info("tls", metadata: information.metadata)
        tls = version
        if let client { close(client) }
        client = nil
    }

    private func hearIdentified(_ message: GateChannel.Announced) throws(GateChannel.Failure) {
        guard let client = String(validating: try channel.body(of: message), as: UTF8.self) else { throw message.violation }
        logger.info("client", metadata: ["id": "\(client)"])
    }

    /// Whom an attempt has let in, and how.
    typealias Admission = (AccountDirectory.Accepted, LoginAttempt.Mechanism)

    private func login(_ admission: Admission) -> Login {
        Login(
            accepted: admission.0, mechanism: admission.1, peer: peer, client: client, gate: gate, line: line,
            page: page, tls: tls, shutdown: household.signals.end)
    }

    /// The account, if the credentials are its; else the gate has been told, late.
    private mutating func hearCredentials(_ message: GateChannel.Announced) throws(GateChannel.Failure) -> Admission? {
        let body = try channel.body(of: message)
        defer { body.wipe() }
        guard let attempt = LoginAttempt(wire: body) else { throw message.violation }
        if try isRefused() { return nil }
        let started = ContinuousClock.now
        let result = if let credentials = attempt.credentials {
            ask(.password(credentials))
        } else {
            AuthenticatorResult.refused(.rejected, reason: "not acceptable")
        }
        return try conclude(result, attempt.mechanism, user: attempt.credentials?.user, mark: attempt.mark, started)
    }

    /// The gate has a challenge then, or has been told, late, that there is none.
    private mutating func hearOpening(_ message: GateChannel.Announced) throws(GateChannel.Failure) {
        guard let attempt = SCRAMAttempt(wire: try channel.body(of: message)) else { throw message.violation }
        if try isRefused() { return }
        let started = ContinuousClock.now
        let opening = attempt.opening
        let result = if opening != nil {
            ask(.opening(attempt))
        } else {
            AuthenticatorResult.refused(.rejected, reason: "not acceptable")
        }
        guard let opening, case .challenge(let challenge) = result else {
            _ = try conclude(result, attempt.mechanism, user: opening?.user, started)
            return
        }
        exchange = Exchange(attempt: attempt, opening: opening, challenge: challenge)
        channel.due.expectClientFinal()
        try channel.answer(Answer(.challenge, isLast: false, message: challenge))
    }

    /// As `hearCredentials`.
    private mutating func hearClientFinal(_ message: GateChannel.Announced) throws(GateChannel.Failure) -> Admission? {
        let clientFinal = try channel.body(of: message)
        guard let exchange else { throw message.violation }
        self.exchange = nil
        let started = ContinuousClock.now
        let result = clientFinal.isEmpty
            ? .refused(.rejected, reason: "cancelled")
            : ask(.clientFinal(clientFinal, exchange.attempt, challenge: exchange.challenge))
        return try conclude(result, exchange.attempt.mechanism, user: exchange.opening.user, started)
    }

    /// Whether the listener has had enough of where this client comes from; then it has been told.
    func isRefused() throws(GateChannel.Failure) -> Bool {
        guard case .message(.refuse(let notice), _) = line.hear(Order.self) else { return false }
        logger.notice("login refused", metadata: ["reason": "\(notice.text)"])
        try channel.answer(Answer(notice))
        return true
    }

    /// A failure is answered late, counted from when the attempt was made: that somebody is not there must not be told by
    /// how long it took to find out.
    mutating func conclude(
        _ result: AuthenticatorResult, _ mechanism: LoginAttempt.Mechanism, user: String?,
        // Of SCRAM nobody here can tell whether the password is the same as before.
        mark: UInt16 = .random(in: .min ... .max), _ started: ContinuousClock.Instant
    ) throws(GateChannel.Failure) -> Admission? {
        let (verdict, reason): (Verdict, String)
        switch result {
        case .accepted(let accepted): return (accepted, mechanism)
        case .challenge, .crashed: (verdict, reason) = (.unavailable, "the authenticator does not make sense")
        case .refused(let given, let words): (verdict, reason) = (given, words)
        }
        failures += 1
        logger.notice(
            "login failed",
            metadata: [
                "user": "\(user ?? "")", "mechanism": "\(mechanism.name)", "verdict": "\(verdict)", "reason": "\(reason)",
            ])
        _ = line.say(Report.loginFailed(.init(verdict), mark: mark, mechanism))
        try wait(household.policy.delay(afterFailure: failures) - (ContinuousClock.now - started))
        try channel.answer(Answer(.init(verdict), isLast: failures >= household.policy.attempts))
        return nil
    }

    /// The gate has nothing to say until it is answered.
    private func wait(_ time: Duration) throws(GateChannel.Failure) {
        do throws(ConnectionEnd) {
            guard time > .zero, try channel.connection.wait(atMost: time) == .input else { return }
        } catch { throw .end(error) }
        throw .end(.closed)
    }

    /// Has PAM asked, or the password file, by a process that lives no longer than that.
    func ask(_ question: AuthenticatorQuestion) -> AuthenticatorResult {
        let answer: DescriptorPair
        do throws(Errno) {
            answer = try Descriptor.pipe()
        } catch {
            return .refused(.unavailable, reason: "pipe: \(error)")
        }
        let (reading, writing) = answer.release()
        defer { close(reading) }
        let bytes = question.wire(from: peer.host)
        let isAsked = household.keeper.ask(bytes, answer: writing, orUntil: household.signals.end)
        bytes.wipe()
        close(writing)
        guard isAsked else { return .refused(.unavailable, reason: "nobody can be asked") }
        do throws(AuthenticatorResult.Silence) {
            let result = try AuthenticatorResult.receive(from: reading, orUntil: household.signals.end)
            guard case .crashed(let signal) = result else { return result }
            logger.critical("authenticator crashed", metadata: ["signal": "\(ProcessEnd.name(of: signal))"])
            _ = line.say(Report.crashed(signal: signal))
            return .refused(.unavailable, reason: "the authenticator crashed")
        } catch .ended {
            return .refused(.unavailable, reason: "PAM did not answer")
        } catch {
            // The next wait finds out if it is the daemon that ends.
            return .refused(.unavailable, reason: "the authenticator did not answer in time")
        }
    }

    // MARK: - The end

    private consuming func give(up failure: GateChannel.Failure) -> Never {
        switch failure {
        case .end(.shutdown):
            logger.info("end without login", metadata: ["reason": line.hear(Order.self).departure == nil ? "shutdown" : "kicked"])
        case .end(.closed): break  // What became of the gate says more.
        case .end(let end):
            logger.error("gate does not answer", metadata: ["reason": "\(end)"])
            if end == .timedOut { _ = line.say(Report.timedOut) }
            kill(gate.pid, SIGKILL)
        case .notDue(let kind, let length):
            logger.critical("gate broke the protocol", metadata: ["kind": "\(kind)", "length": "\(length)"])
            kill(gate.pid, SIGKILL)
        }
        gate.end(atMost: .seconds(5), line, logger)
    }
}
