import Glibc
import Logging
import SystemPackage
import Transport

/// The listener's view of the process that forks authenticators (`runKeeper`), and of earlier ones that monitors of their time
/// still ask.
struct Keepers {
    /// Open here, too, so that a keeper that has died can be replaced, and nobody who asks notices: what was asked waits there.
    private var listening: Int32?
    private var process: pid_t?
    /// They end when nobody asks them any more.
    private var retired: Set<pid_t> = []
    /// When one is forked; never, while there is one.
    private(set) var due = Deadline(after: .zero)
    /// No other one is forked before: one that dies at once would do so again.
    private var truce = Deadline(after: .zero)

    private static let trucePeriod: Duration = .seconds(1)
    /// How long it has for its end when nobody is left who could ask.
    private static let patience: Duration = .seconds(2)

    /// Has children to come ask somebody who knows what has changed.
    mutating func renew(_ household: Household) {
        if let process { retired.insert(process) }
        process = nil
        due = Deadline(after: .zero)
        close(household)
        do throws(Errno) {
            let (asking, listening) = try QuestionSocket.pair()
            household.keeper = asking
            self.listening = listening
        } catch {
            household.logger.error("nobody can log in", metadata: ["error": "\(error)"])
        }
    }

    /// Forks one.
    mutating func hire(_ household: Household) {
        guard let listening else {
            due = Deadline(after: nil)
            return
        }
        let child = fork()
        if child == 0 { runKeeper(listening, household) }
        let error = Errno(rawValue: errno)
        guard child > 0 else {
            household.logger.error("no process can be forked", metadata: ["error": "\(error)"])
            due = Deadline(after: Self.trucePeriod)
            return
        }
        process = child
        due = Deadline(after: nil)
        truce = Deadline(after: Self.trucePeriod)
    }

    /// A process has ended. Returns whether it was a keeper.
    mutating func remove(_ ended: pid_t) -> Bool {
        if retired.remove(ended) != nil { return true }
        guard process == ended else { return false }
        process = nil
        due = truce
        return true
    }

    /// Nobody else is left who could ask.
    mutating func end(_ household: Household) {
        close(household)
        for process in retired.union(process.map { [$0] } ?? []) {
            guard ProcessEnd(waitingFor: process, atMost: Self.patience) == nil else { continue }
            kill(process, SIGKILL)
            _ = ProcessEnd(waitingFor: process)
        }
    }

    private mutating func close(_ household: Household) {
        if let listening { Glibc.close(listening) }
        listening = nil
        if household.keeper.descriptor >= 0 { Glibc.close(household.keeper.descriptor) }
        household.keeper = .none
    }
}
