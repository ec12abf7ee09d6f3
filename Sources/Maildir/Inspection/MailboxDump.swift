import Glibc
import IMAPTypes
import MailStore

/// One thing that a file of imapd's tells, for whoever looks for a fault: its kind, and what it says.
public struct DumpRecord: Sendable {
    public enum Value: Sendable {
        case number(UInt64)
        /// Bytes of a name or text; those that could break a line are replaced.
        case text(String)
        /// Seconds since the epoch.
        case date(Int64)
        case flag(Bool)
    }

    public let kind: String
    public var fields: [(name: String, value: Value)]
}

/// Files of a mailbox that can be shown.
public enum DumpPart: String, Sendable, CaseIterable {
    case account, lock, index, log, cache
}

/// The files that imapd keeps of one mailbox, in readable form. They are read as they are, without a lock: what a session writes
/// meanwhile may be shown half.
public final class MailboxDump {
    private let inspection: MaildirInspection
    private let folder: FolderName
    private let root: Handle
    private let tell: (DumpRecord) -> Void

    /// - Parameter body: hears of one thing after the other.
    public init(
        _ inspection: MaildirInspection, _ name: MailboxName, _ body: @escaping (DumpRecord) -> Void
    ) throws(StoreError) {
        self.inspection = inspection
        guard let (folder, _) = try inspection.folders().first(where: { $0.1 == name }) else { throw .noSuchMailbox(name) }
        self.folder = folder
        guard let root = inspection.maildir.open(folder.directory, O_RDONLY | O_DIRECTORY) else {
            throw failure("opening", folder.directory)
        }
        self.root = root
        tell = body
    }

    /// - Parameter old: the generation before, of index and log.
    public func show(_ part: DumpPart, old: Bool) throws(StoreError) {
        switch part {
        case .account: account()
        case .lock: mark()
        case .index: try index(old ? IndexFile.oldName : IndexFile.name)
        case .log: try log(old ? LogFile.oldName : LogFile.name)
        case .cache: try cache()
        }
    }

    private func say(_ kind: String, _ fields: (String, DumpRecord.Value)...) { tell(DumpRecord(kind: kind, fields: fields)) }

    private func damage(_ file: [UInt8], at offset: Int = 0, _ what: String) {
        say("damage", ("file", .text(printable(file))), ("offset", .number(UInt64(offset))), ("what", .text(what)))
    }

    // MARK: Account and lock

    private func account() {
        guard let known = inspection.account.mailboxes[folder] else { return }
        say("account", ("uidvalidity", .number(UInt64(known.uidValidity))), ("ceiling", .number(known.ceiling)),
            ("id", .text(known.id.hexadecimal)), ("use", .text(known.use?.rawValue ?? "")))
    }

    private func mark() {
        guard let lock = root.open(LockFile.name, O_RDONLY | O_NOFOLLOW) else { return }
        guard let mark = lock.read(at: 0, count: LogMark.byteCount).flatMap({ bytes in
            bytes.withUnsafeBytes { LogMark(from: $0) }
        }) else { return damage(LockFile.name, "no mark that verifies") }
        say("mark", ("generation", .number(mark.generation)), ("length", .number(mark.length)),
            ("uidvalidity", .number(UInt64(mark.uidValidity))), ("uidnext", .number(mark.uidNext)),
            ("modseq", .number(mark.modSequence)), ("inode", .number(UInt64(mark.inode))))
    }

    // MARK: Index

    private func index(_ file: [UInt8]) throws(StoreError) {
        guard let index = try IndexFile(in: root, name: file) else {
            if root.status(file) != nil { damage(file, "header or first columns do not verify") }
            return
        }
        let header = index.header
        tell(DumpRecord(kind: "index", fields: [
            ("file", .text(printable(file))), ("generation", .number(header.generation)),
            ("logposition", .number(header.logPosition)), ("logchain", .number(UInt64(header.logChain))),
            ("uidvalidity", .number(UInt64(header.uidValidity))), ("id", .text(header.mailboxID.hexadecimal)),
            ("rows", .number(UInt64(header.count))), ("forgotten", .number(header.forgottenExpunges)),
        ] + fields(header.summary)))
        for section in IndexHeader.Section.allCases {
            let place = header.sections[section.rawValue]
            say("section", ("name", .text("\(section)")), ("offset", .number(UInt64(place.offset))),
                ("length", .number(UInt64(place.length))), ("whole", .flag(index.verify([section]))))
        }
        let keywords = MailboxState.keywords(from: index)
        for (number, keyword) in keywords.enumerated() {
            say("keyword", ("number", .number(UInt64(number))), ("name", .text(keyword.name)))
        }
        let table = MessageTable(index)
        for row in 0..<table.count { tell(record("row", table.row(whole: row), table.baseName(row), table.info(row), keywords)) }
        for (uids, modSequence) in table.expunged.ranges {
            say("expunged", ("uids", .text(text([uids]))), ("modseq", .number(modSequence)))
        }
    }

    private func record(
        _ kind: String, _ row: MessageRow, _ base: [UInt8], _ info: [UInt8], _ keywords: [Keyword]
    ) -> DumpRecord {
        DumpRecord(kind: kind, fields: [
            ("uid", .number(UInt64(row.uid))), ("flags", .text(letters(row.flags))), ("nameflags", .text(letters(row.nameFlags))),
            ("keywords", .text(names(row.keywords, keywords))), ("modseq", .number(row.modSequence)),
            ("date", row.internalDate.map { .date($0) } ?? .text("")), ("saved", .date(row.saveDate)),
            ("size", row.size.map { .number($0) } ?? .text("")), ("id", .text(row.id.hexadecimal)),
            ("place", .text(row.place.contains(.new) ? "new" : "cur")), ("name", .text(printable(base + info))),
        ])
    }

    // MARK: Log

    private func log(_ file: [UInt8]) throws(StoreError) {
        guard let log = try LogFile(in: root, name: file) else {
            if root.status(file) != nil { damage(file, "the header does not verify") }
            return
        }
        let header = log.header
        tell(DumpRecord(kind: "log", fields: [
            ("file", .text(printable(file))), ("generation", .number(header.generation)),
            ("basegeneration", .number(header.baseGeneration)), ("baselength", .number(header.baseLength)),
            ("basechain", .number(UInt64(header.baseChain))), ("uidvalidity", .number(UInt64(header.uidValidity))),
            ("id", .text(header.mailboxID.hexadecimal)),
        ] + fields(header.summary)))
        // Numbers of keywords are those of the index, and then of this log.
        var keywords = try IndexFile(in: root, name: file == LogFile.name ? IndexFile.name : IndexFile.oldName)
            .map { $0.header.generation == header.generation ? MailboxState.keywords(from: $0) : [] } ?? []
        let size = log.file.status().map { Int($0.st_size) } ?? 0
        guard size < 1 << 31, let bytes = log.file.read(at: 0, count: size) else { throw failure("reading", file) }
        var chain = log.chain
        bytes.withUnsafeBytes { bytes in
            var search = FrameSearch(bytes)
            var offset = LogHeader.byteCount
            while offset < bytes.count {
                guard let frame = LogFile.frame(bytes, at: offset),
                      let transaction = Transaction(from: UnsafeRawBufferPointer(rebasing: bytes[frame.body])) else {
                    let next = search.next(from: offset + 1) ?? bytes.count
                    damage(file, at: offset, "\(next - offset) bytes that are no transaction")
                    offset = next
                    continue
                }
                if frame.chain != chain { damage(file, at: offset, "does not follow what is before it") }
                tell(DumpRecord(kind: "transaction", fields: [
                    ("offset", .number(UInt64(offset))), ("length", .number(UInt64(frame.body.upperBound - offset))),
                ] + fields(transaction.summary)))
                for entry in transaction.entries { show(entry, &keywords) }
                chain = frame.crc
                offset = frame.body.upperBound
            }
        }
    }

    private func show(_ entry: Transaction.Entry, _ keywords: inout [Keyword]) {
        switch entry {
        case .add(let row, let base, let info): tell(record("add", row, base, info, keywords))
        case .flags(let flags, let set, let ranges):
            say("flags", ("uids", .text(text(ranges))), ("flags", .text(letters(flags))),
                ("keywords", .text(names(set, keywords))))
        case .keyword(let keyword):
            // What the index holds of this log already is in its list.
            if !keywords.contains(keyword) { keywords.append(keyword) }
            say("keyword", ("number", .number(UInt64(keywords.firstIndex(of: keyword) ?? 0))), ("name", .text(keyword.name)))
        case .expunge(let ranges): say("expunge", ("uids", .text(text(ranges))))
        case .named(let place, let flags, let ranges):
            say("named", ("uids", .text(text(ranges))), ("flags", .text(letters(flags))),
                ("info", .flag(place.contains(.hasInfo))))
        case .namedOddly(let uid, _, let info):
            say("named", ("uids", .text(String(uid))), ("oddly", .text(printable(info))))
        case .arriving(let names): for name in names { say("arriving", ("name", .text(printable(name)))) }
        case .naming(let ranges): say("naming", ("uids", .text(text(ranges))))
        case .details(let uid, let date, let size):
            say("details", ("uid", .number(UInt64(uid))), ("date", .date(date)), ("size", .number(size)))
        }
    }

    // MARK: Cache

    private func cache() throws(StoreError) {
        guard let status = root.status(CacheFile.name), status.isRegular else { return }
        guard let header = try LogFile(in: root)?.header else {
            return damage(CacheFile.name, "whose it is cannot be told without imapd.log")
        }
        let cache = CacheFile(in: root, uidValidity: header.uidValidity, mailboxID: header.mailboxID)
        cache.catchUp()
        say("cache", ("file", .text(printable(CacheFile.name))), ("size", .number(UInt64(max(0, status.st_size)))),
            ("batches", .number(UInt64(cache.batches))), ("records", .number(UInt64(cache.count))))
        if cache.end != Int(status.st_size) {
            damage(CacheFile.name, at: cache.end, "no batch that verifies, or the header is that of another mailbox")
        }
        for line in cache.lines() {
            say("kept", ("uid", .number(UInt64(line.uid))), ("identity", .text(hexadecimalText(line.identity, 16))),
                ("keys", .number(UInt64(line.keys.length))), ("fields", .number(UInt64(line.fields.length))),
                ("items", .number(UInt64(line.items.length))),
                ("whole", .flag(cache.line(line.uid, identity: line.identity) != nil)))
        }
    }

    // MARK: Values

    private func fields(_ summary: Summary) -> [(name: String, value: DumpRecord.Value)] {
        [
            ("modseq", .number(summary.modSequence)), ("uidnext", .number(summary.uidNext)),
            ("ceiling", .number(summary.ceiling)),
            ("claimed", .number(UInt64(summary.claimed))), ("messages", .number(UInt64(summary.messages))),
            ("unseen", .number(UInt64(summary.unseen))), ("deleted", .number(UInt64(summary.deleted))),
            ("recent", .number(UInt64(summary.recent))), ("unsized", .number(UInt64(summary.unsized))),
            ("size", .number(summary.size)),
        ]
    }

    private func letters(_ flags: SystemFlags) -> String { String(decoding: FileName.letters(flags), as: UTF8.self) }

    private func names(_ set: KeywordSet, _ keywords: [Keyword]) -> String {
        set.map { keywords.indices.contains($0) ? keywords[$0].name : "#\($0)" }.joined(separator: " ")
    }

    private func text(_ ranges: [ClosedRange<UInt32>]) -> String {
        ranges.map { $0.lowerBound == $0.upperBound ? "\($0.lowerBound)" : "\($0.lowerBound):\($0.upperBound)" }
            .joined(separator: ",")
    }
}
