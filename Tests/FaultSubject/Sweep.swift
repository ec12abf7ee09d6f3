import CFaults
import Glibc

/// The fixed script, again and again, with something going wrong at one system call after the other.
final class Sweep: Rounds {
    private var template: String { directory + "/template" }
    private var model = Model()

    override init(_ directory: String) {
        super.init(directory)
        Disk.removeTree(template)
        let script = Script(template, facts, model)
        do { try script.prepare() } catch { fatalError("the Maildir cannot be made: \(error)") }
        model = script.model
    }

    /// How many calls the script makes.
    private func length() -> Int {
        let memory = faults_shared_memory(8)!.assumingMemoryBound(to: Int.self)
        begin(template)
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
        begin(template)
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
    func run(_ fault: Fault, from first: Int, by stride: Int, seed: UInt64) -> Bool {
        let length = length()
        var isFine = round(fault, at: 0, seed: seed)
        for at in Swift.stride(from: first, through: length, by: stride) {
            if !round(fault, at: at, seed: seed == 0 ? 0 : seed &+ UInt64(at)) { isFine = false }
        }
        print("rounds \(rounds), hits \(hits), calls \(length)")
        return isFine
    }

    private func round(_ fault: Fault, at: Int, seed: UInt64) -> Bool {
        begin(template)
        let status = apart {
            prepare(fault, seed: seed) { [self] in act(fault) }
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
        return check(model, problems, "\(fault.rawValue) at \(at), seed \(seed)")
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
                if fault == .foreignRemoval {
                    facts.note("+unsure\told-9")
                    unlink(path)
                } else {
                    facts.note("+loose\told-9")
                    let base = name.split(separator: ":")[0]
                    rename(path, maildir + "/cur/" + base + ":2,FS")
                }
            }
        default:
            break
        }
    }
}
