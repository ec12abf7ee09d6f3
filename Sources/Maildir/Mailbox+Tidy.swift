import Glibc
import IMAPTypes
import MailStore

/// Write-behind: file names follow the flags, and messages leave new/.
extension Mailbox {
    /// So many renames at a time, then others may have the lock.
    private static let batch = 500

    /// Whether a file's name lags behind, or a message that some session has had is still in new/.
    private func isDue(_ row: Int) -> Bool {
        let place = table.place(row)
        return !place.isGone && !stuck.contains(table.uid(row)) && (table.flags(row) != table.nameFlags(row)
                                 || place.contains(.new) && table.uid(row) <= state.summary.claimed)
    }

    var isTidyingDue: Bool { isCheckpointDue || !details.isEmpty || renameGuard != nil || firstDue != nil }

    /// The first row whose file is to be renamed.
    private var firstDue: Int? {
        // Looked for only if something has happened since there was nothing.
        let state = TidyState(modSequence: state.summary.modSequence, claimed: state.summary.claimed)
        if state == tidyAt { return nil }
        let first = nextDue(from: 0)
        if first == nil {
            tidyAt = state
            table.touchedRows = nil
        }
        return first
    }

    /// The next row whose file is to be renamed. Only rows that may have become due since there was none are looked at.
    private func nextDue(from start: Int) -> Int? {
        var ranges = [0..<table.count]
        if let tidyAt {
            let flagged = table.touchedRows ?? 0..<0, claimed = table.firstRow(from: tidyAt.claimed &+ 1)..<table.count
            ranges = flagged.overlaps(claimed) || flagged.isEmpty
                ? [min(flagged.isEmpty ? claimed.lowerBound : flagged.lowerBound, claimed.lowerBound)..<table.count]
                : [flagged, claimed]
        }
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            var row = max(start, range.lowerBound)
            while row < range.upperBound, let found = table.firstLagging(in: row..<range.upperBound) {
                if isDue(found) { return found }
                row = found + 1
            }
        }
        return nil
    }

    struct TidyState: Equatable {
        var modSequence: UInt64
        var claimed: UInt32
    }

    /// Does a part of it. Returns whether there is more.
    func tidy() throws(StoreError) -> Bool {
        try saveDetails()
        guard let first = firstDue else {
            if isCheckpointDue { try locked { () throws(StoreError) in if isCheckpointDue { try checkpoint() } } }
            removeAbandoned()
            try settle()
            return false
        }
        let known = table
        return try locked { () throws(StoreError) in
            try finishNaming()
            try verifyRows()
            // The mailbox was read anew, and rows are others.
            guard table === known else { return true }
            var rows: [Int] = [], ranges = RowRanges()
            var next: Int? = first
            while let row = next, rows.count < Self.batch {
                next = nextDue(from: row + 1)
                // Others may have changed it before we had the lock.
                guard isDue(row) else { continue }
                rows.append(row)
                ranges.append(row, uid: table.uid(row))
            }
            guard !rows.isEmpty else { return false }
            try announceNames(ranges.ranges)
            var transaction = Transaction(summary: state.summary)
            var isStale = false
            var names = NewNames()
            transaction.summary.cur = try changingCur { () throws(StoreError) in
                var events = 0
                for row in rows {
                    let cameFromNew = table.place(row).contains(.new)
                    guard let info = rename(row) else {
                        isStale = isStale || errno == ENOENT
                        continue
                    }
                    events += cameFromNew ? 1 : 2
                    names.add(row, of: table, info)
                }
                return events
            }
            // Somebody else was faster: the next look finds out what the file is called now.
            if isStale {
                state.summary.cur = DirectoryState()
                transaction.summary.cur = DirectoryState()
            }
            transaction.entries = names.entries
            // What cannot be renamed now is left for another day.
            if names.isEmpty {
                try commit(transaction, sync: false)
                return false
            }
            // The names first: if the log told of one that a power cut then takes back, the old name would be taken for another
            // program's wish.
            guard directory.cur.sync() else {
                state.summary.cur = DirectoryState()
                throw failure("syncing", directory.folder.directory)
            }
            try commit(transaction, sync: false)
            return true
        }
    }

    /// Reading a directory with fewer files costs less than watching it.
    static let worthGuarding = 1000

    /// If nobody but us has changed cur/ since it was last read, says so, and nobody needs to read it again.
    ///
    /// The watch goes on if `isBusy`: then not to wait, either.
    func settle(isBusy: Bool = false) throws(StoreError) {
        guard let renameGuard else { return }
        if isBusy {
            guard renameGuard.isOver(state.summary.cur.modified) else { return }
        } else {
            renameGuard.waitOut(state.summary.cur.modified)
        }
        defer { if !isBusy || !renameGuard.isUndisturbed { self.renameGuard = nil } }
        try locked { () throws(StoreError) in
            renameGuard.expect(0)
            guard renameGuard.isUndisturbed, !state.summary.cur.isSettled, let status = directory.cur.status(),
                  nanoseconds(status.st_mtim) == state.summary.cur.modified else { return }
            var transaction = Transaction(summary: state.summary)
            transaction.summary.cur.verified = state.summary.cur.modified &+ DirectoryState.margin &+ 1
            try commit(transaction, sync: false)
        }
    }

    /// Gives a message's file the name of its flags in cur/. Returns the new info part; `nil` if it could not be renamed:
    /// the flags are in the log, so nothing is lost. `errno` tells why.
    private func rename(_ row: Int) -> [UInt8]? {
        let base = table.baseName(row), old = table.info(row)
        let info = FileName.info(old, with: table.flags(row))
        guard base.count + info.count <= FileName.longest else {
            errno = ENAMETOOLONG
            return nil
        }
        if directory.directory(table.place(row)).renameExclusively(base + old, to: directory.cur, base + info) { return info }
        let code = errno
        if code != ENOENT {
            stuck.insert(table.uid(row))
            logger.notice("A message's file could not be renamed for its flags", metadata: [
                "file": "\(printable(base))", "error": "\(String(cString: strerror(code)))",
            ])
        }
        errno = code
        return nil
    }

    /// Seconds: 36 hours, as for everybody who works on a Maildir.
    static let abandonedAfter: Int64 = 36 * 3600

    /// Removes files that were begun in tmp/ and not touched for long.
    func removeAbandoned() {
        if hasLookedIntoTmp { return }
        hasLookedIntoTmp = true
        guard let tmp = try? directory.tmp() else { return }
        let limit = now() / 1_000_000_000 - Self.abandonedAfter
        var names: [[UInt8]] = []
        _ = forEachName(in: tmp) { name, _ in
            if let status = tmp.status(name), status.isRegular, Int64(status.st_ctim.tv_sec) < limit { names.append(Array(name)) }
        }
        for name in names { _ = tmp.unlink(name) }
    }

    // MARK: Details

    /// Remembers what was looked up of a message, and writes it down once there is enough of it.
    func noteDetails(_ uid: UInt32, internalDate: Int64, size: UInt64) {
        details[uid] = (internalDate, size)
        // What cannot be written down now is looked up again.
        if details.count >= 1000 { try? saveDetails() }
    }

    func saveDetails() throws(StoreError) {
        guard !details.isEmpty else { return }
        let found = details
        details = [:]
        try locked { () throws(StoreError) in
            try verifyRows()
            var transaction = Transaction(summary: state.summary)
            for (uid, (date, size)) in found.sorted(by: { $0.key < $1.key }) {
                guard let row = table.row(uid), !table.isGone(row), table.size(row) == nil else { continue }
                transaction.entries.append(.details(uid, internalDate: date, size: size))
                transaction.summary.unsized -= min(transaction.summary.unsized, 1)
                transaction.summary.size &+= size
            }
            if !transaction.entries.isEmpty { try commit(transaction, sync: false) }
        }
    }
}
