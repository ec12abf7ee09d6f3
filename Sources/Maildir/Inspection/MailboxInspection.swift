import CLinux
import Glibc
import IMAPTypes
import MailStore

/// One mailbox's directory and files, looked at without changing anything.
///
/// What log and directories say is read under the mailbox's lock, if there is one, so that no session is in the middle of a
/// change. Everything that takes long comes after that.
public final class MailboxInspection {
    public let name: MailboxName
    let folder: FolderName
    unowned let inspection: MaildirInspection
    let root: Handle
    /// `nil` where there is none, or it cannot be opened.
    let new: Handle?
    let cur: Handle?
    var findings = Findings()
    /// What index and log tell; `nil` if there are none, or they tell nothing that can be trusted.
    private(set) var state: MailboxState?
    private(set) var listing = Listing()
    /// By message of `listing`, its row in the state's table; -1 if that has none.
    private(set) var rows: [Int] = []
    /// Rows without a file.
    private(set) var vanished: [Int] = []
    private var lock: Handle?
    /// Letters that Dovecot has given a meaning in this mailbox, once they were asked for.
    var letterMeanings: Set<UInt8>?

    init(_ folder: FolderName, _ name: MailboxName, in inspection: MaildirInspection) throws(StoreError) {
        self.folder = folder
        self.name = name
        self.inspection = inspection
        guard let root = inspection.maildir.open(folder.directory, O_RDONLY | O_DIRECTORY) else {
            throw failure("opening", folder.directory)
        }
        self.root = root
        new = root.open("new".utf8, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        cur = root.open("cur".utf8, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        try read()
    }

    /// Messages whose files are there.
    public var messages: Int { listing.entries.count }

    /// Whether imapd has served the mailbox before.
    public var isServed: Bool { root.status(LogFile.name) != nil || root.status(IndexFile.name) != nil }

    /// The other server that has left a list of UIDs, if imapd has not served the mailbox yet.
    var foreignServer: TakeOver.Server? {
        if isServed { return nil }
        return [.dovecot, .courier].first { root.status(Array($0.listName.utf8)) != nil }
    }

    func path(_ parts: String...) -> String {
        ((folder == .inbox ? [] : [printable(folder.directory)]) + parts).joined(separator: "/")
    }

    // MARK: Under the lock

    private func read() throws(StoreError) {
        lock = root.open(LockFile.name, O_RDWR | O_NOFOLLOW)
        if let lock, clinux_lock(lock.raw, LockFile.Byte.writer.rawValue, 1, 1) != 0 {
            throw failure("locking", folder.directory)
        }
        defer { if let lock { _ = clinux_unlock(lock.raw, LockFile.Byte.writer.rawValue) } }
        do throws(StoreError) { try readState() } catch { findings.add(.unreadable, name, path("imapd.log"), detail: "\(error)") }
        readDirectories()
        compare()
        if !vanished.isEmpty {
            // A reading may miss a file that another program renames meanwhile.
            let first = Set(vanished)
            readDirectories()
            compare()
            vanished = vanished.filter { first.contains($0) }
        }
        compareTimes()
    }

    private func readState() throws(StoreError) {
        let known = inspection.account.mailboxes[folder].flatMap { $0.uidValidity > 0 ? $0 : nil }
        guard isServed || known != nil || mark != nil else { return }
        guard var log = try LogFile(in: root) else {
            let isThere = root.status(LogFile.name) != nil
            return findings.add(isThere ? .logDamaged : .logMissing, name, path("imapd.log"))
        }
        let index = try IndexFile(in: root)
        if index?.verifyRest() != true, root.status(IndexFile.name) != nil {
            return findings.add(.indexDamaged, name, path("imapd.index"))
        }
        if index == nil, log.header.baseGeneration != 0 { return findings.add(.indexMissing, name, path("imapd.index")) }
        guard var state = MailboxState(log, index, rows: true) else {
            return findings.add(.indexForeign, name, path("imapd.index"))
        }
        log = state.log
        let size = log.file.status().map { Int($0.st_size) } ?? 0
        if let mark, mark.generation > log.header.generation || mark.generation == log.header.generation && mark.length > size {
            return findings.add(.logShort, name, path("imapd.log"))
        }
        guard size >= log.position, let (transactions, rest) = state.log.readOn(size: size) else {
            return findings.add(.logShort, name, path("imapd.log"))
        }
        var news: News?
        for transaction in transactions { state.apply(transaction, news: &news) }
        if rest != .nothing {
            let rest = log.file.read(at: state.log.position, count: size - state.log.position) ?? []
            let hasMore = rest.withUnsafeBytes { bytes in bytes.indices.contains { LogFile.frame(bytes, at: $0) != nil } }
            findings.add(hasMore ? .logDamaged : .logTorn, name, path("imapd.log"))
            if hasMore { return }
        }
        if let known, known.uidValidity == log.header.uidValidity, known.id == log.header.mailboxID,
           known.ceiling > state.summary.ceiling {
            findings.add(.oldCopy, name, path("imapd.log"))
        }
        self.state = state
    }

    private var mark: LogMark? {
        lock?.read(at: 0, count: LogMark.byteCount).flatMap { bytes in bytes.withUnsafeBytes { LogMark(from: $0) } }
    }

    private func readDirectories() {
        listing = Listing()
        for (directory, part) in [(new, "new"), (cur, "cur")] {
            guard let directory else { continue }
            if !listing.read(directory, isNew: part == "new") {
                findings.add(.unreadable, name, path(part), detail: String(cString: strerror(errno)))
            }
        }
    }

    /// Which file belongs to which row. Of two files with one base name neither is lost: the second is a duplicate.
    private func compare() {
        rows = [Int](repeating: -1, count: listing.entries.count)
        vanished = []
        guard let table = state?.table else { return }
        var index = NameIndex()
        if !listing.entries.isEmpty { index.extend(over: table) }
        var seen = [Bool](repeating: false, count: table.count)
        for (position, entry) in listing.entries.enumerated() {
            guard let row = listing.withBase(entry, { index.row($0, in: table) }) else { continue }
            rows[position] = row
            seen[row] = true
        }
        vanished = (0..<table.count).filter { !seen[$0] && !table.isGone($0) }
    }

    private func compareTimes() {
        guard let state, new != nil, cur != nil else { return }
        let arrived = listing.entries.indices.filter { rows[$0] < 0 }
        guard !arrived.isEmpty || !vanished.isEmpty else { return }
        // While a directory's time says that nothing has changed, nobody looks.
        func isSettled(_ known: DirectoryState, _ directory: Handle?) -> Bool {
            known.isSettled && directory?.status().map { nanoseconds($0.st_mtim) } == known.modified
        }
        let isNewSettled = isSettled(state.summary.new, new), isCurSettled = isSettled(state.summary.cur, cur)
        for position in arrived {
            let entry = listing.entries[position]
            let isHidden = entry.isNew ? isNewSettled : isCurSettled
            findings.add(isHidden ? .unnoticed : .arrivals, name, path(entry))
        }
        for row in vanished {
            let isNew = state.table?.place(row).contains(.new) == true
            let isHidden = isNew ? isNewSettled : isCurSettled
            findings.add(isHidden ? .unnoticed : .vanished, name,
                         path(isNew ? "new" : "cur", printable(state.table?.name(row) ?? [])))
        }
    }

    func path(_ entry: Listing.Entry) -> String { path(entry.isNew ? "new" : "cur", printable(listing.location(entry).name)) }
}
