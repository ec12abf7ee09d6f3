import CLinux
import Glibc
import IMAPTypes
import MailStore

/// Messages that come into a mailbox from elsewhere, each at most once: what an import that was cut short has brought already
/// is left out the next time.
///
/// A message is known by its bytes and its date. They are in the name of its file, as `,I=<22 characters>`, and with a number
/// behind it if the same message came several times.
public final class MaildirImport {
    private let mailbox: Mailbox
    private let names: NameMaker
    /// What is in the mailbox already, and of which rows.
    private var known: [Identity: Int] = [:]
    /// How often each message came so far.
    private var counts: [ObjectID: Int] = [:]
    private var pending: [Message] = []
    private var current: Message?
    private var pendingBytes = 0
    /// Messages that came in, and those that were there.
    public private(set) var imported = 0
    public private(set) var alreadyThere = 0
    /// Of the messages that were ended with a number: where they are now. Those that have not been committed are missing.
    private var places: [(number: UInt32, uid: UID)] = []

    private struct Identity: Hashable {
        var id: ObjectID
        var number: Int

        var field: [UInt8] { Array(",I=".utf8) + id.base64 + (number > 1 ? Array("-\(number)".utf8) : []) }

        /// The field of a base name; `nil` if there is none.
        init?(base: UnsafeRawBufferPointer) {
            for field in base.split(separator: UInt8(ascii: ",")).dropFirst()
            where field.count >= 24 && field.starts(with: "I=".utf8) {
                let text = field.dropFirst(2), rest = text.dropFirst(22)
                guard let id = ObjectID(base64: text.prefix(22)) else { return nil }
                self.id = id
                number = rest.isEmpty ? 1 : Int(String(decoding: rest.dropFirst(), as: UTF8.self)) ?? 0
                return
            }
            return nil
        }

        init(id: ObjectID, number: Int) {
            self.id = id
            self.number = number
        }
    }

    private final class Message {
        var flags: FlagSet
        var date: Int64
        var form = StoredForm()
        var hash = ContentHash()
        var wireSize = WireSize()
        var buffer: [UInt8] = []
        /// `nil` as long as all of it fits the buffer.
        var file: (handle: Handle, name: [UInt8])?
        var written = 0
        var identity: Identity?
        var number: UInt32?

        init(flags: FlagSet, date: Int64) {
            self.flags = flags
            self.date = date
        }

        /// Takes in what was appended to the buffer.
        func count(from start: Int) {
            buffer.withUnsafeBytes { bytes in
                let new = UnsafeRawBufferPointer(rebasing: bytes[start...])
                hash.add(new)
                wireSize.add(new)
            }
        }
    }

    /// So much of a message is held in memory before it gets a file: most are smaller, and many are known.
    private static let bufferSize = 1 << 20
    private static let batch = 200
    private static let batchBytes = 64 << 20

    /// Makes the mailbox if there is none.
    public init(_ store: MaildirStore, into name: MailboxName) throws(StoreError) {
        if try !store.exists(name) { try store.create(name, use: nil) }
        mailbox = try store.openMailbox(name, hasRows: true)
        names = store.names
        try mailbox.scanIfDue()
        try mailbox.verifyRows()
        let table = mailbox.table
        for row in 0..<table.count where !table.isGone(row) {
            if let identity = table.withBaseName(row, { Identity(base: $0) }) { known[identity] = row }
        }
    }

    deinit {
        if let current { pending.append(current) }
        guard let tmp = try? mailbox.directory.tmp() else { return }
        for message in pending { if let file = message.file { _ = tmp.unlink(file.name) } }
    }

    // MARK: One message

    /// `date` in seconds since the epoch.
    public func begin(flags: FlagSet, date: Int64) {
        precondition(current == nil, "the message before was not ended")
        current = Message(flags: flags, date: date)
    }

    /// Flags and date of the current message, if they are known only after its bytes.
    public func describe(flags: FlagSet, date: Int64) {
        guard let current else { preconditionFailure("there is no message to describe") }
        current.flags = flags
        current.date = date
    }

    /// Where messages go.
    public var target: ImportMemory.Target {
        ImportMemory.Target(id: mailbox.state.log.header.mailboxID, uidValidity: mailbox.state.log.header.uidValidity)
    }

    /// Where messages are that came since this was last asked.
    public func takePlaces() -> [(number: UInt32, uid: UID)] {
        defer { places = [] }
        return places
    }

    public func write(_ bytes: UnsafeRawBufferPointer) throws(StoreError) {
        guard let current else { preconditionFailure("there is no message to write to") }
        var rest = bytes
        while !rest.isEmpty {
            let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(Self.bufferSize))
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(piece.count))
            let before = current.buffer.count
            current.form.store(piece, in: &current.buffer)
            current.count(from: before)
            if current.buffer.count >= Self.bufferSize { try flush(current) }
        }
    }

    /// - Parameter number: by which `takePlaces` tells where it came to.
    public func end(number: UInt32? = nil) throws(StoreError) {
        guard let message = current else { preconditionFailure("there is no message to end") }
        current = nil
        let before = message.buffer.count
        message.form.finish(in: &message.buffer)
        message.count(from: before)
        message.hash.add(date: message.date)
        let id = message.hash.value
        counts[id, default: 0] += 1
        let identity = Identity(id: id, number: counts[id] ?? 1)
        message.identity = identity
        message.number = number
        if let row = known[identity] {
            alreadyThere += 1
            if let number, let uid = UID(mailbox.table.uid(row)) { places.append((number, uid)) }
            if let file = message.file { _ = try mailbox.directory.tmp().unlink(file.name) }
            return try completeKeywords(row, message.flags.keywords)
        }
        try flush(message)
        if let file = message.file {
            let time = timespec(tv_sec: time_t(message.date), tv_nsec: 0)
            guard futimens(file.handle.raw, [time, time]) == 0 else { throw failure("dating", file.name) }
            _ = clinux_begin_writeout(file.handle.raw)
        }
        pending.append(message)
        pendingBytes += message.written
        if pending.count >= Self.batch || pendingBytes >= Self.batchBytes { try commit() }
    }

    private func flush(_ message: Message) throws(StoreError) {
        if message.file == nil {
            let name = names.next()
            guard let handle = try mailbox.directory.tmp().open(name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW) else {
                throw failure("creating", name)
            }
            message.file = (handle, name)
        }
        guard let file = message.file, message.buffer.withUnsafeBytes({ file.handle.write($0, at: message.written) }) else {
            throw failure("writing a message")
        }
        message.written += message.buffer.count
        message.buffer = []
    }

    /// The import before may have been cut short between the file and its keywords.
    private func completeKeywords(_ row: Int, _ keywords: Set<Keyword>) throws(StoreError) {
        guard !keywords.isEmpty, mailbox.table.keywords(row).isEmpty else { return }
        let uid = mailbox.table.uid(row)
        try mailbox.locked { () throws(StoreError) in
            guard let row = mailbox.table.row(uid), !mailbox.table.isGone(row), mailbox.table.keywords(row).isEmpty
            else { return }
            var transaction = mailbox.newTransaction()
            let set = try mailbox.keywordSet(keywords, in: &transaction)
            transaction.entries.append(.flags(mailbox.table.flags(row), set, [uid...uid]))
            try mailbox.commit(transaction)
        }
    }

    // MARK: Many messages

    /// Makes what came so far part of the mailbox, for good.
    public func commit() throws(StoreError) {
        guard !pending.isEmpty else { return }
        let messages = pending
        let files = messages.compactMap(\.file)
        if let index = Handle.sync(files.map(\.handle)) { throw failure("writing", files[index].name) }
        let tmp = try mailbox.directory.tmp()
        // As in `MaildirAppend.commit`.
        defer { if !mailbox.state.arriving.isEmpty { pending = [] } }
        let uids = try mailbox.locked { () throws(StoreError) in
            try mailbox.arrive(messages.count) { (index, arrival) throws(StoreError) in
                let message = messages[index]
                arrival.flags = message.flags
                arrival.row.internalDate = message.date
                arrival.row.size = message.wireSize.size
                arrival.base = names.next() + Array(",S=\(message.written),W=\(message.wireSize.size)".utf8)
                    + (message.identity?.field ?? [])
            } place: { (index, directory, name, keepsOther) in
                guard let file = messages[index].file else { return false }
                return tmp.deliver(file.name, to: directory, name, keepsOther: keepsOther)
            }
        }
        // Those that were linked. What cannot be removed is in the end by `removeAbandoned`.
        for message in messages { if let file = message.file { _ = tmp.unlink(file.name) } }
        imported += messages.count
        for (message, uid) in zip(messages, uids) { if let number = message.number { places.append((number, uid)) } }
        pending = []
        pendingBytes = 0
    }
}

/// Tells messages apart by what they hold, in whatever pieces it comes.
///
/// It keeps accidents apart. Somebody may make two messages that it takes for one: then the second counts as another copy of
/// the first, and comes in as that.
private struct ContentHash {
    private var a: UInt64 = 0xCBF2_9CE4_8422_2325
    private var b: UInt64 = 0x9AE1_6A3B_2F90_404F
    private var count: UInt64 = 0

    mutating func add(_ bytes: UnsafeRawBufferPointer) {
        var a = a, b = b
        for byte in bytes {
            a = (a ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
            b = (b &+ UInt64(byte)) &* 0x9E37_79B9_7F4A_7C15
            b ^= b >> 29
        }
        (self.a, self.b) = (a, b)
        count &+= UInt64(bytes.count)
    }

    mutating func add(date: Int64) { withUnsafeBytes(of: date.littleEndian) { add($0) } }

    var value: ObjectID {
        func mixed(_ value: UInt64) -> UInt64 {
            var z = value &+ 0x9E37_79B9_7F4A_7C15
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
        return ObjectID(low: mixed(a ^ count), high: mixed(b ^ a.byteSwapped))
    }
}
