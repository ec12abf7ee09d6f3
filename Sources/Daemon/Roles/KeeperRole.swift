import CLinux
import Glibc
import Logging
import SystemAuthentication
import SystemPackage
import Transport

/// The process that forks authenticators: root, and the only one in which PAM's modules and those of the name services are
/// loaded before somebody logs in. It hears no question and gives no answer, so that no password comes by.
///
/// One authenticator waits ahead of the next question. How one ends that was killed is told to whoever waits for its answer;
/// one whose answer nobody waits for is killed. The keeper ends when nobody can ask any more.
///
/// - Parameter questions: where monitors ask.
func runKeeper(_ questions: Int32, _ household: Household) -> Never {
    ProcessTitle.set("keeper")
    household.tls?.wipe()                       // the private key, which only gates need
    closeAll(but: [questions, household.signals.housekeeping] + household.logDescriptors)
    AccountDirectory.loadNameServices()
    if let service = household.accounts.directory.pam { PreparedPAM.prepare(service) }
    clinux_seal_heap()
    var keeper = Keeper(questions: questions, household: household)
    keeper.run()
}

private struct Keeper {
    let questions: Int32
    let household: Household
    /// Who waits for a question.
    private var spare: (process: pid_t, line: Line)?
    /// Those that have one, and the pipes of their answers.
    private var busy: [pid_t: Int32] = [:]
    /// Until then none is forked: the last one ended before it had a question.
    private var truce = Deadline(after: .zero)

    /// How soon it is noticed that nobody waits for an answer.
    private static let rounds: Duration = .seconds(1)
    private static let trucePeriod: Duration = .seconds(1)

    init(questions: Int32, household: Household) {
        self.questions = questions
        self.household = household
    }

    mutating func run() -> Never {
        while true {
            if spare == nil, truce.milliseconds == 0 { hire() }
            // The end of whoever could ask is told without being asked for; -1 is passed over.
            var polled = [
                pollfd(fd: household.signals.housekeeping, events: Int16(POLLIN), revents: 0),
                pollfd(fd: spare?.line.descriptor ?? -1, events: Int16(POLLIN), revents: 0),
                pollfd(fd: questions, events: 0, revents: 0),
            ]
            let ready = poll(&polled, nfds_t(polled.count), timeout)
            guard ready >= 0 || errno == EINTR else { _exit(1) }
            // First, or nobody would know what to do with its end.
            if polled[1].revents != 0 { hear() }
            if polled[0].revents != 0, household.signals.takeHousekeeping().contains(SIGCHLD) { reap() }
            if polled[2].revents != 0 { end() }
            if !busy.isEmpty { endForgotten() }
        }
    }

    private var timeout: Int32 {
        spare == nil ? truce.milliseconds : busy.isEmpty ? -1 : Deadline(after: Self.rounds).milliseconds
    }

    private mutating func hire() {
        truce = Deadline(after: Self.trucePeriod)
        if let service = household.accounts.directory.pam { PreparedPAM.renew(service) }
        guard let ends = try? Line.pair() else { return }
        let child = fork()
        if child == 0 { runAuthenticator(questions, ends.child, household) }
        let error = Errno(rawValue: errno)
        close(ends.child.descriptor)
        guard child > 0 else {
            close(ends.listener.descriptor)
            return household.logger.error("no process can be forked", metadata: ["error": "\(error)"])
        }
        spare = (child, ends.listener)
    }

    private mutating func hear() {
        guard let (process, line) = spare else { return }
        switch line.hear(QuestionTaken.self) {
        case .nothing: return
        case .message(_, let answer?):
            busy[process] = answer
            truce = Deadline(after: .zero)
        case .message, .end, .nonsense: break
        }
        close(line.descriptor)
        spare = nil
    }

    private mutating func reap() {
        var status: Int32 = 0
        while true {
            let process = waitpid(-1, &status, WNOHANG)
            guard process > 0 else { return }
            if spare?.process == process { hear() }
            let answer = busy.removeValue(forKey: process)
            defer { if let answer { close(answer) } }
            guard case .killed(let signal) = ProcessEnd(status: status), ProcessEnd(status: status).isCrash else { continue }
            if let answer, isReady(answer, POLLOUT) {
                _ = AuthenticatorResult.crashed(signal: signal).send(to: answer)
            } else {
                household.logger.critical(
                    "process crashed",
                    metadata: [
                        "peer": "none", "process": "\(process)", "role": "authenticator",
                        "signal": "\(ProcessEnd.name(of: signal))",
                    ])
            }
        }
    }

    /// A pipe that nobody reads is in error.
    private mutating func endForgotten() {
        for (process, answer) in busy where isReady(answer, 0) { kill(process, SIGKILL) }
    }

    private func isReady(_ descriptor: Int32, _ events: Int32) -> Bool {
        var polled = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        return poll(&polled, 1, 0) > 0 && (events == 0 || polled.revents & Int16(POLLERR) == 0)
    }

    private func end() -> Never {
        for process in busy.keys { kill(process, SIGKILL) }
        _exit(0)
    }
}
