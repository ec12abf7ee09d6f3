import Glibc
import IMAPTypes
import MailStore

/// A message that comes into a mailbox by APPEND or COPY.
struct Arriving {
    var flags = FlagSet()
    var base: [UInt8] = []
    /// Its id comes from `base`.
    var row: MessageRow
}

/// Several messages come in together or not at all (RFC 3502; RFC 9051 §6.4.7), also when the process is killed on the way.
///
/// Before the first of several files, or of one whose name cannot hold its keywords, is put into cur/, the log says what will
/// come. If the next thing in the log is not that it has come, whoever has the lock next takes the files away again. It only
/// takes names of files that have another one: in tmp/, or in the mailbox that they were copied from. So whatever is wrong
/// with the log, no message is lost by it.
extension Mailbox {
    /// Under the lock: gives messages UIDs, puts their files into cur/, and logs them: all, or none.
    ///
    /// `describe` fills in flags, base name, date and size of each. `place` puts the file into a directory under a name, without
    /// replacing another; false and `errno` if it fails. It leaves the file's other name if `keepsOther`, where it can.
    func arrive(
        _ count: Int, describe: (Int, inout Arriving) throws(StoreError) -> Void,
        place: (Int, Handle, [UInt8], _ keepsOther: Bool) -> Bool
    ) throws(StoreError) -> [UID] {
        var transaction = newTransaction()
        guard transaction.summary.uidNext + UInt64(count) <= 1 << 32 else {
            throw .corrupt("the mailbox \(directory.mailbox.string) has no UIDs left")
        }
        guard let status = directory.cur.status(), status.st_nlink > 0 else { throw .noSuchMailbox(directory.mailbox) }
        let time = now() / 1_000_000_000
        var arrivals: [(name: [UInt8], uid: UID)] = []
        var isNamedInFull = true
        for index in 0..<count {
            guard let uid = UID(UInt32(truncatingIfNeeded: transaction.summary.uidNext)) else { break }
            var arrival = Arriving(row: MessageRow(uid: uid.rawValue, id: ObjectID(low: 0, high: 0)))
            arrival.row.place = .hasInfo
            arrival.row.modSequence = transaction.summary.modSequence
            try describe(index, &arrival)
            arrival.base.withUnsafeBytes { base in
                arrival.row.id = ObjectID(baseName: base)
                arrival.row.saveDate = FileName.saveDate(FileName.ArrivalKey(base), now: time)
            }
            arrival.row.flags = arrival.flags.system
            arrival.row.nameFlags = arrival.flags.system
            arrival.row.keywords = try keywordSet(arrival.flags.keywords, in: &transaction)
            if !arrival.row.keywords.isEmpty { isNamedInFull = false }
            arrivals.append((arrival.base + FileName.mark + FileName.letters(arrival.flags.system), uid))
            transaction.entries.append(.add(arrival.row, base: arrival.base, info: []))
            transaction.summary.uidNext += 1
            transaction.summary.count(arrival.row.flags, uid: uid.rawValue, size: arrival.row.size, by: 1)
        }
        let isAnnounced = count > 1 || !isNamedInFull
        if isAnnounced { try announce(arrivals.map(\.name)) }
        var placed = 0
        do throws(StoreError) {
            transaction.summary.cur = try changingCur { () throws(StoreError) in
                for (index, arrival) in arrivals.enumerated() {
                    guard place(index, directory.cur, arrival.name, isAnnounced) else { throw failure("storing", arrival.name) }
                    placed += 1
                }
                return placed
            }
            if isAnnounced { try syncCur() }
            try commit(transaction)
        } catch {
            takeBack(arrivals[..<placed].map(\.name))
            throw error
        }
        // One file alone may be logged before its name is on the disk, which spares the file system a commit of its own: if a
        // power cut takes the name, the message is not there, nobody was told that it is, and a scan expunges what was logged.
        // Of several, only some might be there.
        if !isAnnounced { try syncCur() }
        return arrivals.map(\.uid)
    }

    private func syncCur() throws(StoreError) {
        guard directory.cur.sync() else { throw failure("syncing", directory.folder.directory) }
    }

    /// On the disk before the first of these files may be.
    private func announce(_ names: [[UInt8]]) throws(StoreError) {
        var transaction = Transaction(summary: state.summary)
        transaction.entries = [.arriving(names)]
        try write(transaction)
    }

    /// After a failure: removes what was put into cur/. If not all of it can be removed, whoever has the lock next tries again.
    ///
    /// Where the log has an end that could not be cut off, it is not known yet whether the messages are in the mailbox: who reads
    /// on there finds out.
    private func takeBack(_ names: [[UInt8]]) {
        guard let size = state.log.file.status()?.st_size, Int(size) == state.log.position else { return }
        for name in names where !directory.cur.unlink(name) && errno != ENOENT { return }
        state.arriving = []
    }

    /// Under the lock: takes back what somebody was stopped in the middle of. The next transaction closes the matter, so there is
    /// none before all is taken back that can be.
    func undoArrivals() throws(StoreError) {
        guard !state.arriving.isEmpty else { return }
        var removed = 0
        for name in state.arriving {
            guard let status = directory.cur.status(name) else {
                if errno == ENOENT { continue }
                throw failure("looking at", name)
            }
            guard status.isRegular, status.st_nlink > 1 else { continue }
            guard directory.cur.unlink(name) || errno == ENOENT else { throw failure("taking back", name) }
            removed += 1
        }
        state.arriving = []
        if removed > 0 {
            logger.notice("Messages of an APPEND or COPY that was cut short were taken back", metadata: ["number": "\(removed)"])
        }
    }
}

extension Handle {
    /// Puts a file of ours into another directory, without replacing one there; false and `errno` if it fails.
    ///
    /// - Parameter keepsOther: that it has its name here too, for `undoArrivals`, where the file system has links.
    func deliver(_ name: [UInt8], to directory: Handle, _ newName: [UInt8], keepsOther: Bool) -> Bool {
        if keepsOther {
            if link(name, to: directory, newName) { return true }
            guard [EPERM, EOPNOTSUPP, EMLINK].contains(errno) else { return false }
        }
        return renameExclusively(name, to: directory, newName)
    }
}
