import Glibc

/// Random scripts, of one process or of two at the same time.
final class RandomRounds: Rounds {
    /// Maildirs to begin with, with what is true of them.
    private var templates: [(path: String, model: Model)] = []

    override init(_ directory: String) {
        super.init(directory)
        for isFull in [false, true] {
            let path = directory + "/template-\(isFull)"
            Disk.removeTree(path)
            let script = RandomScript(path, facts, Model(), seed: 0, who: "", isAlone: true, fault: nil, delay: 0)
            do { try script.prepare(isFull: isFull) } catch { fatalError("the Maildir cannot be made: \(error)") }
            templates.append((path, script.model))
        }
    }

    /// Whether all went well. `seed` chooses everything in the first round, the number after it in the next.
    func run(from seed: UInt64, _ count: Int) -> Bool {
        var isFine = true
        for index in 0..<count where !round(seed &+ UInt64(index)) { isFine = false }
        print("rounds \(rounds), hits \(hits), calls 0")
        return isFine
    }

    private func round(_ seed: UInt64) -> Bool {
        var chance = Chance(seed)
        let template = templates[chance.once(in: 5) ? 1 : 0]
        let deadly: [Fault] = [.kill, .tear, .cut]
        let fault = chance.once(in: 2) ? deadly.randomElement(using: &chance)! : Fault.allCases.randomElement(using: &chance)!
        // What the power takes from one process, it does not give back to another.
        let isAlone = fault == .cut || chance.once(in: 2)
        let length = chance.number(4...24), delay: Int64 = chance.once(in: 2) ? 86_400 : 0
        let seeds = (chance.next(), chance.next(), chance.next())
        begin(template.path)
        func session(_ who: String, _ seed: UInt64, _ fault: Fault?) -> Int32 {
            let script = RandomScript(
                maildir, facts, template.model, seed: seed, who: who, isAlone: isAlone, fault: fault, delay: delay)
            if let fault { prepare(fault, seed: seeds.2 | 1) { [unowned script] in script.act() } }
            script.run(length)
            return 0
        }
        var problems: [String] = []
        let status: Int32
        if isAlone {
            status = apart { session("a", seeds.0, fault) }
        } else {
            let other: Int32
            (status, other) = apart({ session("a", seeds.0, fault) }, { session("b", seeds.1, nil) })
            if other != 0 { problems.append("the other process ended with \(other)") }
        }
        if status == 128 + SIGKILL, fault.isDeadly {
            hits += 1
        } else if status != 0 {
            problems.append("the process ended with \(status)")
        } else if facts.lines.contains(where: { $0.contains(" failed: ") }) {
            hits += 1
        }
        return check(template.model, problems, "seed \(seed): \(fault.rawValue), \(isAlone ? "alone" : "with another")")
    }
}
