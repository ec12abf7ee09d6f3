import CLinux
import Glibc
import IMAPTypes
import Logging
import MailStore

/// A mailbox on the disk: its directory, and its state as far as this object has read it.
///
/// Reading takes no lock. Whoever writes does it inside `locked`, which first reads what others wrote.
final class Mailbox {
    let directory: MailboxDirectory
    let account: Account
    let logger: Logger
    /// Whether it holds the messages, or only the summary and the keywords.
    let hasRows: Bool
    var state: MailboxState
    /// What was taken in from others, for a session that has not been told.
    var news = News()
    /// INTERNALDATE and RFC822.SIZE that were looked up and are not in the log yet, by UID.
    var details: [UInt32: (internalDate: Int64, size: UInt64)] = [:]
    /// The last picture that a session had of it, for who selects it again.
    var pictured: Picture?
    /// When there last was no file to rename; and messages whose files could not be renamed, for this session to leave alone.
    var tidyAt: TidyState?
    var stuck: Set<UInt32> = []
    var hasLookedIntoTmp = false
    var renameGuard: RenameGuard?
    /// What was derived from messages that came in by APPEND and is not in `imapd.cache` yet.
    var cache: CacheFile?
    /// Called when the state was read anew and rows are others than before.
    var onReload: ((MessageTable) -> Void)?

    /// Opens the mailbox, and makes or repairs its files where necessary.
    init(_ directory: MailboxDirectory, _ account: Account, hasRows: Bool) throws(StoreError) {
        self.directory = directory
        self.account = account
        self.hasRows = hasRows
        var logger = account.logger
        logger[metadataKey: "mailbox"] = "\(directory.mailbox.string)"
        self.logger = logger
        state = try Self.load(directory, account, logger, hasRows: hasRows)
        try compareWithAccount()
    }

    var table: MessageTable {
        guard let table = state.table else { preconditionFailure("this mailbox was opened without its messages") }
        return table
    }

    // MARK: Reading

    /// The state that index and log tell; made or repaired, under the lock, if they tell none.
    private static func load(
        _ directory: MailboxDirectory, _ account: Account, _ logger: Logger, hasRows: Bool
    ) throws(StoreError) -> MailboxState {
        // Index and log are replaced one after the other: a reader may meet them in between.
        for _ in 0..<3 {
            if let state = try assemble(directory, logger, hasRows: hasRows, isLocked: false) { return state }
        }
        try directory.lock()
        defer { directory.unlock() }
        if let state = try assembleLocked(directory, account, logger, hasRows: hasRows) { return state }
        return try repair(directory, account, logger)
    }

    /// Under the lock: what is only half done is finished first. `nil` if that does not make the files whole.
    private static func assembleLocked(
        _ directory: MailboxDirectory, _ account: Account, _ logger: Logger, hasRows: Bool
    ) throws(StoreError) -> MailboxState? {
        if let state = try assemble(directory, logger, hasRows: hasRows, isLocked: true) { return state }
        let isRestored = try restoreLog(directory, logger), isFinished = try finishCheckpoint(directory)
        guard isRestored || isFinished,
              var state = try assemble(directory, logger, hasRows: hasRows, isLocked: true) else { return nil }
        if isRestored { try goOnBehind(&state, directory, account) }
        return state
    }

    /// Whatever was given or told after what the files say, is not given or told again.
    private static func goOnBehind(
        _ state: inout MailboxState, _ directory: MailboxDirectory, _ account: Account
    ) throws(StoreError) {
        var transaction = Transaction(summary: state.summary)
        let ceiling = try account.mailbox(directory.folder)?.ceiling ?? 0
        transaction.summary.uidNext = max(state.summary.uidNext, ceiling)
        transaction.summary.ceiling = max(state.summary.ceiling, ceiling)
        transaction.summary.modSequence = max(state.summary.modSequence, UInt64(max(now(), 0) / 1_000_000))
        try state.log.append(transaction, sync: true)
        var news: News?
        state.apply(transaction, news: &news)
        directory.setMark(state.mark)
    }

    /// `nil` if the files are not there, do not belong together, or do not reach as far as they did.
    static func assemble(
        _ directory: MailboxDirectory, _ logger: Logger, hasRows: Bool, isLocked: Bool
    ) throws(StoreError) -> MailboxState? {
        // The mark first: it follows the log.
        let mark = directory.mark
        guard let log = try LogFile(in: directory.root),
              var state = MailboxState(log, try IndexFile(in: directory.root, rows: hasRows), rows: hasRows),
              let size = log.file.status().map({ Int($0.st_size) }), size >= state.log.position else { return nil }
        if let mark, mark.generation > log.header.generation
            || mark.generation == log.header.generation && mark.length > UInt64(size) { return nil }
        let header = state.log.header
        func isOnDisk(_ transaction: Transaction) -> Bool { header.isOnDisk(transaction.summary, mark) }
        guard let (transactions, rest) = state.log.readOn(size: size, while: { isLocked || isOnDisk($0) }) else {
            throw failure("reading imapd.log of", directory.folder.directory)
        }
        var news: News?
        for transaction in transactions { state.apply(transaction, news: &news) }
        if rest == .unwanted { return nil }
        if rest == .torn, !cutTail(of: &state.log, size: size, logger, isLocked: isLocked) { return nil }
        if let last = transactions.last, !isOnDisk(last) {
            try sync(state.log, directory)
            setMark(state, directory, after: mark)
        }
        return state
    }

    /// Under the lock: puts on the disk what somebody was stopped in the middle of, before anybody is told of it.
    private static func sync(_ log: LogFile, _ directory: MailboxDirectory) throws(StoreError) {
        guard clinux_sync_data(log.file.raw) == 0 else { throw failure("syncing imapd.log of", directory.folder.directory) }
    }

    /// Not if the log is a copy, which must be found out first.
    private static func setMark(_ state: MailboxState, _ directory: MailboxDirectory, after old: LogMark?) {
        if old.map({ isCopy(state, $0) }) != true { directory.setMark(state.mark) }
    }

    /// Bytes that do not verify are at the end of the log: those of a write that a crash cut short are cut off. False if
    /// that cannot be known yet, or if there is more behind them.
    private static func cutTail(of log: inout LogFile, size: Int, _ logger: Logger, isLocked: Bool) -> Bool {
        // Without the lock, somebody may be writing them just now.
        guard isLocked, let rest = log.file.read(at: log.position, count: size - log.position) else { return false }
        let hasMore = rest.withUnsafeBytes { bytes in
            var search = FrameSearch(bytes)
            return search.next(from: 0) != nil || search.isExhausted
        }
        guard !hasMore, ftruncate(log.file.raw, off_t(log.position)) == 0 else { return false }
        logger.notice("The log ended in the middle of a record, which was cut off", metadata: ["bytes": "\(size - log.position)"])
        return true
    }

    /// Takes in what others have written since. Without the lock it leaves a tail that does not verify for the next time, and
    /// what is not on the disk yet: a power cut could take it, and give UIDs that a client has heard of to other messages.
    func catchUp(isLocked: Bool) throws(StoreError) {
        let current = state.log.size(in: directory.root)
        // A log that was replaced has an end, which comes first.
        guard let size = current ?? state.log.file.status().map({ Int($0.st_size) }) else {
            throw failure("reading imapd.log of", directory.folder.directory)
        }
        if size > state.log.position {
            let mark = directory.mark, header = state.log.header
            func isOnDisk(_ transaction: Transaction) -> Bool { header.isOnDisk(transaction.summary, mark) }
            var log = state.log
            guard let (transactions, rest) = log.readOn(size: size, while: { isLocked || isOnDisk($0) }) else {
                throw failure("reading imapd.log of", directory.folder.directory)
            }
            let isDue = transactions.last.map { !isOnDisk($0) } ?? false
            if isDue { try Self.sync(log, directory) }
            state.log = log
            for transaction in transactions { take(transaction, isNews: true) }
            if isDue { Self.setMark(state, directory, after: mark) }
            switch rest {
            case .nothing: break
            case .torn:
                // Wait for whoever writes, then look again; if it is nobody, the tail is torn.
                return isLocked ? try reload() : try locked {}
            case .unwanted:
                // Whoever writes it sets the mark next, of which those hear who wait for news. If it is nobody, it is for us.
                if let mark, mark.generation >= header.generation { return try lockedIfFree() }
                return try locked {}
            }
        } else if size < state.log.position {
            return isLocked ? try reload() : try locked {}
        }
        if current == nil { try followLog(isLocked: isLocked) }
    }

    /// The log was replaced. If the new one goes on where the old one ended, we go on too.
    private func followLog(isLocked: Bool) throws(StoreError) {
        if let log = try LogFile(in: directory.root), log.header.baseGeneration == state.log.header.generation,
           log.header.baseLength == UInt64(state.log.position), log.header.baseChain == state.log.chain {
            state.log = log
            try catchUp(isLocked: isLocked)
        } else {
            guard directory.root.status("cur".utf8) != nil else { throw .noSuchMailbox(directory.mailbox) }
            if isLocked { return try reload() }
            state = try Self.load(directory, account, logger, hasRows: hasRows)
            reloaded()
        }
    }

    /// Under the lock: reads everything anew, and repairs it if need be.
    func reload() throws(StoreError) {
        if let state = try Self.assembleLocked(directory, account, logger, hasRows: hasRows) {
            self.state = state
        } else {
            state = try Self.repair(directory, account, logger)
            if !hasRows { state.table = nil }
        }
        reloaded()
    }

    private func reloaded() {
        tidyAt = nil
        if let table = state.table { onReload?(table) }
    }

    // MARK: Writing

    private var lockDepth = 0

    func locked<R>(_ body: () throws(StoreError) -> R) throws(StoreError) -> R {
        if lockDepth == 0 { try directory.lock() }
        return try underLock(body)
    }

    /// Takes in all that there is, unless somebody else has the lock.
    private func lockedIfFree() throws(StoreError) {
        if lockDepth > 0 { return }
        if try directory.lockIfFree() { try underLock { () throws(StoreError) in } }
    }

    private func underLock<R>(_ body: () throws(StoreError) -> R) throws(StoreError) -> R {
        lockDepth += 1
        defer {
            lockDepth -= 1
            if lockDepth == 0 { directory.unlock() }
        }
        if lockDepth == 1 {
            try catchUp(isLocked: true)
            try undoArrivals()
        }
        return try body()
    }

    /// Under the lock: writes a transaction to the log and takes it in. `isNews` tells whether the session must hear of it.
    func commit(_ transaction: Transaction, sync: Bool = true, isNews: Bool = false) throws(StoreError) {
        try write(transaction, sync: sync, isNews: isNews)
        // Mostly this is done while the session is idle; but a session that never is must not make others read a log without end.
        if hasRows, state.log.position > 4 * Self.longestLog { try? checkpoint() }
    }

    /// `commit`, and no checkpoint.
    func write(_ transaction: Transaction, sync: Bool = true, isNews: Bool = false) throws(StoreError) {
        var transaction = transaction
        try raiseCeiling(of: &transaction.summary)
        try state.log.append(transaction, sync: sync)
        take(transaction, isNews: isNews)
        // A power cut may take what was not synced from the log, and leave the mark; and whoever reads takes what the mark covers
        // to be on the disk. So what is not synced gives no UIDs and no mod-sequences.
        if sync { directory.setMark(state.mark) }
    }

    func take(_ transaction: Transaction, isNews: Bool) {
        var heard = isNews ? news : nil
        state.apply(transaction, news: &heard)
        if let heard { news = heard }
    }

    /// So that the UIDs are known to have been given even if every file of the mailbox is lost.
    func raiseCeiling(of summary: inout Summary) throws(StoreError) {
        guard summary.uidNext > summary.ceiling else { return }
        summary.ceiling = try account.reserveUIDs(directory.folder, uidValidity: state.log.header.uidValidity,
                                                  id: state.log.header.mailboxID, uidNext: summary.uidNext)
    }

    /// So many messages, more than most mailboxes get in a year, may have come after a backup.
    private static let lostWithBackup: UInt64 = 100_000

    /// Whether the log is not the file that it was: somebody has copied the mailbox, or put a backup of it back. Then UIDs may
    /// have been given that neither it nor, if that was put back too, the account knows of.
    private var isCopy: Bool { directory.mark.map { Self.isCopy(state, $0) } ?? false }

    private static func isCopy(_ state: MailboxState, _ mark: LogMark) -> Bool {
        mark.generation == state.log.header.generation && mark.inode != 0 && mark.inode != state.mark.inode
    }

    /// Compares with what the account knows of the mailbox: a backup that was put back must not give UIDs a second time.
    private func compareWithAccount() throws(StoreError) {
        let header = state.log.header
        if let known = try account.mailbox(directory.folder), known.uidValidity == header.uidValidity,
           known.id == header.mailboxID {
            guard known.ceiling > state.summary.ceiling || isCopy else { return }
            try locked { () throws(StoreError) in
                guard let known = try account.mailbox(directory.folder) else { return }
                let isOld = known.ceiling > state.summary.ceiling, isCopy = isCopy
                guard isOld || isCopy else { return }
                var transaction = newTransaction()
                var next = max(state.summary.uidNext, known.ceiling)
                if isCopy, next + Self.lostWithBackup < 1 << 32 { next += Self.lostWithBackup }
                transaction.summary.uidNext = next
                transaction.summary.modSequence = max(transaction.summary.modSequence, UInt64(max(now(), 0) / 1_000_000))
                transaction.summary.ceiling = max(state.summary.ceiling, known.ceiling)
                logger.log(
                    level: isOld ? .warning : .notice,
                    isOld ? "The mailbox's files are older than they were; UIDs go on behind those that may have been given"
                        : "The mailbox's files are a copy, or of a backup; UIDs go on behind those that may have been given",
                    metadata: ["uidnext": "\(state.summary.uidNext)", "now": "\(next)"])
                try commit(transaction)
            }
        } else {
            try adopt()
        }
    }

    /// The account does not know the mailbox. If its directory is a copy of another's, files of ours included, it gets an id of
    /// its own: no two mailboxes may have the same (RFC 8474 §4).
    private func adopt() throws(StoreError) {
        func isAdopted() throws(StoreError) -> Bool {
            let header = state.log.header
            return try account.adopt(directory.folder, uidValidity: header.uidValidity, id: header.mailboxID,
                                     ceiling: state.summary.ceiling)
        }
        if try isAdopted() { return }
        guard hasRows else {
            // This is for whoever has the messages.
            _ = try Mailbox(directory, account, hasRows: true)
            state = try Self.load(directory, account, logger, hasRows: false)
            return
        }
        try locked { () throws(StoreError) in
            // Another session may have done it meanwhile.
            if try isAdopted() { return }
            try checkpoint(isLogged: false, id: .random())
            logger.notice("The mailbox is a copy of another's directory and has an id of its own now")
            _ = try isAdopted()
        }
    }

    /// A transaction that changes something that CONDSTORE tells of.
    func newTransaction() -> Transaction {
        var transaction = Transaction(summary: state.summary)
        transaction.summary.modSequence += 1
        return transaction
    }

    /// Indexes for keywords; those that are new get one in `transaction`.
    func keywordSet(_ keywords: Set<Keyword>, in transaction: inout Transaction) throws(StoreError) -> KeywordSet {
        var set = KeywordSet()
        guard !keywords.isEmpty else { return set }
        var known = state.keywords
        for entry in transaction.entries {
            if case .keyword(let keyword) = entry { known.append(keyword) }
        }
        // Sorted: the order must not depend on a hash.
        for keyword in keywords.sorted(by: { $0.name < $1.name }) {
            if let index = known.firstIndex(of: keyword) {
                set[index] = true
            } else {
                guard known.count < KeywordSet.capacity else { throw .tooManyKeywords }
                set[known.count] = true
                known.append(keyword)
                transaction.entries.append(.keyword(keyword))
            }
        }
        return set
    }

    /// Does something of our own in cur/, so that it is not taken for somebody else's: if nobody had changed the directory
    /// before, its modification time afterwards is the one to remember in the returned state. `body` returns how many names it
    /// has made and removed there, or `nil` if it cannot say.
    func changingCur(_ body: () throws(StoreError) -> Int?) throws(StoreError) -> DirectoryState {
        var known = state.summary.cur
        let before = directory.cur.status().map { nanoseconds($0.st_mtim) }
        if renameGuard == nil, state.summary.messages >= Self.worthGuarding {
            renameGuard = RenameGuard(directory, maildir: account.path, known: known)
        }
        renameGuard?.expect(0)
        var events: Int?
        defer { renameGuard?.expect(events ?? -1) }
        events = try body()
        if before == known.modified, let after = directory.cur.status() { known.modified = nanoseconds(after.st_mtim) }
        return known
    }
}
