import CFaults
import Glibc

/// What goes wrong.
enum Fault: String, CaseIterable {
    case kill, tear, short, cut
    case noSpace, quota, io, files, interrupted, access
    /// From one call on, and not at one only.
    case noSpaceOn, ioOn, filesOn
    /// Another program does something.
    case delivery, foreignFlag, foreignRemoval

    init?(name: String) { self.init(rawValue: name) }

    var kind: Int32 {
        let kind: faults_kind = switch self {
        case .kill: FAULTS_KILL
        case .tear: FAULTS_TEAR
        case .short: FAULTS_SHORT
        case .cut: FAULTS_CUT
        case .noSpace, .quota, .io, .files, .interrupted, .access: FAULTS_FAIL
        case .noSpaceOn, .ioOn, .filesOn: FAULTS_FAIL_ON
        case .delivery, .foreignFlag, .foreignRemoval: FAULTS_ACT
        }
        return Int32(kind.rawValue)
    }

    var error: Int32 {
        switch self {
        case .noSpace, .noSpaceOn: ENOSPC
        case .quota: EDQUOT
        case .io, .ioOn: EIO
        case .files, .filesOn: EMFILE
        case .interrupted: EINTR
        case .access: EACCES
        default: 0
        }
    }

    /// Whether the process is to be gone afterwards.
    var isDeadly: Bool { [.kill, .tear, .cut].contains(self) }
}

/// What `foreignFlag` and the like do: here, as a C function has no context.
nonisolated(unsafe) private var foreign: () -> Void = {}

final class Rounds {
    private let directory: String
    private var template: String { directory + "/template" }
    private var maildir: String { directory + "/Maildir" }
    private var spare: String { directory + "/spare" }
    private let facts = Facts()
    private var model = Model()
    private var rounds = 0
    private var hits = 0

    init(_ directory: String) throws {
        self.directory = directory
        Disk.removeTree(template)
        let script = Script(template, facts, model)
        try script.prepare()
        model = script.model
        facts.clear()
    }

    /// Runs `body` in a process of its own. Returns its exit status, or 128 + the number of the signal that ended it.
    private func apart(_ body: () -> Int32) -> Int32 {
        fflush(nil)
        let child = fork()
        if child == 0 {
            let status = body()
            fflush(nil)
            _exit(status)
        }
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0, errno == EINTR {}
        return status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F
    }

    private func begin() {
        Disk.removeTree(maildir)
        Disk.removeTree(spare)
        Disk.copyTree(template, to: maildir)
        mkdir(spare, 0o700)
        facts.clear()
    }

    /// How many calls the script makes.
    private func length() -> Int {
        let memory = faults_shared_memory(8)!.assumingMemoryBound(to: Int.self)
        begin()
        let status = apart {
            faults_arm(0, Int32(FAULTS_NONE.rawValue), 0)
            Script(maildir, facts, model).run()
            faults_disarm()
            memory.pointee = faults_count()
            return 0
        }
        guard status == 0 else { fatalError("the script ends with \(status) although nothing goes wrong") }
        return memory.pointee
    }

    func printCounts() {
        begin()
        _ = apart {
            faults_arm(0, Int32(FAULTS_NONE.rawValue), 0)
            Script(maildir, facts, model).run()
            faults_disarm()
            let names = ["open", "read", "write", "truncate", "sync", "rename", "link", "unlink", "mkdir", "lock", "map", "stat",
                         "list", "date", "watch"]
            for (index, name) in names.enumerated() { print("\(name) \(faults_count_of(Int32(index)))") }
            return 0
        }
        for line in facts.lines where line.contains("failed") { print("PROBLEM: \(line)") }
    }

    /// Whether all went well.
    func sweep(_ fault: Fault, from first: Int, by stride: Int, seed: UInt64) -> Bool {
        let length = length()
        var isFine = check(fault, at: 0, seed: seed)
        for at in Swift.stride(from: first, through: length, by: stride) {
            if !check(fault, at: at, seed: seed == 0 ? 0 : seed &+ UInt64(at)) { isFine = false }
        }
        print("rounds \(rounds), hits \(hits), calls \(length)")
        return isFine
    }

    private func check(_ fault: Fault, at: Int, seed: UInt64) -> Bool {
        rounds += 1
        begin()
        let status = apart {
            if fault == .cut { faults_remember(maildir, spare, seed) }
            foreign = { [self] in act(fault) }
            faults_set_action { foreign() }
            faults_arm(at, fault.kind, fault.error)
            Script(maildir, facts, model).run()
            faults_disarm()
            return 0
        }
        var problems: [String] = []
        if status == 128 + SIGKILL, fault.isDeadly {
            hits += 1
        } else if status != 0 {
            problems.append("the script ended with \(status)")
        } else if at > 0, !fault.isDeadly, facts.lines.contains(where: { $0.contains("failed") }) {
            hits += 1
        }
        var after = model
        for line in facts.lines { after.take(line) }
        let lastLine = facts.lines.last { $0.hasPrefix("# ") } ?? ""
        let lines = facts.lines
        facts.clear()
        let found = apart {
            var verifier = Verifier(maildir, facts, after, allowsRepair: false)
            verifier.verify()
            for problem in verifier.problems { facts.note("! \(problem)") }
            return 0
        }
        if found != 0 { problems.append("the verifier ended with \(found)") }
        problems += facts.lines.filter { $0.hasPrefix("! ") }.map { String($0.dropFirst(2)) }
        for problem in problems { print("\(fault.rawValue) at \(at), seed \(seed), after \"\(lastLine)\": \(problem)") }
        if !problems.isEmpty, getenv("FAULTS_VERBOSE") != nil { for line in lines + facts.lines { print("    \(line)") } }
        return problems.isEmpty
    }

    /// As another program would.
    private func act(_ fault: Fault) {
        switch fault {
        case .delivery:
            Disk.deliver("foreign", to: maildir, name: "2000.M1P1.host")
            facts.note("+add\tinbox\t\tforeign\t\tforeign")
            // It may come in time to be moved.
            facts.note("?remove\tinbox\tforeign")
            facts.note("?add\tarchive\t\tforeign\t\tforeign")
            facts.note("+kept\tforeign")
        case .foreignFlag, .foreignRemoval:
            // A message that is in the mailbox from beginning to end, but for the renaming of INBOX.
            for name in Disk.names(maildir + "/cur") {
                let path = maildir + "/cur/" + name
                guard Texts.text(Disk.read(path)) == "old-9" else { continue }
                facts.note("+unsure\told-9")
                if fault == .foreignRemoval {
                    unlink(path)
                } else {
                    let base = name.split(separator: ":")[0]
                    rename(path, maildir + "/cur/" + base + ":2,FS")
                }
            }
        default:
            break
        }
    }
}
