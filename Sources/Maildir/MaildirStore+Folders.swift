import Glibc
import IMAPTypes
import Logging
import MailStore

/// CREATE, DELETE, RENAME.
extension MaildirStore {
    /// Directories with such names are not folders: mailboxes that are being made or removed.
    private static let making = Array("..imapd.making.".utf8)
    private static let removing = Array("..imapd.removing.".utf8)

    @discardableResult
    public func create(_ name: MailboxName, use: SpecialUse?) throws(StoreError) -> ObjectID {
        if try existingFolder(name) != nil { throw .mailboxExists(name) }
        let folder = try naming.folder(name)
        if let use {
            for (other, known) in try account.uses() where known == use {
                if try isFolder(other) { throw .specialUseTaken(use) }
            }
        }
        // Made aside and renamed into place, it is there whole or not at all.
        let temporary = Self.making + names.next()
        let id = ObjectID.random()
        guard maildir.makeDirectory(temporary), let directory = maildir.open(temporary, O_RDONLY | O_DIRECTORY) else {
            throw failure("creating", folder.directory)
        }
        do throws(StoreError) {
            // `maildirfolder` tells delivery agents that the quota is kept one level up.
            guard ["cur", "new", "tmp"].allSatisfy({ directory.makeDirectory($0.utf8) }),
                  directory.open("maildirfolder".utf8, O_WRONLY | O_CREAT | O_EXCL) != nil
            else { throw failure("creating", folder.directory) }
            let uidValidity = try account.begin(folder, id: id)
            var summary = Summary()
            summary.ceiling = 1 + Account.reserve
            let header = LogHeader(generation: 1, uidValidity: uidValidity, mailboxID: id, summary: summary)
            try directory.replaceFile(LogFile.name, with: header.bytes())
            Mailbox.keepSpare(directory)
            guard maildir.renameExclusively(temporary, to: maildir, folder.directory) else {
                if errno == EEXIST || errno == ENOTEMPTY { throw .mailboxExists(name) }
                throw failure("creating", folder.directory)
            }
        } catch {
            removeTree(temporary)
            throw error
        }
        guard maildir.sync() else { throw failure("creating", folder.directory) }
        if let use { try account.locked { () throws(StoreError) in try account.setUse(use, of: folder) } }
        return id
    }

    public func delete(_ name: MailboxName) throws(StoreError) {
        if name.isInbox { throw .notPermitted(reason: "INBOX cannot be deleted") }
        guard let folder = try existingFolder(name) else {
            let parent = try naming.folder(name)
            throw try folders().contains { $0.isBelow(parent) } ? .hasChildren(name) : .noSuchMailbox(name)
        }
        let directory = try MailboxDirectory(name, folder, in: maildir)
        // Nobody adds a message to a mailbox that is going; whoever waits to finds it gone.
        try directory.lock()
        defer { directory.unlock() }
        let temporary = Self.removing + names.next(), known = try? account.mailbox(folder)
        guard maildir.renameExclusively(folder.directory, to: maildir, temporary), maildir.sync() else {
            if errno == ENOENT { throw .noSuchMailbox(name) }
            throw failure("deleting", folder.directory)
        }
        release(folder)
        // The files first: on a full disk they make room for the line.
        removeTree(temporary)
        do throws(StoreError) {
            try account.locked { () throws(StoreError) in
                // Somebody may have made another mailbox of this name.
                if try account.mailbox(folder)?.id == known?.id { try account.deleted(folder) }
            }
        } catch {
            // The mailbox is gone, and the next of this name has an id of its own.
            logger.error("The account's file could not be told that a mailbox was deleted", metadata: ["error": "\(error)"])
        }
        sweep()
    }

    public func rename(_ name: MailboxName, to newName: MailboxName) throws(StoreError) {
        if newName.isInbox { throw .mailboxExists(newName) }
        let newFolder = try naming.folder(newName)
        if try existingFolder(newName) != nil { throw .mailboxExists(newName) }
        if name.isInbox { return try renameInbox(to: newName) }
        let folder = try existingOrNewFolder(name)
        if newFolder.isBelow(folder) { throw .notPermitted(reason: "a mailbox cannot be moved below itself") }
        let all = try folders()
        var moves: [(from: FolderName, to: FolderName)] = []
        for old in all where old == folder || old.isBelow(folder) {
            guard let new = old.moved(from: folder, to: newFolder) else {
                throw .invalidName(newName, reason: "the name of a mailbox below it would be too long")
            }
            if maildir.status(new.directory) != nil { throw .mailboxExists(naming.name(new) ?? newName) }
            moves.append((old, new))
        }
        guard !moves.isEmpty else { throw .noSuchMailbox(name) }
        for move in moves { release(move.from) }
        try account.locked { () throws(StoreError) in
            var done = 0
            do throws(StoreError) {
                for move in moves {
                    guard maildir.renameExclusively(move.from.directory, to: maildir, move.to.directory) else {
                        if errno == EEXIST || errno == ENOTEMPTY { throw .mailboxExists(newName) }
                        throw failure("renaming", move.from.directory)
                    }
                    done += 1
                }
                // Those whose lines a crash takes are known by their ids (`Account.adopt`).
                try account.renamed(moves)
            } catch {
                // All or none.
                for move in moves[..<done].reversed() {
                    _ = maildir.renameExclusively(move.to.directory, to: maildir, move.from.directory)
                }
                throw error
            }
        }
        guard maildir.sync() else { throw failure("renaming", folder.directory) }
    }

    /// RFC 9051 §6.3.6: the messages move, INBOX stays, and so does what is below it.
    private func renameInbox(to newName: MailboxName) throws(StoreError) {
        try create(newName, use: nil)
        let inbox = try open(.inbox, readOnly: false)
        _ = try inbox.move(inbox.uids, to: newName)
    }

    // MARK: Removing

    /// Removes a directory in the Maildir with what is in it.
    private func removeTree(_ name: [UInt8]) {
        if let directory = maildir.open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW) { Self.removeContents(directory, depth: 0) }
        _ = maildir.removeDirectory(name)
    }

    private static func removeContents(_ directory: Handle, depth: Int) {
        var names: [[UInt8]] = []
        _ = forEachName(in: directory, hidden: true) { name, _ in
            if !name.elementsEqual(".".utf8), !name.elementsEqual("..".utf8) { names.append(Array(name)) }
        }
        for name in names where !directory.unlink(name) {
            guard depth < 4, let below = directory.open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW) else { continue }
            removeContents(below, depth: depth + 1)
            _ = directory.removeDirectory(name)
        }
    }

    /// Whether a directory's name is that of a mailbox that is being made or removed.
    static func isBeingMadeOrRemoved(_ name: UnsafeRawBufferPointer) -> Bool {
        name.starts(with: making) || name.starts(with: removing)
    }

    /// Seconds after which whoever made or removed a mailbox must have come to an end, one way or another.
    static let sweepAge: Int64 = 3600

    /// Removes what a crash has left of mailboxes that were being made or removed.
    func sweep() {
        let limit = now() / 1_000_000_000 - Self.sweepAge
        var names: [[UInt8]] = []
        _ = forEachName(in: maildir, hidden: true) { name, _ in
            if Self.isBeingMadeOrRemoved(name) { names.append(Array(name)) }
        }
        for name in names {
            if let status = maildir.status(name), Int64(status.st_ctim.tv_sec) < limit { removeTree(name) }
        }
    }
}
