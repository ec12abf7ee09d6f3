import Glibc
import IMAPTypes
import MailStore

/// What `rebuild` has made.
public struct Rebuilt: Sendable {
    public var uidValidity: UInt32
    /// `nil` if no file told the UIDVALIDITY before: then it is a new one, and clients download everything again.
    public var formerUIDValidity: UInt32?
    public var messages: Int
    public var uidNext: UInt32
}

extension MaildirStore {
    /// Makes index, log and cache of a mailbox anew from what is there.
    ///
    /// UIDVALIDITY and UIDs stay as far as log, index, their predecessors, the lock file's mark and the account tell them. What
    /// was expunged before is forgotten: a client with QRESYNC compares UIDs once.
    public func rebuild(_ name: MailboxName) throws(StoreError) -> Rebuilt {
        let directory = try MailboxDirectory(name, try requireFolder(name), in: maildir)
        _ = try directory.tmp()
        try directory.lock()
        defer { directory.unlock() }
        guard directory.root.unlink(CacheFile.name) || errno == ENOENT else {
            throw failure("removing imapd.cache in", directory.folder.directory)
        }
        let log = try LogFile(in: directory.root), index = try IndexFile(in: directory.root, rows: false)
        let known = try account.mailbox(directory.folder).flatMap { $0.uidValidity > 0 ? $0.uidValidity : nil }
        let former = log?.header.uidValidity ?? index?.header.uidValidity ?? directory.mark?.uidValidity ?? known
        let state = try Mailbox.repair(directory, account, logger)
        return Rebuilt(uidValidity: state.uidValidity.rawValue, formerUIDValidity: former, messages: Int(state.summary.messages),
                       uidNext: UInt32(clamping: state.summary.uidNext))
    }
}
