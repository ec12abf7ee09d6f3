import Glibc
import IMAPTypes
import MailStore
import SystemPackage

/// A mailbox's directory with new/ and cur/, open; and its lock.
///
/// What is done to a mailbox is done relative to these descriptors: it goes on when the mailbox is renamed meanwhile.
final class MailboxDirectory {
    let mailbox: MailboxName
    let folder: FolderName
    let root: Handle
    let new: Handle
    let cur: Handle
    let lockFile: LockFile
    private var temporary: Handle?

    /// Throws `.noSuchMailbox` unless there is a directory with cur/. new/ is made if it is missing.
    init(_ mailbox: MailboxName, _ folder: FolderName, in maildir: Handle) throws(StoreError) {
        self.mailbox = mailbox
        self.folder = folder
        func problem(_ doing: String) -> StoreError {
            errno == ENOENT || errno == ENOTDIR ? .noSuchMailbox(mailbox) : failure(doing, folder.directory)
        }
        guard let root = maildir.open(folder.directory, O_RDONLY | O_DIRECTORY) else { throw problem("opening") }
        guard let cur = root.open("cur".utf8, O_RDONLY | O_DIRECTORY | O_NOFOLLOW) else { throw problem("opening cur in") }
        if root.status("new".utf8) == nil { _ = root.makeDirectory("new".utf8) }
        guard let new = root.open("new".utf8, O_RDONLY | O_DIRECTORY | O_NOFOLLOW) else { throw problem("opening new in") }
        self.root = root
        self.cur = cur
        self.new = new
        guard let lockFile = LockFile(in: root) else { throw problem("opening imapd.lock in") }
        self.lockFile = lockFile
    }

    /// tmp/, made if it is missing.
    func tmp() throws(StoreError) -> Handle {
        if let temporary { return temporary }
        if root.status("tmp".utf8) == nil { _ = root.makeDirectory("tmp".utf8) }
        guard let directory = root.open("tmp".utf8, O_RDONLY | O_DIRECTORY | O_NOFOLLOW) else {
            if errno == ENOENT { throw .noSuchMailbox(mailbox) }
            throw failure("opening tmp in", folder.directory)
        }
        temporary = directory
        return directory
    }

    func directory(_ place: Place) -> Handle { place.contains(.new) ? new : cur }

    // MARK: The lock

    /// Waits until no other session, in this process or another, writes to the mailbox.
    func lock() throws(StoreError) {
        guard lockFile.lock(.writer) else {
            if errno == ENOENT { throw .noSuchMailbox(mailbox) }
            throw failure("locking", folder.directory)
        }
    }

    /// False if another session is writing to the mailbox.
    func lockIfFree() throws(StoreError) -> Bool {
        if lockFile.lock(.writer, waits: false) { return true }
        if errno == EAGAIN || errno == EACCES { return false }
        if errno == ENOENT { throw .noSuchMailbox(mailbox) }
        throw failure("locking", folder.directory)
    }

    func unlock() { lockFile.unlock(.writer) }

    // MARK: The mark

    var mark: LogMark? {
        lockFile.file.read(at: 0, count: LogMark.byteCount).flatMap { bytes in bytes.withUnsafeBytes { LogMark(from: $0) } }
    }

    /// Not synced: what it marks is.
    func setMark(_ mark: LogMark) {
        _ = mark.bytes().withUnsafeBytes { lockFile.file.write($0, at: 0) }
    }
}

/// How far the log came, and which file it was, kept in the lock file: a log that falls short of it has lost something, and one
/// that is another file is a copy of it. Written when the log is on the disk up to there.
struct LogMark {
    var generation: UInt64
    var length: UInt64
    var uidValidity: UInt32
    var uidNext: UInt64
    var modSequence: UInt64
    /// The end of the log's inode number, which a copy of the files does not have; 0: not known.
    var inode: UInt32

    /// Whether the log was on the disk when it told this. One that was replaced is: that comes before its successor.
    fileprivate func covers(_ summary: Summary, of log: LogHeader) -> Bool {
        guard uidValidity == log.uidValidity else { return false }
        return generation > log.generation
            || generation == log.generation && uidNext >= summary.uidNext && modSequence >= summary.modSequence
    }

    static let byteCount = 48
    private static let form = SealedHeader("mark", byteCount: byteCount)

    func bytes() -> [UInt8] {
        Self.form.bytes { writer in
            writer.number(generation)
            writer.number(length)
            writer.number(uidNext)
            writer.number(modSequence)
            writer.number(uidValidity)
            writer.number(inode)
        }
    }

    init(generation: UInt64, length: UInt64, uidValidity: UInt32, uidNext: UInt64, modSequence: UInt64, inode: UInt32) {
        self.generation = generation
        self.length = length
        self.uidValidity = uidValidity
        self.uidNext = uidNext
        self.modSequence = modSequence
        self.inode = inode
    }

    init?(from bytes: UnsafeRawBufferPointer) {
        guard var reader = Self.form.reader(of: bytes) else { return nil }
        generation = reader.number()
        length = reader.number()
        uidNext = reader.number()
        modSequence = reader.number()
        uidValidity = reader.number()
        inode = reader.number()
        guard (1...1 << 32).contains(uidNext), modSequence < UInt64(Int64.max), generation < .max, uidValidity > 0
        else { return nil }
    }
}

extension LogHeader {
    /// Whether a log that tells this is on the disk as far as UIDs and mod-sequences go: it began with them, or the mark says so.
    func isOnDisk(_ told: Summary, _ mark: LogMark?) -> Bool {
        told.uidNext <= summary.uidNext && told.modSequence <= summary.modSequence || mark?.covers(told, of: self) == true
    }
}
