import CLinux
import Glibc
import IMAPTypes
import MailStore
import SystemPackage

/// `imapd.log`: a header, then transactions, each checked by a checksum and chained to the one before it.
///
/// Writers hold the mailbox's lock. Readers do not: they read on from where they were, and take what verifies.
struct LogFile {
    static let name = Array("imapd.log".utf8)
    /// The log before this one, for repairs.
    static let oldName = Array("imapd.log.old".utf8)
    /// A second name of the log, for when the first is lost.
    static let spareName = Array("imapd.log.spare".utf8)
    /// There while a mailbox gets its first files, and afterwards if that was cut short.
    static let repairName = Array("imapd.log.repair".utf8)

    let file: Handle
    let header: LogHeader
    let inode: Inode
    /// Up to here it was read and applied.
    var position: Int
    /// The checksum of the transaction before `position`, or of the header.
    var chain: UInt32

    /// `nil` if there is no such file or its header is damaged. A file that only cannot be read now is not taken for damaged.
    init?(in directory: Handle, name: [UInt8] = name) throws(StoreError) {
        guard let file = directory.open(name, O_RDWR | O_NOFOLLOW) else {
            if errno == ENOENT { return nil }
            throw failure("opening imapd.log")
        }
        guard let bytes = file.read(at: 0, count: LogHeader.byteCount) else { throw failure("reading imapd.log") }
        guard let status = file.status(), status.isRegular,
              let header = bytes.withUnsafeBytes({ LogHeader(from: $0) }) else { return nil }
        self.file = file
        self.header = header
        inode = Inode(status)
        position = LogHeader.byteCount
        chain = bytes.withUnsafeBytes { crc32c($0) }
    }

    /// A log that is not in a file yet: to hang a state on until `Mailbox.checkpoint` writes one.
    init(unwritten header: LogHeader) {
        file = Handle(-1)
        self.header = header
        inode = Inode(device: 0, number: 0)
        position = LogHeader.byteCount
        chain = header.bytes().withUnsafeBytes { crc32c($0) }
    }

    /// A transaction in the file: mark, length of what follows the frame, checksum of that and of the chain, chain.
    enum Frame {
        static let mark: UInt32 = 0x5458_4E32
        static let byteCount = 16
        /// No transaction is longer: a length beyond it is damage.
        static let longest = 512 << 20
    }

    /// The transaction that begins at `offset` of `bytes`, and where the next begins; `nil` if there is none that is whole.
    static func frame(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> (body: Range<Int>, chain: UInt32, crc: UInt32)? {
        guard let frame = promised(bytes, at: offset),
              crc32c(UnsafeRawBufferPointer(rebasing: bytes[(offset + 12)..<frame.body.upperBound])) == frame.crc
        else { return nil }
        return frame
    }

    /// What the bytes at `offset` say of a transaction, which its checksum may belie.
    fileprivate static func promised(
        _ bytes: UnsafeRawBufferPointer, at offset: Int
    ) -> (body: Range<Int>, chain: UInt32, crc: UInt32)? {
        guard bytes.count - offset >= Frame.byteCount else { return nil }
        func number(_ index: Int) -> UInt32 {
            UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset + 4 * index, as: UInt32.self))
        }
        let length = Int(number(1)), start = offset + Frame.byteCount
        guard number(0) == Frame.mark, length <= Frame.longest, bytes.count - start >= length else { return nil }
        return (start..<start + length, number(3), number(2))
    }

    /// Its size if it still is the mailbox's log; `nil` if that was replaced or removed.
    func size(in directory: Handle) -> Int? {
        guard let status = directory.status(Self.name), Inode(status) == inode else { return nil }
        return Int(status.st_size)
    }

    /// What `readOn` left unread.
    enum Rest {
        case nothing
        /// What does not verify.
        case torn
        /// What the caller did not want.
        case unwanted
    }

    /// What follows `position` and verifies, as far as it is wanted.
    mutating func readOn(
        size: Int, while isWanted: (Transaction) -> Bool = { _ in true }
    ) -> (transactions: [Transaction], rest: Rest)? {
        guard let bytes = file.read(at: position, count: size - position) else { return nil }
        return bytes.withUnsafeBytes { bytes in
            var transactions: [Transaction] = []
            var offset = 0, isUnwanted = false
            while let frame = Self.frame(bytes, at: offset), frame.chain == chain,
                  let transaction = Transaction(from: UnsafeRawBufferPointer(rebasing: bytes[frame.body])) {
                guard isWanted(transaction) else {
                    isUnwanted = true
                    break
                }
                transactions.append(transaction)
                offset = frame.body.upperBound
                chain = frame.crc
            }
            position += offset
            return (transactions, isUnwanted ? .unwanted : position == size ? .nothing : .torn)
        }
    }

    /// Every transaction of the file that verifies by itself, whatever is between them.
    func salvage() -> [Transaction] {
        guard let status = file.status(), status.st_size < 1 << 31,
              let bytes = file.read(at: LogHeader.byteCount, count: max(0, Int(status.st_size) - LogHeader.byteCount))
        else { return [] }
        return bytes.withUnsafeBytes { bytes in
            var transactions: [Transaction] = []
            var search = FrameSearch(bytes)
            var offset = 0
            while let found = search.next(from: offset), let frame = Self.frame(bytes, at: found) {
                if let transaction = Transaction(from: UnsafeRawBufferPointer(rebasing: bytes[frame.body])) {
                    transactions.append(transaction)
                    offset = frame.body.upperBound
                } else {
                    offset = found + 1
                }
            }
            return transactions
        }
    }

    /// Writes a transaction in its frame. Returns its checksum, which the next one has in its own.
    static func write(to writer: inout ByteWriter, after chain: UInt32, _ body: (inout ByteWriter) -> Void) -> UInt32 {
        let start = writer.bytes.count
        writer.number(Frame.mark)
        writer.raw(repeatElement(0, count: Frame.byteCount - 4))
        writer.number(chain, at: start + 12)
        body(&writer)
        writer.number(UInt32(truncatingIfNeeded: writer.bytes.count - start - Frame.byteCount), at: start + 4)
        let crc = writer.bytes.withUnsafeBytes { crc32c(UnsafeRawBufferPointer(rebasing: $0[(start + 12)...])) }
        writer.number(crc, at: start + 8)
        return crc
    }

    /// Appends a transaction, durably if `sync`. If it fails the file is as it was.
    mutating func append(_ transaction: Transaction, sync: Bool) throws(StoreError) {
        var writer = ByteWriter()
        let crc = Self.write(to: &writer, after: chain) { transaction.write(to: &$0) }
        guard writer.bytes.count - Frame.byteCount <= Frame.longest else { throw .io(.fileTooLarge, doing: "writing imapd.log") }
        guard writer.bytes.withUnsafeBytes({ file.write($0, at: position) }), !sync || clinux_sync_data(file.raw) == 0 else {
            let error = failure("writing imapd.log")
            _ = ftruncate(file.raw, off_t(position))
            throw error
        }
        position += writer.bytes.count
        chain = crc
    }
}

/// Looks for transactions in bytes of a log that is damaged.
///
/// Whatever looks like one costs the checksum of as many bytes as it says to have. A log that somebody has made of nothing but
/// such beginnings would cost the square of its length: so there is an end to it.
struct FrameSearch {
    private let bytes: UnsafeRawBufferPointer
    /// Bytes whose checksum may still be looked at. Damage takes a few times the log's length at most.
    private var allowance: Int
    /// Whether there may be more than was found.
    var isExhausted: Bool { allowance < 0 }

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
        allowance = 64 * bytes.count
    }

    /// Where the next transaction begins that verifies; `nil` if none is found.
    mutating func next(from start: Int) -> Int? {
        var offset = start
        while !isExhausted, offset < bytes.count,
              let found = memchr(bytes.baseAddress! + offset, Int32(LogFile.Frame.mark & 0xFF), bytes.count - offset) {
            offset = UnsafeRawPointer(found) - bytes.baseAddress!
            if let frame = LogFile.promised(bytes, at: offset) {
                allowance -= LogFile.Frame.byteCount + frame.body.count
                if !isExhausted, LogFile.frame(bytes, at: offset) != nil { return offset }
            }
            offset += 1
        }
        return nil
    }
}

/// The first bytes of `imapd.log`.
struct LogHeader {
    /// Grows with each log that replaces another.
    var generation: UInt64
    /// The log that this one follows: its generation (0: none, the mailbox began empty with this log), how long it was,
    /// and its last checksum. Whoever has read that one to its end can go on with this one.
    var baseGeneration: UInt64 = 0
    var baseLength: UInt64 = 0
    var baseChain: UInt32 = 0
    var uidValidity: UInt32
    var mailboxID: ObjectID
    /// The mailbox as the log begins.
    var summary: Summary

    static let byteCount = 160
    private static let form = SealedHeader("imapdlog", version: 1, byteCount: byteCount)

    func bytes() -> [UInt8] {
        Self.form.bytes { writer in
            writer.number(generation)
            writer.number(baseGeneration)
            writer.number(baseLength)
            writer.number(baseChain)
            writer.number(uidValidity)
            writer.number(mailboxID.low)
            writer.number(mailboxID.high)
            summary.write(to: &writer)
        }
    }

    init(generation: UInt64, uidValidity: UInt32, mailboxID: ObjectID, summary: Summary) {
        self.generation = generation
        self.uidValidity = uidValidity
        self.mailboxID = mailboxID
        self.summary = summary
    }

    init?(from bytes: UnsafeRawBufferPointer) {
        guard var reader = Self.form.reader(of: bytes) else { return nil }
        generation = reader.number()
        baseGeneration = reader.number()
        baseLength = reader.number()
        baseChain = reader.number()
        uidValidity = reader.number()
        mailboxID = ObjectID(low: reader.number(), high: reader.number())
        summary = Summary(from: &reader)
        guard reader.isWhole, uidValidity > 0, generation > 0, generation < .max else { return nil }
    }
}
