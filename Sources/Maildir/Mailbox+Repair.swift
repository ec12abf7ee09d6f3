import Glibc
import IMAPTypes
import Logging
import MailStore

/// When index and log are not both there and whole.
extension Mailbox {
    /// Under the lock: gathers what index, log, mark and account still know, looks at the directory, and writes both anew.
    ///
    /// A mailbox that nobody served so far gets its files in this way too. A UID that may have been given is not given again:
    /// where the files do not tell how far UIDs went, they go on behind those that were set aside.
    static func repair(_ directory: MailboxDirectory, _ account: Account, _ logger: Logger) throws(StoreError) -> MailboxState {
        let index = try wholeIndex(directory, IndexFile.name), log = try LogFile(in: directory.root), mark = directory.mark
        // A special use alone is no mailbox that was known.
        let known = try account.mailbox(directory.folder).flatMap { $0.uidValidity > 0 ? $0 : nil }
        // It and nothing else: the first time was cut short.
        let unfinished = try LogFile(in: directory.root, name: LogFile.repairName)
            .flatMap { $0.header.generation == 1 ? $0 : nil }
        let isFirst = index == nil && log == nil && mark == nil && (unfinished != nil || known == nil)
        if !isFirst {
            logger.warning("Index or log is missing or damaged; they are made anew", metadata: [
                "index": index == nil ? "missing or damaged" : "whole", "log": log == nil ? "missing or damaged" : "readable",
            ])
        }
        let takeOver = isFirst ? try TakeOver(directory, logger) : nil
        var listed = takeOver?.list?.mailboxID
        if let id = listed, try account.isTaken(id) { listed = nil }
        let begun = isFirst ? unfinished?.header : log?.header
        let id = begun?.mailboxID ?? index?.header.mailboxID ?? known?.id ?? listed ?? .random()
        let uidValidity: UInt32
        if let validity = begun?.uidValidity ?? index?.header.uidValidity ?? mark?.uidValidity ?? known?.uidValidity
            ?? takeOver?.list?.uidValidity {
            uidValidity = validity
        } else {
            uidValidity = try account.begin(directory.folder, id: id)
        }

        // The newest index that is whole, and the logs from there on, oldest first: what comes later has the last word.
        var salvage = Salvage()
        let newestIndex = [index, try wholeIndex(directory, IndexFile.oldName)].compactMap(\.self)
            .filter { $0.header.uidValidity == uidValidity }.max { $0.header.generation < $1.header.generation }
        if let newestIndex { salvage.take(newestIndex) }
        var logs = [log, try LogFile(in: directory.root, name: LogFile.oldName)].compactMap(\.self)
        if let spare = try LogFile(in: directory.root, name: LogFile.spareName), spare.inode != log?.inode { logs.append(spare) }
        for log in logs.sorted(by: { $0.header.generation < $1.header.generation })
        where log.header.uidValidity == uidValidity && log.header.generation >= newestIndex?.header.generation ?? 0 {
            salvage.take(log)
        }
        let newest = max(log?.header.generation ?? 0, index?.header.generation ?? 0)
        var isComplete = isFirst
        if let mark, mark.uidValidity == uidValidity {
            salvage.summary.uidNext = max(salvage.summary.uidNext, mark.uidNext)
            salvage.summary.modSequence = max(salvage.summary.modSequence, mark.modSequence)
            isComplete = log != nil && mark.generation >= newest
        }
        if !isComplete {
            if let known, known.uidValidity == uidValidity {
                salvage.summary.uidNext = max(salvage.summary.uidNext, known.ceiling)
            }
            // No change that was told before may look newer than one to come.
            salvage.summary.modSequence = max(salvage.summary.modSequence, UInt64(max(now(), 0) / 1_000_000))
        }
        if !isFirst { salvage.summary.modSequence += 1 }

        let table = try takeOver?.table(directory) ?? salvage.table()
        if let takeOver {
            salvage.summary = takeOver.summary
            salvage.keywords = takeOver.keywords.keywords
        }
        salvage.summary.uidNext = max(salvage.summary.uidNext, table.count > 0 ? UInt64(table.uid(table.count - 1)) + 1 : 1)
        if !isFirst { table.forgetExpunges(upTo: salvage.summary.modSequence) }

        let generation = max(newest, mark?.generation ?? 0)
        var header = LogHeader(generation: max(generation, 1), uidValidity: uidValidity, mailboxID: id, summary: salvage.summary)
        header.baseGeneration = .max
        // The account is about to hear of the mailbox, and then nothing else would tell that this is the first time. Of a mailbox
        // that was known, it would tell that nothing had been given.
        if isFirst { try directory.root.replaceFile(LogFile.repairName, with: header.bytes()) }
        var state = MailboxState(LogFile(unwritten: header), summary: salvage.summary, keywords: salvage.keywords, table: table)
        try scanIntoTable(&state, directory, logger)
        if let takeOver { takeOver.finish(&state) } else if isFirst { claimSeen(&state) }
        recount(&state)
        state.summary.ceiling = try account.reserveUIDs(directory.folder, uidValidity: uidValidity, id: id,
                                                        uidNext: state.summary.uidNext)
        try checkpoint(&state, in: directory, isLogged: false, after: header.generation, id: id)
        directory.setMark(state.mark)
        _ = directory.root.unlink(LogFile.repairName)
        // What was just written takes no memory of our own.
        guard table.count > worthMapping else { return state }
        return try assemble(directory, logger, hasRows: true, isLocked: true) ?? state
    }

    private static let worthMapping = 10_000

    /// In a mailbox that another server or program served so far, what is in cur/ was seen by one: as far as it comes first,
    /// it is not recent here.
    private static func claimSeen(_ state: inout MailboxState) {
        guard let table = state.table else { return }
        for row in 0..<table.count {
            if table.place(row).contains(.new) { break }
            state.summary.claimed = table.uid(row)
        }
    }

    private static func wholeIndex(_ directory: MailboxDirectory, _ name: [UInt8]) throws(StoreError) -> IndexFile? {
        guard let index = try IndexFile(in: directory.root, name: name), index.verifyRest() else { return nil }
        return index
    }

    /// To be called before names, dates or sizes are used, and before rows are looked up for that: if the index turns out to be
    /// damaged there, it is made anew, and rows may be others.
    func verifyRows() throws(StoreError) {
        guard let base = state.table?.base, !base.verifyRest() else { return }
        try locked { () throws(StoreError) in
            guard let base = state.table?.base, !base.verifyRest() else { return }
            // Another session may have made a new one since.
            if try Self.wholeIndex(directory, IndexFile.name) != nil { return try reload() }
            // Set aside, so that nobody takes it for whole; the repair finds none.
            _ = directory.root.rename(IndexFile.name, to: directory.root, Array("imapd.index.damaged".utf8))
            try reload()
        }
    }

    /// Counts the messages anew.
    static func recount(_ state: inout MailboxState) {
        guard let table = state.table else { return }
        var summary = state.summary
        summary.messages = 0
        summary.unseen = 0
        summary.deleted = 0
        summary.recent = 0
        summary.unsized = 0
        summary.size = 0
        for row in 0..<table.count where !table.isGone(row) {
            summary.count(table.flags(row), uid: table.uid(row), size: table.size(row), by: 1)
        }
        state.summary = summary
    }
}

/// Messages put together from what is left.
private struct Salvage {
    var summary = Summary()
    var keywords: [Keyword] = []
    private var rows: [UInt32: (row: MessageRow, base: [UInt8], info: [UInt8])] = [:]
    private var bases: [[UInt8]: UInt32] = [:]

    private mutating func raise(_ other: Summary) {
        summary.modSequence = max(summary.modSequence, other.modSequence)
        summary.uidNext = max(summary.uidNext, other.uidNext)
        summary.claimed = max(summary.claimed, other.claimed)
    }

    mutating func take(_ index: IndexFile) {
        raise(index.header.summary)
        keywords = MailboxState.keywords(from: index)
        let table = MessageTable(index)
        for row in 0..<table.count { put(table.row(whole: row), table.baseName(row), table.info(row)) }
    }

    mutating func take(_ log: LogFile) {
        raise(log.header.summary)
        for transaction in log.salvage() {
            raise(transaction.summary)
            for entry in transaction.entries { take(entry, modSequence: transaction.summary.modSequence) }
        }
    }

    private mutating func put(_ row: MessageRow, _ base: [UInt8], _ info: [UInt8]) {
        guard !base.isEmpty else { return }
        // A file has one UID: the larger.
        if let other = bases[base], other != row.uid {
            if other > row.uid { return }
            rows[other] = nil
        }
        bases[base] = row.uid
        rows[row.uid] = (row, base, info)
    }

    private mutating func take(_ entry: Transaction.Entry, modSequence: UInt64) {
        switch entry {
        case .add(let row, let base, let info):
            if rows[row.uid] == nil { put(row, base, info) }
        case .flags(let flags, let keywords, let ranges):
            forEach(ranges) { entry in
                entry.row.flags = flags
                entry.row.keywords = keywords
                entry.row.modSequence = modSequence
            }
        case .keyword(let keyword):
            if !keywords.contains(keyword), keywords.count < KeywordSet.capacity { keywords.append(keyword) }
        case .expunge(let ranges):
            // Only what was there: if its file still is, it gets a new UID.
            for uid in uids(in: ranges) {
                if let base = rows.removeValue(forKey: uid)?.base { bases[base] = nil }
            }
        case .named(let place, let flags, let ranges):
            forEach(ranges) { entry in
                entry.row.place = place.subtracting(.odd)
                entry.row.nameFlags = flags
                entry.info = []
            }
        case .namedOddly(let uid, let place, let info):
            forEach(uid > 0 ? [uid...uid] : []) { entry in
                entry.row.place = place.union([.odd, .hasInfo])
                entry.row.nameFlags = info.withUnsafeBytes { FileName.info($0) }.flags
                entry.info = info
            }
        case .arriving:
            // What came in is kept: that it was cut short cannot be known of a log that may have lost its end.
            break
        case .naming:
            // All names are looked at.
            break
        case .details(let uid, let date, let size):
            forEach(uid > 0 ? [uid...uid] : []) { entry in
                entry.row.internalDate = date == unknownDate ? nil : date
                entry.row.size = size == unknownSize ? nil : size
            }
        }
    }

    private func uids(in ranges: [ClosedRange<UInt32>]) -> [UInt32] {
        ranges.flatMap { range in
            range.count <= rows.count ? range.filter { rows[$0] != nil } : rows.keys.filter(range.contains)
        }
    }

    private mutating func forEach(
        _ ranges: [ClosedRange<UInt32>], _ body: (inout (row: MessageRow, base: [UInt8], info: [UInt8])) -> Void
    ) {
        for uid in uids(in: ranges) { body(&rows[uid]!) }
    }

    func table() -> MessageTable {
        let table = MessageTable(nil)
        for uid in rows.keys.sorted() {
            guard let (row, base, info) = rows[uid] else { continue }
            table.append(row, base: base, info: info)
        }
        return table
    }
}
