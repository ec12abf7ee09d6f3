import Glibc
import IMAPTypes
import MailStore

extension OpenMaildir {
    /// Removes the files, then logs it: if we die in between, the next scan finds them gone.
    func expunge(_ uids: [UID]) throws(StoreError) -> [UID] { try expunge(uids, isMoved: false) }

    /// What was moved is not kept for an administrator: it is where it went.
    func expunge(_ uids: [UID], isMoved: Bool) throws(StoreError) -> [UID] {
        if isReadOnly { throw .readOnly }
        return try mailbox.locked { () throws(StoreError) in
            try mailbox.verifyRows()
            let rows = rows(uids)
            guard !rows.isEmpty else { return [] }
            let directory = mailbox.directory
            let isAlone = directory.lockFile.beginAlone()
            defer { if isAlone { directory.lockFile.endAlone() } }
            let graveyard = isAlone ? nil : Graveyard.open(directory, create: true)
            // On a full disk it is better to remove than to keep, for others' sake or an administrator's.
            if !isAlone, graveyard == nil, errno != ENOSPC, errno != EDQUOT {
                throw failure("opening imapd.expunged in", directory.folder.directory)
            }
            let keepsExpunged = mailbox.account.expungeDelay.map { $0 > 0 } == true && !isMoved
            let kept = keepsExpunged ? UndeleteDirectory.open(directory, create: true) : nil
            var transaction = mailbox.newTransaction()
            var removed: [UID] = []
            var isNewChanged = false
            var ranges = RowRanges()
            var problem: StoreError?
            transaction.summary.cur = try mailbox.changingCur { () throws(StoreError) in
                var events = 0
                for row in rows {
                    guard let uid = UID(table.uid(row)) else { continue }
                    guard remove(row, uid, to: graveyard, keptIn: kept) else {
                        problem = failure("removing", table.name(row))
                        break
                    }
                    removed.append(uid)
                    if table.place(row).contains(.new) { isNewChanged = true } else { events += 1 }
                    ranges.append(row, uid: uid.rawValue)
                    transaction.summary.count(table.flags(row), uid: uid.rawValue, size: table.size(row), by: -1)
                }
                return events
            }
            if removed.isEmpty, let problem { throw problem }
            _ = kept?.sync()
            _ = directory.cur.sync()
            if isNewChanged { _ = directory.new.sync() }
            transaction.entries.append(.expunge(ranges.ranges))
            try mailbox.commit(transaction)
            // What was removed is removed; the rest is still there, and another try will tell why.
            if let problem { mailbox.logger.error("Not every message could be removed", metadata: ["error": "\(problem)"]) }
            return removed
        }
    }

    /// False and `errno` if the message is still there afterwards.
    private func remove(_ row: Int, _ uid: UID, to graveyard: Handle?, keptIn kept: Handle?) -> Bool {
        /// Whoever has the mailbox open finds it in one place, an administrator in the other.
        func keep(_ name: [UInt8], from directory: Handle) -> Bool {
            guard let kept else { return false }
            let place = Graveyard.fileName(uid.rawValue)
            if let graveyard, !directory.link(name, to: graveyard, place) {
                // A crash has left one.
                guard errno == EEXIST, graveyard.unlink(place), directory.link(name, to: graveyard, place) else { return false }
            }
            let time = now() / 1_000_000_000
            if directory.rename(
                name, to: kept, UndeleteDirectory.fileName(table.row(whole: row), base: table.baseName(row), time: time)) {
                return true
            }
            // To rename a file over another name of its own does nothing.
            let code = errno
            _ = graveyard?.unlink(place)
            errno = code
            return false
        }
        func bury(_ name: [UInt8], from directory: Handle, in graveyard: Handle) -> Bool {
            let place = Graveyard.fileName(uid.rawValue)
            if directory.renameExclusively(name, to: graveyard, place) { return true }
            // A crash in `keep` has left one: of this message, so that to rename over it would do nothing.
            return errno == EEXIST && graveyard.unlink(place) && directory.rename(name, to: graveyard, place)
        }
        func remove(_ name: [UInt8], from directory: Handle) -> Bool {
            if kept != nil {
                if keep(name, from: directory) { return true }
                if errno == ENOENT { return false }
            }
            if let graveyard, bury(name, from: directory, in: graveyard) { return true }
            // A full disk may refuse the rename. Then it is better to remove than to keep.
            if graveyard != nil, errno == ENOENT { return false }
            return directory.unlink(name)
        }
        let directory = mailbox.directory
        if remove(table.name(row), from: directory.directory(table.place(row))) { return true }
        guard errno == ENOENT else { return false }
        // Renamed by another program meanwhile, or gone.
        for _ in 0..<3 {
            let found: (directory: Handle, name: [UInt8])?
            do { found = try mailbox.findFile(row) } catch { return false }
            guard let (place, name) = found else { return true }
            if remove(name, from: place) { return true }
            guard errno == ENOENT else { return false }
        }
        return false
    }
}

extension Mailbox {
    /// Looks through cur/ and new/ for a message whose file is not where it was. `nil` only if it is in neither.
    func findFile(_ row: Int) throws(StoreError) -> (directory: Handle, name: [UInt8])? {
        let base = table.baseName(row)
        // Twice: a reading may miss a file that is renamed meanwhile.
        for place in [directory.cur, directory.new, directory.cur] {
            var found: [UInt8]?
            let isRead = forEachName(in: place) { name, _ in
                if name.count >= base.count, FileName.baseEnd(name) == base.count, name.prefix(base.count).elementsEqual(base) {
                    found = Array(name)
                }
            }
            guard isRead || found != nil else { throw failure("reading", directory.folder.directory) }
            if let found { return (place, found) }
        }
        return nil
    }
}
