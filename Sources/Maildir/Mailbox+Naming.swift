import Glibc
import IMAPTypes
import MailStore

/// Files get the names of their flags, and then the log tells that they have them. Who is stopped in between leaves names that
/// nobody has logged. As long as the flags stay, a scan finds that both agree. But if somebody changes the flags first, a scan
/// would take what the names tell for another program's wish, and flags that were taken away would come back.
///
/// So the log says beforehand which files it will be, and whoever wants to change flags looks at these first.
extension Mailbox {
    /// Under the lock. Not synced: after a power cut everybody scans before he changes anything.
    func announceNames(_ ranges: [ClosedRange<UInt32>]) throws(StoreError) {
        var transaction = Transaction(summary: state.summary)
        transaction.entries = [.naming(ranges)]
        try write(transaction, sync: false)
    }

    /// Under the lock: logs what somebody has renamed and could not log. To be called before flags are changed, before the log
    /// begins anew, and before other files get names.
    func finishNaming() throws(StoreError) {
        guard !state.naming.isEmpty, hasRows else { return }
        try verifyRows()
        let table = table
        var rows: [Int] = []
        table.forEachRow(state.naming) { rows.append($0) }
        var names = NewNames()
        for row in rows {
            let old = table.info(row), info = FileName.info(old, with: table.flags(row))
            guard info != old || table.place(row).contains(.new) else { continue }
            if directory.cur.status(table.baseName(row) + info) != nil {
                names.add(row, of: table, info)
            } else if errno != ENOENT, errno != ENAMETOOLONG {
                throw failure("looking at", table.name(row))
            }
        }
        if !names.isEmpty, !directory.cur.sync() { throw failure("syncing", directory.folder.directory) }
        var transaction = Transaction(summary: state.summary)
        transaction.entries = names.entries
        try write(transaction, sync: false)
    }
}

/// What the log is told of files that have got the names of their flags.
struct NewNames {
    private var groups: [[UInt8]: (flags: SystemFlags, rows: RowRanges)] = [:]
    private var odd: [Transaction.Entry] = []

    var isEmpty: Bool { groups.isEmpty && odd.isEmpty }

    /// - Parameter info: the new info part, which tells the message's flags.
    mutating func add(_ row: Int, of table: MessageTable, _ info: [UInt8]) {
        if info.withUnsafeBytes({ FileName.info($0) }).isPlain {
            groups[info, default: (table.flags(row), RowRanges())].rows.append(row, uid: table.uid(row))
        } else {
            odd.append(.namedOddly(table.uid(row), [.hasInfo, .odd], info))
        }
    }

    /// With the end of what was announced.
    var entries: [Transaction.Entry] {
        odd + groups.values.map { .named(.hasInfo, $0.flags, $0.rows.ranges) } + [.naming([])]
    }
}
