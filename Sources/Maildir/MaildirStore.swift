import CLinux
import Glibc
import IMAPTypes
import Logging
import MailStore
import SystemPackage

/// One user's Maildir++, as one session sees it.
public final class MaildirStore: MailStore {
    public let separator: Character
    let account: Account
    private let statusFile: StatusFile
    let naming: FolderNaming
    let names = NameMaker()
    var maildir: Handle { account.maildir }
    var logger: Logger { account.logger }

    /// Mailboxes that were appended to, without their messages: the next APPEND goes on there. Few, the last one last.
    private var targets: [Mailbox] = []
    private weak var selected: OpenMaildir?
    /// Closed mailboxes with file names that lag behind, or with long logs. Few, the last one last, none twice.
    private var untidy: [Mailbox] = []
    /// The one that was selected last, as it was read: clients go back and forth, and then only what is new need be read.
    private var closed: Mailbox?

    /// What this thread had done before: a store is one thread's.
    private let workBefore = clinux_work().pointee

    public var work: StoreWork {
        let now = clinux_work().pointee
        var work = StoreWork()
        work.syncs = now.syncs &- workBefore.syncs
        work.cacheHits = now.cache_hits &- workBefore.cache_hits
        work.cacheMisses = now.cache_misses &- workBefore.cache_misses
        return work
    }

    /// Opens the Maildir, and makes it if there is none.
    ///
    /// - Parameters:
    ///   - path: absolute, or relative to the working directory.
    ///   - expungeDelay: how long expunged messages are kept for `undelete`, in seconds. 0: none is kept, and
    ///     those that are go; `nil`: whoever serves the Maildir decides.
    ///   - networkPoll: how often a session that waits looks at a mailbox on a network file system, where inotify(7) tells
    ///     nothing of other machines, in seconds; 0 for never.
    public init(
        path: String, separator: Character = ".", expungeDelay: Int64? = nil, networkPoll: Int32 = 0, logger: Logger
    ) throws(StoreError) {
        self.separator = separator
        naming = FolderNaming(separator: separator)
        let maildir = try Self.openMaildir(path)
        account = try Account(maildir, path: path, expungeDelay: expungeDelay, networkPoll: networkPoll, logger: logger)
        statusFile = StatusFile(maildir)
    }

    static func openMaildir(_ path: String) throws(StoreError) -> Handle {
        var descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if descriptor < 0, errno == ENOENT {
            guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
                throw .io(Errno(rawValue: errno), doing: "creating the Maildir \(path)")
            }
            descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        }
        guard descriptor >= 0 else { throw .io(Errno(rawValue: errno), doing: "opening the Maildir \(path)") }
        let maildir = Handle(descriptor)
        for name in ["cur", "new", "tmp"] where maildir.status(name.utf8) == nil {
            guard maildir.makeDirectory(name.utf8) || errno == EEXIST else {
                throw .io(Errno(rawValue: errno), doing: "creating \(name) in the Maildir \(path)")
            }
        }
        return maildir
    }

    // MARK: Mailboxes

    /// The directory of a mailbox that exists; `nil` if there is none.
    func existingFolder(_ name: MailboxName) throws(StoreError) -> FolderName? {
        let folder = try naming.folder(name)
        if folder == .inbox { return folder }
        if try isFolder(folder) { return folder }
        // Another program may have written the name in another way.
        guard name.string.hasPrefix("INBOX") || name.string.utf8.contains(where: { $0 >= 0x80 || $0 == 0x26 }) else { return nil }
        return try folders().first { naming.name($0) == name }
    }

    func requireFolder(_ name: MailboxName) throws(StoreError) -> FolderName {
        guard let folder = try existingFolder(name) else { throw .noSuchMailbox(name) }
        return folder
    }

    /// Where there is no such mailbox, the directory that it would have.
    func existingOrNewFolder(_ name: MailboxName) throws(StoreError) -> FolderName {
        if let folder = try existingFolder(name) { return folder }
        return try naming.folder(name)
    }

    /// Throws if that cannot be known just now: a mailbox must not be taken for deleted because of a bad disk.
    func isFolder(_ folder: FolderName) throws(StoreError) -> Bool {
        if maildir.hasDirectory(folder.directory + Array("/cur".utf8)) { return true }
        guard [ENOENT, ENOTDIR, ELOOP, EACCES, ENAMETOOLONG].contains(errno) else {
            throw failure("looking at", folder.directory)
        }
        return false
    }

    /// All folders but INBOX.
    func folders() throws(StoreError) -> [FolderName] {
        var names: [FolderName] = []
        let isRead = forEachName(in: maildir, hidden: true) { name, type in
            // A directory, or what may be one: a symbolic link, or of unknown kind.
            guard type == 4 || type == 10 || type == 0, let folder = FolderName(directory: Array(name)) else { return }
            names.append(folder)
        }
        guard isRead else { throw failure("reading the Maildir") }
        var folders: [FolderName] = []
        for name in names where try isFolder(name) { folders.append(name) }
        return folders
    }

    public func mailboxes() throws(StoreError) -> [MailboxEntry] {
        let uses = try account.uses()
        var entries = [MailboxEntry(name: .inbox, use: uses[.inbox])]
        var seen: Set<MailboxName> = [.inbox]
        for folder in try folders() {
            guard let name = naming.name(folder) else {
                logger.debug("A folder's name cannot be shown", metadata: ["folder": "\(printable(folder.directory))"])
                continue
            }
            // Two folders of one name: the one that we would make is the one that is opened.
            if seen.insert(name).inserted { entries.append(MailboxEntry(name: name, use: uses[folder])) }
        }
        return entries
    }

    public func exists(_ name: MailboxName) throws(StoreError) -> Bool { try existingFolder(name) != nil }

    func openMailbox(_ name: MailboxName, hasRows: Bool) throws(StoreError) -> Mailbox {
        try Mailbox(MailboxDirectory(name, try requireFolder(name), in: maildir), account, hasRows: hasRows)
    }

    public func open(_ name: MailboxName, readOnly: Bool) throws(StoreError) -> any OpenMailbox {
        let mailbox = if let mailbox = try takeClosed(name) { mailbox } else { try openMailbox(name, hasRows: true) }
        let open = try OpenMaildir(
            mailbox, readOnly: readOnly, names: names,
            target: { [unowned self] (name) throws(StoreError) in try target(name) },
            onClose: { [weak self] mailbox, isTidyingDue in
                self?.closed = mailbox
                if isTidyingDue { self?.tidyLater(mailbox) }
            })
        selected = open
        return open
    }

    /// The mailbox that was closed last, if it is that one and still there.
    private func takeClosed(_ name: MailboxName) throws(StoreError) -> Mailbox? {
        guard let closed, closed.directory.mailbox == name else { return nil }
        self.closed = nil
        guard try isUnchanged(closed.directory) else { return nil }
        untidy.removeAll { $0 === closed }
        return closed
    }

    /// Whether the mailbox's directory is still the one of its name.
    private func isUnchanged(_ directory: MailboxDirectory) throws(StoreError) -> Bool {
        guard try requireFolder(directory.mailbox) == directory.folder, let mine = directory.root.status(),
              let there = maildir.status(directory.folder.directory) else { return false }
        return mine.st_ino == there.st_ino && mine.st_dev == there.st_dev
    }

    public func status(_ name: MailboxName, wantsSize: Bool) throws(StoreError) -> MailboxStatus {
        if let folder = try? naming.folder(name), let known = statusFile.record(folder), !wantsSize || known.summary.unsized == 0,
           let uidValidity = UIDValidity(known.uidValidity) {
            return MailboxStatus(uidValidity, known.id, known.summary, wantsSize: wantsSize)
        }
        let quick = try openMailbox(name, hasRows: false)
        var state = quick.state
        if quick.isScanDue || wantsSize && state.summary.unsized > 0 {
            let open = try OpenMaildir(Mailbox(quick.directory, account, hasRows: true), readOnly: true, names: names,
                                       target: { (name) throws(StoreError) in throw .noSuchMailbox(name) }, onClose: { _, _ in })
            if wantsSize {
                for row in 0..<open.table.count where !open.table.isGone(row) && open.table.size(row) == nil {
                    guard let uid = UID(open.table.uid(row)) else { continue }
                    do { _ = try open.details(uid) } catch .messageGone {}
                }
                try open.mailbox.saveDetails()
            }
            state = open.mailbox.state
        }
        statusFile.remember(state, quick.directory.folder)
        return MailboxStatus(state.uidValidity, state.log.header.mailboxID, state.summary, wantsSize: wantsSize)
    }

    // MARK: APPEND and COPY

    public func beginAppend(to name: MailboxName) throws(StoreError) -> any AppendTransaction {
        MaildirAppend(try target(name), names: names)
    }

    /// A mailbox for messages to come into.
    private func target(_ name: MailboxName) throws(StoreError) -> Mailbox {
        let folder = try requireFolder(name)
        if let at = targets.firstIndex(where: { $0.directory.folder == folder }) {
            let known = targets.remove(at: at)
            // The same directory still?
            if let mine = known.directory.root.status(), let there = maildir.status(folder.directory),
               mine.st_ino == there.st_ino, mine.st_dev == there.st_dev {
                targets.append(known)
                return known
            }
        }
        let mailbox = try openMailbox(name, hasRows: false)
        if targets.count >= 4 { targets.removeFirst().saveKept() }
        targets.append(mailbox)
        return mailbox
    }

    // MARK: What can wait

    public func tidy() throws(StoreError) -> Bool {
        if let selected, !selected.isReadOnly, try selected.mailbox.tidy() { return true }
        for target in targets { target.saveKept() }
        // What was appended to without being opened may need an index.
        if let at = targets.firstIndex(where: \.isCheckpointDue) {
            let target = targets.remove(at: at)
            do throws(StoreError) { tidyLater(try Mailbox(target.directory, account, hasRows: true)) } catch .noSuchMailbox {}
        }
        for target in targets { do throws(StoreError) { try target.settle() } catch .noSuchMailbox {} }
        selected?.compactCacheIfDue()
        guard let mailbox = untidy.last else { return false }
        var isDone = true
        defer { if isDone { untidy.removeLast() } }
        do throws(StoreError) { isDone = try !mailbox.tidy() } catch .noSuchMailbox {}
        return !isDone || untidy.count > 1
    }

    /// Keeps a mailbox open until there is time for it. A session that is never silent must not keep all that it has changed:
    /// what is forgotten here is done when the mailbox is opened again.
    private func tidyLater(_ mailbox: Mailbox) {
        untidy.removeAll { $0.directory.folder == mailbox.directory.folder }
        if untidy.count >= 8 { untidy.removeFirst() }
        untidy.append(mailbox)
    }

    /// Forgets what is kept open of a folder that is going away.
    func release(_ folder: FolderName) {
        targets.removeAll { $0.directory.folder == folder }
        untidy.removeAll { $0.directory.folder == folder }
        if closed?.directory.folder == folder { closed = nil }
    }
}

extension MailboxStatus {
    fileprivate init(_ uidValidity: UIDValidity, _ id: ObjectID, _ summary: Summary, wantsSize: Bool) {
        self.init(uidValidity: uidValidity, id: id)
        messages = Int(summary.messages)
        recent = Int(summary.recent)
        unseen = Int(summary.unseen)
        deleted = Int(summary.deleted)
        uidNext = UInt32(clamping: summary.uidNext)
        highestModSequence = ModSequence(summary.modSequence) ?? .zero
        if wantsSize { size = summary.size }
    }
}
