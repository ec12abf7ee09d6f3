import Glibc
import IMAPTypes
import Logging
import MailStore

/// Repairs of what an inspection has found. None loses a message, a flag or a keyword.
extension MaildirStore {
    /// Whether there is a repair for findings of this kind. What has none is for the administrator to decide.
    public static func canFix(_ kind: Finding.Kind) -> Bool {
        switch kind {
        case .logMissing, .logDamaged, .logTorn, .logShort, .indexMissing, .indexDamaged, .indexForeign, .oldCopy, .cacheDamaged,
             .accountMissing, .accountDamaged, .leftover, .expungedLeft, .arrivals, .vanished, .unnoticed, .wrongKnownSize,
             .duplicateName, .impossibleName, .noInfo, .oldTemporary, .wrongMode, .writableByOthers, .missingDirectory:
            true
        case .unreadable, .wrongSizeField, .lostLetter, .wrongOwner, .symbolicLink, .strangeFile, .hiddenFolder,
             .staleSubscription:
            false
        }
    }

    /// Gives the owner the rights to everything in a Maildir, and takes from others that to change it.
    ///
    /// It comes before a store is opened: what cannot be opened cannot be repaired. What belongs to somebody else stays as it is.
    public static func fixRights(in path: String) {
        let descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        let maildir = Handle(descriptor)
        fixMode([UInt8(ascii: ".")], in: maildir)
        var folders: [FolderName] = [.inbox]
        _ = forEachName(in: maildir, hidden: true) { name, _ in
            guard let folder = FolderName(directory: Array(name)), maildir.status(name)?.isDirectory == true else { return }
            folders.append(folder)
        }
        for folder in folders {
            fixMode(folder.directory, in: maildir)
            guard let root = maildir.open(folder.directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW) else { continue }
            for file in MailboxInspection.ownFiles { fixMode(Array(file.utf8), in: root) }
            for part in ["cur", "new", "tmp"] {
                fixMode(Array(part.utf8), in: root)
                guard let directory = root.open(part.utf8, O_RDONLY | O_DIRECTORY | O_NOFOLLOW) else { continue }
                var names: [[UInt8]] = []
                _ = forEachName(in: directory) { name, _ in names.append(Array(name)) }
                for name in names { fixMode(name, in: directory) }
            }
        }
    }

    private static func fixMode(_ name: [UInt8], in directory: Handle) {
        guard let status = directory.status(name), status.isDirectory || status.isRegular else { return }
        let mode = (status.st_mode & 0o7777 | (status.isDirectory ? 0o700 : 0o600)) & ~0o002
        guard mode != status.st_mode & 0o7777 else { return }
        _ = withName(name) { fchmodat(directory.raw, $0, mode, 0) }
    }

    /// Repairs the account's own files. Returns whether it is done.
    public func fixAccount(_ kind: Finding.Kind) throws(StoreError) -> Bool {
        switch kind {
        case .accountMissing:
            // Each mailbox that is opened enters itself.
            for entry in try mailboxes() { _ = try openMailbox(entry.name, hasRows: false) }
            return true
        case .accountDamaged:
            try account.rewrite()
            return true
        case .leftover:
            sweep()
            return true
        default:
            return false
        }
    }

    /// Repairs what is wrong with one mailbox. Returns the kinds that are done.
    public func fix(_ kinds: Set<Finding.Kind>, in name: MailboxName) throws(StoreError) -> Set<Finding.Kind> {
        var done: Set<Finding.Kind> = []
        let directory = try MailboxDirectory(name, try requireFolder(name), in: maildir)
        // MailboxDirectory makes new/; tmp/ is made when it is first wanted.
        _ = try directory.tmp()
        done.insert(.missingDirectory)
        // The cache first: a mailbox that is made anew must not find it.
        if !kinds.isDisjoint(with: [.cacheDamaged, .wrongKnownSize]) {
            guard directory.root.unlink(CacheFile.name) || errno == ENOENT else {
                throw failure("removing imapd.cache in", directory.folder.directory)
            }
            done.insert(.cacheDamaged)
        }
        // Opening repairs log and index.
        let mailbox = try Mailbox(directory, account, hasRows: true)
        try mailbox.verifyRows()
        done.formUnion([.logMissing, .logDamaged, .logTorn, .logShort, .indexMissing, .indexDamaged, .indexForeign, .oldCopy])
        if !kinds.isDisjoint(with: [.arrivals, .vanished, .unnoticed, .duplicateName, .impossibleName]) {
            try mailbox.scanAnyway()
            done.formUnion([.arrivals, .vanished, .unnoticed, .duplicateName, .impossibleName])
        }
        if kinds.contains(.wrongKnownSize) {
            try mailbox.correctSizes()
            done.insert(.wrongKnownSize)
        }
        if kinds.contains(.noInfo) {
            try mailbox.completeNames()
            done.insert(.noInfo)
        }
        if kinds.contains(.oldTemporary) {
            mailbox.removeAbandoned()
            done.insert(.oldTemporary)
        }
        if kinds.contains(.expungedLeft) {
            let isAlone = directory.lockFile.beginAlone()
            Graveyard.empty(directory, olderThan: isAlone ? 0 : Graveyard.patience)
            if isAlone { directory.lockFile.endAlone() }
            done.insert(.expungedLeft)
        }
        if kinds.contains(.leftover) {
            try mailbox.removeLeftovers()
            done.insert(.leftover)
        }
        return done.intersection(kinds)
    }
}

extension Mailbox {
    /// Looks at both directories, whatever their times say. What two files with one name need, a second look finds.
    func scanAnyway() throws(StoreError) {
        for _ in 0..<2 {
            try locked { () throws(StoreError) in
                state.summary.new = DirectoryState()
                state.summary.cur = DirectoryState()
                try scanIfDue()
            }
        }
    }

    /// Counts what every message takes on the wire, where the log tells it. A file that another program has changed is told
    /// as it is now.
    fileprivate func correctSizes() throws(StoreError) {
        var found: [(uid: UInt32, date: Int64, size: UInt64)] = []
        for row in 0..<table.count where !table.isGone(row) {
            guard let known = table.size(row), let date = table.internalDate(row),
                  let handle = directory.directory(table.place(row)).open(table.name(row), O_RDONLY | O_NOFOLLOW),
                  let uid = UID(table.uid(row)) else { continue }
            let size = try MessageFile(handle, uid).wireSize()
            if size != known { found.append((uid.rawValue, date, size)) }
        }
        guard !found.isEmpty else { return }
        try locked { () throws(StoreError) in
            var transaction = Transaction(summary: state.summary)
            for (uid, date, size) in found {
                guard let row = table.row(uid), !table.isGone(row), let known = table.size(row) else { continue }
                transaction.entries.append(.details(uid, internalDate: date, size: size))
                transaction.summary.size = transaction.summary.size &- known &+ size
            }
            if !transaction.entries.isEmpty { try commit(transaction) }
        }
    }

    /// Files in cur/ get the info part that says that they have no flags, or which they have.
    fileprivate func completeNames() throws(StoreError) {
        try locked { () throws(StoreError) in
            var transaction = Transaction(summary: state.summary)
            transaction.summary.cur = try changingCur { () throws(StoreError) in
                for row in 0..<table.count where !table.isGone(row) && table.place(row).isDisjoint(with: [.hasInfo, .new]) {
                    let base = table.baseName(row), flags = table.flags(row), uid = table.uid(row)
                    let info = FileName.mark + FileName.letters(flags)
                    guard base.count + info.count <= FileName.longest,
                          directory.cur.renameExclusively(base, to: directory.cur, base + info) else { continue }
                    transaction.entries.append(.named(.hasInfo, flags, [uid...uid]))
                }
                return nil
            }
            if transaction.entries.isEmpty { return }
            // The names first, as in `tidy`.
            guard directory.cur.sync() else { throw failure("syncing", directory.folder.directory) }
            try commit(transaction)
        }
    }

    fileprivate func removeLeftovers() throws(StoreError) {
        try locked { () throws(StoreError) in
            let limit = now() / 1_000_000_000 - MaildirStore.sweepAge
            var names: [[UInt8]] = []
            _ = forEachName(in: directory.root) { file, _ in
                if MailboxInspection.isLeftover(file), let status = directory.root.status(file), status.isRegular,
                   Int64(status.st_ctim.tv_sec) < limit { names.append(Array(file)) }
            }
            for name in names { _ = directory.root.unlink(name) }
        }
    }
}
