import CLinux
import Glibc
import IMAPTypes
import MailStore

/// APPEND: messages are written to tmp/, and moved into cur/ together once they are all on the disk.
final class MaildirAppend: AppendTransaction {
    private let mailbox: Mailbox
    private let names: NameMaker
    private var messages: [Message] = []
    private var current: Current?
    /// The files of the last messages, which may not be on the disk yet.
    private var unsynced: [Handle] = []
    /// More are not open at once.
    private static let openAtOnce = 128
    /// Bytes that were derived from the messages and are held until these have UIDs; more are not kept.
    private var kept = 0

    /// A message that is written.
    private struct Message {
        var temporary: [UInt8]
        var flags: FlagSet
        var date: Int64
        var size: Int
        var wireSize: UInt64
        var base: [UInt8] = []
        var kept: (keys: [UInt8], fields: [UInt8], items: [UInt8])?
    }

    /// The message that is being written.
    private final class Current {
        let file: Handle
        let temporary: [UInt8]
        let flags: FlagSet
        let date: Int64
        var form = StoredForm()
        var buffer: [UInt8] = []
        var written = 0
        var wireSize = WireSize()

        init(file: Handle, temporary: [UInt8], flags: FlagSet, date: Int64) {
            self.file = file
            self.temporary = temporary
            self.flags = flags
            self.date = date
        }

        func flush() throws(StoreError) {
            let isDone = buffer.withUnsafeBytes { bytes in
                wireSize.add(bytes)
                return file.write(bytes, at: written)
            }
            guard isDone else { throw failure("writing", temporary) }
            written += buffer.count
            buffer.removeAll(keepingCapacity: true)
        }
    }

    init(_ mailbox: Mailbox, names: NameMaker) {
        self.mailbox = mailbox
        self.names = names
    }

    deinit { abandon() }

    private static let bufferSize = 1 << 17

    func begin(flags: FlagSet, date: Int64?, size: UInt64) throws(StoreError) {
        precondition(current == nil, "the message before was not ended")
        if unsynced.count >= Self.openAtOnce { try sync() }
        let tmp = try mailbox.directory.tmp()
        let name = names.next()
        guard let file = tmp.open(name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW) else { throw failure("creating", name) }
        let message = Current(file: file, temporary: name, flags: flags, date: date ?? now() / 1_000_000_000)
        message.buffer.reserveCapacity(Int(min(size, UInt64(Self.bufferSize))))
        current = message
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(StoreError) {
        guard let current else { preconditionFailure("there is no message to write to") }
        var rest = bytes
        while !rest.isEmpty {
            let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(Self.bufferSize))
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(piece.count))
            current.form.store(piece, in: &current.buffer)
            if current.buffer.count >= Self.bufferSize { try current.flush() }
        }
    }

    func end() throws(StoreError) {
        guard let message = current else { preconditionFailure("there is no message to end") }
        message.form.finish(in: &message.buffer)
        try message.flush()
        message.buffer = []
        let time = timespec(tv_sec: time_t(message.date), tv_nsec: 0)
        guard futimens(message.file.raw, [time, time]) == 0 else { throw failure("dating", message.temporary) }
        // The disk may begin with it; `sync` waits for several together. Of several small ones it takes all at once sooner than
        // one by one.
        if messages.isEmpty || message.written >= Self.bufferSize { _ = clinux_begin_writeout(message.file.raw) }
        unsynced.append(message.file)
        messages.append(Message(temporary: message.temporary, flags: message.flags, date: message.date, size: message.written,
                                wireSize: message.wireSize.size))
        current = nil
    }

    /// All that was written is on the disk.
    private func sync() throws(StoreError) {
        if let index = Handle.sync(unsynced) {
            throw failure("writing", messages[messages.count - unsynced.count + index].temporary)
        }
        unsynced.removeAll()
    }

    // MARK: What is derived from it

    func written() -> (any MessageContent)? {
        guard current == nil, kept < PendingRecords.capacity, let message = messages.last, let file = unsynced.last else {
            return nil
        }
        return WrittenFile(file, size: message.size)
    }

    func keep(_ pieces: KeptPieces) {
        guard pieces.count <= longestKept, let last = messages.indices.last else { return }
        messages[last].kept = (Array(pieces.keys), Array(pieces.fields), Array(pieces.items))
        kept += pieces.count
    }

    // MARK: The end

    func commit() throws(StoreError) -> (uidValidity: UIDValidity, uids: [UID]) {
        precondition(current == nil, "the last message was not ended")
        guard !messages.isEmpty else { return (mailbox.state.uidValidity, []) }
        try sync()
        let tmp = try mailbox.directory.tmp()
        // By their names here, whoever takes files back that this could not knows that he may.
        defer { if !mailbox.state.arriving.isEmpty { messages = [] } }
        let arrivals = try mailbox.locked { () throws(StoreError) in
            try mailbox.arrive(messages.count) { (index, arrival) throws(StoreError) in
                messages[index].base = names.next()
                    + Array(",S=\(messages[index].size),W=\(messages[index].wireSize)".utf8)
                let message = messages[index]
                arrival.flags = message.flags
                arrival.row.internalDate = message.date
                arrival.row.size = message.wireSize
                arrival.base = message.base
            } place: { (index, directory, name, keepsOther) in
                tmp.deliver(messages[index].temporary, to: directory, name, keepsOther: keepsOther)
            }
        }
        // Those that were linked. What cannot be removed is in the end by `removeAbandoned`.
        if messages.count > 1 || messages.contains(where: { !$0.flags.keywords.isEmpty }) {
            for message in messages { _ = tmp.unlink(message.temporary) }
        }
        for (message, uid) in zip(messages, arrivals) {
            guard let kept = message.kept else { continue }
            let id = message.base.withUnsafeBytes { ObjectID(baseName: $0) }
            mailbox.keep(uid, id, kept.keys, kept.fields, kept.items)
        }
        messages = []
        return (mailbox.state.uidValidity, arrivals)
    }

    func abandon() {
        unsynced = []
        if let current {
            messages.append(Message(temporary: current.temporary, flags: current.flags, date: current.date, size: 0, wireSize: 0))
        }
        current = nil
        guard !messages.isEmpty, let tmp = try? mailbox.directory.tmp() else { return }
        for message in messages { _ = tmp.unlink(message.temporary) }
        messages = []
    }
}

/// A message that was written, before anybody else can know it.
private final class WrittenFile: MessageContent {
    private let file: Handle
    let size: UInt64

    init(_ file: Handle, size: Int) {
        self.file = file
        self.size = UInt64(size)
    }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(StoreError) -> Int {
        while true {
            let got = pread(file.raw, buffer.baseAddress, buffer.count, off_t(offset))
            if got >= 0 { return got }
            guard errno == EINTR else { throw failure("reading a message") }
        }
    }
}

/// A message as it is stored: with LF, as the delivery agents of Unix do.
///
/// A CRLF becomes a LF, unless another CR stands before it: whoever sends a LF puts a CR before it where there is none, so all
/// comes back as it came. A LF alone stays, and is sent as CRLF. A CR alone stays.
struct StoredForm {
    /// CRs at the end of what came so far, held back: 0, 1, or 2 for more, of which all but one are written.
    private var heldBack = 0

    mutating func store(_ bytes: UnsafeRawBufferPointer, in out: inout [UInt8]) {
        guard let start = bytes.baseAddress else { return }
        var at = 0
        while at < bytes.count {
            if heldBack > 0 {
                let byte = bytes[at]
                if byte == 0x0D {
                    out.append(0x0D)
                    heldBack = 2
                    at += 1
                    continue
                }
                // A CRLF; or CRs that mean themselves.
                if byte != 0x0A || heldBack > 1 { out.append(0x0D) }
                heldBack = 0
            }
            let found = memchr(start + at, 0x0D, bytes.count - at)
            let end = found.map { $0 - UnsafeMutableRawPointer(mutating: start) } ?? bytes.count
            out.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[at..<end]))
            at = end
            if found != nil {
                heldBack = 1
                at += 1
            }
        }
    }

    mutating func finish(in out: inout [UInt8]) {
        if heldBack > 0 { out.append(0x0D) }
        heldBack = 0
    }
}

/// Makes names for a whole store.
final class NameMaker {
    private var names = UniqueNames()
    func next() -> [UInt8] { names.next() }
}
