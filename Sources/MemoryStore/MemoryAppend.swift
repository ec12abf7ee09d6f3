import Glibc
import IMAPTypes
import MailStore

/// The messages of one APPEND, kept until they are all there.
final class MemoryAppend: AppendTransaction {
    private let mailbox: MemoryMailbox
    private var messages: [(message: MemoryMessage, flags: SystemFlags, keywords: Set<Keyword>)] = []
    private var current: (flags: FlagSet, date: Int64?, bytes: [UInt8])?

    init(mailbox: MemoryMailbox) { self.mailbox = mailbox }

    func begin(flags: FlagSet, date: Int64?, size: UInt64) throws(StoreError) {
        current = (flags, date, [])
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(StoreError) {
        current?.bytes.append(contentsOf: bytes)
    }

    func end() throws(StoreError) {
        guard let current else { return }
        let message = MemoryMessage(bytes: current.bytes, internalDate: current.date ?? Int64(time(nil)))
        messages.append((message, current.flags.system, current.flags.keywords))
        self.current = nil
    }

    func commit() throws(StoreError) -> (uidValidity: UIDValidity, uids: [UID]) {
        let uids = try mailbox.withLock { (state) throws(StoreError) in try state.add(messages) }
        messages = []
        return (mailbox.uidValidity, uids)
    }

    func abandon() {
        current = nil
        messages = []
    }
}
