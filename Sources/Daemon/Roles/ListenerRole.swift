import CLinux
import Glibc
import IMAPServer
import Logging
import Privilege
import SystemAuthentication
import SystemPackage
import Transport

/// The mode of a mail host: for each connection, processes with the least rights.
func runForking(_ preparation: Preparation) throws(StartErrors) {
    guard let gateAccount = preparation.gateAccount else { preconditionFailure("there is no account for the gate") }
    cleanEnvironment()
    if let service = preparation.accounts.directory.pam { PAM.load(service) }
    let household = try Household(preparation, gateAccount: gateAccount)
    rehearse()
    rehearseRoles(household)
    resetSignals()
    limit(RLIMIT_NOFILE, to: .max)              // a line for each connection
    limit(RLIMIT_CORE, to: 0)                   // which could hold a password or the private key
    closeStandardStreams()
    ProcessTitle.prepare()
    ProcessTitle.set("listener")
    // A gate whose monitor dies is reaped here.
    clinux_adopt_orphans()
    clinux_seal_heap()
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
///
/// It forks ahead: monitors with their gates wait for clients, and are replaced while nobody else does.
struct ListenerRole {
    private let household: Household
    private let watchSet: Int32
    /// The monitors, later sessions, that are alive, and whom they serve.
    private var children: Children
    /// Until then no process is forked ahead: the last one ended before it had a client.
    private var truce = Deadline(after: .zero)
    private var isRefusing = false
    private var logger: Logger { household.logger }

    /// How long sessions have for their goodbyes.
    private static let patience: Duration = .seconds(10)

    init(household: Household) {
        self.household = household
        watchSet = clinux_watch_set()
        children = Children(watchSet: watchSet)
    }

    mutating func run() {
        let sockets = household.listeners.map(\.descriptor)
        for descriptor in [household.signals.end, household.signals.housekeeping] + sockets {
            must(clinux_watch_add(watchSet, descriptor), "epoll")
        }
        var ready = [Int32](repeating: 0, count: 64)
        while true {
            let count = Int(clinux_watch_wait(watchSet, &ready, Int32(ready.count), timeout))
            guard count >= 0 || errno == EINTR else { die("epoll_wait", Errno(rawValue: errno)) }
            var isBusy = false
            for descriptor in ready.prefix(max(0, count)) {
                switch descriptor {
                case household.signals.end:
                    for socket in sockets { close(socket) }
                    return end()
                case household.signals.housekeeping: keepHouse()
                default:
                    if let listener = household.listeners.first(where: { $0.descriptor == descriptor }) {
                        accept(from: listener)
                        isBusy = true
                    } else if let child = children.process(ofLine: descriptor) {
                        hear(child)
                    }
                }
            }
            // Nothing is forked ahead while somebody waits.
            if !isBusy, lacksSpares, truce.milliseconds == 0 { _ = hire() }
        }
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
        defer { close(socket) }
        guard children.servingCount < household.settings.maxConnections else {
            return refuse(socket, listener, "Too many connections")
        }
        let peer = PeerAddress(peerOf: socket)
        if children.serve(socket, from: peer, usesImplicitTLS: listener.usesImplicitTLS) == nil {
            guard hire(), children.serve(socket, from: peer, usesImplicitTLS: listener.usesImplicitTLS) != nil else {
                return refuse(socket, listener, "No resources for another connection")
            }
        }
        isRefusing = false
    }

    private mutating func refuse(_ socket: Int32, _ listener: Listener, _ reason: StaticString) {
        // One line for a flood, not one for each of it.
        if !isRefusing { logger.error("connections are refused", metadata: ["reason": "\(reason)"]) }
        isRefusing = true
        Refusal.send(reason, to: socket, isPlaintext: !listener.usesImplicitTLS)
    }

    // MARK: - Children

    private var lacksSpares: Bool {
        children.spareCount < household.settings.spares
            && children.spareCount + children.servingCount < household.settings.maxConnections
    }

    /// For epoll_wait(2), in milliseconds.
    private var timeout: Int32 { lacksSpares ? truce.milliseconds : -1 }

    /// Forks a monitor, which waits for a client.
    private mutating func hire() -> Bool {
        let ends: (listener: Line, child: Line)
        do throws(Errno) {
            ends = try Line.pair()
        } catch {
            return giveUpHiring(error)
        }
        let child = fork()
        if child == 0 { runMonitor(line: ends.child, household) }
        let error = Errno(rawValue: errno)
        close(ends.child.descriptor)
        guard child > 0 else {
            close(ends.listener.descriptor)
            return giveUpHiring(error)
        }
        do throws(Errno) {
            try children.addSpare(child, ends.listener)
        } catch {
            close(ends.listener.descriptor)
            return giveUpHiring(error)
        }
        return true
    }

    private mutating func giveUpHiring(_ error: Errno) -> Bool {
        logger.error("no process can be forked", metadata: ["error": "\(error)"])
        truce = Deadline(after: Self.trucePeriod)
        return false
    }

    private static let trucePeriod: Duration = .seconds(1)

    /// One message: each child has its turn.
    private mutating func hear(_ process: pid_t) {
        switch children.hear(process) {
        case .message(.login, _):
            if let line = children[process]?.line { _ = line.say(Order.admit) }
        case .message, .nothing: break
        case .end: children.dismiss(process)
        case .nonsense:
            logger.critical(
                "process broke the protocol",
                metadata: ["peer": "\(children[process]?.peer?.description ?? "none")", "process": "\(process)"])
            kill(process, SIGKILL)
            children.dismiss(process)
        }
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
            let process = waitpid(-1, &status, WNOHANG)
            guard process > 0 else { return }
            // Its last words, which may have come after we last listened.
            while case .message = children.hear(process) {}
            // An orphan is a gate whose monitor has ended.
            guard let child = children.remove(process) else { continue }
            if child.peer == nil, !child.isDismissed { truce = Deadline(after: Self.trucePeriod) }
            tell(of: ProcessEnd(status: status), process, child)
            if let gate = child.gate { endOrphan(gate) }
        }
    }

    private func tell(of end: ProcessEnd, _ process: pid_t, _ child: Child) {
        let peer = child.peer?.description ?? "none"
        switch end {
        case .exited(0): break
        case .exited(let status):
            logger.error("process failed", metadata: ["peer": "\(peer)", "process": "\(process)", "status": "\(status)"])
        case .killed(let signal):
            logger.critical(
                "process crashed",
                metadata: [
                    "peer": "\(peer)", "process": "\(process)", "role": child.user == nil ? "monitor" : "session",
                    "signal": "\(ProcessEnd.name(of: signal))",
                ])
        }
    }

    /// A gate ends with its monitor or session. One that has been taken over may not want to, and the kernel does not pass on
    /// a signal from a session to a gate, which is somebody else's.
    private func endOrphan(_ gate: pid_t) {
        // If it has ended, then its number may be anybody's: but not a child's of ours.
        var status: Int32 = 0
        if waitpid(gate, &status, WNOHANG) == 0, children[gate] == nil { kill(gate, SIGKILL) }
    }

    /// A renewed certificate is for the connections to come.
    private mutating func renewTLS() {
        guard household.tls != nil, let certificate = household.settings.certificate, let key = household.settings.key
        else { return }
        do throws(TLSContextError) {
            let renewed = try TLSContext(certificate: certificate, key: key)
            renewed.warmUp()
            household.tls = renewed
            clinux_seal_heap()
            // Those that wait have the old one.
            children.dismissSpares()
            logger.notice("certificate read again")
            for warning in renewed.warnings { logger.warning("\(warning)") }
        } catch {
            for problem in error.problems { logger.error("the certificate stays as it was", metadata: ["problem": "\(problem)"]) }
        }
    }

    /// Tells every session to say goodbye; those that do not get it done are killed.
    private mutating func end() {
        for child in children.pids { kill(child, SIGTERM) }
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
        for child in children.pids { kill(child, SIGKILL) }
        for child in children.pids { _ = ProcessEnd(waitingFor: child) }
        logger.notice("stopped", metadata: children.isEmpty ? nil : ["killed": "\(children.pids.count)"])
    }
}
