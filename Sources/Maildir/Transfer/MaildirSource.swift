import Glibc
import IMAPTypes
import MailStore

/// Messages of a Maildir of any kind, to be imported: ours, Dovecot's, Courier's, or of no server at all.
public final class MaildirSource {
    /// A mailbox of the tree, and its levels below the top.
    public struct Mailbox {
        public let levels: [String]
        /// Of the Maildir that it is in.
        fileprivate let path: String
        fileprivate let folder: FolderName
        fileprivate let name: MailboxName

        /// Opens it. One at a time: there may be more mailboxes than a process can have open.
        public func messages() throws(StoreError) -> Messages { try Messages(self) }
    }

    /// The messages of a mailbox.
    public struct Messages {
        fileprivate let inspection: MailboxInspection
        private let maildir: MaildirInspection

        fileprivate init(_ mailbox: Mailbox) throws(StoreError) {
            maildir = try MaildirInspection(path: mailbox.path)
            inspection = try MailboxInspection(mailbox.folder, mailbox.name, in: maildir)
        }

        public var count: Int { inspection.messages }
    }

    public struct Message {
        public let flags: FlagSet
        /// The file's modification time, which is INTERNALDATE.
        public let date: Int64
        public let content: any MessageContent
    }

    public let mailboxes: [Mailbox]

    private static let deepest = 16

    /// Maildir++ (`.a.b` beside `cur`), and directories within directories. Throws if there is no mailbox at all.
    public init(path: String) throws(StoreError) {
        var found: [Mailbox] = []
        try Self.search(path, levels: [], &found)
        guard !found.isEmpty else { throw .notPermitted(reason: "\(path) has no directory cur, and none below it has") }
        mailboxes = found
    }

    private static func search(_ path: String, levels: [String], _ found: inout [Mailbox]) throws(StoreError) {
        let inspection = try MaildirInspection(path: path)
        for (folder, name) in try inspection.folders() {
            guard inspection.maildir.status(folder.directory + Array("/cur".utf8))?.isDirectory == true else { continue }
            let own = name.isInbox ? [] : name.levels(separator: ".").map(String.init)
            found.append(Mailbox(levels: levels + own, path: path, folder: folder, name: name))
        }
        guard levels.count < deepest else { return }
        var below: [String] = []
        _ = forEachName(in: inspection.maildir) { name, _ in
            guard let text = String(validating: name, as: UTF8.self), !["cur", "new", "tmp"].contains(text) else { return }
            // Links are not followed: they could lead round in a circle.
            if inspection.maildir.status(name)?.isDirectory == true, !text.hasPrefix("courierimap"), !text.hasPrefix("imapd.") {
                below.append(text)
            }
        }
        for name in below.sorted() { try search(path + "/" + name, levels: levels + [name], &found) }
    }
}

extension MaildirSource.Messages {
    /// In the order of UIDs, as far as there are some, and then of arrival. What vanishes meanwhile is left out.
    public func forEach(_ body: (MaildirSource.Message) throws(StoreError) -> Void) throws(StoreError) {
        let listing = inspection.listing, table = inspection.state?.table
        let foreign = try table == nil ? ForeignState(in: inspection.root) : nil
        let order = listing.entries.indices.sorted { first, second in
            let (a, b) = (rank(first, foreign), rank(second, foreign))
            if a != b { return a < b }
            let keys = [first, second].map { at in listing.withBase(listing.entries[at]) { FileName.ArrivalKey($0) } }
            return keys[0] != keys[1] ? keys[0] < keys[1] : listing.isBaseOrdered(listing.entries[first], listing.entries[second])
        }
        for position in order {
            let entry = listing.entries[position]
            guard let directory = entry.isNew ? inspection.new : inspection.cur,
                  let handle = directory.open(listing.location(entry).name, O_RDONLY | O_NOFOLLOW) else {
                if errno == ENOENT { continue }
                throw failure("opening", listing.location(entry).name)
            }
            let file = try MessageFile(handle, .first)
            try body(MaildirSource.Message(flags: flags(position, table, foreign), date: file.modified, content: file))
        }
    }

    private func rank(_ position: Int, _ foreign: ForeignState?) -> UInt32 {
        if inspection.rows[position] >= 0, let table = inspection.state?.table { return table.uid(inspection.rows[position]) }
        let listing = inspection.listing
        return foreign?.uids[listing.withBase(listing.entries[position]) { Array($0) }] ?? .max
    }

    private func flags(_ position: Int, _ table: MessageTable?, _ foreign: ForeignState?) -> FlagSet {
        let listing = inspection.listing, entry = listing.entries[position], row = inspection.rows[position]
        let known: [Keyword], set: KeywordSet
        var system = listing.withInfo(entry) { FileName.info($0).flags }
        if let table, row >= 0 {
            system = table.flags(row)
            (known, set) = (inspection.state?.keywords ?? [], table.keywords(row))
        } else if let foreign {
            (known, set) = (foreign.keywords.keywords, foreign.keywords.keywords(
                of: listing.withBase(entry) { Array($0) }, info: listing.withInfo(entry) { Array($0) }))
        } else {
            return FlagSet(system: system)
        }
        return FlagSet(system: system, keywords: Set(known.indices.filter { set[$0] }.map { known[$0] }))
    }
}

/// What Dovecot or Courier tells of a mailbox's messages.
private struct ForeignState {
    private(set) var uids: [[UInt8]: UInt32] = [:]
    let keywords: ForeignKeywords

    init(in root: Handle) throws(StoreError) {
        let courier = root.open(ForeignKeywords.courierName, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        let dovecot = try root.readForeign(ForeignKeywords.dovecotName, longest: 1 << 20)
        if let dovecot {
            keywords = ForeignKeywords(dovecot: dovecot.bytes)
        } else if let courier {
            keywords = try ForeignKeywords(courier: courier)
        } else {
            keywords = ForeignKeywords()
        }
        for server in [TakeOver.Server.courier, .dovecot] {
            guard let file = try root.readForeign(Array(server.listName.utf8), longest: 1 << 30),
                  let list = ForeignList(file.bytes) else { continue }
            for record in list.records { uids[Array(list.bytes[record.name])] = record.uid }
        }
    }
}
