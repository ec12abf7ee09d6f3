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

extension Mailbox {
    /// Under the lock: gives messages UIDs, puts their files into cur/, and logs them: all, or none.
    ///
    /// `describe` fills in flags, base name, date and size of each. `place` puts the file into a directory under a name, without
    /// replacing another; false and `errno` if it fails.
    func arrive(
        _ count: Int, names: NameMaker, describe: (Int, inout Arriving) throws(StoreError) -> Void,
        place: (Int, Handle, [UInt8]) -> Bool
    ) throws(StoreError) -> [UID] {
        var transaction = newTransaction()
        guard transaction.summary.uidNext + UInt64(count) <= 1 << 32 else {
            throw .corrupt("the mailbox \(directory.mailbox.string) has no UIDs left")
        }
        guard let status = directory.cur.status(), status.st_nlink > 0 else { throw .noSuchMailbox(directory.mailbox) }
        let time = now() / 1_000_000_000
        var arrivals: [(name: [UInt8], uid: UID)] = []
        func undo() { for (name, _) in arrivals { _ = directory.cur.unlink(name) } }
        do throws(StoreError) {
            transaction.summary.cur = try changingCur { () throws(StoreError) in
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
                    let name = arrival.base + FileName.mark + FileName.letters(arrival.flags.system)
                    guard place(index, directory.cur, name) else { throw failure("storing", name) }
                    arrivals.append((name, uid))
                    transaction.entries.append(.add(arrival.row, base: arrival.base, info: []))
                    transaction.summary.uidNext += 1
                    transaction.summary.count(arrival.row.flags, uid: uid.rawValue, size: arrival.row.size, by: 1)
                }
            }
            guard directory.cur.sync() else { throw failure("syncing", directory.folder.directory) }
            try commit(transaction)
        } catch {
            undo()
            throw error
        }
        return arrivals.map(\.uid)
    }
}
