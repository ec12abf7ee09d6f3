import CLinux
import Glibc
import IMAPTypes
import MailStore

/// The first bytes of `imapd.cache`: which mailbox it is of.
enum CacheHeader {
    static let byteCount = 64
    /// Places in the file are kept in 32 bits, in units of 8 bytes.
    static let longestFile = 1 << 34
    private static let form = SealedHeader("imapdcch", version: 2, byteCount: byteCount)

    static func bytes(uidValidity: UInt32, mailboxID: ObjectID) -> [UInt8] {
        form.bytes { writer in
            writer.number(mailboxID.low)
            writer.number(mailboxID.high)
            writer.number(uidValidity)
        }
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

/// One record's line in the table of its batch: where its pieces are, and what they add up to. A line of the processor's cache.
struct CacheLine {
    static let byteCount = 64

    var uid: UInt32
    /// Of the message, whose UID alone would not tell it from another if a backup was put back.
    var identity: UInt64
    var keys = Piece()
    var fields = Piece()
    var items = Piece()

    struct Piece: Equatable {
        /// 0: there is none.
        var length: UInt32 = 0
        /// Where it is in the file.
        var offset: UInt64 = 0
        var checksum: UInt64 = 0
    }

    subscript(piece: KeptPiece) -> Piece {
        switch piece {
        case .keys: keys
        case .fields: fields
        case .items: items
        }
    }

    /// Bytes of all pieces.
    var count: Int { Int(keys.length) + Int(fields.length) + Int(items.length) }

    init(uid: UInt32, identity: UInt64) {
        self.uid = uid
        self.identity = identity
    }

    @inline(__always)
    init?(in file: UnsafeRawBufferPointer, at place: Int) {
        guard place >= 0, file.count - place >= Self.byteCount else { return nil }
        func number<T: FixedWidthInteger>(_ offset: Int) -> T {
            T(littleEndian: file.loadUnaligned(fromByteOffset: place + offset, as: T.self))
        }
        uid = number(0)
        identity = number(16)
        keys = Piece(length: number(4), offset: number(24), checksum: number(40))
        fields = Piece(length: number(8), offset: number(32), checksum: number(48))
        items = Piece(length: number(12), offset: fields.offset &+ UInt64(fields.length), checksum: number(56))
    }

    /// 0, which is no UID, if there is no such place.
    @inline(__always)
    static func uid(in file: UnsafeRawBufferPointer, at place: Int) -> UInt32 {
        guard place >= 0, file.count - place >= byteCount else { return 0 }
        return UInt32(littleEndian: file.loadUnaligned(fromByteOffset: place, as: UInt32.self))
    }

    /// A piece of this message's record: `nil` if there is none, or it is damaged.
    @inline(__always)
    func bytes(_ piece: KeptPiece, in file: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        let place = self[piece]
        guard place.length > 0, place.offset <= UInt64(file.count), UInt64(place.length) <= UInt64(file.count) - place.offset
        else { return nil }
        let start = Int(place.offset)
        let bytes = UnsafeRawBufferPointer(rebasing: file[start..<start + Int(place.length)])
        return Self.checksum(of: bytes, uid, identity) == place.checksum ? bytes : nil
    }

    /// Whether every piece that there is can be read.
    func isWhole(in file: UnsafeRawBufferPointer) -> Bool {
        KeptPiece.allCases.allSatisfy { self[$0].length == 0 || bytes($0, in: file) != nil }
    }

    /// Whether the records are the same, wherever they are.
    func isSame(as other: CacheLine) -> Bool {
        func isSame(_ a: Piece, _ b: Piece) -> Bool { a.length == b.length && a.checksum == b.checksum }
        return uid == other.uid && identity == other.identity
            && isSame(keys, other.keys) && isSame(fields, other.fields) && isSame(items, other.items)
    }

    func write(to writer: inout ByteWriter) {
        // In one piece: to append each number by itself takes five times as long.
        withUnsafeTemporaryAllocation(byteCount: Self.byteCount, alignment: 8) { line in
            func put<T: FixedWidthInteger>(_ value: T, _ offset: Int) {
                line.storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self)
            }
            put(uid, 0)
            put(keys.length, 4)
            put(fields.length, 8)
            put(items.length, 12)
            put(identity, 16)
            put(keys.offset, 24)
            put(fields.offset, 32)
            put(keys.checksum, 40)
            put(fields.checksum, 48)
            put(items.checksum, 56)
            writer.bytes.append(contentsOf: UnsafeRawBufferPointer(line))
        }
    }

    /// Holds for this message's record only.
    @inline(__always)
    static func checksum(of piece: UnsafeRawBufferPointer, _ uid: UInt32, _ identity: UInt64) -> UInt64 {
        clinux_checksum(piece.baseAddress, piece.count) &+ UInt64(uid) &* 0x9E37_79B9_7F4A_7C15 &+ identity
    }
}

/// Where the records of a batch come to be: after the frame and the table all keys, so that who looks at those only reads
/// through them without a gap; then fields and items of each.
struct CacheLayout {
    private var keys: UInt64
    private var rest: UInt64
    /// Where the batch ends, but for padding, once all lines have their places.
    var end: Int { Int(rest) }

    init(_ lines: some Collection<CacheLine>, at start: Int) {
        keys = UInt64(start + CacheFrame.byteCount + lines.count * CacheLine.byteCount)
        rest = lines.reduce(keys) { $0 + UInt64($1.keys.length) }
    }

    /// The line of the next record, as it is in the new batch.
    mutating func place(_ line: CacheLine) -> CacheLine {
        var line = line
        line.keys.offset = keys
        line.fields.offset = rest
        line.items.offset = rest + UInt64(line.fields.length)
        keys += UInt64(line.keys.length)
        rest = line.items.offset + UInt64(line.items.length)
        return line
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

    mutating func append(_ uid: UInt32, identity: UInt64, _ pieces: KeptPieces) {
        let room = bytes ?? .allocate(byteCount: Self.capacity, alignment: 8)
        bytes = room
        if let last = lines.last, last.uid >= uid { isAscending = false }
        func add(_ piece: UnsafeRawBufferPointer) -> CacheLine.Piece {
            guard !piece.isEmpty else { return .init() }
            UnsafeMutableRawBufferPointer(rebasing: room[used...]).copyMemory(from: piece)
            defer { used += piece.count }
            return .init(length: UInt32(truncatingIfNeeded: piece.count), offset: UInt64(used),
                         checksum: CacheLine.checksum(of: piece, uid, identity))
        }
        var line = CacheLine(uid: uid, identity: identity)
        line.keys = add(pieces.keys)
        line.fields = add(pieces.fields)
        line.items = add(pieces.items)
        lines.append(line)
    }

    /// The one that was added last.
    func line(_ uid: UInt32, identity: UInt64) -> CacheLine? {
        guard !lines.isEmpty, let index = index(of: uid), lines[index].identity == identity else { return nil }
        return lines[index]
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

    func bytes(_ piece: KeptPiece, of line: CacheLine) -> UnsafeRawBufferPointer {
        let place = line[piece]
        guard let bytes, place.length > 0 else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(rebasing: bytes[Int(place.offset)..<Int(place.offset) + Int(place.length)])
    }

    /// Ascending, each UID once.
    func sortedLines() -> [CacheLine] {
        if isAscending { return lines }
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
