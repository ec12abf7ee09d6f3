import CFaults
import Glibc

/// What `foreignFlag` and the like do: here, as a C function has no context.
nonisolated(unsafe) private var foreign: () -> Void = {}

/// Rounds of one kind: each on a fresh copy of a Maildir, in a process of its own, and another looks what is left.
class Rounds {
    let directory: String
    var maildir: String { directory + "/Maildir" }
    private var spare: String { directory + "/spare" }
    let facts = Facts()
    private(set) var rounds = 0
    var hits = 0

    init(_ directory: String) { self.directory = directory }

    /// Starts `body` in a process of its own, which does not live for longer than a minute.
    private func start(_ body: () -> Int32) -> pid_t {
        fflush(nil)
        let child = fork()
        if child == 0 {
            // Whoever has started us may have blocked it.
            var alarms = sigset_t()
            sigemptyset(&alarms)
            sigaddset(&alarms, SIGALRM)
            sigprocmask(SIG_UNBLOCK, &alarms, nil)
            alarm(60)
            let status = body()
            fflush(nil)
            _exit(status)
        }
        return child
    }

    /// The exit status, or 128 + the number of the signal that ended it.
    private func end(_ child: pid_t) -> Int32 {
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0, errno == EINTR {}
        return status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F
    }

    func apart(_ body: () -> Int32) -> Int32 { end(start(body)) }

    func apart(_ first: () -> Int32, _ second: () -> Int32) -> (Int32, Int32) {
        let children = (start(first), start(second))
        return (end(children.0), end(children.1))
    }

    /// Puts a copy of `template` in place.
    func begin(_ template: String) {
        Disk.removeTree(maildir)
        Disk.removeTree(spare)
        Disk.copyTree(template, to: maildir)
        Disk.moveMarks(maildir)
        mkdir(spare, 0o700)
        facts.clear()
        rounds += 1
    }

    /// To be called by whoever things go wrong for.
    func prepare(_ fault: Fault, seed: UInt64, _ action: @escaping () -> Void) {
        if fault == .cut { faults_remember(maildir, spare, seed) }
        setAction(action)
    }

    func setAction(_ action: @escaping () -> Void) {
        foreign = action
        faults_set_action { foreign() }
    }

    /// Looks what is left after what was noted, and prints the problems. False if there are any.
    func check(_ model: Model, _ found: [String], losses: Verifier.Losses = [], _ what: String) -> Bool {
        var after = model
        let lines = facts.lines
        for line in lines { after.take(line) }
        facts.clear()
        let status = apart {
            var verifier = Verifier(maildir, facts, after, losses: losses)
            verifier.verify()
            for problem in verifier.problems { facts.note("! \(problem)") }
            return 0
        }
        var problems = found
        if status != 0 { problems.append("the verifier ended with \(status)") }
        problems += (lines + facts.lines).filter { $0.hasPrefix("! ") }.map { String($0.dropFirst(2)) }
        let last = lines.last { $0.hasPrefix("# ") } ?? ""
        for problem in problems { print("\(what), after \"\(last)\": \(problem)") }
        if !problems.isEmpty, getenv("FAULTS_VERBOSE") != nil { for line in lines + facts.lines { print("    \(line)") } }
        return problems.isEmpty
    }
}
