import Glibc
import Logging
import SystemPackage
import Transport

/// Another version of the program takes over, and neither connections nor clients that are about to come notice.
extension ListenerRole {
    /// Gives this process to the program that is now where this one was started from (SIGUSR2). If that would not start, all
    /// stays as it is.
    ///
    /// - Parameter answerer: who hears of it from the successor.
    /// - Returns: why it stays as it is.
    mutating func giveWay(for answerer: pid_t? = nil) -> [String] {
        let problems: [String]
        do throws(Errno) {
            let successor = try Successor(
                estate(answerer), arguments: household.settings.arguments, environment: inheritedEnvironment)
            defer { successor.discard() }
            problems = tryToGiveWay(to: successor)
        } catch {
            problems = ["\(error)"]
        }
        for problem in problems { logger.error("no other program takes over", metadata: ["problem": "\(problem)"]) }
        return problems
    }

    private func tryToGiveWay(to successor: Successor) -> [String] {
        let problems = successor.problems()
        guard problems.isEmpty else { return problems }
        logger.notice("giving way", metadata: ["connections": "\(children.servingCount)"])
        household.manager.reloading(status: "Giving way to another program")
        let error = successor.take()
        household.manager.ready(status: status)
        return ["\(error)"]
    }

    /// Spare processes are not in it: they end when nobody is at the other end of their lines.
    private func estate(_ upgrader: pid_t?) -> Estate {
        let now = Admission.Instant.now
        var estate = Estate()
        estate.bound = household.bound.map { bound in
            Estate.Bound(place: bound.place, sockets: bound.listeners.map { listener in
                Estate.Socket(descriptor: listener.descriptor, implicitTLS: listener.usesImplicitTLS)
            })
        }
        estate.entrances = desk.doors.map { Estate.Entrance(kind: $0.kind, place: $0.place, descriptor: $0.descriptor) }
        estate.heirs = children.serving.compactMap { process, child in
            guard let peer = child.peer else { return nil }
            let begin = child.admission.flatMap { admission.connections[$0]?.begin } ?? now
            return Estate.Heir(
                process: process, line: child.line?.descriptor, page: child.page?.descriptor, gate: child.gate, due: child.due,
                peer: peer, user: child.user, mechanism: child.mechanism, tls: child.tls,
                age: UInt32(clamping: (now - begin).components.seconds), since: child.since, isKicked: child.isKicked)
        }
        estate.clerks = desk.answerers.map { process, answerer in
            Estate.Clerk(
                process: process, kind: answerer.kind, line: answerer.line?.descriptor, hasWished: answerer.hasWished,
                wantsSuccession: process == upgrader)
        }
        estate.keepers = keepers.legacy
        estate.descriptorLimit = household.descriptorLimit
        estate.started = started
        estate.tallies = tallies
        let debt = { (owed: Duration, isRefused: Bool) in Debt(owed: owed, isRefused: isRefused) }
        estate.sourceDebts = Dictionary(
            admission.sourcePenalties.debts(at: now).map { ($0.subject, debt($0.owed, $0.isRefused)) }) { $1 }
        estate.userDebts = Dictionary(
            admission.userPenalties.debts(at: now).map { ($0.subject, debt($0.owed, $0.isRefused)) }) { $1 }
        estate.pidFile = household.settings.pidFile
        return estate
    }

    /// What this process has been given, and what its service manager had said.
    private var inheritedEnvironment: [String] {
        var variables: [String] = []
        var index = 0
        while let variable = environ[index] {
            variables.append(String(cString: variable))
            index += 1
        }
        return variables + household.manager.variables
    }

    // MARK: - Taking over

    /// Goes on with what a predecessor has left.
    mutating func take(_ inheritance: Inheritance) {
        let now = Admission.Instant.now
        let estate = inheritance.estate
        started = estate.started
        tallies = estate.tallies
        for heir in estate.heirs {
            let id = admission.adopt(
                heir.peer, isProxy: heir.due.awaitsProxy, user: heir.user, since: now - .seconds(heir.age))
            children.adopt(heir.process, Child(
                line: heir.line.map { Line(descriptor: $0) }, gate: heir.gate, due: heir.due, peer: heir.peer, admission: id,
                user: heir.user, mechanism: heir.mechanism, tls: heir.tls, since: heir.since,
                page: heir.page.map { SessionPage(descriptor: $0) }, isKicked: heir.isKicked))
        }
        admission.adopt(sourceDebts: estate.sourceDebts, userDebts: estate.userDebts, at: now)
        for clerk in estate.clerks {
            desk.adopt(clerk.process, clerk.kind, clerk.line.map { Line(descriptor: $0) }, hasWished: clerk.hasWished)
        }
        keepers.adopt(estate.keepers)
        // What the settings do not want any more.
        for listener in inheritance.listeners where !household.listeners.contains(where: { $0 === listener }) { leave(listener) }
        for door in inheritance.doors where !desk.doors.contains(where: { $0 === door }) { door.remove() }
        if let path = estate.pidFile, path != household.settings.pidFile { unlink(path) }

        logger.notice("took over", metadata: ["connections": "\(estate.heirs.count)", "version": "\(Daemon.version)"])
        for clerk in estate.clerks where clerk.wantsSuccession {
            _ = desk.answerers[clerk.process]?.line?.say(Grant.done(estate.heirs.count))
        }
        // Those that have ended meanwhile.
        reap()
    }
}
