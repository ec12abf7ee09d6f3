import CLinux
import Glibc
import IMAPTypes
import Logging
import MailStore

/// Writing the index, and beginning the log anew.
extension Mailbox {
    /// A log may grow to this before it is taken into the index: what an open has to read of it costs less than a millisecond.
    static let longestLog = 1 << 20

    var isCheckpointDue: Bool {
        state.log.position > max(1 << 16, min(Self.longestLog, Int(state.summary.messages) * 4))
    }

    /// Under the lock: writes an index of the whole state, and a new log that begins with it.
    ///
    /// `isLogged` tells whether whoever has read the present log knows all of the state. `id`: the mailbox's from now on.
    func checkpoint(isLogged: Bool = true, id: ObjectID? = nil) throws(StoreError) {
        if isLogged { try finishNaming() }
        try verifyRows()
        // Not in its place, as the state is looked at meanwhile.
        var summary = state.summary
        try raiseCeiling(of: &summary)
        state.summary = summary
        try Self.checkpoint(&state, in: directory, isLogged: isLogged, after: state.log.header.generation,
                            id: id ?? state.log.header.mailboxID)
        directory.setMark(state.mark)
    }

    static func checkpoint(
        _ state: inout MailboxState, in directory: MailboxDirectory, isLogged: Bool, after generation: UInt64,
        id: ObjectID
    ) throws(StoreError) {
        guard let table = state.table else { return }
        let old = state.log.header
        var header = LogHeader(generation: generation + 1, uidValidity: old.uidValidity, mailboxID: id,
                               summary: state.summary)
        header.baseGeneration = isLogged ? old.generation : .max
        header.baseLength = UInt64(state.log.position)
        header.baseChain = state.log.chain
        let logBytes = header.bytes()
        let chain = logBytes.withUnsafeBytes { crc32c($0) }
        var index = IndexHeader(generation: header.generation, logPosition: UInt64(LogHeader.byteCount), logChain: chain,
                                uidValidity: old.uidValidity, mailboxID: id, summary: state.summary, count: 0,
                                forgottenExpunges: table.expunged.forgotten)
        let indexBytes = IndexFile.bytes(&index, table, state.keywords)
        if isLogged {
            // What is only in memory of the old log, a power cut may take: `finishCheckpoint` needs it as long as it was.
            guard clinux_sync_data(state.log.file.raw) == 0 else {
                throw failure("syncing imapd.log of", directory.folder.directory)
            }
            keepOld(directory)
        }
        // The index first: alone it is complete, a log without its index is not.
        try directory.root.replaceFile(IndexFile.name, with: indexBytes)
        try directory.root.replaceFile(LogFile.name, with: logBytes)
        keepSpare(directory.root)
        guard let log = try LogFile(in: directory.root), log.header.generation == header.generation else {
            throw failure("reopening imapd.log of", directory.folder.directory)
        }
        if !isLogged { keepOld(directory) }
        state.log = log
    }

    /// Keeps index and log under another name: the last generation together with its log says all that the new index does. Where
    /// the new index holds what no log has, it is a second name for the new one.
    private static func keepOld(_ directory: MailboxDirectory) {
        for (name, oldName) in [(IndexFile.name, IndexFile.oldName), (LogFile.name, LogFile.oldName)] {
            _ = directory.root.unlink(oldName)
            _ = directory.root.link(name, to: directory.root, oldName)
        }
    }

    /// Gives the log a second name. A copy would be no use: it would not grow with it.
    static func keepSpare(_ root: Handle) {
        _ = root.unlink(LogFile.spareName)
        _ = root.link(LogFile.name, to: root, LogFile.spareName)
    }

    /// Under the lock: if `imapd.log` was removed, or an old one put in its place, the present one is still there under its
    /// second name.
    ///
    /// Whether it is the present one to the last byte cannot be known for certain: see `goOnBehind`.
    static func restoreLog(_ directory: MailboxDirectory, _ logger: Logger) throws(StoreError) -> Bool {
        let log = try LogFile(in: directory.root), mark = directory.mark
        guard let spare = try LogFile(in: directory.root, name: LogFile.spareName), let status = spare.file.status(),
              log?.inode != spare.inode else { return false }
        if let log, let size = log.file.status()?.st_size {
            // It must go further than what there is. In a backup that was put back it is a file of its own, and does not.
            guard (spare.header.generation, status.st_size) > (log.header.generation, size) else { return false }
        }
        if let mark {
            guard mark.generation == spare.header.generation, mark.length <= UInt64(status.st_size),
                  mark.uidValidity == spare.header.uidValidity else { return false }
        }
        let temporary = LogFile.name + Array(".tmp".utf8)
        _ = directory.root.unlink(temporary)
        guard directory.root.link(LogFile.spareName, to: directory.root, temporary),
              directory.root.rename(temporary, to: directory.root, LogFile.name), directory.root.sync() else {
            throw failure("restoring imapd.log of", directory.folder.directory)
        }
        logger.warning("The log was missing or an old one; its second name has led to the present one")
        return true
    }

    /// Under the lock: finishes a checkpoint that was cut short after the index got its name and before the log did.
    ///
    /// The index has the checksum of the header that its log will have, and all but one place of that header is in the index: how
    /// far the old log went. What others have written behind that place since goes into the new log too.
    static func finishCheckpoint(_ directory: MailboxDirectory) throws(StoreError) -> Bool {
        guard let index = try IndexFile(in: directory.root, rows: false)?.header, let old = try LogFile(in: directory.root),
              index.generation > old.header.generation, index.uidValidity == old.header.uidValidity,
              index.mailboxID == old.header.mailboxID, index.logPosition == UInt64(LogHeader.byteCount),
              let size = old.file.status().map({ Int($0.st_size) }), size < 1 << 31 else { return false }
        guard let bytes = old.file.read(at: 0, count: size) else {
            throw failure("reading imapd.log of", directory.folder.directory)
        }
        var header = LogHeader(generation: index.generation, uidValidity: index.uidValidity, mailboxID: index.mailboxID,
                               summary: index.summary)
        let new: [UInt8]? = bytes.withUnsafeBytes { bytes in
            var offset = LogHeader.byteCount, chain = old.chain
            var writer: ByteWriter?
            while true {
                if writer == nil {
                    header.baseLength = UInt64(offset)
                    header.baseChain = chain
                    // Whether whoever has read the old log knows all that the index says.
                    for base in [old.header.generation, .max] where writer == nil {
                        header.baseGeneration = base
                        let start = header.bytes()
                        if start.withUnsafeBytes({ crc32c($0) }) == index.logChain { writer = ByteWriter(bytes: start) }
                    }
                    if writer != nil { chain = index.logChain }
                }
                guard let frame = LogFile.frame(bytes, at: offset) else { return writer?.bytes }
                offset = frame.body.upperBound
                if writer == nil {
                    chain = frame.crc
                } else {
                    chain = LogFile.write(to: &writer!, after: chain) { $0.raw(bytes[frame.body]) }
                }
            }
        }
        guard let new else { return false }
        try directory.root.replaceFile(LogFile.name, with: new)
        keepSpare(directory.root)
        return true
    }
}
