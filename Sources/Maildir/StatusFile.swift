import Glibc
import IMAPTypes
import MailStore

/// `imapd.status` in the Maildir: what STATUS last said of each mailbox, so that LIST with STATUS over thousands of them opens
/// only those that have changed since. Deleting it loses nothing.
///
/// Records are appended, each with a checksum; the last one of a mailbox counts. It holds as long as the mailbox's log is the
/// same file of the same length, and new/ and cur/ were not changed: three calls of stat(2). Nothing is synced.
final class StatusFile {
    static let name = Array("imapd.status".utf8)

    struct Record {
        var log: Inode
        var logSize: UInt64
        var logModified: Int64
        var uidValidity: UInt32
        var id: ObjectID
        var summary: Summary
    }

    private let maildir: Handle
    private var file: Handle?
    /// The file is read up to here.
    private var offset = 0
    private var isDamaged = false
    private var records: [FolderName: Record] = [:]

    init(_ maildir: Handle) { self.maildir = maildir }

    /// What STATUS says of a mailbox that has not changed since; `nil` if it has, or may have.
    func record(_ folder: FolderName) -> Record? {
        if let known = records[folder], isCurrent(known, folder) { return known }
        readOn()
        return records[folder].flatMap { isCurrent($0, folder) ? $0 : nil }
    }

    private func isCurrent(_ record: Record, _ folder: FolderName) -> Bool {
        func status(_ name: String) -> stat? { maildir.status(folder.directory + Array(name.utf8)) }
        guard let log = status("/imapd.log"), Inode(log) == record.log, UInt64(log.st_size) == record.logSize,
              nanoseconds(log.st_mtim) == record.logModified, let new = status("/new"), let cur = status("/cur")
        else { return false }
        return nanoseconds(new.st_mtim) == record.summary.new.modified && nanoseconds(cur.st_mtim) == record.summary.cur.modified
    }

    /// Remembers a mailbox's state, unless a change could hide from the modification times.
    func remember(_ state: MailboxState, _ folder: FolderName) {
        guard state.summary.new.isSettled, state.summary.cur.isSettled, let log = state.log.file.status(),
              Int(log.st_size) == state.log.position else { return }
        let header = state.log.header
        let record = Record(log: state.log.inode, logSize: UInt64(log.st_size), logModified: nanoseconds(log.st_mtim),
                            uidValidity: header.uidValidity, id: header.mailboxID, summary: state.summary)
        readOn()
        records[folder] = record
        let bytes = record.bytes(folder)
        if isDamaged || offset > 1 << 20 && offset > 4 * records.count * bytes.count { return rewrite() }
        guard let file = maildir.open(Self.name, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW) else { return }
        // One write: others append too.
        _ = bytes.withUnsafeBytes { write(file.raw, $0.baseAddress, $0.count) }
    }

    private func rewrite() {
        var bytes: [UInt8] = []
        for (folder, record) in records { bytes += record.bytes(folder) }
        let temporary = Self.name + Array(".tmp".utf8)
        guard let file = maildir.open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW),
              bytes.withUnsafeBytes({ file.write($0, at: 0) }), maildir.rename(temporary, to: maildir, Self.name) else { return }
        forget()
    }

    private func forget() {
        file = nil
        offset = 0
        isDamaged = false
    }

    /// Takes in what the file has beyond what was read.
    private func readOn() {
        if let status = file?.status(), status.st_nlink == 0 || Int(status.st_size) < offset { forget() }
        if file == nil { file = maildir.open(Self.name, O_RDONLY | O_NOFOLLOW) }
        guard !isDamaged, let file, let status = file.status(), status.isRegular, Int(status.st_size) > offset,
              Int(status.st_size) < 1 << 28, let bytes = file.read(at: offset, count: Int(status.st_size) - offset)
        else { return }
        bytes.withUnsafeBytes { bytes in
            var at = 0
            while at < bytes.count {
                guard let (folder, record, end) = Record.read(UnsafeRawBufferPointer(rebasing: bytes[at...])) else {
                    isDamaged = true
                    break
                }
                records[folder] = record
                at += end
            }
            offset += at
        }
    }
}

extension StatusFile.Record {
    private static let fixedCount = 148

    /// Checksum, length of the folder's name, the rest, the folder's name.
    func bytes(_ folder: FolderName) -> [UInt8] {
        var writer = ByteWriter()
        writer.number(UInt32(0))
        writer.number(UInt32(truncatingIfNeeded: folder.directory.count))
        writer.number(UInt64(truncatingIfNeeded: log.device))
        writer.number(UInt64(truncatingIfNeeded: log.number))
        writer.number(logSize)
        writer.number(logModified)
        writer.number(uidValidity)
        writer.number(id.low)
        writer.number(id.high)
        summary.write(to: &writer)
        writer.raw(folder.directory)
        let crc = writer.bytes.withUnsafeBytes { crc32c(UnsafeRawBufferPointer(rebasing: $0[4...])) }
        writer.number(crc, at: 0)
        return writer.bytes
    }

    /// The record that `bytes` begin with, and its length.
    static func read(_ bytes: UnsafeRawBufferPointer) -> (FolderName, Self, Int)? {
        var reader = ByteReader(bytes)
        let crc = reader.number(UInt32.self), length = Int(reader.number(UInt32.self))
        guard reader.isWhole, length <= 255, bytes.count >= fixedCount + length,
              crc32c(UnsafeRawBufferPointer(rebasing: bytes[4..<fixedCount + length])) == crc else { return nil }
        let log = Inode(device: dev_t(truncatingIfNeeded: reader.number(UInt64.self)),
                        number: ino_t(truncatingIfNeeded: reader.number(UInt64.self)))
        let record = Self(log: log, logSize: reader.number(), logModified: reader.number(), uidValidity: reader.number(),
                          id: ObjectID(low: reader.number(), high: reader.number()), summary: Summary(from: &reader))
        let name = Array(reader.raw(length))
        guard reader.isWhole, let folder = name == FolderName.inbox.directory ? .inbox : FolderName(directory: name)
        else { return nil }
        return (folder, record, reader.offset)
    }
}
