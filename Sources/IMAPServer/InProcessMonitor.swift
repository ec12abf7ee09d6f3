import Authentication
import Gate
import Logging
import MailStore
import Transport

/// The monitor of a gate in the same thread.
final class InProcessMonitor: GateMonitor {
    private let connection: Connection
    private let peer: PeerAddress
    private let authenticator: any Authenticator
    private let provider: any MailStoreProvider
    private let policy: LoginPolicy
    private let logger: Logger
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

    func secured(_ information: TLSInformation) {
        logger.info("tls", metadata: information.metadata)
    }

    func judge(_ attempt: LoginAttempt) throws(ConnectionEnd) -> Answer {
        let verdict = attempt.credentials.map { authenticator.authenticate($0, peer: peer.host) } ?? .rejected
        if case .accepted(let user) = verdict {
            do throws(StoreError) {
                login = (user, try provider.openStore(user: user, home: nil))
                logger.info("login", metadata: ["user": "\(user)", "mechanism": "\(attempt.mechanism.name)"])
                return Answer(.accepted, isLast: true)
            } catch {
                logger.error("store cannot be opened", metadata: ["user": "\(user)", "error": "\(error)"])
                return Answer(.unavailable, isLast: true)
            }
        }
        failures += 1
        logger.notice(
            "login failed",
            metadata: [
                "user": "\(attempt.credentials?.user ?? "")", "mechanism": "\(attempt.mechanism.name)", "verdict": "\(verdict)",
            ])
        // Whatever the client says meanwhile waits.
        try connection.pause(policy.delay(afterFailure: failures))
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
        case .connection(let end): end.reason
        }
    }
}
