import Glibc
import IMAPTypes
import MailStore

/// A message that was expunged, and is kept for a while.
public struct ExpungedMessage: Sendable {
    /// What it had in its mailbox. It gets another when it comes back.
    public let uid: UID
    /// When it was expunged, in seconds since the epoch.
    public let time: Int64
    /// \Deleted does not come back.
    public let flags: FlagSet
    /// INTERNALDATE, in seconds since the epoch.
    public let date: Int64
    /// Bytes as stored.
    public let size: UInt64
    fileprivate let entry: UndeleteDirectory.Entry
}

extension MaildirStore {
    /// Messages that were expunged from a mailbox and are not gone for good, in the order in which they were.
    public func expunged(from name: MailboxName) throws(StoreError) -> [ExpungedMessage] {
        let mailbox = try openMailbox(name, hasRows: false)
        guard let kept = UndeleteDirectory.open(mailbox.directory, create: false) else {
            if errno == ENOENT { return [] }
            throw failure("opening imapd.undelete in", mailbox.directory.folder.directory)
        }
        var result: [ExpungedMessage] = []
        for entry in try UndeleteDirectory.entries(kept) {
            guard let status = kept.status(entry.name), status.isRegular, let uid = UID(entry.uid) else { continue }
            // One that the mailbox does not know any more has lost its name.
            let known = mailbox.state.keywords, keywords = entry.keywords.filter { $0 < known.count }.map { known[$0] }
            result.append(ExpungedMessage(
                uid: uid, time: entry.time, flags: FlagSet(system: entry.flags.subtracting(.deleted), keywords: Set(keywords)),
                date: Int64(status.st_mtim.tv_sec), size: UInt64(max(0, status.st_size)), entry: entry))
        }
        return result
    }

    /// What an expunged message holds.
    public func content(_ message: ExpungedMessage, from name: MailboxName) throws(StoreError) -> any MessageContent {
        let directory = try MailboxDirectory(name, try requireFolder(name), in: maildir)
        guard let file = UndeleteDirectory.open(directory, create: false)?
            .open(message.entry.name, O_RDONLY | O_NOFOLLOW) else { throw .messageGone(message.uid) }
        return try MessageFile(file, message.uid)
    }

    /// So many come back together.
    private static let batch = 200

    /// Puts expunged messages into a mailbox, as new ones. Those that are gone for good meanwhile are left out.
    ///
    /// A crash may leave a message in both places, and never in none.
    public func undelete(
        _ messages: [ExpungedMessage], from name: MailboxName, to targetName: MailboxName
    ) throws(StoreError) -> [UID] {
        let source = try MailboxDirectory(name, try requireFolder(name), in: maildir)
        guard let kept = UndeleteDirectory.open(source, create: false) else { return [] }
        let target = try openMailbox(targetName, hasRows: true), tmp = try target.directory.tmp()
        var uids: [UID] = []
        for start in stride(from: 0, to: messages.count, by: Self.batch) {
            let some = messages[start..<min(start + Self.batch, messages.count)].filter { kept.status($0.entry.name) != nil }
            if some.isEmpty { continue }
            uids += try target.locked { () throws(StoreError) in
                try target.arrive(some.count) { (index, arrival) throws(StoreError) in
                    let base = Array(some[index].entry.base)
                    arrival.flags = some[index].flags
                    arrival.row.internalDate = some[index].date
                    arrival.base = names.next()
                    if !base.isEmpty {
                        arrival.base += base.withUnsafeBytes { FileName.sizes(of: $0) }
                            + FileName.field(carrying: base.withUnsafeBytes { ObjectID(baseName: $0) })
                    }
                } place: { (index, directory, name, _) in
                    if kept.link(some[index].entry.name, to: directory, name) { return true }
                    guard [EXDEV, EMLINK, EPERM, EOPNOTSUPP].contains(errno) else { return false }
                    return copyBytes(kept, some[index].entry.name, by: tmp, names.next(), to: directory, name)
                }
            }
            for message in some { _ = kept.unlink(message.entry.name) }
        }
        return uids
    }
}
