import CLinux
import Glibc
import IMAPSession
import Logging
import Privilege
import SystemPackage
import Transport

/// Administrators are answered by processes that are forked for them, and what they want done is done here.
extension ListenerRole {
    /// Somebody is at a door.
    mutating func answer(at door: Door) {
        guard let client = door.accept() else { return }
        defer { close(client) }
        if door.kind == .control {
            let user = Door.user(of: client)
            guard user == 0 else {
                return logger.warning("not root's control connection", metadata: ["uid": "\(user.map { "\($0)" } ?? "unknown")"])
            }
        }
        // Whoever is turned away so comes again.
        guard desk.hasRoom(for: door.kind), let (ours, theirs) = try? Line.pair() else { return }
        let child = fork()
        if child == 0 { runAnswerer(door.kind, client: client, line: theirs, census, household) }
        let error = Errno(rawValue: errno)
        close(theirs.descriptor)
        guard child > 0 else {
            close(ours.descriptor)
            return logger.error("no process can be forked", metadata: ["error": "\(error)"])
        }
        desk.add(child, door.kind, ours)
    }

    /// For an answerer, who takes it along.
    private var census: Census {
        Census(
            version: Daemon.version, process: getppid(), started: started, connections: children.census,
            spares: children.spareCount, tallies: tallies, admission: admission,
            certificates: household.tls?.validities.compactMap { validity in validity.end.map { (validity.path, $0) } } ?? [],
            memory: residentMemory(of: getppid()))
    }

    /// One message, as with children.
    mutating func hearAnswerer(_ process: pid_t) {
        switch desk.hear(process) {
        case .message(let wish, _):
            let grant = grant(wish, of: process)
            _ = desk.answerers[process]?.line?.say(grant)
        case .nothing: break
        case .end: desk.dismiss(process)
        case .nonsense:
            logger.critical("process broke the protocol", metadata: ["process": "\(process)", "role": "answerer"])
            kill(process, SIGKILL)
            desk.dismiss(process)
        }
    }

    private mutating func grant(_ wish: Wish, of answerer: pid_t) -> Grant {
        switch wish {
        case .kickProcess(let process): return .done(kick { child, _ in child == process })
        case .kickUser(let user): return .done(kick { $1.user == user })
        case .kickNetwork(let network):
            return .done(kick { $1.peer?.address.map { network.contains($0) } ?? false })
        case .forgiveNetwork(let network): return .done(admission.forgive(network, at: .now))
        case .forgiveUser(let user): return .done(admission.forgive(user: user, at: .now))
        case .reload:
            let problems = reload()
            return problems.isEmpty ? .done(0) : .failed(problems.joined(separator: "\n"))
        case .stop:
            isStopping = true
            return .done(children.servingCount)
        case .upgrade: return .failed(giveWay(for: answerer).joined(separator: "\n"))
        }
    }

    /// Ends the connections of these. Returns how many there are.
    private mutating func kick(_ isMeant: (pid_t, Child) -> Bool) -> Int {
        let meant = children.kick(isMeant)
        for (process, child) in meant {
            logger.notice("kicked", metadata: child.metadata(process))
            child.sendAway(process, .kicked)
        }
        tallies.kicks += UInt64(meant.count)
        return meant.count
    }

    /// Makes room for one more connection of a user who has as many as may be, if one of them is silent: a telephone that
    /// went out of reach does not say goodbye, and comes back on a new one.
    mutating func makeRoom(for user: String) {
        let patience = household.settings.replaceSilentAfter
        guard patience > .zero, let silent = children.mostSilent(of: user, for: patience) else { return }
        for (process, child) in children.kick({ process, _ in process == silent }) {
            logger.notice("replaced", metadata: child.metadata(process))
            child.sendAway(process, .replaced)
            if let id = child.admission { admission.giveWay(id) }
        }
    }

    /// A session has ended: what it has done is added to what all have done.
    mutating func settle(_ child: Child) {
        if child.user != nil {
            tallies.ended += 1
            child.page?.read { tallies.totals.add($0) }
        }
        child.page?.close()
    }

    /// Nobody is answered any more, but for whoever waits for the end.
    mutating func closeDesk() {
        for (process, answerer) in desk.answerers where !answerer.wantsStop { kill(process, SIGKILL) }
        for door in desk.doors { door.remove() }
    }
}

extension Child {
    /// For the log.
    fileprivate func metadata(_ process: pid_t) -> Logger.Metadata {
        ["peer": "\(peer?.description ?? "none")", "process": "\(process)", "user": "\(user ?? "")"]
    }

    /// Ends its connection, with a word to the client: the order tells why, the signal that there is one.
    fileprivate func sendAway(_ process: pid_t, _ departure: Order.Departure) {
        _ = line?.say(Order.leave(departure))
        kill(process, SIGTERM)
    }
}
