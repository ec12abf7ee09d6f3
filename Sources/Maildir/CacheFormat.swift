import CLinux
import Glibc
import IMAPTypes

/// The first bytes of `imapd.cache`: which mailbox it is of.
enum CacheHeader {
    static let byteCount = 64
    /// Places in the file are kept in 32 bits, in units of 8 bytes.
    static let longestFile = 1 << 34
    private static let magic = Array("imapdcch".utf8)
    private static let version: UInt32 = 1

    static func bytes(uidValidity: UInt32, mailboxID: ObjectID) -> [UInt8] {
        var writer = ByteWriter()
        writer.raw(magic)
        writer.number(version)
        writer.number(UInt32(0))
        writer.number(mailboxID.low)
        writer.number(mailboxID.high)
        writer.number(uidValidity)
        writer.pad(to: byteCount)
        let crc = writer.bytes.withUnsafeBytes { crc32c(UnsafeRawBufferPointer(rebasing: $0[16...])) }
        writer.number(crc, at: 12)
        return writer.bytes
    }

    static func verifies(_ file: UnsafeRawBufferPointer, uidValidity: UInt32, mailboxID: ObjectID) -> Bool {
        file.count >= byteCount && file.prefix(byteCount).elementsEqual(bytes(uidValidity: uidValidity, mailboxID: mailboxID))
    }
}

/// What stands before each batch of records.
struct CacheFrame {
    static let byteCount = 32
    private static let magic: UInt32 = 0x6863_7462

    /// Where the table begins in the file, and its lines.
    let table: Int
    let count: Int
    /// Where the next batch begins.
    let end: Int

    /// `nil` if there is none, or its table is damaged.
    init?(in file: UnsafeRawBufferPointer, at offset: Int) {
        guard file.count - offset >= Self.byteCount else { return nil }
        var reader = ByteReader(UnsafeRawBufferPointer(rebasing: file[offset..<offset + Self.byteCount]))
        guard reader.number(UInt32.self) == Self.magic else { return nil }
        let count = Int(reader.number(UInt32.self))
        let length = reader.number(UInt64.self), checksum = reader.number(UInt64.self)
        let tableLength = count * CacheLine.byteCount
        guard length <= UInt64(file.count - offset), length % 8 == 0,
              UInt64(Self.byteCount + tableLength) <= length else { return nil }
        table = offset + Self.byteCount
        self.count = count
        end = offset + Int(length)
        let bytes = UnsafeRawBufferPointer(rebasing: file[table..<table + tableLength])
        guard Self.checksum(bytes, length: length, at: offset) == checksum else { return nil }
    }

    private static func checksum(_ table: UnsafeRawBufferPointer, length: UInt64, at offset: Int) -> UInt64 {
        clinux_checksum(table.baseAddress, table.count) &+ length &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(offset)
    }

    /// The frame of a batch of `length` bytes at `offset`.
    static func bytes(_ table: UnsafeRawBufferPointer, length: Int, at offset: Int) -> [UInt8] {
        var writer = ByteWriter()
        writer.number(magic)
        writer.number(UInt32(truncatingIfNeeded: table.count / CacheLine.byteCount))
        writer.number(UInt64(length))
        writer.number(checksum(table, length: UInt64(length), at: offset))
        writer.pad(to: byteCount)
        return writer.bytes
    }
}

/// One record's line in the table of its batch.
struct CacheLine {
    static let byteCount = 32

    var uid: UInt32
    var length: UInt32
    /// Where the record is in the file.
    var offset: UInt64
    /// Of the message, whose UID alone would not tell it from another if a backup was put back.
    var identity: UInt64
    var checksum: UInt64

    init(uid: UInt32, length: Int, offset: Int, identity: UInt64, checksum: UInt64) {
        self.uid = uid
        self.length = UInt32(truncatingIfNeeded: length)
        self.offset = UInt64(offset)
        self.identity = identity
        self.checksum = checksum
    }

    @inline(__always)
    init?(in file: UnsafeRawBufferPointer, at place: Int) {
        guard place >= 0, file.count - place >= Self.byteCount else { return nil }
        uid = UInt32(littleEndian: file.loadUnaligned(fromByteOffset: place, as: UInt32.self))
        length = UInt32(littleEndian: file.loadUnaligned(fromByteOffset: place + 4, as: UInt32.self))
        offset = UInt64(littleEndian: file.loadUnaligned(fromByteOffset: place + 8, as: UInt64.self))
        identity = UInt64(littleEndian: file.loadUnaligned(fromByteOffset: place + 16, as: UInt64.self))
        checksum = UInt64(littleEndian: file.loadUnaligned(fromByteOffset: place + 24, as: UInt64.self))
    }

    /// 0, which is no UID, if there is no such place.
    @inline(__always)
    static func uid(in file: UnsafeRawBufferPointer, at place: Int) -> UInt32 {
        guard place >= 0, file.count - place >= byteCount else { return 0 }
        return UInt32(littleEndian: file.loadUnaligned(fromByteOffset: place, as: UInt32.self))
    }

    func write(to writer: inout ByteWriter) {
        writer.number(uid)
        writer.number(length)
        writer.number(offset)
        writer.number(identity)
        writer.number(checksum)
    }

    /// Holds for this message's record only.
    @inline(__always)
    static func checksum(of record: UnsafeRawBufferPointer, _ uid: UInt32, _ identity: UInt64) -> UInt64 {
        clinux_checksum(record.baseAddress, record.count) &+ UInt64(uid) &* 0x9E37_79B9_7F4A_7C15 &+ identity
    }
}

/// Records that are not in the file yet: at most 1 MiB of them.
struct PendingRecords {
    static let capacity = 1 << 20

    /// `offset` is that in `bytes`.
    private(set) var lines: [CacheLine] = []
    private(set) var bytes: UnsafeMutableRawBufferPointer?
    private(set) var used = 0
    /// Whether no UID came after a larger one, or twice.
    private var isAscending = true

    var isEmpty: Bool { lines.isEmpty }

    func hasRoom(for count: Int) -> Bool { Self.capacity - used >= count }

    mutating func append(_ uid: UInt32, identity: UInt64, _ record: UnsafeRawBufferPointer) {
        let room = bytes ?? .allocate(byteCount: Self.capacity, alignment: 8)
        bytes = room
        if let last = lines.last, last.uid >= uid { isAscending = false }
        UnsafeMutableRawBufferPointer(rebasing: room[used...]).copyMemory(from: record)
        lines.append(CacheLine(uid: uid, length: record.count, offset: used, identity: identity,
                               checksum: CacheLine.checksum(of: record, uid, identity)))
        used += record.count
    }

    /// The one that was added last.
    func record(_ uid: UInt32, identity: UInt64) -> UnsafeRawBufferPointer? {
        guard let bytes, !lines.isEmpty, let index = index(of: uid), lines[index].identity == identity else { return nil }
        return self.bytes(of: lines[index], in: UnsafeRawBufferPointer(bytes))
    }

    private func index(of uid: UInt32) -> Int? {
        guard isAscending else { return lines.lastIndex { $0.uid == uid } }
        var low = 0, high = lines.count
        while low < high {
            let middle = (low + high) / 2
            if lines[middle].uid < uid { low = middle + 1 } else { high = middle }
        }
        return low < lines.count && lines[low].uid == uid ? low : nil
    }

    func bytes(of line: CacheLine, in bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[Int(line.offset)..<Int(line.offset) + Int(line.length)])
    }

    /// Ascending, each UID once.
    func sortedLines() -> [CacheLine] {
        var result: [CacheLine] = []
        for line in lines.enumerated().sorted(by: { ($0.element.uid, $0.offset) < ($1.element.uid, $1.offset) }).map(\.element) {
            if result.last?.uid == line.uid { result.removeLast() }
            result.append(line)
        }
        return result
    }

    mutating func removeAll() {
        lines.removeAll(keepingCapacity: true)
        used = 0
        isAscending = true
    }

    /// Gives the memory back too.
    mutating func release() {
        removeAll()
        lines = []
        bytes?.deallocate()
        bytes = nil
    }
}
