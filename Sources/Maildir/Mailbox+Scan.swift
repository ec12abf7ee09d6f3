import Glibc
import IMAPTypes
import Logging
import MailStore
import SystemPackage

/// Finding what others did in new/ and cur/.
///
/// Modification times say whether there is anything to look for. They are read before the directory, and a directory that
/// was changed within a second of a look at it is looked at again: the change may be the first of two within one tick.
extension Mailbox {
    /// So many new messages at once go straight into a new index.
    private static let bulk = 2000

    private struct Due {
        var new: Bool
        var cur: Bool
        var newState: DirectoryState
        var curState: DirectoryState
    }

    /// `nil` if a directory is gone.
    private static func due(_ summary: Summary, _ directory: MailboxDirectory) -> Due? {
        let time = now()
        guard let new = directory.new.status(), let cur = directory.cur.status(), new.st_nlink > 0, cur.st_nlink > 0
        else { return nil }
        let newState = DirectoryState(modified: nanoseconds(new.st_mtim), verified: time)
        let curState = DirectoryState(modified: nanoseconds(cur.st_mtim), verified: time)
        return Due(
            // new/ is mostly empty and cheap to read: while in doubt, every time. cur/ only once the doubt can be settled.
            new: newState.modified != summary.new.modified || !summary.new.isSettled,
            cur: curState.modified != summary.cur.modified || !summary.cur.isSettled && curState.isSettled,
            newState: newState, curState: curState)
    }

    /// Takes deliveries and other programs' changes into the log.
    ///
    /// - Parameter isOpening: that whoever writes to the mailbox just now is not waited for if only cur/ has changed: mostly it
    ///   is he who changes it, giving files the names of their flags. The next `refresh()` looks again.
    func scanIfDue(isOpening: Bool = false) throws(StoreError) {
        if renameGuard != nil, !state.summary.cur.isSettled { try settle(isBusy: true) }
        guard let due = Self.due(state.summary, directory) else { throw .noSuchMailbox(directory.mailbox) }
        guard due.new || due.cur else { return }
        if !due.cur || isOpening {
            // While new/ is in doubt, and empty, there is nothing to take in.
            let isInDoubt = due.newState.modified == state.summary.new.modified && !due.newState.isSettled
            if !due.new || isInDoubt && isNewEmpty, !due.cur || directory.lockFile.isLocked(.writer) { return }
        }
        do throws(StoreError) {
            try locked { () throws(StoreError) in try scan() }
        } catch .io(let error, let doing) where [.noSpace, .diskQuotaExceeded, .readOnlyFileSystem].contains(error) {
            // Who has filled the disk must be able to look at what there is, and to remove some of it.
            logger.error("New messages cannot be taken in", metadata: ["error": "\(error)", "doing": "\(doing)"])
        }
    }

    private var isNewEmpty: Bool {
        var isEmpty = true
        return forEachName(in: directory.new) { _, _ in isEmpty = false } && isEmpty
    }

    /// Whether there may be something to find.
    var isScanDue: Bool {
        guard let due = Self.due(state.summary, directory) else { return true }
        return due.new || due.cur
    }

    /// Under the lock.
    private func scan() throws(StoreError) {
        try finishNaming()
        try verifyRows()
        guard let due = Self.due(state.summary, directory), due.new || due.cur else { return }
        var finding = try Self.find(in: directory, table, readsCur: due.cur)
        var summary = state.summary
        summary.new = due.newState
        if finding.didReadCur, !finding.hasTwins { summary.cur = due.curState }
        if !finding.strays.isEmpty, rescue(finding.strays) { summary.new = DirectoryState() }
        if finding.isEmpty {
            // Others need not look too.
            if summary.new.modified != state.summary.new.modified || summary.cur.modified != state.summary.cur.modified
                || summary.new.isSettled != state.summary.new.isSettled || summary.cur.isSettled != state.summary.cur.isSettled {
                try commit(Transaction(summary: summary), sync: false)
            }
            return
        }
        var transaction = newTransaction()
        transaction.summary.new = summary.new
        transaction.summary.cur = summary.cur
        if transaction.summary.uidNext + UInt64(finding.arrivals.count) > 1 << 32 {
            logger.error("The mailbox has no UIDs left; new messages are not shown")
            finding.arrivals = []
        }
        Self.log(finding, table, &transaction)
        if finding.arrivals.count > Self.bulk {
            take(transaction, isNews: true)
            var summary = state.summary
            Self.receive(finding, &summary, table)
            state.summary = summary
            do throws(StoreError) {
                try checkpoint(isLogged: false)
            } catch {
                // Nobody else knows of these messages: neither may we.
                try reload()
                throw error
            }
        } else {
            var arrived: [Transaction.Entry] = []
            Self.receive(finding, &transaction.summary) { row, base, info in
                arrived.append(.add(row, base: Array(base), info: info))
            }
            transaction.entries += arrived
            // What a scan found is news to the session, although it is we who log it.
            try commit(transaction, isNews: true)
        }
    }

    /// Gives files that cannot be shown under their names a new one in new/, where the next scan finds them. Two names for
    /// one file (a link that another program is about to remove, or a move between our two readings) are left alone.
    private func rescue(_ strays: [Stray]) -> Bool {
        var names = UniqueNames()
        var didRename = false
        for stray in strays {
            let from = stray.file.isNew ? directory.new : directory.cur, name = stray.file.name
            guard let status = from.status(name), status.isRegular else { continue }
            if let twin = stray.twin {
                // Only if both are there now, and are two.
                guard let other = (twin.isNew ? directory.new : directory.cur).status(twin.name), other.st_ino != status.st_ino
                else { continue }
            }
            let base = name.withUnsafeBytes { FileName.sizes(of: UnsafeRawBufferPointer(rebasing: $0[..<FileName.baseEnd($0)])) }
            let newName = names.next() + base
            guard from.renameExclusively(name, to: directory.new, newName) else { continue }
            didRename = true
            logger.notice("A message whose file name could not stand was given another", metadata: [
                "file": "\(printable(name))", "now": "\(printable(newName))",
            ])
        }
        return didRename
    }

    /// For a mailbox that is made anew: puts what is in the directories into the table, without a log.
    static func scanIntoTable(_ state: inout MailboxState, _ directory: MailboxDirectory, _ logger: Logger) throws(StoreError) {
        guard let table = state.table, let due = due(state.summary, directory) else { return }
        var finding = try find(in: directory, table, readsCur: true)
        var transaction = Transaction(summary: state.summary)
        transaction.summary.new = due.newState
        // Twins and files with impossible names are left to the first ordinary scan.
        if !finding.hasTwins, finding.strays.isEmpty { transaction.summary.cur = due.curState }
        if transaction.summary.uidNext + UInt64(finding.arrivals.count) > 1 << 32 { finding.arrivals = [] }
        log(finding, table, &transaction)
        var news: News?
        state.apply(transaction, news: &news)
        receive(finding, &state.summary, table)
    }

    // MARK: Comparing

    /// A new message: which name of the listing, and what that tells.
    struct Arrival {
        var key: FileName.ArrivalKey
        var entry: Listing.Entry
        var info: FileName.Info
    }

    struct FileLocation {
        var name: [UInt8]
        var isNew: Bool
    }

    struct Stray {
        var file: FileLocation
        /// The file that has the base name already.
        var twin: FileLocation?
    }

    /// What differs between directories and table.
    struct Finding {
        var listing = Listing()
        var arrivals: [Arrival] = []
        var vanished: [Int] = []
        /// Files of other names than the table has.
        var renamed: [Int: (info: [UInt8], place: Place)] = [:]
        var didReadCur = false
        /// Files that need another name: those that have an impossible one, and the second of two with one base name.
        var strays: [Stray] = []
        /// Two new messages have one base name: the next look tells them apart.
        var hasTwins = false

        var isEmpty: Bool { arrivals.isEmpty && vanished.isEmpty && renamed.isEmpty }

        /// One base name, one message: what is in cur/ counts. Arrivals are in order.
        fileprivate mutating func dropTwins(_ listing: Listing) {
            var kept = 0
            for at in arrivals.indices {
                let arrival = arrivals[at]
                if kept > 0, arrivals[kept - 1].key == arrival.key,
                   listing.isSameBase(arrivals[kept - 1].entry, arrival.entry) {
                    if arrivals[kept - 1].entry.isNew { arrivals[kept - 1] = arrival }
                    hasTwins = true
                } else {
                    if kept < at { arrivals[kept] = arrival }
                    kept += 1
                }
            }
            arrivals.removeLast(arrivals.count - kept)
        }
    }

    private static func find(
        in directory: MailboxDirectory, _ table: MessageTable, readsCur: Bool
    ) throws(StoreError) -> Finding {
        // Not kept: it has some 30 bytes for each message.
        var index = NameIndex()
        var finding = try look(directory, table, &index, readsCur: readsCur)
        if !readsCur, !finding.vanished.isEmpty {
            // It left new/: most likely for cur/.
            finding = try look(directory, table, &index, readsCur: true)
        }
        if !finding.vanished.isEmpty {
            // A reading may miss a file that is renamed meanwhile: nothing is gone before it was missed twice.
            let first = Set(finding.vanished)
            finding = try look(directory, table, &index, readsCur: true)
            finding.vanished = finding.vanished.filter { row in
                first.contains(row) && directory.directory(table.place(row)).isMissing(table.name(row))
            }
        }
        return finding
    }

    private static func look(
        _ directory: MailboxDirectory, _ table: MessageTable, _ index: inout NameIndex, readsCur: Bool
    ) throws(StoreError) -> Finding {
        var listing = Listing()
        guard listing.read(directory.new, isNew: true), !readsCur || listing.read(directory.cur, isNew: false) else {
            throw failure("reading", directory.folder.directory)
        }
        var finding = Finding()
        finding.didReadCur = readsCur
        finding.strays = listing.misnamed.map { Stray(file: $0) }
        // For a few deliveries, going through all names once costs less than to index them.
        let few = listing.entries.count <= 16 && !index.isMade ? listing.rows(in: table) : nil
        if few == nil { index.extend(over: table) }
        if table.count == 0 { finding.arrivals.reserveCapacity(listing.entries.count) }
        // By row, which entry it was.
        var seen = [Int32](repeating: -1, count: table.count)
        for (position, entry) in listing.entries.enumerated() {
            let row = if let few { few[position] } else { listing.withBase(entry) { index.row($0, in: table) } }
            let inNew: Place = entry.isNew ? .new : []
            guard let row else {
                finding.arrivals.append(Arrival(key: listing.withBase(entry) { FileName.ArrivalKey($0) }, entry: entry,
                                                info: listing.withInfo(entry) { FileName.info($0) }))
                continue
            }
            let place = table.place(row)
            let isSame = place.contains(.new) == entry.isNew && listing.withInfo(entry) { info in
                if info.isEmpty { return !place.contains(.hasInfo) }
                let parsed = FileName.info(info)
                if parsed.isPlain, !place.contains(.odd) {
                    return place.contains(.hasInfo) && parsed.flags == table.nameFlags(row)
                }
                return place.contains(.hasInfo) && info.elementsEqual(table.info(row))
            }
            // The known name counts before another. But in cur/ after new/: it moved between the two readings.
            if seen[row] >= 0 {
                let isLess = !isSame && (!place.contains(.new) || entry.isNew)
                let here = listing.location(entry), there = listing.location(listing.entries[Int(seen[row])])
                finding.strays.append(isLess ? Stray(file: here, twin: there) : Stray(file: there, twin: here))
                if isLess { continue }
            }
            seen[row] = Int32(truncatingIfNeeded: position)
            finding.renamed[row] = isSame ? nil : (listing.withInfo(entry) { Array($0) }, inNew)
        }
        for row in 0..<table.count where seen[row] < 0 {
            let place = table.place(row)
            if !place.isGone, readsCur || place.contains(.new) { finding.vanished.append(row) }
        }
        finding.arrivals.putInOrder(of: listing)
        finding.dropTwins(listing)
        finding.listing = listing
        return finding
    }

    /// Writes what others did to known messages into a transaction.
    private static func log(_ finding: Finding, _ table: MessageTable, _ transaction: inout Transaction) {
        // What another program changed in a name is changed in our flags too; what we changed and did not rename yet, stays.
        for (row, (info, place)) in finding.renamed.sorted(by: { $0.key < $1.key }) {
            let parsed = info.withUnsafeBytes { FileName.info($0) }
            let uid = table.uid(row)
            let before = table.nameFlags(row), flags = table.flags(row)
            let merged = flags.union(parsed.flags.subtracting(before)).subtracting(before.subtracting(parsed.flags))
            if merged != flags {
                transaction.entries.append(.flags(merged, table.keywords(row), [uid...uid]))
                transaction.summary.recount(flags, merged)
            }
            if parsed.isPlain {
                transaction.entries.append(.named(parsed.isPresent ? place.union(.hasInfo) : place, parsed.flags, [uid...uid]))
            } else {
                transaction.entries.append(.namedOddly(uid, place.union([.hasInfo, .odd]), info))
            }
        }
        var gone = RowRanges()
        for row in finding.vanished {
            gone.append(row, uid: table.uid(row))
            transaction.summary.count(table.flags(row), uid: table.uid(row), size: table.size(row), by: -1)
        }
        if !gone.ranges.isEmpty { transaction.entries.append(.expunge(gone.ranges)) }
    }

    /// Puts new messages into the table.
    private static func receive(_ finding: Finding, _ summary: inout Summary, _ table: MessageTable) {
        table.reserve(finding.arrivals.count, nameBytes: finding.listing.nameBytes)
        receive(finding, &summary) { row, base, info in table.append(row, base: base, info: info) }
    }

    /// Gives new messages their UIDs.
    private static func receive(
        _ finding: Finding, _ summary: inout Summary, _ body: (MessageRow, UnsafeRawBufferPointer, _ info: [UInt8]) -> Void
    ) {
        let time = now() / 1_000_000_000
        for arrival in finding.arrivals {
            let parsed = arrival.info
            finding.listing.withBase(arrival.entry) { base in
                var row = MessageRow(uid: UInt32(truncatingIfNeeded: summary.uidNext), id: ObjectID(baseName: base))
                row.flags = parsed.flags
                row.nameFlags = parsed.flags
                row.place = arrival.entry.isNew ? .new : []
                if parsed.isPresent { row.place.insert(.hasInfo) }
                if !parsed.isPlain { row.place.insert(.odd) }
                row.modSequence = summary.modSequence
                row.saveDate = FileName.saveDate(arrival.key, now: time)
                body(row, base, parsed.isPlain ? [] : finding.listing.withInfo(arrival.entry) { Array($0) })
                summary.uidNext += 1
                summary.count(row.flags, uid: row.uid, size: nil, by: 1)
            }
        }
    }
}
