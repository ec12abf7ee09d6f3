import CFaults
import Glibc
import IMAPTypes
import MailStore
import Maildir

/// What chance seldom finds: several things go wrong, in a certain order.
final class CaseRounds: Rounds {
    /// A call that fails, counted from the failure before.
    private struct Failure {
        var call: faults_call
        var at = 1
        /// From then on every call fails.
        var isLasting = false
        var error = EIO
    }

    private lazy var cases: [(name: String, body: (Steps) throws -> Void)] = [
        ("names are not logged, and the session goes on", { [self] in try names($0, isSame: true) }),
        ("names are not logged, and another session is next", { [self] in try names($0, isSame: false) }),
        ("links cannot be removed", { [self] in
            try copy($0, [Failure(call: FAULTS_LINK, at: 2), Failure(call: FAULTS_UNLINK, isLasting: true)])
        }),
        ("a link cannot be removed, and its other name can", { [self] in
            try multiappend($0, [Failure(call: FAULTS_LINK, at: 2), Failure(call: FAULTS_UNLINK)])
        }),
        // Syncs of the announcement, of cur/, and of the log.
        ("the log can only be cut off at the second try, and not every link be removed", { [self] in
            try copy($0, [
                Failure(call: FAULTS_SYNC, at: 3), Failure(call: FAULTS_TRUNCATE), Failure(call: FAULTS_WRITE),
                Failure(call: FAULTS_UNLINK, at: 2),
            ])
        }),
        ("the log cannot be cut off, and not every link be removed", { [self] in
            try copy($0, [
                Failure(call: FAULTS_SYNC, at: 3), Failure(call: FAULTS_TRUNCATE), Failure(call: FAULTS_WRITE),
                Failure(call: FAULTS_TRUNCATE), Failure(call: FAULTS_UNLINK, at: 2),
            ])
        }),
    ]

    /// Whether all went well.
    func run() -> Bool {
        var isFine = true
        for (name, body) in cases {
            Disk.removeTree(maildir)
            facts.clear()
            let status = apart {
                do { try body(Steps(maildir, facts, Model())) } catch { facts.note("! it does not go on: \(error)") }
                return 0
            }
            if !check(Model(), status == 0 ? [] : ["the process ended with \(status)"], name) { isFine = false }
        }
        print("rounds \(cases.count), hits \(cases.count), calls 0")
        return isFine
    }

    /// Does `body` while these calls fail, one after the other.
    private func amid(_ failures: [Failure], _ body: () throws -> Void) {
        func arm(_ rest: ArraySlice<Failure>) {
            guard let next = rest.first else { return faults_disarm() }
            setAction { arm(rest.dropFirst()) }
            let kind = next.isLasting ? FAULTS_FAIL_ON : FAULTS_ACT_AND_FAIL
            faults_only(Int32(next.call.rawValue))
            faults_arm(next.at, Int32(kind.rawValue), next.error)
        }
        arm(failures[...])
        do {
            try body()
            facts.note("! nothing has failed")
        } catch {
            facts.note("# failed: \(error)")
        }
        faults_disarm()
        faults_only(-1)
    }

    /// What a file name tells that the log does not know of is no other program's wish.
    private func names(_ steps: Steps, isSame: Bool) throws {
        let store = try steps.openStore(), other = try steps.openStore()
        steps.note("+box\tinbox\tINBOX")
        try steps.append(store, "inbox", ["first", "second"], [], [])
        let open = try steps.open(store, "inbox"), next = isSame ? open : try steps.open(other, "inbox")
        try steps.setFlags(open, "inbox", ["first", "second"], .add, [.answered, .draft], [])
        faults_only(Int32(FAULTS_RENAME.rawValue))
        setAction {
            faults_only(Int32(FAULTS_WRITE.rawValue))
            faults_arm(1, Int32(FAULTS_FAIL_ON.rawValue), ENOSPC)
        }
        faults_arm(1, Int32(FAULTS_ACT.rawValue), 0)
        do {
            while try store.tidy() {}
            facts.note("! nothing has failed")
        } catch StoreError.io {}
        faults_disarm()
        faults_only(-1)
        try steps.setFlags(next, "inbox", ["first"], .replace, .seen, ["k1"])
        try steps.setFlags(next, "inbox", ["second"], .remove, .draft, [])
    }

    private func copy(_ steps: Steps, _ failures: [Failure]) throws {
        let store = try steps.openStore(), texts = ["first", "second", "third"]
        steps.note("+box\tinbox\tINBOX")
        try steps.create(store, "work", "Work")
        try steps.append(store, "inbox", texts, .seen, ["k1"])
        let open = try steps.open(store, "inbox")
        // So that the mailbox is known, and what follows are the calls of COPY.
        try steps.append(store, "work", ["before"], [], [])
        amid(failures) { try steps.copy(open, "inbox", texts, to: "work") }
        try steps.append(store, "work", ["after"], [], [])
        for text in texts { steps.note("+kept\t\(text)") }
    }

    private func multiappend(_ steps: Steps, _ failures: [Failure]) throws {
        let store = try steps.openStore()
        steps.note("+box\tinbox\tINBOX")
        try steps.append(store, "inbox", ["before"], [], [])
        amid(failures) { try steps.append(store, "inbox", ["first", "second", "third"], .seen, ["k1"]) }
        try steps.append(store, "inbox", ["after"], [], [])
    }
}
