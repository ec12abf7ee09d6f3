import Authentication
import Gate
import Logging
import MailStore
import Transport

/// The monitor of a gate in the same thread.
final class InProcessMonitor: GateMonitor {
    private let connection: Connection
    private(set) var peer: PeerAddress
    private let authenticator: any Authenticator
    private let provider: any MailStoreProvider
    private let policy: LoginPolicy
    private(set) var logger: Logger
    private var failures = 0
    /// Who is in, and that user's store.
    private(set) var login: (user: String, store: any MailStore)?

    init(
        connection: Connection, peer: PeerAddress, authenticator: any Authenticator, store: any MailStoreProvider,
        policy: LoginPolicy, logger: Logger
    ) {
        self.connection = connection
        self.peer = peer
        self.authenticator = authenticator
        provider = store
        self.policy = policy
        self.logger = logger
    }

    func reveal(_ client: PeerAddress?) -> Notice? {
        guard let client else { return nil }
        logger[metadataKey: "proxy"] = "\(peer)"
        logger[metadataKey: "peer"] = "\(client)"
        peer = client
        logger.info("proxied")
        return nil
    }

    func secured(_ information: TLSInformation) {
        logger.info("tls", metadata: information.metadata)
    }

    func identified(_ client: String) {
        logger.info("client", metadata: ["id": "\(client)"])
    }

    func judge(_ attempt: LoginAttempt) throws(ConnectionEnd) -> Answer {
        let started = ContinuousClock.now
        let verdict = attempt.credentials.map { authenticator.authenticate($0, peer: peer.host) } ?? .rejected
        return try answer(verdict, attempt.mechanism, user: attempt.credentials?.user, started)
    }

    // MARK: - SCRAM

    /// The exchange that waits for the client's last word.
    private var exchange: (attempt: SCRAMAttempt, opening: SCRAMOpening, challenge: [UInt8], verifier: SCRAMVerifier)?
    /// For those who are not there: somebody who asks twice gets the same answer.
    private static let decoyKey = SCRAM.freshNonce()

    func challenge(_ attempt: SCRAMAttempt) throws(ConnectionEnd) -> Answer {
        let started = ContinuousClock.now
        guard let opening = attempt.opening else { return try answer(.rejected, attempt.mechanism, user: nil, started) }
        let verifier = authenticator.scramVerifier(of: opening.user) ?? SCRAMVerifier(
            decoyFor: opening.user, key: Self.decoyKey, iterations: SCRAMVerifier.allowedIterations.lowerBound)
        let challenge = SCRAM.challenge(to: opening, verifier)
        exchange = (attempt, opening, challenge, verifier)
        return Answer(.challenge, isLast: false, message: challenge)
    }

    func judge(clientFinal: [UInt8]) throws(ConnectionEnd) -> Answer {
        guard let (attempt, opening, challenge, verifier) = exchange else { preconditionFailure("there was no challenge") }
        exchange = nil
        let started = ContinuousClock.now
        let serverFinal = SCRAM.serverFinal(
            opening, challenge: challenge, clientFinal: clientFinal, binding: attempt.binding ?? [], verifier)
        return try answer(
            serverFinal == nil ? .rejected : .accepted(user: opening.user), attempt.mechanism, user: opening.user,
            started, message: serverFinal ?? [])
    }

    // MARK: - Verdicts

    /// A failure is answered late, counted from when the attempt was made: how long it took to find out is nobody's business.
    private func answer(
        _ verdict: Verdict, _ mechanism: LoginAttempt.Mechanism, user: String?, _ started: ContinuousClock.Instant,
        message: [UInt8] = []
    ) throws(ConnectionEnd) -> Answer {
        if case .accepted(let user) = verdict {
            do throws(StoreError) {
                login = (user, try provider.openStore(user: user, home: nil))
                logger.info("login", metadata: [
                    "user": "\(user)", "mechanism": "\(mechanism.name)", "tls": "\(connection.tlsInformation?.version ?? "none")",
                ])
                return Answer(.accepted, isLast: true, message: message)
            } catch {
                logger.error("store cannot be opened", metadata: ["user": "\(user)", "error": "\(error)"])
                return Answer(.unavailable, isLast: true)
            }
        }
        failures += 1
        logger.notice(
            "login failed",
            metadata: ["user": "\(user ?? "")", "mechanism": "\(mechanism.name)", "verdict": "\(verdict)"])
        // Whatever the client says meanwhile waits.
        try connection.pause(max(.zero, policy.delay(afterFailure: failures) - (ContinuousClock.now - started)))
        return Answer(.init(verdict), isLast: failures >= policy.attempts)
    }
}

extension TLSInformation {
    /// For a line of the log.
    public var metadata: Logger.Metadata {
        var metadata: Logger.Metadata = ["version": "\(version)", "cipher": "\(cipher)", "alpn": usesALPN ? "imap" : "none"]
        if let serverName { metadata["sni"] = "\(serverName)" }
        return metadata
    }
}

extension GateEnd {
    /// For a line of the log.
    public var reason: String {
        switch self {
        case .loggedIn: "logged in"
        case .loggedOut: "logged out"
        case .tooManyFailures: "too many failures"
        case .tooManyCommands: "too many commands"
        case .badProxyHeader: "no PROXY header"
        case .turnedAway: "turned away"
        case .connection(let end): end.reason
        }
    }
}
