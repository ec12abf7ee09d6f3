import CLinux
import Glibc
import IMAPServer
import Logging
import Privilege
import SystemPackage
import Transport

/// The mode of a mail host: for each connection, processes with the least rights.
func runForking(_ preparation: Preparation) throws(StartErrors) {
    guard let gateAccount = preparation.gateAccount else { preconditionFailure("there is no account for the gate") }
    let household = try Household(preparation, gateAccount: gateAccount)
    rehearse()
    resetSignals()
    limit(RLIMIT_CORE, to: 0)                   // which could hold a password or the private key
    closeStandardStreams()
    ProcessTitle.prepare()
    ProcessTitle.set("listener")
    // A gate whose monitor dies is reaped here.
    clinux_adopt_orphans()
    // Whoever waits for these lines may look at us now.
    announce(preparation)
    var listener = ListenerRole(household: household)
    listener.run()
}

/// Nobody reads from the terminal, and nothing is written but log lines.
private func closeStandardStreams() {
    let null = open("/dev/null", O_RDWR | O_CLOEXEC)
    guard null >= 0 else { die("open /dev/null", Errno(rawValue: errno)) }
    for stream: Int32 in [0, 1] where dup2(null, stream) < 0 { die("dup2", Errno(rawValue: errno)) }
    if null > 2 { close(null) }
}

/// The process that accepts connections, counts and reaps. It is root, and never reads a byte from a client.
struct ListenerRole {
    private var household: Household
    /// The monitors, later sessions, that are alive, and whom they serve.
    private var children: [pid_t: PeerAddress] = [:]
    private var isRefusing = false
    private var logger: Logger { household.logger }

    /// How long sessions have for their goodbyes.
    private static let patience: Duration = .seconds(10)

    init(household: Household) { self.household = household }

    mutating func run() {
        let sockets = household.listeners.map(\.descriptor)
        var polled = ([household.signals.end, household.signals.housekeeping] + sockets).map {
            pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
        }
        while true {
            guard poll(&polled, nfds_t(polled.count), -1) >= 0 || errno == EINTR else {
                die("poll", Errno(rawValue: errno))
            }
            if polled[0].revents != 0 { break }
            if polled[1].revents != 0 { keepHouse() }
            for (listener, entry) in zip(household.listeners, polled.dropFirst(2)) where entry.revents != 0 {
                accept(from: listener)
            }
        }
        for socket in sockets { close(socket) }
        end()
    }

    // MARK: - Connections

    /// Connections taken in a row before children are reaped again.
    private static let burst = 64

    private mutating func accept(from listener: Listener) {
        for _ in 0..<Self.burst {
            switch listener.accept() {
            case .nobody: return
            case .exhausted(let error):
                logger.error("no connection can be accepted", metadata: ["error": "\(error)"])
                usleep(100_000)
                return
            case .connection(let socket):
                serve(socket.release(), listener)
            }
        }
    }

    private mutating func serve(_ socket: Int32, _ listener: Listener) {
        guard children.count < household.settings.maxConnections else {
            return refuse(socket, listener, "Too many connections")
        }
        let peer = PeerAddress(peerOf: socket)
        switch fork() {
        case 0: runMonitor(client: socket, peer: peer, usesImplicitTLS: listener.usesImplicitTLS, household)
        case -1: refuse(socket, listener, "No resources for another connection")
        case let child:
            children[child] = peer
            close(socket)
            isRefusing = false
        }
    }

    private mutating func refuse(_ socket: Int32, _ listener: Listener, _ reason: StaticString) {
        // One line for a flood, not one for each of it.
        if !isRefusing { logger.error("connections are refused", metadata: ["reason": "\(reason)"]) }
        isRefusing = true
        Refusal.send(reason, to: socket, isPlaintext: !listener.usesImplicitTLS)
        close(socket)
    }

    // MARK: - Housekeeping

    private mutating func keepHouse() {
        let signals = household.signals.takeHousekeeping()
        if signals.contains(SIGCHLD) { reap() }
        if signals.contains(SIGHUP) { renewTLS() }
    }

    private mutating func reap() {
        var status: Int32 = 0
        while true {
            let child = waitpid(-1, &status, WNOHANG)
            guard child > 0 else { return }
            // An orphan is a gate whose monitor died, and died with it.
            guard let peer = children.removeValue(forKey: child) else { continue }
            switch ProcessEnd(status: status) {
            case .exited(0): break
            case .exited(let status):
                logger.error("process failed", metadata: ["peer": "\(peer)", "process": "\(child)", "status": "\(status)"])
            case .killed(let signal):
                logger.critical(
                    "process crashed",
                    metadata: ["peer": "\(peer)", "process": "\(child)", "signal": "\(ProcessEnd.name(of: signal))"])
            }
        }
    }

    /// A renewed certificate is for the connections to come.
    private mutating func renewTLS() {
        guard household.tls != nil, let certificate = household.settings.certificate, let key = household.settings.key
        else { return }
        do throws(TLSContextError) {
            let renewed = try TLSContext(certificate: certificate, key: key)
            renewed.warmUp()
            household.tls = renewed
            logger.notice("certificate read again")
            for warning in renewed.warnings { logger.warning("\(warning)") }
        } catch {
            for problem in error.problems { logger.error("the certificate stays as it was", metadata: ["problem": "\(problem)"]) }
        }
    }

    /// Tells every session to say goodbye; those that do not get it done are killed.
    private mutating func end() {
        for child in children.keys { kill(child, SIGTERM) }
        let deadline = Deadline(after: Self.patience)
        while !children.isEmpty {
            var polled = pollfd(fd: household.signals.housekeeping, events: Int16(POLLIN), revents: 0)
            if poll(&polled, 1, deadline.milliseconds) > 0 {
                _ = household.signals.takeHousekeeping()
                reap()
            } else if deadline.milliseconds == 0 {
                break
            }
        }
        for child in children.keys { kill(child, SIGKILL) }
        for child in children.keys { _ = ProcessEnd(waitingFor: child) }
        logger.notice("stopped", metadata: children.isEmpty ? nil : ["killed": "\(children.count)"])
    }
}
