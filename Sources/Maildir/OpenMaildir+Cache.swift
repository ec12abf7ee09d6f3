import IMAPTypes
import MailStore

extension OpenMaildir {
    func kept(_ uid: UID, _ piece: KeptPiece) -> UnsafeRawBufferPointer? {
        // A damaged index is repaired by whoever reads the message.
        guard table.base?.verifyRest() != false, let row = row(uid), !table.isGone(row) else { return nil }
        return openCache().piece(piece, uid.rawValue, identity: identity(row))
    }

    func keep(_ uid: UID, _ pieces: KeptPieces) {
        guard pieces.count <= longestKept, table.base?.verifyRest() != false, let row = row(uid), !table.isGone(row) else {
            return
        }
        let cache = openCache()
        if !cache.pending.hasRoom(for: pieces.count) { save(cache) }
        cache.add(uid.rawValue, identity: identity(row), pieces)
    }

    /// Where nothing can be written, nothing needs to be prepared.
    var isKeeping: Bool { openCache().mayWrite }

    func saveKept() {
        guard let cache, !cache.pending.isEmpty else { return }
        save(cache)
        cache.pending.release()
    }

    private func openCache() -> CacheFile {
        if let cache { return cache }
        let cache = CacheFile(in: mailbox.directory.root, uidValidity: mailbox.state.log.header.uidValidity,
                              mailboxID: mailbox.state.log.header.mailboxID)
        self.cache = cache
        return cache
    }

    private func identity(_ row: Int) -> UInt64 { Self.identity(row, of: table) }

    private static func identity(_ row: Int, of table: MessageTable) -> UInt64 {
        let id = table.id(row)
        return id.low ^ id.high
    }

    /// Copies have the content of their originals, and their ids: what was kept of them goes along, as much as fits one batch.
    func carryKept(_ copies: some Sequence<(Int, UID)>, of table: MessageTable, to target: Mailbox) {
        let cache = openCache(), header = target.state.log.header
        let other = CacheFile(in: target.directory.root, uidValidity: header.uidValidity, mailboxID: header.mailboxID)
        for (row, copy) in copies {
            let identity = Self.identity(row, of: table)
            guard let pieces = cache.pieces(table.uid(row), identity: identity) else { continue }
            guard other.pending.hasRoom(for: pieces.count) else { break }
            other.add(copy.rawValue, identity: identity, pieces)
        }
        other.save(room: Self.room(target), keeps: { _, _ in true })
    }

    /// How large the file may grow: a message takes about 1.5 KiB; those that take more may not make it grow without end.
    private static func room(_ mailbox: Mailbox) -> Int { (1 << 20) + Int(mailbox.state.summary.messages) * 4096 }

    private func isOfUse(_ uid: UInt32, _ identity: UInt64) -> Bool {
        guard let row = table.row(uid), !table.isGone(row) else { return false }
        return self.identity(row) == identity
    }

    private func save(_ cache: CacheFile) {
        let header = mailbox.state.log.header
        // The mailbox was made anew.
        if header.uidValidity != cache.uidValidity || header.mailboxID != cache.mailboxID { return self.cache = nil }
        cache.save(room: Self.room(mailbox), keeps: isOfUse)
    }

    func compactCacheIfDue() {
        guard let cache, table.base?.verifyRest() != false else { return }
        cache.compactIfDue(messages: Int(mailbox.state.summary.messages), keeps: isOfUse)
    }
}
