import CFaults
import Glibc
import IMAPTypes
import MailStore
import Maildir

/// What the log says before it is on the disk, others could read; and then it turns out that it cannot be written there, or
/// nobody tries.
final class TakenBackRounds: Rounds {
    /// Whether all went well.
    func run() -> Bool {
        var isFine = true
        for round in 0..<4 {
            Disk.removeTree(maildir)
            facts.clear()
            let status = apart {
                do { try round < 3 ? session(round) : killed() } catch { facts.note("! it does not go on: \(error)") }
                return 0
            }
            if !check(Model(), status == 0 ? [] : ["the process ended with \(status)"], "round \(round)") { isFine = false }
        }
        print("rounds 4, hits 4, calls 0")
        return isFine
    }

    /// A writer that is killed before the log is on the disk leaves it to the reader to put it there before he tells of it.
    private func killed() throws {
        let steps = Steps(maildir, facts, Model()), store = try steps.openStore()
        steps.note("+box\tinbox\tINBOX")
        try steps.append(store, "inbox", ["first"], [], [])
        let open = try steps.open(store, "inbox")
        let status = apart {
            do {
                let writer = try steps.openStore()
                faults_only(Int32(FAULTS_SYNC.rawValue))
                faults_arm(2, Int32(FAULTS_KILL.rawValue), 0)
                try steps.append(writer, "inbox", ["killed"], [], [])
            } catch {}
            return 0
        }
        if status != 128 + SIGKILL { facts.note("! the writer ended with \(status)") }
        for _ in 0..<2 {
            faults_arm(0, Int32(FAULTS_NONE.rawValue), 0)
            let added = try open.refresh().added.count, syncs = faults_count_of(Int32(FAULTS_SYNC.rawValue))
            faults_disarm()
            if added != syncs { facts.note("! \(added) messages were told of, after \(syncs) syncs") }
        }
        try steps.look(open, "inbox")
    }

    private func session(_ round: Int) throws {
        let steps = Steps(maildir, facts, Model()), store = try steps.openStore(), reader = try steps.openStore()
        steps.note("+box\tinbox\tINBOX")
        try steps.append(store, "inbox", ["first"], [], [])
        let open = try steps.open(reader, "inbox"), writer = try steps.open(store, "inbox")
        setAction { [self] in
            do {
                let told = try open.refresh()
                if !told.isEmpty { facts.note("! the reader was told of \(told), which is not on the disk") }
            } catch {
                facts.note("! the reader cannot look: \(error)")
            }
        }
        faults_only(Int32(FAULTS_SYNC.rawValue))
        faults_arm(1, Int32(FAULTS_ACT_AND_FAIL.rawValue), EIO)
        do {
            try steps.setFlags(writer, "inbox", ["first"], .add, .flagged, [])
            facts.note("! nothing has failed")
        } catch StoreError.io {}
        faults_disarm()
        faults_only(-1)
        // Whoever is next: who has failed, who has looked, or somebody else; with less to write, or with more.
        let next = try round == 0 ? store : round == 1 ? reader : steps.openStore()
        try steps.append(next, "inbox", ["second"], [], round == 2 ? (1...20).map { "a-keyword-of-some-length-\($0)" } : [])
        for session in [open, writer] {
            session.forget(try session.refresh().expunged)
            try steps.look(session, "inbox")
        }
        try steps.setFlags(open, "inbox", ["second"], .add, .seen, [])
    }
}
