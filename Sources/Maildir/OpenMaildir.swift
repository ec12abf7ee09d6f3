import Glibc
import IMAPTypes
import Logging
import MailStore

/// A mailbox as one session has it selected: the mailbox on the disk, and which of it the session has been told.
final class OpenMaildir: OpenMailbox {
    let name: MailboxName
    let isReadOnly: Bool
    let mailbox: Mailbox
    /// Messages up to this UID are in the picture.
    private(set) var visible: UInt32 = 0
    /// The largest mod-sequence when the picture was last brought up to date.
    private var toldModSequence: UInt64 = 1
    /// Messages of the picture that the mailbox does not hold any more since it was read anew.
    private(set) var ghosts: [UInt32: MessageMetadata] = [:]
    private var watcher: Watcher?
    /// The mailbox's messages; `ghosts` are what an earlier table had beside them.
    private(set) var table: MessageTable
    /// What was derived from messages, once somebody has asked for it.
    var cache: CacheFile?
    /// Gives the mailbox back to the store; tells whether there are names to bring up to date.
    private let onClose: (Mailbox, _ isTidyingDue: Bool) -> Void
    let names: NameMaker
    /// The mailbox that COPY or MOVE names.
    private let target: (MailboxName) throws(StoreError) -> Mailbox

    init(
        _ mailbox: Mailbox, readOnly: Bool, names: NameMaker, target: @escaping (MailboxName) throws(StoreError) -> Mailbox,
        onClose: @escaping (Mailbox, _ isTidyingDue: Bool) -> Void
    ) throws(StoreError) {
        self.names = names
        self.target = target
        name = mailbox.directory.mailbox
        isReadOnly = readOnly
        self.mailbox = mailbox
        self.onClose = onClose
        table = mailbox.table
        // Before the first look: from here on nothing vanishes that this session may see.
        mailbox.directory.lockFile.bePresent()
        mailbox.onReload = { [unowned self] table in compare(with: table) }
        try mailbox.catchUp(isLocked: false)
        try mailbox.scanIfDue(isOpening: true)
        show()
        forgetGone(in: table)
        mailbox.news = News()
    }

    /// What was expunged before the session's picture began was never in it.
    private func forgetGone(in table: MessageTable) {
        table.forgetGone()
    }

    deinit {
        compactCacheIfDue()
        let directory = mailbox.directory
        let wasLast = directory.lockFile.beginAlone()
        Graveyard.empty(directory, olderThan: wasLast ? 0 : Graveyard.patience)
        if let delay = mailbox.account.expungeDelay { UndeleteDirectory.purge(directory, delay: delay, isAlone: wasLast) }
        directory.lockFile.leave()
        mailbox.onReload = nil
        onClose(mailbox, !isReadOnly && mailbox.isTidyingDue)
    }

    func openTarget(_ name: MailboxName) throws(StoreError) -> Mailbox { try target(name) }

    var uidValidity: UIDValidity { mailbox.state.uidValidity }
    var id: ObjectID { mailbox.state.log.header.mailboxID }
    var uidNext: UInt32 { UInt32(clamping: mailbox.state.summary.uidNext) }
    /// No change up to this is untold: a client that remembers it must not miss one.
    var highestModSequence: ModSequence {
        let isAllTold = mailbox.news.isEmpty && mailbox.state.summary.uidNext <= UInt64(visible) + 1
        return ModSequence(isAllTold ? mailbox.state.summary.modSequence : toldModSequence) ?? .zero
    }
    var keywords: [Keyword] { mailbox.state.keywords }

    // MARK: The picture

    private func show() {
        visible = UInt32(clamping: mailbox.state.summary.uidNext - 1)
        toldModSequence = mailbox.state.summary.modSequence
    }

    var uids: [UID] {
        let log = mailbox.state.log
        if let picture = mailbox.pictured, ghosts.isEmpty, picture.visible == visible, picture.position == log.position,
           picture.generation == log.header.generation { return picture.uids }
        let uids = uids(MetadataTest(), atMost: .max)
        // Only if nothing of it is gone, which would not be seen by who opens the mailbox next.
        if ghosts.isEmpty, uids.count == Int(mailbox.state.summary.messages) {
            mailbox.pictured = Picture(uids: uids, visible: visible, generation: log.header.generation, position: log.position)
        }
        return uids
    }

    func uids(_ test: MetadataTest, atMost limit: Int) -> [UID] {
        var result = table.uids(test, upTo: visible, atMost: limit)
        if !ghosts.isEmpty {
            result += ghosts.filter { test.holds($0.value) }.compactMap { UID($0.key) }
            result = Array(result.sorted().prefix(limit))
        }
        return result
    }

    /// The row of a message that is in the picture, expunged or not.
    func row(_ uid: UID) -> Int? {
        uid.rawValue <= visible ? table.row(uid.rawValue) : nil
    }

    /// Rows of those messages that are in the picture and in the mailbox.
    func rows(_ uids: [UID]) -> [Int] {
        uids.compactMap { uid in row(uid).flatMap { table.isGone($0) ? nil : $0 } }
    }

    func metadata(_ uid: UID) -> MessageMetadata? {
        if uid.rawValue <= visible, let metadata = table.metadata(uid.rawValue) { return metadata }
        return ghosts.isEmpty ? nil : ghosts[uid.rawValue]
    }

    func forget(_ uids: [UID]) {
        for uid in uids {
            if let row = table.row(uid.rawValue), table.isGone(row) { table.setPlace(row, table.place(row).union(.forgotten)) }
            ghosts[uid.rawValue] = nil
        }
    }

    /// The mailbox was read anew: what the new table lacks stays in the picture as a ghost, and everything else that differs is
    /// news.
    private func compare(with new: MessageTable) {
        let old = table
        table = new
        var news = News()
        let untold = Set(mailbox.news.expunged)
        for row in 0..<old.count {
            let uid = old.uid(row)
            if uid > visible { break }
            if old.place(row).contains(.forgotten) { continue }
            guard let found = new.row(uid), !new.isGone(found) else {
                guard var ghost = old.metadata(uid) else { continue }
                if !ghost.isExpunged || untold.contains(uid) { news.expunged.append(uid) }
                ghost.isExpunged = true
                ghosts[uid] = ghost
                continue
            }
            if new.flags(found) != old.flags(row) || new.keywords(found) != old.keywords(row) { news.flagged.append(uid) }
        }
        // Ghosts stand for them.
        forgetGone(in: new)
        news.flagged += mailbox.news.flagged
        mailbox.news = news
    }

    // MARK: News

    func refresh() throws(StoreError) -> MailboxChanges {
        // First, so that an event that comes while we look wakes again.
        watcher?.drain()
        cache?.isStale = true
        // What was shown of an index that was cut short under us may be wrong: what differs is told.
        if table.base?.isLost == true { try mailbox.verifyRows() }
        try mailbox.catchUp(isLocked: false)
        try mailbox.scanIfDue()
        var changes = MailboxChanges()
        let news = mailbox.news
        mailbox.news = News()
        let table = table
        let known = visible
        show()
        var row = table.firstRow(from: known &+ 1)
        if known == .max { row = table.count }
        while row < table.count {
            if table.isGone(row) {
                // It came and went between two looks.
                table.setPlace(row, table.place(row).union(.forgotten))
            } else if let uid = UID(table.uid(row)) {
                changes.added.append(uid)
            }
            row += 1
        }
        /// Of these, what the session knows and is in this state, in order and once.
        func told(_ uids: [UInt32], isExpunged: Bool) -> [UID] {
            if uids.isEmpty { return [] }
            return Set(uids).sorted().compactMap { UID($0) }
                .filter { $0.rawValue <= known && metadata($0)?.isExpunged == isExpunged }
        }
        changes.expunged = told(news.expunged, isExpunged: true)
        changes.flagged = told(news.flagged, isExpunged: false)
        // Whoever has the picture changes it now, and need not copy it first.
        if !changes.isEmpty { mailbox.pictured = nil }
        return changes
    }

    func changeDescriptor() throws(StoreError) -> Int32 {
        if let watcher { return watcher.descriptor }
        let watcher = try Watcher(
            mailbox.directory, try mailbox.account.folder(of: id) ?? mailbox.directory.folder, maildir: mailbox.account.path,
            lookPeriod: Watcher.lookPeriod(mailbox.directory, wished: mailbox.account.networkPoll), logger: mailbox.logger)
        self.watcher = watcher
        return watcher.descriptor
    }

    func claimRecent() throws(StoreError) -> [UID] {
        func recent() -> [UID] {
            let claimed = mailbox.state.summary.claimed
            guard claimed < visible else { return [] }
            var result: [UID] = []
            for row in table.firstRow(from: claimed + 1)..<table.count {
                let uid = table.uid(row)
                if uid > visible { break }
                if !table.isGone(row), let uid = UID(uid) { result.append(uid) }
            }
            return result
        }
        if isReadOnly { return recent() }
        if mailbox.state.summary.recent == 0 || recent().isEmpty { return [] }
        return try mailbox.locked { () throws(StoreError) in
            let claimed = recent()
            guard let last = claimed.last else { return [] }
            var transaction = Transaction(summary: mailbox.state.summary)
            transaction.summary.claimed = last.rawValue
            transaction.summary.recent -= min(transaction.summary.recent, UInt32(clamping: claimed.count))
            try mailbox.commit(transaction, sync: false)
            return claimed
        }
    }

    func expunged(since modSequence: ModSequence) throws(StoreError) -> UIDSet {
        if let known = table.expunged.since(modSequence.rawValue) { return known }
        // Further back than is remembered: every UID that is not there.
        var gone = UIDSet()
        var next: UInt32 = 1
        for row in 0..<table.count where !table.isGone(row) {
            let uid = table.uid(row)
            if uid > next, let low = UID(next), let high = UID(uid - 1) { gone.insert(low...high) }
            next = uid &+ 1
        }
        if next > 0, UInt64(next) < mailbox.state.summary.uidNext, let low = UID(next),
           let high = UID(UInt32(clamping: mailbox.state.summary.uidNext - 1)) { gone.insert(low...high) }
        return gone
    }
}

/// The messages of a mailbox as its log told them up to a position.
struct Picture {
    var uids: [UID]
    var visible: UInt32
    var generation: UInt64
    var position: Int
}
