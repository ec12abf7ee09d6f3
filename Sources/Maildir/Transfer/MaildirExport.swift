import Glibc
import IMAPTypes
import MailStore
import SystemPackage

/// What `exportMaildir` wrote.
public struct MaildirExport: Sendable {
    public var mailboxes = 0
    public var messages = 0
    /// Messages that were there already.
    public var known = 0
    /// Keywords that found no letter, by mailbox.
    public var lostKeywords: [MailboxName: [Keyword]] = [:]
}

/// A copy that any program can read: Maildir++ with flags in the names of files, and keywords as Dovecot has them there.
extension MaildirStore {
    /// Copies messages, with their dates, into a Maildir that is made if there is none. What is there already stays.
    ///
    /// - Parameter names: the mailboxes; all of them if it is empty.
    public func exportMaildir(
        to path: String, _ names: [MailboxName], progress: (MailboxName, _ done: Int, _ total: Int) -> Void
    ) throws(StoreError) -> MaildirExport {
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
            throw .io(Errno(rawValue: errno), doing: "creating \(path)")
        }
        let descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .io(Errno(rawValue: errno), doing: "opening \(path)") }
        let target = Handle(descriptor)
        guard let mine = maildir.status(), let there = target.status(), mine.st_ino != there.st_ino || mine.st_dev != there.st_dev
        else { throw .notPermitted(reason: "a Maildir cannot be copied into itself") }
        var result = MaildirExport()
        for name in try names.isEmpty ? mailboxes().map(\.name) : names {
            let folder = try requireFolder(name), mailbox = try openMailbox(name, hasRows: true)
            try mailbox.scanIfDue()
            try mailbox.verifyRows()
            let directory = try Self.makeFolder(folder, in: target)
            let lost = try mailbox.copyMessages(to: directory, self.names, &result) { progress(name, $0, $1) }
            if !lost.isEmpty { result.lostKeywords[name] = lost }
            result.mailboxes += 1
        }
        if names.isEmpty {
            let list = try subscribedFolders().map { $0.line + [0x0A] }.joined()
            try target.replaceFile(ForeignSubscriptions.dovecotName, with: Array(list))
        }
        return result
    }

    private static func makeFolder(_ folder: FolderName, in maildir: Handle) throws(StoreError) -> Handle {
        if folder != .inbox, maildir.status(folder.directory) == nil, !maildir.makeDirectory(folder.directory) {
            throw failure("creating", folder.directory)
        }
        guard let directory = maildir.open(folder.directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW) else {
            throw failure("opening", folder.directory)
        }
        for part in ["cur", "new", "tmp"] where directory.status(part.utf8) == nil {
            guard directory.makeDirectory(part.utf8) else { throw failure("creating \(part) in", folder.directory) }
        }
        if folder != .inbox { _ = directory.open("maildirfolder".utf8, O_WRONLY | O_CREAT | O_NOFOLLOW) }
        return directory
    }
}

extension Mailbox {
    /// Returns the keywords that found no letter.
    fileprivate func copyMessages(
        to target: Handle, _ names: NameMaker, _ result: inout MaildirExport, progress: (_ done: Int, _ total: Int) -> Void
    ) throws(StoreError) -> [Keyword] {
        guard let cur = target.open("cur".utf8, O_RDONLY | O_DIRECTORY | O_NOFOLLOW),
              let new = target.open("new".utf8, O_RDONLY | O_DIRECTORY | O_NOFOLLOW),
              let tmp = target.open("tmp".utf8, O_RDONLY | O_DIRECTORY | O_NOFOLLOW) else { throw failure("opening the copy") }
        var there = Listing()
        guard there.read(new, isNew: true), there.read(cur, isNew: false) else { throw failure("reading the copy") }
        var known: Set<[UInt8]> = []
        for entry in there.entries { known.insert(Array(there.location(entry).name.prefix(Int(entry.baseLength)))) }

        let old = try target.readForeign(ForeignKeywords.dovecotName, longest: 1 << 20)
        let meanings = old.map { ForeignKeywords(dovecot: $0.bytes).meanings } ?? []
        let letters = DovecotLetters(table, state.keywords, meanings)
        // The meanings first: a letter must never be there without one.
        if letters.hasMeanings { try target.replaceFile(ForeignKeywords.dovecotName, with: letters.file) }
        let total = Int(state.summary.messages)
        var done = 0
        for row in 0..<table.count where !table.isGone(row) {
            done += 1
            progress(done, total)
            let base = table.baseName(row)
            if known.contains(base) {
                result.known += 1
                continue
            }
            let info = letters.info(table.info(row), flags: table.flags(row), keywords: table.keywords(row))
            // Renamed meanwhile, it is found under its new name; gone, it is not missed.
            var place = directory.directory(table.place(row)), name = table.name(row)
            if place.status(name) == nil {
                guard let found = try findFile(row) else { continue }
                (place, name) = found
            }
            guard copyBytes(place, name, by: tmp, names.next(), to: cur, base + info) else { throw failure("copying", name) }
            result.messages += 1
        }
        guard cur.sync(), target.sync() else { throw failure("syncing the copy") }
        return letters.lost
    }
}
