import CLinux
import Glibc
import IMAPServer
import Logging
import Privilege
import SystemAuthentication
import SystemPackage
import Transport

/// The mode of a mail host: for each connection, processes with the least rights.
///
/// - Parameter inheritance: what a predecessor in this very process has left.
func runForking(_ preparation: Preparation, succeeding inheritance: Inheritance? = nil) throws(StartErrors) {
    guard let gateAccount = preparation.gateAccount else { preconditionFailure("there is no account for the gate") }
    let manager = ServiceManager.takeFromEnvironment()
    cleanEnvironment()
    let first = try Household(
        preparation, gateAccount: gateAccount, manager: manager, descriptorLimit: inheritance?.estate.descriptorLimit)
    rehearse(first)
    rehearseRoles(first)
    clinux_seal_heap()
    let household = first.again(with: preparation.tls)
    resetSignals()
    limit(RLIMIT_NOFILE, to: .max)              // a line for each connection
    limit(RLIMIT_CORE, to: 0)                   // which could hold a password or the private key
    closeStandardStreams()
    ProcessTitle.prepare()
    ProcessTitle.set("listener")
    // A gate whose monitor dies is reaped here.
    clinux_adopt_orphans()
    let pidFile: PIDFile?
    do throws(StartErrors) {
        pidFile = try preparation.settings.makePIDFile()
    } catch {
        guard inheritance != nil else { throw error }
        // There is no way back, and mail is served without it.
        for error in error.errors { preparation.logger.warning("\(error.line)") }
        pidFile = nil
    }
    defer { pidFile?.remove() }
    clinux_share_heap()                         // for sessions with several readers
    clinux_seal_heap()
    var listener = ListenerRole(household: household, doors: preparation.doors)
    // Whoever waits for these lines may look at us now.
    announce(preparation, but: inheritance?.listeners ?? [], inheritance?.doors ?? [])
    listener.watch(preparation.certificates)
    if let inheritance { listener.take(inheritance) }
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
    var household: Household
    let watchSet: Int32
    /// The monitors, later sessions, that are alive, and whom they serve.
    var children: Children
    /// Who forks them.
    private var spawner: Spawner
    /// Processes that have ended and that nobody knew, while a monitor was ordered, and how: it may be one of these.
    private var strangers: [pid_t: Int32] = [:]
    /// Who forks authenticators.
    var keepers = Keepers()
    /// Until then no process is forked ahead: the last one ended before it had a client.
    private var truce = Deadline(after: .zero)
    var admission: Admission
    private var refusals = RefusalLog()
    /// What has happened since then, in seconds since 1970.
    var started = time(nil)
    var tallies = Tallies()
    var desk: Desk
    /// An administrator has asked for the end.
    var isStopping = false
    /// Certificates and keys.
    var certificates = FileWatch([])
    /// When to look whether a certificate is about to expire; until when it has been told, in seconds since 1970.
    var warningDue = Deadline(after: nil)
    var warnedUntil = 0
    /// When the service manager wants to hear of us.
    var watchdogDue = Deadline(after: nil)
    var logger: Logger { household.logger }

    /// How long sessions have for their goodbyes.
    private static let patience: Duration = .seconds(10)

    init(household: Household, doors: [Door]) {
        self.household = household
        watchSet = clinux_watch_set()
        children = Children(watchSet: watchSet)
        spawner = Spawner(watchSet: watchSet)
        admission = Admission(household.settings.admission)
        desk = Desk(doors, watchSet: watchSet)
        keepers.renew(household)
        keepers.hire(household)
    }

    mutating func run() {
        let waited = [household.signals.end, household.signals.housekeeping] + desk.doors.map(\.descriptor)
        for descriptor in waited + household.listeners.map(\.descriptor) {
            must(clinux_watch_add(watchSet, descriptor), "epoll")
        }
        watchdogDue = Deadline(after: household.manager.watchdogInterval)
        household.manager.ready(status: status)
        // What was freed until here would be taken again and again, page by page.
        clinux_seal_heap()
        var ready = [Int32](repeating: 0, count: 64)
        while true {
            let count = Int(clinux_watch_wait(watchSet, &ready, Int32(ready.count), timeout))
            guard count >= 0 || errno == EINTR else { die("epoll_wait", Errno(rawValue: errno)) }
            var isBusy = false
            tellManager()
            tellOfCertificates()
            for descriptor in ready.prefix(max(0, count)) {
                switch descriptor {
                case household.signals.end: return end()
                case household.signals.housekeeping: keepHouse()
                default:
                    if let listener = household.listeners.first(where: { $0.descriptor == descriptor }) {
                        accept(from: listener)
                        isBusy = true
                    } else if let child = children.process(ofLine: descriptor) {
                        hear(child)
                    } else if spawner.hears(at: descriptor) {
                        _ = takeSpare()
                    } else if let door = desk.door(descriptor) {
                        answer(at: door)
                    } else if let answerer = desk.process(ofLine: descriptor) {
                        hearAnswerer(answerer)
                    }
                }
            }
            if isStopping { return end() }
            keepers.hire(household)
            // Nothing is forked ahead while somebody waits.
            if !isBusy, lacksSpares, !spawner.isBusy, truce.milliseconds == 0 { _ = hire() }
        }
    }

    // MARK: - Connections

    /// Connections taken in a row before children are reaped again.
    private static let burst = 64

    private mutating func accept(from listener: Listener) {
        renewCertificatesIfChanged()
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
        let peer = PeerAddress(peerOf: socket)
        let connection: NewConnection
        do throws(AdmissionRefusal) {
            connection = NewConnection(
                peer: peer, admission: try admission.connect(from: peer, at: .now, chance: .random(in: 0..<100)),
                usesImplicitTLS: listener.usesImplicitTLS, isProxy: admission.isProxy(peer))
        } catch {
            tell(of: error, peer)
            tallies.refuse(error)
            return Refusal.send(
                error.text, code: error.code.name, to: socket, isPlaintext: !listener.usesImplicitTLS && !admission.isProxy(peer))
        }
        if children.serve(socket, connection) == nil, !hireAtOnce() || children.serve(socket, connection) == nil {
            admission.end(connection.admission)
            return Refusal.send("No resources for another connection", to: socket, isPlaintext: !listener.usesImplicitTLS)
        }
        tallies.accepted += 1
    }

    /// One line for a flood, not one for each of it.
    private mutating func tell(of refusal: AdmissionRefusal, _ peer: PeerAddress, user: String? = nil) {
        guard let count = refusals.note(refusal.reason, at: .now) else { return }
        var metadata: Logger.Metadata = ["peer": "\(peer)", "reason": "\(refusal.reason)", "count": "\(count)"]
        if let user { metadata["user"] = "\(user)" }
        logger.warning("refused", metadata: metadata)
    }

    // MARK: - Children

    private var lacksSpares: Bool {
        children.spareCount < household.settings.spares
            && children.spareCount + children.servingCount < household.settings.maxConnections
    }

    /// For epoll_wait(2), in milliseconds.
    private var timeout: Int32 {
        // -1, which is for ever, is the largest of all.
        let first = ([warningDue, watchdogDue] + keepers.dues).map { UInt32(bitPattern: $0.milliseconds) }.min() ?? .max
        // One that is forked now will be told of.
        return Int32(bitPattern: lacksSpares && !spawner.isBusy ? min(first, UInt32(bitPattern: truce.milliseconds)) : first)
    }

    /// Has a monitor forked, which waits for a client.
    private mutating func hire() -> Bool {
        do throws(Errno) {
            try spawner.order(household)
        } catch {
            return giveUpHiring(error)
        }
        return true
    }

    private mutating func hireAtOnce() -> Bool {
        let wasThere = spawner.isThere
        if (spawner.isBusy || hire()) && takeSpare(waits: true) { return true }
        // Another spawner may do what that one could not.
        return wasThere && !spawner.isThere && hire() && takeSpare(waits: true)
    }

    /// Takes the monitor that was ordered, if it is there.
    private mutating func takeSpare(waits: Bool = false) -> Bool {
        do throws(Errno) {
            guard let monitor = try spawner.take(waits: waits) else { return false }
            do throws(Errno) {
                try children.addSpare(monitor.process, monitor.line, monitor.page)
            } catch {
                Spawner.drop(monitor.line, monitor.page)
                throw error
            }
            let status = strangers.removeValue(forKey: monitor.process)
            strangers = [:]
            if let status { bury(monitor.process, status) }
            return true
        } catch {
            return giveUpHiring(error)
        }
    }

    /// What waits or will was forked from what is not so any more.
    mutating func renewSpares() {
        spawner.dismiss()
        children.dismissSpares()
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
        case .message(let report, _): heed(report, of: process)
        case .nothing: break
        case .end: children.dismiss(process)
        case .nonsense:
            logger.critical(
                "process broke the protocol",
                metadata: ["peer": "\(children[process]?.peer?.description ?? "none")", "process": "\(process)"])
            kill(process, SIGKILL)
            children.dismiss(process)
        }
    }

    private mutating func heed(_ report: Report, of process: pid_t) {
        guard let child = children[process], let id = child.admission else { return }
        switch report {
        case .ready: break
        case .loginFailed(let outcome, let mark, let mechanism):
            tallies.login(outcome, mechanism)
            // Otherwise the password was right, or could not be asked about.
            if outcome == .rejected { charge(id, for: .failure(mark: mark)) }
        case .timedOut:
            tallies.timeouts += 1
            charge(id, for: .timeout)
        case .crashed:
            tallies.crash("gate")
            charge(id, for: .crash)
        case .proxied(let peer):
            decide(child) { (admission) throws(AdmissionRefusal) in try admission.reveal(id, as: peer, at: .now) }
        case .login(let user, _, let mechanism, _):
            tallies.login(.accepted, mechanism)
            if admission.lacksRoom(id, for: user) { makeRoom(for: user) }
            decide(child) { (admission) throws(AdmissionRefusal) in try admission.logIn(id, as: user, at: .now) }
        }
    }

    private mutating func decide(_ child: Child, _ question: (inout Admission) throws(AdmissionRefusal) -> Void) {
        let order: Order
        do throws(AdmissionRefusal) {
            try question(&admission)
            order = .admit
        } catch {
            if let peer = child.peer { tell(of: error, peer, user: child.user) }
            tallies.refuse(error)
            order = .refuse(error.notice)
        }
        _ = child.line?.say(order)
    }

    private mutating func charge(_ id: Admission.ID, for offence: Penalties.Offence) {
        guard let offender = admission.charge(id, for: offence, at: .now) else { return }
        tallies.penalties += 1
        switch offender {
        case .source(let source):
            logger.warning("penalty", metadata: ["source": "\(source)"])
            // Connections that were there before are no reserve.
            guard let notice = admission.penaltyNotice(for: source, at: .now) else { return }
            for child in children.strangers(among: admission.strangers(from: source)) {
                _ = child.line?.say(Order.refuse(notice))
            }
        case .user(let user): logger.warning("penalty", metadata: ["user": "\(user)"])
        }
    }

    // MARK: - Housekeeping

    private mutating func keepHouse() {
        let signals = household.signals.takeHousekeeping()
        if signals.contains(SIGCHLD) { reap() }
        if signals.contains(SIGHUP) { _ = reload() }
        if signals.contains(SIGUSR2) { _ = giveWay() }
    }

    mutating func reap() {
        var status: Int32 = 0
        while true {
            let process = waitpid(-1, &status, WNOHANG)
            guard process > 0 else { return }
            bury(process, status)
        }
    }

    /// A process of ours has ended, and is reaped.
    private mutating func bury(_ process: pid_t, _ status: Int32) {
        // Its last words, which may have come after we last listened.
        while case .message(let report, _) = children.hear(process) { heed(report, of: process) }
        let end = ProcessEnd(status: status)
        guard let child = children.remove(process) else {
            if keepers.remove(process) { return tell(of: end, process, role: "keeper") }
            if spawner.remove(process) {
                truce = Deadline(after: Self.trucePeriod)
                return tell(of: end, process, role: "spawner")
            }
            desk.remove(process)
            // An orphan is a gate whose monitor has ended.
            if spawner.isBusy { strangers[process] = status }
            return
        }
        settle(child)
        if child.peer == nil, !child.isDismissed { truce = Deadline(after: Self.trucePeriod) }
        tell(of: end, process, child)
        if let id = child.admission {
            if end.isCrash { charge(id, for: .crash) }
            admission.end(id)
        }
        if let gate = child.gate { endOrphan(gate) }
    }

    private mutating func tell(of end: ProcessEnd, _ process: pid_t, _ child: Child) {
        let role = child.user == nil ? "monitor" : "session"
        if end.isCrash { tallies.crash(end == .exited(ProcessEnd.withCrashedGate) ? "gate" : role) }
        let peer = child.peer?.description ?? "none"
        switch end {
        // Who ended with its gate has told of that.
        case .exited(0), .exited(ProcessEnd.withCrashedGate): break
        case .exited(ProcessEnd.withoutMemory):
            logger.error(
                "session needed too much memory",
                metadata: [
                    "peer": "\(peer)", "user": "\(child.user ?? "")", "process": "\(process)",
                    "limit": "\(household.settings.sessionMemory)", "setting": "session-memory",
                ])
        case .exited(let status):
            logger.error("process failed", metadata: ["peer": "\(peer)", "process": "\(process)", "status": "\(status)"])
        case .killed(let signal):
            logger.critical(
                "process crashed",
                metadata: [
                    "peer": "\(peer)", "process": "\(process)", "role": "\(role)",
                    "signal": "\(ProcessEnd.name(of: signal))",
                ])
        }
    }

    /// Keepers and spawners that end by themselves have nobody left who could ask them.
    private mutating func tell(of end: ProcessEnd, _ process: pid_t, role: String) {
        guard end != .exited(0) else { return }
        if end.isCrash { tallies.crash(role) }
        var metadata: Logger.Metadata = ["peer": "none", "process": "\(process)", "role": "\(role)"]
        switch end {
        case .exited(let status):
            metadata["status"] = "\(status)"
            logger.error("process failed", metadata: metadata)
        case .killed(let signal):
            metadata["signal"] = "\(ProcessEnd.name(of: signal))"
            logger.critical("process crashed", metadata: metadata)
        }
    }

    /// A gate ends with its monitor or session. One that has been taken over may not want to, and the kernel does not pass on
    /// a signal from a session to a gate, which is somebody else's.
    private func endOrphan(_ gate: pid_t) {
        // If it has ended, then its number may be anybody's: but not a child's of ours.
        var status: Int32 = 0
        if waitpid(gate, &status, WNOHANG) == 0, children[gate] == nil { kill(gate, SIGKILL) }
    }

    /// Tells every session to say goodbye; those that do not get it done are killed.
    private mutating func end() {
        household.manager.stopping()
        for listener in household.listeners { close(listener.descriptor) }
        closeDesk()
        spawner.dismiss()
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
        keepers.end(household)
        spawner.end()
        logger.notice("stopped", metadata: children.isEmpty ? nil : ["killed": "\(children.pids.count)"])
    }
}
