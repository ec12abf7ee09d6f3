import Gate
import Glibc
import IMAPSession
import SystemPackage
import Transport

/// What the listener knows of a process that it has forked.
struct Child {
    /// `nil` when nothing more is said.
    var line: Line?
    /// As the monitor told before it heard of anybody; `nil` until then.
    var gate: pid_t?
    var due = DueReports()
    /// Whom it serves; `nil` while it waits.
    var peer: PeerAddress?
    /// What its connection counts as.
    var admission: Admission.ID?
    /// Who has logged in.
    var user: String?
    var mechanism: LoginAttempt.Mechanism?
    /// TLS's version; "TLS" before login, where it began with the first byte.
    var tls: String?
    /// When it got its client, in seconds since 1970.
    var since = 0
    /// Where it tells what it does.
    var page: SessionPage?
    /// Whether it was told to end though it had no client.
    var isDismissed = false
    /// Whether its connection was ended: by an administrator, or for another one.
    var isKicked = false
}

/// A connection that was accepted and admitted.
struct NewConnection {
    let peer: PeerAddress
    let admission: Admission.ID
    let usesImplicitTLS: Bool
    let isProxy: Bool
}

/// The listener's children: monitors, later sessions, by process and by line. Some are spare and wait for a client.
struct Children {
    private var lines: Lines
    private var known: [pid_t: Child] = [:]
    /// Those that wait; the one that has waited longest comes first, as it is most likely to be ready.
    private var spares: [pid_t] = []

    init(watchSet: Int32) { lines = Lines(watchSet: watchSet) }

    var isEmpty: Bool { known.isEmpty }
    var pids: some Collection<pid_t> { known.keys }
    var spareCount: Int { spares.count }
    /// Those that have clients.
    private(set) var servingCount = 0

    subscript(process: pid_t) -> Child? { known[process] }

    /// The session of this user that has heard nothing of its client for the longest time, and for so long at least.
    func mostSilent(of user: String, for least: Duration) -> pid_t? {
        let now = SessionRecord.now()
        let silences = known.compactMap { process, child -> (process: pid_t, time: UInt64)? in
            guard child.user == user, !child.isKicked, let page = child.page else { return nil }
            return page.read { $0.silence(at: now) }.flatMap { $0 }.map { (process, $0) }
        }
        guard let longest = silences.max(by: { $0.time < $1.time }) else { return nil }
        return .nanoseconds(Int64(clamping: longest.time)) >= least ? longest.process : nil
    }

    /// Those that are meant, and are to know it by now.
    mutating func kick(_ isMeant: (pid_t, Child) -> Bool) -> [pid_t: Child] {
        let meant = known.filter { !$1.isKicked && $1.peer != nil && isMeant($0, $1) }
        for process in meant.keys { known[process]?.isKicked = true }
        return meant
    }

    /// Those that have clients.
    var census: [Census.Connection] {
        known.compactMap { process, child in
            guard let peer = child.peer else { return nil }
            return Census.Connection(
                process: process, peer: peer, user: child.user, mechanism: child.mechanism?.name, tls: child.tls,
                since: child.since, page: child.page)
        }
    }

    var serving: [(process: pid_t, child: Child)] { known.filter { $0.value.peer != nil }.map { ($0.key, $0.value) } }

    /// Before login: those whose connections are among these.
    func strangers(among connections: Set<Admission.ID>) -> [Child] {
        known.values.filter { child in child.user == nil && child.admission.map { connections.contains($0) } ?? false }
    }

    /// The one whose line has this descriptor.
    func process(ofLine descriptor: Int32) -> pid_t? { lines.process(of: descriptor) }

    mutating func addSpare(_ process: pid_t, _ line: Line, _ page: SessionPage? = nil) throws(Errno) {
        guard lines.add(line, of: process) else { throw Errno(rawValue: errno) }
        known[process] = Child(line: line, page: page)
        spares.append(process)
    }

    /// One that a predecessor has forked, and that has a client.
    mutating func adopt(_ process: pid_t, _ child: Child) {
        var child = child
        if let line = child.line, !lines.add(line, of: process) {
            // It is still reaped.
            close(line.descriptor)
            child.line = nil
        }
        known[process] = child
        servingCount += 1
    }

    /// Hands a client to a spare process. `nil` if there is none left: those that have ended are passed over.
    mutating func serve(_ client: Int32, _ connection: NewConnection) -> pid_t? {
        while let process = spares.first {
            spares.removeFirst()
            guard var child = known[process] else { continue }
            guard child.line?.say(Order.serve(usesImplicitTLS: connection.usesImplicitTLS), passing: client) == true else {
                dismiss(process)
                continue
            }
            child.peer = connection.peer
            child.admission = connection.admission
            child.tls = connection.usesImplicitTLS ? "TLS" : nil
            child.since = time(nil)
            child.due.serve(isProxy: connection.isProxy)
            known[process] = child
            servingCount += 1
            return process
        }
        return nil
    }

    /// What a child says; `nil` if there is nothing, `.nonsense` too if it is not due.
    mutating func hear(_ process: pid_t) -> Line.Heard<Report> {
        guard let line = known[process]?.line else { return .nothing }
        let heard = line.hear(Report.self)
        guard case .message(let report, _) = heard else { return heard }
        guard known[process]?.due.accept(report) == true else { return .nonsense }
        switch report {
        case .ready(let gate): known[process]?.gate = gate
        case .login(let user, _, let mechanism, let tls):
            known[process]?.user = user
            known[process]?.mechanism = mechanism
            known[process]?.tls = tls
        case .proxied(let peer): known[process]?.peer = peer
        case .loginFailed, .crashed, .timedOut: break
        }
        return heard
    }

    /// Has no more to say to a child, nor listens to it. One without a client ends by that.
    mutating func dismiss(_ process: pid_t) {
        guard let line = known[process]?.line else { return }
        known[process]?.line = nil
        lines.close(line)
        spares.removeAll { $0 == process }
    }

    mutating func dismissSpares() {
        for process in spares {
            known[process]?.isDismissed = true
            dismiss(process)
        }
    }

    /// A child has ended, and is reaped.
    mutating func remove(_ process: pid_t) -> Child? {
        dismiss(process)
        let child = known.removeValue(forKey: process)
        if child?.peer != nil { servingCount -= 1 }
        return child
    }
}
