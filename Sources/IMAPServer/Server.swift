import Authentication
import Gate
import Glibc
import IMAPSession
import Logging
import MailStore
import Synchronization
import SystemPackage
import Transport

/// An IMAP server in one process: a thread for each connection, with a store and an authenticator of your own.
///
///     import Authentication
///     import IMAPServer
///     import Logging
///     import MemoryStore
///     import Transport
///
///     let server = try Server(
///         listeners: Listener.listen(host: "localhost", port: 10143, implicitTLS: false),
///         store: MemoryProvider(),
///         authenticator: StaticPassword(user: "ann", password: "secret"),
///         rules: GateRules(plaintextLogin: .fromLoopback),
///         logger: Logger(label: "imapd"))
///     server.run()
///
/// SIGPIPE is ignored from then on, in the whole process: a client may hang up at any time.
public final class Server: Sendable {
    private let listeners: [Listener]
    private let store: any MailStoreProvider
    private let authenticator: any Authenticator
    private let rules: GateRules
    private let policy: LoginPolicy
    private let connectionLimit: Int
    private let proxies: IPNetworkSet
    private let sessionSettings: @Sendable (_ user: String) -> SessionSettings
    private let trace: @Sendable (_ user: String, _ peer: PeerAddress, _ logger: Logger) -> ProtocolTrace?
    private let logger: Logger
    /// Readable when the server is to end; the other end of the pipe is `stopRequest`.
    private let stopSignal: Int32
    private let stopRequest: Int32
    private let connections = Mutex(0)

    /// - Parameters:
    ///   - rules: of the gate. With a TLS context, listeners with implicit TLS use it, and the others offer STARTTLS.
    ///   - connectionLimit: connections at one time; whoever comes beyond is told so.
    ///   - proxies: who connects from there must tell for whom, in a PROXY header, and is believed.
    ///   - sessionSettings: of the sessions of each user.
    ///   - trace: where a session is written down; `nil` for those of whom nobody wants to know that much.
    public init(
        listeners: [Listener], store: any MailStoreProvider, authenticator: any Authenticator,
        rules: GateRules = GateRules(), policy: LoginPolicy = LoginPolicy(), connectionLimit: Int = 1000,
        proxies: IPNetworkSet = IPNetworkSet(),
        sessionSettings: @escaping @Sendable (_ user: String) -> SessionSettings = { _ in SessionSettings() },
        trace: @escaping @Sendable (_ user: String, _ peer: PeerAddress, _ logger: Logger) -> ProtocolTrace? = { _, _, _ in nil },
        logger: Logger
    ) throws(Errno) {
        self.listeners = listeners
        self.store = store
        self.authenticator = authenticator
        self.rules = rules
        self.policy = policy
        self.connectionLimit = connectionLimit
        self.proxies = proxies
        self.sessionSettings = sessionSettings
        self.trace = trace
        self.logger = logger
        let pipe = try Descriptor.pipe()
        (stopSignal, stopRequest) = pipe.release()
    }

    deinit {
        close(stopSignal)
        close(stopRequest)
    }

    /// Serves until `stop()` is called, or `end` is readable; then tells every client, and returns when they are gone,
    /// or after 10 seconds.
    ///
    /// - Parameter end: such as a signalfd(2) for SIGTERM.
    public func run(until end: Int32? = nil) {
        signal(SIGPIPE, SIG_IGN)
        var polled = ([stopSignal, end ?? -1] + listeners.map(\.descriptor)).map {
            pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
        }
        while true {
            guard poll(&polled, nfds_t(polled.count), -1) >= 0 || errno == EINTR else { break }
            if polled[0].revents != 0 || polled[1].revents != 0 { break }
            for (listener, entry) in zip(listeners, polled.dropFirst(2)) where entry.revents != 0 { accept(from: listener) }
        }
        stop()
        let deadline = Deadline(after: .seconds(10))
        while connections.withLock({ $0 }) > 0, deadline.milliseconds > 0 { usleep(10_000) }
    }

    /// Ends the server, from any thread.
    public func stop() {
        _ = write(stopRequest, [0], 1)
    }

    /// Of a connection's thread, in bytes.
    private static let stackSize = 4 << 20

    private func accept(from listener: Listener) {
        while true {
            switch listener.accept() {
            case .nobody: return
            case .exhausted(let error):
                logger.error("no connection can be accepted", metadata: ["error": "\(error)"])
                usleep(100_000)
                return
            case .connection(let socket):
                let count = connections.withLock { count in
                    count += 1
                    return count
                }
                let number = socket.release()
                guard count <= connectionLimit else {
                    refuse(number, listener, "Too many connections")
                    continue
                }
                // A thread that nobody waits for.
                let thread = beginThread(stackSize: Self.stackSize, isDetached: true) { [self] in
                    serve(Connection(descriptor: number, shutdown: stopSignal), listener)
                    connections.withLock { $0 -= 1 }
                }
                if thread == nil { refuse(number, listener, "No resources for another connection") }
            }
        }
    }

    private func refuse(_ socket: Int32, _ listener: Listener, _ reason: String) {
        logger.warning("connection refused", metadata: ["reason": "\(reason)", "peer": "\(PeerAddress(peerOf: socket))"])
        Refusal.send(reason, to: socket, isPlaintext: !listener.usesImplicitTLS)
        close(socket)
        connections.withLock { $0 -= 1 }
    }

    private func serve(_ connection: Connection, _ listener: Listener) {
        let peer = PeerAddress(peerOf: connection.descriptor)
        var logger = logger
        logger[metadataKey: "peer"] = "\(peer)"
        logger.info("connect")
        let monitor = InProcessMonitor(
            connection: connection, peer: peer, authenticator: authenticator, store: store, policy: policy, logger: logger)
        var rules = rules
        rules.usesImplicitTLS = listener.usesImplicitTLS
        rules.timeLimit = policy.timeLimit
        rules.expectsProxyHeader = peer.address.map { proxies.contains($0) } ?? false
        let end = Gate(connection: connection, rules: rules, monitor: monitor).run()
        // Of the client, if a proxy has told who that is.
        logger = monitor.logger
        if case .loggedIn(let readAhead) = end, let (user, store) = monitor.login {
            logger[metadataKey: "user"] = "\(user)"
            let session = Session(connection: connection, store: store, user: user, readAhead: readAhead, logger: logger)
            session.settings = sessionSettings(user)
            session.trace = trace(user, monitor.peer, logger)
            let started = ContinuousClock.now
            let end = session.run()
            connection.finish()
            session.trace?.note("end: \(end.reason)")
            logger.info("session end", metadata: session.counters.metadata(
                end, after: ContinuousClock.now - started, received: connection.received, sent: connection.sent))
        } else {
            connection.finish()
            logger.info("end without login", metadata: ["reason": "\(end.reason)"])
        }
    }
}
