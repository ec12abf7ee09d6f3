import MailStore
import IMAPTypes

/// Something about a Maildir that is not as it should be.
public struct Finding: Sendable {
    /// What it is; the raw values are for programs and stay as they are.
    public enum Kind: String, Sendable, CaseIterable {
        // The files that imapd keeps.
        case logMissing = "log-missing"
        /// Something in the log does not verify, and more follows.
        case logDamaged = "log-damaged"
        /// The log ends in the middle of a record, as after a crash.
        case logTorn = "log-torn"
        /// The log is shorter than it was.
        case logShort = "log-short"
        case indexMissing = "index-missing"
        case indexDamaged = "index-damaged"
        /// Log and index are whole, and of different times.
        case indexForeign = "index-foreign"
        /// Log and index are older than the account's file knows them.
        case oldCopy = "old-copy"
        case cacheDamaged = "cache-damaged"
        case accountMissing = "account-missing"
        case accountDamaged = "account-damaged"
        /// Something that a crash has left.
        case leftover = "leftover"
        /// Expunged messages that nobody can be reading any more.
        case expungedLeft = "expunged-left"
        /// It is there and could not be read.
        case unreadable = "unreadable"

        // Messages and log.
        /// They came since the mailbox was last opened.
        case arrivals = "arrivals"
        /// They were removed since the mailbox was last opened.
        case vanished = "vanished"
        /// Log and directories differ, and the directories' times do not show it: no client would be told.
        case unnoticed = "unnoticed"
        case wrongKnownSize = "wrong-known-size"

        // Names of files.
        case duplicateName = "duplicate-name"
        case impossibleName = "impossible-name"
        case noInfo = "no-info"
        case wrongSizeField = "wrong-size-field"
        case lostLetter = "lost-letter"

        // Files and directories.
        case oldTemporary = "old-temporary"
        case wrongOwner = "wrong-owner"
        case wrongMode = "wrong-mode"
        case writableByOthers = "writable-by-others"
        case symbolicLink = "symbolic-link"
        case strangeFile = "strange-file"
        case missingDirectory = "missing-directory"
        case hiddenFolder = "hidden-folder"
        case staleSubscription = "stale-subscription"
    }

    public var kind: Kind
    /// As clients see it; `nil` where it is about the account.
    public var mailbox: MailboxName?
    /// How many files, lines, messages it is about.
    public var count: Int
    /// The first of them: paths within the Maildir, or whatever tells what is meant.
    public var examples: [String]
    /// For the log of an administrator: an error of the system, a number.
    public var detail: String

    public static let mostExamples = 20

    /// Things that are as they may be, and still worth a word: they need no repair, and are no reason for alarm.
    public var isNote: Bool {
        switch kind {
        case .arrivals, .vanished, .noInfo, .lostLetter, .staleSubscription: true
        default: false
        }
    }
}

/// Collects findings: those of one kind are one.
struct Findings {
    private(set) var all: [Finding] = []

    mutating func add(
        _ kind: Finding.Kind, _ mailbox: MailboxName?, _ example: String? = nil, count: Int = 1, detail: String = ""
    ) {
        if let at = all.firstIndex(where: { $0.kind == kind && $0.mailbox == mailbox }) {
            all[at].count += count
            if let example, all[at].examples.count < Finding.mostExamples { all[at].examples.append(example) }
        } else {
            all.append(Finding(kind: kind, mailbox: mailbox, count: count, examples: example.map { [$0] } ?? [], detail: detail))
        }
    }
}
