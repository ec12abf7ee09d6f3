import Glibc
import IMAPTypes
import Logging
import MailStore
import SystemPackage

/// A Maildir as it lies on the disk. Looking changes nothing: no file is made, no time is touched.
public final class MaildirInspection {
    public let path: String
    let maildir: Handle
    let naming: FolderNaming
    /// Whose everything should be.
    let owner: uid_t
    let account: AccountRecord
    /// When it is, in seconds since the epoch: what is older than it may be is told by that.
    let time: Int64
    private var findings = Findings()

    /// Throws `.io` with `ENOENT` if there is no Maildir.
    public convenience init(path: String, separator: Character = ".") throws(StoreError) {
        try self.init(path: path, separator: separator, time: now() / 1_000_000_000)
    }

    init(path: String, separator: Character = ".", time: Int64) throws(StoreError) {
        self.time = time
        let descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .io(Errno(rawValue: errno), doing: "opening the Maildir \(path)") }
        maildir = Handle(descriptor)
        self.path = path
        naming = FolderNaming(separator: separator)
        guard let status = maildir.status() else { throw failure("looking at the Maildir \(path)") }
        owner = geteuid() == 0 ? status.st_uid : geteuid()
        account = AccountRecord(in: maildir)
    }

    /// Looks at one mailbox after the other, INBOX first, then by name. They are not held together: there may be more than a
    /// process can have open.
    public func forEachMailbox(_ body: (MailboxInspection) throws(StoreError) -> Void) throws(StoreError) {
        for (folder, name) in try folders() {
            let mailbox: MailboxInspection
            do throws(StoreError) {
                mailbox = try MailboxInspection(folder, name, in: self)
            } catch .io(.noSuchFileOrDirectory, _) {
                // A session has deleted it just now.
                continue
            }
            try body(mailbox)
        }
    }

    /// With the names under which they are shown.
    func folders() throws(StoreError) -> [(FolderName, MailboxName)] {
        var folders: [(FolderName, MailboxName)] = []
        let isRead = forEachName(in: maildir, hidden: true) { name, _ in
            guard let folder = FolderName(directory: Array(name)), maildir.hasDirectory(folder.directory + Array("/cur".utf8)),
                  let shown = naming.name(folder) else { return }
            folders.append((folder, shown))
        }
        guard isRead else { throw failure("reading the Maildir") }
        return [(.inbox, .inbox)] + folders.sorted { $0.1.string < $1.1.string }
    }

    /// Names that are subscribed, whether or not there are such mailboxes; none, if the list cannot be read.
    lazy var subscriptions: Set<MailboxName> = {
        let folders: [FolderName]
        if let list = try? maildir.readForeign(MaildirStore.subscriptionsName, longest: 1 << 24) {
            folders = list.bytes.split(separator: 0x0A).compactMap { FolderName(line: Array($0)) }
        } else {
            folders = (try? ForeignSubscriptions(in: maildir) { folder in
                folder == .inbox || maildir.hasDirectory(folder.directory + Array("/cur".utf8))
            })?.folders ?? []
        }
        return Set(folders.compactMap { naming.name($0) })
    }()

    // MARK: The account

    /// What is wrong with the Maildir as a whole; the mailboxes are looked at each for itself.
    public func check() throws(StoreError) -> [Finding] {
        findings = Findings()
        let folders = try folders()
        checkAccount(folders.map(\.0))
        try checkNames(folders)
        try checkSubscriptions()
        return findings.all
    }

    private func checkAccount(_ folders: [FolderName]) {
        switch account.state {
        case .missing:
            let served = folders.filter { maildir.status($0.directory + Array("/imapd.log".utf8)) != nil }
            if !served.isEmpty { findings.add(.accountMissing, nil, "imapd.account") }
        case .unreadable(let error): findings.add(.unreadable, nil, "imapd.account", detail: "\(error)")
        case .read: break
        }
        if account.damagedLines > 0 { findings.add(.accountDamaged, nil, "imapd.account", count: account.damagedLines) }
    }

    /// What else lies in the Maildir.
    private func checkNames(_ folders: [(FolderName, MailboxName)]) throws(StoreError) {
        var shown: [MailboxName: FolderName] = [:]
        for (folder, name) in folders {
            // Of two folders with one name, one cannot be opened.
            if shown.updateValue(folder, forKey: name) != nil { findings.add(.hiddenFolder, nil, printable(folder.directory)) }
        }
        let limit = time - MaildirStore.sweepAge
        let isRead = forEachName(in: maildir, hidden: true) { name, type in
            if name.elementsEqual(".".utf8) || name.elementsEqual("..".utf8) { return }
            let path = Array(name)
            guard let status = maildir.status(path) else { return }
            if MaildirStore.isBeingMadeOrRemoved(name) {
                if Int64(status.st_ctim.tv_sec) < limit { findings.add(.leftover, nil, printable(path)) }
                return
            }
            checkLink(path, status, in: nil, &findings)
            guard name.first == UInt8(ascii: "."), let folder = FolderName(directory: path) else { return }
            if maildir.hasDirectory(path + Array("/cur".utf8)) {
                if naming.name(folder) == nil { findings.add(.hiddenFolder, nil, printable(path)) }
            } else if status.isDirectory, status.st_mode & 0o700 != 0o700 {
                // Whether it is a mailbox cannot be seen.
                findings.add(.wrongMode, nil, printable(path))
            }
        }
        guard isRead else { throw failure("reading the Maildir") }
    }

    /// Finds a symbolic link that leads out of the Maildir. `path` is within it.
    func checkLink(_ path: [UInt8], _ status: stat, in mailbox: MailboxName?, _ findings: inout Findings) {
        guard status.st_mode & S_IFMT == S_IFLNK else { return }
        let target = realPath(self.path + "/" + String(decoding: path, as: UTF8.self))
        guard let root = realPath(self.path) else { return }
        if let target, target == root || target.hasPrefix(root + "/") { return }
        findings.add(.symbolicLink, mailbox, printable(path) + " -> " + (target ?? "nothing that is there"))
    }

    private func realPath(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    private func checkSubscriptions() throws(StoreError) {
        let list = try maildir.readForeign(MaildirStore.subscriptionsName, longest: 1 << 24)
        for line in list?.bytes.split(separator: 0x0A) ?? [] {
            guard let folder = FolderName(line: Array(line)) else { continue }
            if folder == .inbox || maildir.hasDirectory(folder.directory + Array("/cur".utf8)) { continue }
            // It may be written in another way there.
            if let name = naming.name(folder), let made = try? naming.folder(name),
               maildir.hasDirectory(made.directory + Array("/cur".utf8)) { continue }
            findings.add(.staleSubscription, nil, naming.name(folder)?.string ?? printable(line))
        }
    }
}

/// What `imapd.account` says of mailboxes, read once and without a lock.
struct AccountRecord {
    enum State { case read, missing, unreadable(StoreError) }

    private(set) var state = State.read
    private(set) var damagedLines = 0
    private(set) var mailboxes: [FolderName: Account.Mailbox] = [:]

    init(in maildir: Handle) {
        let file: (bytes: [UInt8], modified: Int64)?
        do throws(StoreError) {
            file = try maildir.readForeign(Account.name, longest: 1 << 30)
        } catch {
            state = .unreadable(error)
            return
        }
        guard let file else {
            state = .missing
            return
        }
        var contents = Account.Contents()
        var rest = file.bytes[...]
        while let end = rest.firstIndex(of: 0x0A) {
            if end > rest.startIndex, !contents.take(rest[..<end]) { damagedLines += 1 }
            rest = rest[(end + 1)...]
        }
        // A line that was cut short is left out, and written over the next time.
        if !rest.isEmpty { damagedLines += 1 }
        mailboxes = contents.mailboxes
    }
}
