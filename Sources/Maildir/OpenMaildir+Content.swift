import CLinux
import Glibc
import IMAPTypes
import MailStore

extension OpenMaildir {
    func content(_ uid: UID) throws(StoreError) -> any MessageContent { try file(uid) }

    func source(_ uid: UID) -> (any MessageSource)? {
        // A damaged index is repaired by whoever reads the message.
        guard table.base?.verifyRest() != false, let row = row(uid), !table.isGone(row) else { return nil }
        return MessagePlace(directory: mailbox.directory.directory(table.place(row)), name: table.name(row), uid: uid)
    }

    /// The message's file, wherever it is now.
    func file(_ uid: UID) throws(StoreError) -> MessageFile {
        try mailbox.verifyRows()
        if let file = try known(uid) { return file }
        // Another session or program may have renamed it: first hear what the log says, then look for it.
        try mailbox.catchUp(isLocked: false)
        for _ in 0..<5 {
            if let file = try known(uid) { return file }
            guard let row = row(uid), !table.isGone(row), let (place, name) = try mailbox.findFile(row) else { break }
            if let file = MessageFile.open(name, in: place) { return try MessageFile(file, uid) }
        }
        guard row(uid) != nil || ghosts[uid.rawValue] != nil,
              let graveyard = Graveyard.open(mailbox.directory, create: false),
              let file = graveyard.open(Graveyard.fileName(uid.rawValue), MessageFile.openFlags)
        else { throw .messageGone(uid) }
        return try MessageFile(file, uid)
    }

    /// The file under the name that is known; `nil` if it is not there.
    private func known(_ uid: UID) throws(StoreError) -> MessageFile? {
        guard let row = row(uid), !table.isGone(row) else { return nil }
        if let file = MessageFile.open(table.name(row), in: mailbox.directory.directory(table.place(row))) {
            return try MessageFile(file, uid)
        }
        guard errno == ENOENT else { throw failure("opening", table.name(row)) }
        return nil
    }

    func details(_ uid: UID) throws(StoreError) -> MessageDetails {
        try mailbox.verifyRows()
        if let row = row(uid) {
            if let date = table.internalDate(row), let size = table.size(row) {
                return MessageDetails(internalDate: date, size: size)
            }
            if let known = mailbox.details[uid.rawValue] {
                return MessageDetails(internalDate: known.internalDate, size: known.size)
            }
        }
        let file = try file(uid)
        let size = try file.wireSize()
        // Looked up again: the rows may be others since.
        if let row = row(uid), !table.isGone(row) { mailbox.noteDetails(uid.rawValue, internalDate: file.modified, size: size) }
        return MessageDetails(internalDate: file.modified, size: size)
    }

    func identity(_ uid: UID) throws(StoreError) -> MessageIdentity {
        try mailbox.verifyRows()
        guard let row = row(uid) else { throw .messageGone(uid) }
        return MessageIdentity(id: table.id(row), saveDate: table.saveDate(row))
    }
}

/// Where a message's file was when it was last seen.
///
/// Unchecked: a `Handle` changes only when it is released or has no owner any more, and this is an owner that does not.
private struct MessagePlace: MessageSource, @unchecked Sendable {
    let directory: Handle
    let name: [UInt8]
    let uid: UID

    func open() -> (any MessageContent)? { MessageFile.open(name, in: directory).map { MessageFile(unseen: $0, uid) } }
}

/// A message's file, open.
final class MessageFile: MessageContent {
    private let file: Handle
    private let uid: UID
    /// The last two of `status`, once they are known.
    private var known: (size: UInt64, modified: Int64)?

    init(_ file: Handle, _ uid: UID) throws(StoreError) {
        guard let status = file.status(), status.isRegular else { throw .messageGone(uid) }
        self.file = file
        self.uid = uid
        known = (UInt64(max(status.st_size, 0)), Int64(status.st_mtim.tv_sec))
    }

    /// For a reader who begins at the beginning, and gives up if that fails: as it does for what is no file.
    init(unseen file: Handle, _ uid: UID) {
        self.file = file
        self.uid = uid
    }

    var size: UInt64 {
        if let known { return known.size }
        guard let status = file.status(), status.isRegular else { return 0 }
        known = (UInt64(max(status.st_size, 0)), Int64(status.st_mtim.tv_sec))
        return known?.size ?? 0
    }

    /// INTERNALDATE, in seconds since the epoch.
    var modified: Int64 {
        _ = size
        return known?.modified ?? 0
    }

    func readBeginning(into buffer: UnsafeMutableRawBufferPointer) throws(StoreError) -> Int {
        while true {
            let got = pread(file.raw, buffer.baseAddress, buffer.count, 0)
            if got >= 0 { return got }
            if errno != EINTR { throw failure("reading a message") }
        }
    }

    /// A named pipe must not stop us.
    static let openFlags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY

    /// To read a message need not change its inode: with `relatime` the first look at each would write one. Only the owner may
    /// ask for that.
    static func open(_ name: [UInt8], in place: Handle) -> Handle? {
        if let file = place.open(name, openFlags | clinux_o_noatime()) { return file }
        return errno == EPERM ? place.open(name, openFlags) : nil
    }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(StoreError) -> Int {
        guard offset < size, !buffer.isEmpty else { return 0 }
        while true {
            let count = min(UInt64(buffer.count), size - offset)
            let got = pread(file.raw, buffer.baseAddress, Int(count), off_t(offset))
            if got > 0 { return got }
            if got < 0, errno == EINTR { continue }
            if got < 0 { throw failure("reading a message") }
            // Shorter than it was: somebody cut it.
            throw .messageGone(uid)
        }
    }

    /// RFC822.SIZE: the size with every line end as CRLF.
    func wireSize() throws(StoreError) -> UInt64 {
        var counter = WireSize()
        var problem: StoreError?
        withUnsafeTemporaryAllocation(byteCount: Int(min(max(size, 1), 1 << 16)), alignment: 1) { buffer in
            var offset: UInt64 = 0
            while offset < size, problem == nil {
                do throws(StoreError) {
                    let got = try read(at: offset, into: buffer)
                    counter.add(UnsafeRawBufferPointer(rebasing: buffer[..<got]))
                    offset += UInt64(got)
                } catch {
                    problem = error
                }
            }
        }
        if let problem { throw problem }
        return counter.size
    }
}

/// Counts bytes as they will be sent: a LF without a CR before it counts two.
struct WireSize {
    private(set) var size: UInt64 = 0
    private var endsInCR = false

    mutating func add(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress, !bytes.isEmpty else { return }
        var lone: UInt64 = 0
        var at = 0
        while at < bytes.count, let found = memchr(start + at, 0x0A, bytes.count - at) {
            let here = found - UnsafeMutableRawPointer(mutating: start)
            if here == 0 ? !endsInCR : bytes[here - 1] != 0x0D { lone += 1 }
            at = here + 1
        }
        size += UInt64(bytes.count) + lone
        endsInCR = bytes[bytes.count - 1] == 0x0D
    }
}
