import Glibc
import IMAPTypes
import MailStore

extension OpenMaildir {
    func copy(_ uids: [UID], to name: MailboxName) throws(StoreError) -> CopyResult {
        try copy(uids, to: try openTarget(name))
    }

    /// The copies come first: each message is in one mailbox or the other at any moment, and after a crash perhaps in both.
    ///
    /// All under the locks of both mailboxes: of two sessions that move a message, the second finds it gone. The locks are taken
    /// in an order that does not depend on the direction, so that two that move messages to and fro do not wait for each other.
    func move(_ uids: [UID], to name: MailboxName) throws(StoreError) -> CopyResult {
        if isReadOnly { throw .readOnly }
        var target = try openTarget(name)
        guard let from = mailbox.directory.root.status().map({ Inode($0) }),
              let to = target.directory.root.status().map({ Inode($0) }) else {
            throw failure("opening", target.directory.folder.directory)
        }
        // Within a mailbox there is one lock, which one object can hold.
        if from == to { target = mailbox }
        let (first, second) = from < to ? (mailbox, target) : (target, mailbox)
        return try first.locked { () throws(StoreError) in
            try second.locked { () throws(StoreError) in
                let result = try copy(uids, to: target)
                _ = try expunge(result.source, isMoved: true)
                return result
            }
        }
    }

    /// Another session or program may rename or remove a file at any moment, also between our look and our link: then nothing
    /// was copied, and we look again. The first time it is not looked at all: files mostly are where they were.
    private func copy(_ uids: [UID], to target: Mailbox) throws(StoreError) -> CopyResult {
        var attempts = 0
        while true {
            var hasLostSource = false
            do { return try copy(uids, to: target, isLooking: attempts > 0, &hasLostSource) } catch {
                attempts += 1
                guard hasLostSource, attempts < 20 else { throw error }
            }
        }
    }

    private func copy(
        _ uids: [UID], to target: Mailbox, isLooking: Bool, _ hasLostSource: inout Bool
    ) throws(StoreError) -> CopyResult {
        try mailbox.catchUp(isLocked: false)
        try mailbox.verifyRows()
        // First whatever may have to be read or looked for; then, under the other mailbox's lock, links.
        var located: [(uid: UID, row: Int, directory: Handle, name: [UInt8])] = []
        located.reserveCapacity(uids.count)
        for uid in uids {
            guard let row = row(uid), !table.isGone(row) else { continue }
            let directory = mailbox.directory.directory(table.place(row)), name = table.name(row)
            if !isLooking || directory.status(name) != nil {
                located.append((uid, row, directory, name))
                continue
            }
            // A file that is not where it was may be gone, or renamed: find out before any is copied.
            guard errno == ENOENT else { throw failure("looking at", name) }
            if let (place, found) = try mailbox.findFile(row) { located.append((uid, row, place, found)) }
        }
        guard !located.isEmpty else { return CopyResult(uidValidity: target.state.uidValidity, source: [], destination: []) }
        let keywords = mailbox.state.keywords
        let names = self.names
        let table = table
        let tmp = try target.directory.tmp()
        let arrivals = try target.locked { () throws(StoreError) in
            try target.arrive(located.count) { (index, arrival) throws(StoreError) in
                let source = located[index]
                let row = table.row(whole: source.row)
                var set = Set<Keyword>()
                if !row.keywords.isEmpty {
                    for index in keywords.indices where row.keywords[index] { set.insert(keywords[index]) }
                }
                arrival.flags = FlagSet(system: row.flags, keywords: set)
                arrival.row.internalDate = row.internalDate
                arrival.row.size = row.size
                arrival.base = names.next() + table.withBaseName(source.row) { FileName.sizes(of: $0) }
                    + FileName.field(carrying: row.id)
            } place: { (index, directory, name, _) in
                let source = located[index]
                if source.directory.link(source.name, to: directory, name) { return true }
                hasLostSource = errno == ENOENT
                // Another file system, too many links, or a file of somebody else's: then its bytes.
                guard [EXDEV, EMLINK, EPERM, EOPNOTSUPP].contains(errno) else { return false }
                return copyBytes(source.directory, source.name, by: tmp, names.next(), to: directory, name)
            }
        }
        carryKept(zip(located.map(\.row), arrivals), of: table, to: target)
        return CopyResult(uidValidity: target.state.uidValidity, source: located.map(\.uid), destination: arrivals)
    }
}

/// Copies a file with its modification time: written and synced in `tmp`, then renamed.
func copyBytes(
    _ directory: Handle, _ name: [UInt8], by tmp: Handle, _ temporary: [UInt8], to target: Handle, _ newName: [UInt8]
) -> Bool {
    guard let source = directory.open(name, O_RDONLY | O_NOFOLLOW), let status = source.status(), status.isRegular,
          let copy = tmp.open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW) else { return false }
    func fail() -> Bool {
        let code = errno
        _ = tmp.unlink(temporary)
        errno = code
        return false
    }
    var offset = 0
    while true {
        guard let bytes = source.read(at: offset, count: 1 << 17) else { return fail() }
        if bytes.isEmpty { break }
        guard bytes.withUnsafeBytes({ copy.write($0, at: offset) }) else { return fail() }
        offset += bytes.count
    }
    var times = [status.st_atim, status.st_mtim]
    guard futimens(copy.raw, &times) == 0, copy.sync(), tmp.renameExclusively(temporary, to: target, newName)
    else { return fail() }
    return true
}
