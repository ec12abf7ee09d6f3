import Logging
import MailStore

extension Mailbox {
    /// Under the lock: gives files in cur/ the info part that `wanted` tells by row, and brings there what is in new/. `nil`
    /// leaves a file where and as it is.
    func nameFiles(_ wanted: (Int) -> [UInt8]?) throws(StoreError) {
        var transaction = Transaction(summary: state.summary)
        transaction.summary.cur = try changingCur { () throws(StoreError) in
            for row in 0..<table.count where !table.isGone(row) {
                guard let info = wanted(row) else { continue }
                let base = table.baseName(row)
                guard base.count + info.count <= FileName.longest,
                      directory.directory(table.place(row)).renameExclusively(table.name(row), to: directory.cur, base + info)
                else {
                    logger.warning("A message's file could not be renamed for its flags", metadata: [
                        "file": "\(printable(base))",
                    ])
                    continue
                }
                let uid = table.uid(row)
                if info.withUnsafeBytes({ FileName.info($0) }).isPlain {
                    transaction.entries.append(.named(.hasInfo, table.flags(row), [uid...uid]))
                } else {
                    transaction.entries.append(.namedOddly(uid, [.hasInfo, .odd], info))
                }
            }
            return nil
        }
        if transaction.entries.isEmpty { return }
        // The names first, as in `tidy`.
        guard directory.new.sync(), directory.cur.sync() else { throw failure("syncing", directory.folder.directory) }
        try commit(transaction)
    }
}
