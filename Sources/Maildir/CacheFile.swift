import CLinux
import Glibc
import IMAPTypes
import MailStore

/// `imapd.cache`: bytes that were derived from messages, by UID. Deleting it loses nothing.
///
/// After a header come batches: a frame, a table of records in ascending order of UID, and the records. All are only ever
/// appended; the file is replaced as a whole when too much of it is of no more use, and never gets shorter. So it can be read
/// through a map without a lock. Nothing is synced: what a power cut left of it is told by checksums, of each table when it
/// is found and of each record whenever it is used.
final class CacheFile {
    static let name = Array("imapd.cache".utf8)

    let directory: Handle
    let uidValidity: UInt32
    let mailboxID: ObjectID
    /// `nil` as long as there is none that can be read.
    var file: Handle?
    var canWrite = false
    private var inode: (dev_t, ino_t) = (0, 0)
    /// All of the file when it was last looked at.
    private(set) var map = UnsafeRawBufferPointer(start: nil, count: 0)
    private var fileMap: FileMap?
    /// The file is whole up to here; 0 if not even its header is.
    private(set) var end = 0
    /// Whether others may have written since the last look.
    var isStale = true

    /// The first batch, which is most of the file: where its table is.
    private var base = Table()
    /// Records of all other batches; sorted when it is first looked at.
    private var tail: [TailRecord] = []
    private var isTailSorted = true
    private var tailNext = 0
    private(set) var batches = 0
    /// What was added and is not in the file yet.
    var pending = PendingRecords()

    struct Table {
        /// In the file.
        var offset = 0
        var count = 0
        /// The first record that was not looked at, by a session that goes through them in order.
        var next = 0
    }

    struct TailRecord {
        var uid: UInt32
        /// Where its line of the table is in the file, in units of 8 bytes.
        var place: UInt32
    }

    init(in directory: Handle, uidValidity: UInt32, mailboxID: ObjectID) {
        self.directory = directory
        self.uidValidity = uidValidity
        self.mailboxID = mailboxID
    }

    deinit {
        unmap()
        pending.release()
    }

    private func unmap() {
        fileMap = nil
        map = UnsafeRawBufferPointer(start: nil, count: 0)
    }

    /// False once it was seen that the file cannot be written.
    var mayWrite: Bool { file == nil || canWrite }

    // MARK: Looking at the file

    /// Takes in what others have written.
    func catchUp() {
        isStale = false
        guard let there = directory.status(Self.name), there.isRegular else { return forget() }
        if file == nil || inode != (there.st_dev, there.st_ino) { open() }
        readOn()
    }

    /// Opens the file anew.
    func open(create: Bool = false) {
        forget()
        file = directory.open(Self.name, O_RDWR | O_NOFOLLOW | (create ? O_CREAT : 0))
        canWrite = file != nil
        if file == nil { file = directory.open(Self.name, O_RDONLY | O_NOFOLLOW) }
        guard let status = file?.status(), status.isRegular else { return forget() }
        inode = (status.st_dev, status.st_ino)
    }

    func forget() {
        unmap()
        file = nil
        end = 0
        base = Table()
        tail = []
        isTailSorted = true
        tailNext = 0
        batches = 0
    }

    /// Whether the file is still the one of its name.
    var isCurrent: Bool {
        guard file != nil, let there = directory.status(Self.name) else { return false }
        return inode == (there.st_dev, there.st_ino)
    }

    /// Bytes in the file.
    var size: Int { file?.status().map { Int($0.st_size) } ?? 0 }

    func readOn() {
        guard let file else { return }
        let size = size
        // We never make it shorter: what we know of it is of no use.
        if size < end || fileMap?.isLost == true { return forget() }
        guard size > end, size >= CacheHeader.byteCount, size < CacheHeader.longestFile else { return }
        if size != map.count {
            unmap()
            guard let new = FileMap(file, size: size, isPrivate: false) else { return forget() }
            fileMap = new
            map = UnsafeRawBufferPointer(new.bytes)
        }
        if end == 0 {
            guard CacheHeader.verifies(map, uidValidity: uidValidity, mailboxID: mailboxID) else { return }
            end = CacheHeader.byteCount
        }
        while let frame = CacheFrame(in: map, at: end) {
            if batches == 0 { base = Table(offset: frame.table, count: frame.count) } else { addToTail(frame) }
            batches += 1
            end = frame.end
        }
    }

    private func addToTail(_ frame: CacheFrame) {
        for index in 0..<frame.count {
            let place = frame.table + index * CacheLine.byteCount
            let uid = CacheLine.uid(in: map, at: place)
            if let last = tail.last, last.uid >= uid { isTailSorted = false }
            tail.append(TailRecord(uid: uid, place: UInt32(truncatingIfNeeded: place / 8)))
        }
    }

    /// Later ones count.
    private func sortTail() {
        guard !isTailSorted else { return }
        isTailSorted = true
        tail.sort { $0.uid != $1.uid ? $0.uid < $1.uid : $0.place < $1.place }
        var kept = 0
        for record in tail {
            if kept > 0, tail[kept - 1].uid == record.uid { kept -= 1 }
            tail[kept] = record
            kept += 1
        }
        tail.removeLast(tail.count - kept)
        tailNext = 0
    }

    // MARK: Records

    /// Records in the file, those that others replaced included.
    var count: Int { base.count + tail.count }
    var baseCount: Int { base.count }
    var tailCount: Int { tail.count }

    /// A piece of the message's record. Valid until something is added or the file is looked at again.
    func piece(_ piece: KeptPiece, _ uid: UInt32, identity: UInt64) -> UnsafeRawBufferPointer? {
        if isStale { catchUp() }
        if !pending.isEmpty, let line = pending.line(uid, identity: identity) {
            let bytes = pending.bytes(piece, of: line)
            return bytes.isEmpty ? nil : bytes
        }
        if !tail.isEmpty, let found = lineInTail(uid, identity)?.bytes(piece, in: map) { return found }
        guard let line = lineInBase(uid, identity) else { return nil }
        fetchAhead(piece)
        return line.bytes(piece, in: map)
    }

    /// Who goes through the messages in order reads the next record next, and would wait for memory at the start of each.
    private func fetchAhead(_ piece: KeptPiece) {
        guard base.next < base.count,
              let next = CacheLine(in: map, at: base.offset + base.next * CacheLine.byteCount)?[piece],
              next.offset < UInt64(map.count) else { return }
        clinux_prefetch(map.baseAddress! + Int(next.offset), min(Int(next.length), map.count - Int(next.offset), 1024))
    }

    /// All pieces of the message's record.
    func pieces(_ uid: UInt32, identity: UInt64) -> KeptPieces? {
        var pieces = KeptPieces()
        for piece in KeptPiece.allCases {
            if let bytes = self.piece(piece, uid, identity: identity) { pieces[piece] = bytes }
        }
        return pieces.count > 0 ? pieces : nil
    }

    /// The line of the message's record in the file: the last one that is whole.
    func line(_ uid: UInt32, identity: UInt64) -> CacheLine? {
        if !tail.isEmpty, let found = lineInTail(uid, identity), found.isWhole(in: map) { return found }
        return lineInBase(uid, identity).flatMap { $0.isWhole(in: map) ? $0 : nil }
    }

    private func lineInTail(_ uid: UInt32, _ identity: UInt64) -> CacheLine? {
        placeInTail(uid).flatMap { CacheLine(in: map, at: $0) }.flatMap { $0.uid == uid && $0.identity == identity ? $0 : nil }
    }

    private func lineInBase(_ uid: UInt32, _ identity: UInt64) -> CacheLine? {
        placeInBase(uid).flatMap { CacheLine(in: map, at: $0) }.flatMap { $0.uid == uid && $0.identity == identity ? $0 : nil }
    }

    private func placeInTail(_ uid: UInt32) -> Int? {
        sortTail()
        if tailNext >= tail.count || tail[tailNext].uid != uid {
            tailNext = Self.first(from: uid, among: tail.count, near: tailNext) { tail[$0].uid }
            guard tailNext < tail.count, tail[tailNext].uid == uid else { return nil }
        }
        tailNext += 1
        return Int(tail[tailNext - 1].place) * 8
    }

    private func placeInBase(_ uid: UInt32) -> Int? {
        func uidAt(_ index: Int) -> UInt32 { CacheLine.uid(in: map, at: base.offset + index * CacheLine.byteCount) }
        if base.next >= base.count || uidAt(base.next) != uid {
            base.next = Self.first(from: uid, among: base.count, near: base.next, uidAt)
            guard base.next < base.count, uidAt(base.next) == uid else { return nil }
        }
        base.next += 1
        return base.offset + (base.next - 1) * CacheLine.byteCount
    }

    /// The first place with this UID or a larger one; at once, if it is `near`.
    private static func first(from uid: UInt32, among count: Int, near: Int, _ uidAt: (Int) -> UInt32) -> Int {
        if near <= count, near == count || uidAt(near) >= uid, near == 0 || uidAt(near - 1) < uid { return near }
        var low = 0, high = count
        while low < high {
            let middle = (low + high) / 2
            if uidAt(middle) < uid { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The lines of all records in ascending order, each UID once.
    func lines() -> [CacheLine] {
        sortTail()
        var result: [CacheLine] = []
        result.reserveCapacity(count)
        var at = 0
        for index in 0..<base.count {
            guard let line = CacheLine(in: map, at: base.offset + index * CacheLine.byteCount) else { continue }
            while at < tail.count, tail[at].uid < line.uid { appendTail(at, &result); at += 1 }
            if at < tail.count, tail[at].uid == line.uid { continue }
            result.append(line)
        }
        while at < tail.count { appendTail(at, &result); at += 1 }
        return result
    }

    private func appendTail(_ at: Int, _ result: inout [CacheLine]) {
        if let line = CacheLine(in: map, at: Int(tail[at].place) * 8) { result.append(line) }
    }
}
