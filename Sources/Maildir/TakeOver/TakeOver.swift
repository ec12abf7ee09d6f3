import Glibc
import IMAPTypes
import Logging
import MailStore

/// What Dovecot or Courier left in a mailbox that we have not served yet: UIDVALIDITY, UIDs, keywords. Their files are only read.
///
/// Clients then go on with what they have: no message is downloaded a second time.
struct TakeOver {
    enum Server: String {
        case dovecot = "Dovecot", courier = "Courier"

        /// The list of UIDs.
        var listName: String { self == .dovecot ? "dovecot-uidlist" : "courierimapuiddb" }
    }

    let server: Server
    /// `nil` if there is none that can be read: then the messages get new UIDs, and keep their keywords.
    let list: ForeignList?
    let keywords: ForeignKeywords
    /// The next UID, 1 if there is no list.
    private let uidNext: UInt64
    /// Larger than any mod-sequence that the other server can have come to, which counted changes: so a client that remembers one
    /// asks for everything after it, and is told everything.
    private let modSequence = UInt64(max(now(), 0) / 1_000_000)
    private let logger: Logger

    private static let longestList = 1 << 30

    /// `nil` if no other server has left anything.
    init?(_ directory: MailboxDirectory, _ logger: Logger) throws(StoreError) {
        let root = directory.root
        let dovecot = try root.readForeign(Array(Server.dovecot.listName.utf8), longest: Self.longestList)
        let courier = try root.readForeign(Array(Server.courier.listName.utf8), longest: Self.longestList)
        let letters = try root.readForeign(ForeignKeywords.dovecotName, longest: 1 << 20)
        let courierKeywords = root.open(ForeignKeywords.courierName, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        if let dovecot, let courier {
            server = dovecot.modified >= courier.modified ? .dovecot : .courier
            logger.notice("Dovecot and Courier have both served the mailbox: \(server.rawValue) did so last and counts")
        } else if dovecot != nil || courier != nil {
            server = dovecot != nil ? .dovecot : .courier
        } else if letters != nil || courierKeywords != nil {
            server = letters != nil ? .dovecot : .courier
        } else {
            return nil
        }
        self.logger = logger

        switch server {
        case .dovecot: keywords = letters.map { ForeignKeywords(dovecot: $0.bytes) } ?? ForeignKeywords()
        case .courier:
            keywords = if let courierKeywords { try ForeignKeywords(courier: courierKeywords) } else { ForeignKeywords() }
        }
        let bytes = server == .dovecot ? dovecot?.bytes : courier?.bytes
        list = bytes.flatMap { ForeignList($0) }
        uidNext = max(list?.uidNext ?? 1, server == .dovecot ? Self.indexedNext(root, list) : 1)
        report(isListThere: bytes != nil)
    }

    private func report(isListThere: Bool) {
        if isListThere, list == nil {
            logger.warning("The first line of \(server.listName) cannot be understood, so the mailbox gets a new UIDVALIDITY")
        }
        if let damage = list?.damage, let first = damage.first {
            logger.warning("\(server.listName) is damaged; what can be read of it is taken", metadata: [
                "lines": "\(damage.lines)", "first": "\(first.line)", "because": "\(first.reason)",
            ])
        }
        if keywords.lost > 0 {
            logger.warning("Keywords of \(server.rawValue) could not be taken over", metadata: ["number": "\(keywords.lost)"])
        }
        if server == .dovecot, keywords.hasAllLetters {
            logger.warning("Dovecot has used all 26 letters; keywords beyond these are in its index only and are not taken over")
        }
    }

    /// The next UID as the header of `dovecot.index` has it, if that belongs to the list; else 1.
    ///
    /// Nothing vouches for these bytes. If they would use up more UIDs than any mailbox ever does at once, they are not believed.
    private static func indexedNext(_ root: Handle, _ list: ForeignList?) -> UInt64 {
        guard let list, let file = root.open("dovecot.index".utf8, O_RDONLY | O_NOFOLLOW),
              file.status()?.isRegular == true, let bytes = file.read(at: 0, count: 32), bytes.count == 32, bytes[0] == 7 else {
            return 1
        }
        // mail_index_header: version 7, … at 24 uid_validity, at 28 next_uid, in the byte order of the machine.
        let (validity, next) = bytes.withUnsafeBytes {
            ($0.loadUnaligned(fromByteOffset: 24, as: UInt32.self), $0.loadUnaligned(fromByteOffset: 28, as: UInt32.self))
        }
        let most = min(list.uidNext + (1 << 24), ForeignList.largestUID + 1)
        return validity == list.uidValidity && UInt64(next) <= most ? UInt64(next) : 1
    }

    /// The messages of the list, with the names that their files have now. Those without a file are in it too: whether they are
    /// gone is for a scan to say, which looks twice.
    func table(_ directory: MailboxDirectory) throws(StoreError) -> MessageTable {
        let table = MessageTable(nil)
        // Of expunges before now we know some only.
        table.forgetExpunges(upTo: modSequence)
        guard let list else { return table }
        let time = now() / 1_000_000_000
        list.bytes.withUnsafeBytes { bytes in
            // The same name twice: the later UID is the message's.
            var names = Set<[UInt8]>(minimumCapacity: list.records.count)
            let isLast = list.records.reversed().map { names.insert(Array(bytes[$0.name])).inserted }
            for (place, record) in list.records.enumerated() {
                guard isLast[list.records.count - 1 - place] else {
                    table.rememberExpunge(record.uid...record.uid, modSequence: modSequence + 1)
                    continue
                }
                let base = UnsafeRawBufferPointer(rebasing: bytes[record.name])
                let id = ObjectID(baseName: record.guid.map { UnsafeRawBufferPointer(rebasing: bytes[$0]) } ?? base)
                var row = MessageRow(uid: record.uid, id: id)
                row.modSequence = modSequence + 1
                row.saveDate = FileName.saveDate(FileName.ArrivalKey(base), now: time)
                table.append(row, base: Array(base), info: [])
            }
        }
        var index = NameIndex()
        index.extend(over: table)
        var listing = Listing()
        guard listing.read(directory.new, isNew: true), listing.read(directory.cur, isNew: false) else {
            throw failure("reading", directory.folder.directory)
        }
        for entry in listing.entries {
            guard let row = listing.withBase(entry, { index.row($0, in: table) }) else { continue }
            let info = listing.withInfo(entry) { FileName.info($0) }
            var place: Place = entry.isNew ? .new : []
            if info.isPresent { place.insert(.hasInfo) }
            table.setFlags(row, info.flags, KeywordSet(), modSequence: modSequence + 1)
            if info.isPlain {
                table.setName(row, place, info.flags)
            } else {
                table.setOddName(row, place, info: listing.withInfo(entry) { Array($0) })
            }
        }
        return table
    }

    /// The mailbox before it was looked at.
    var summary: Summary {
        var summary = Summary()
        summary.uidNext = uidNext
        summary.modSequence = modSequence + 1
        return summary
    }

    /// After the scan: what it found gets its keywords, and nothing is recent, as no client has it anew.
    func finish(_ state: inout MailboxState) {
        state.summary.claimed = UInt32(clamping: state.summary.uidNext - 1)
        guard let table = state.table else { return }
        var found = 0
        for row in 0..<table.count where !table.isGone(row) {
            found += 1
            let set = keywords.keywords(of: table.baseName(row), info: table.info(row))
            if !set.isEmpty { table.setFlags(row, table.flags(row), set, modSequence: table.modSequence(row)) }
        }
        logger.notice("Taken over from \(server.rawValue)", metadata: [
            "uidvalidity": "\(state.uidValidity.rawValue)", "uidnext": "\(state.summary.uidNext)",
            "listed": "\(list?.records.count ?? 0)", "messages": "\(found)", "keywords": "\(keywords.keywords.count)",
        ])
    }
}
