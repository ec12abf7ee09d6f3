import CFaults
import Glibc
import IMAPTypes
import MailStore
import Maildir

/// What the log says before it is on the disk, others can read; and then it turns out that it cannot be written there.
final class TakenBackRounds: Rounds {
    /// Whether all went well.
    func run() -> Bool {
        var isFine = true
        for round in 0..<3 {
            Disk.removeTree(maildir)
            facts.clear()
            let status = apart {
                do { try session(round) } catch { facts.note("! it does not go on: \(error)") }
                return 0
            }
            if !check(Model(), status == 0 ? [] : ["the process ended with \(status)"], "round \(round)") { isFine = false }
        }
        print("rounds 3, hits 3, calls 0")
        return isFine
    }

    private func session(_ round: Int) throws {
        let steps = Steps(maildir, facts, Model()), store = try steps.openStore(), reader = try steps.openStore()
        steps.note("+box\tinbox\tINBOX")
        try steps.append(store, "inbox", ["first"], [], [])
        let open = try steps.open(reader, "inbox"), writer = try steps.open(store, "inbox")
        var seen: [UID] = []
        setAction { seen = (try? open.refresh().added) ?? [] }
        // The message's file is the first that is synced, the log the second.
        faults_only(Int32(FAULTS_SYNC.rawValue))
        faults_arm(2, Int32(FAULTS_ACT_AND_FAIL.rawValue), EIO)
        do {
            try steps.append(store, "inbox", ["taken-back"], [], [])
            facts.note("! nothing has failed")
        } catch StoreError.io {}
        faults_disarm()
        faults_only(-1)
        guard seen.count == 1 else { return facts.note("! the reader has seen \(seen)") }
        // Whoever is next: who has failed, who has seen it, or somebody else; with less to write, or with more.
        let next = try round == 0 ? store : round == 1 ? reader : steps.openStore()
        try steps.append(next, "inbox", ["second"], [], round == 2 ? (1...20).map { "a-keyword-of-some-length-\($0)" } : [])
        for session in [open, writer] {
            session.forget(try session.refresh().expunged)
            try steps.look(session, "inbox")
        }
        if open.uids.contains(seen[0]) { facts.note("! the UID of what was taken back was given again") }
        try steps.setFlags(open, "inbox", ["second"], .add, .seen, [])
    }
}
