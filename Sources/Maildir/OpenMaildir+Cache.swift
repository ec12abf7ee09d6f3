import CLinux
import IMAPTypes
import MailStore

extension OpenMaildir {
    func kept(_ uid: UID, _ piece: KeptPiece) -> UnsafeRawBufferPointer? {
        // A damaged index is repaired by whoever reads the message.
        guard table.base?.verifyRest() != false, let row = row(uid), !table.isGone(row) else { return nil }
        let found = openCache().piece(piece, uid.rawValue, identity: identity(row))
        if found != nil { clinux_work().pointee.cache_hits &+= 1 }
        return found
    }

    func keep(_ uid: UID, _ pieces: KeptPieces) {
        guard pieces.count <= longestKept, table.base?.verifyRest() != false, let row = row(uid), !table.isGone(row) else {
            return
        }
        clinux_work().pointee.cache_misses &+= 1
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
        let cache = mailbox.newCache()
        self.cache = cache
        return cache
    }

    private func identity(_ row: Int) -> UInt64 { Self.identity(row, of: table) }

    private static func identity(_ row: Int, of table: MessageTable) -> UInt64 { CacheFile.identity(table.id(row)) }

    /// Copies have the content of their originals, and their ids: what was kept of them goes along, as much as fits one batch.
    func carryKept(_ copies: some Sequence<(Int, UID)>, of table: MessageTable, to target: Mailbox) {
        let cache = openCache(), other = target.newCache()
        for (row, copy) in copies {
            let identity = Self.identity(row, of: table)
            guard let pieces = cache.pieces(table.uid(row), identity: identity) else { continue }
            guard other.pending.hasRoom(for: pieces.count) else { break }
            other.add(copy.rawValue, identity: identity, pieces)
        }
        other.save(room: target.cacheRoom, keeps: { _, _ in true })
    }

    private func isOfUse(_ uid: UInt32, _ identity: UInt64) -> Bool {
        guard let row = table.row(uid), !table.isGone(row) else { return false }
        return self.identity(row) == identity
    }

    private func save(_ cache: CacheFile) {
        let header = mailbox.state.log.header
        // The mailbox was made anew.
        if header.uidValidity != cache.uidValidity || header.mailboxID != cache.mailboxID { return self.cache = nil }
        cache.save(room: mailbox.cacheRoom, keeps: isOfUse)
    }

    func compactCacheIfDue() {
        guard let cache, table.base?.verifyRest() != false else { return }
        cache.compactIfDue(messages: Int(mailbox.state.summary.messages), keeps: isOfUse)
    }
}

extension CacheFile {
    static func identity(_ id: ObjectID) -> UInt64 { id.low ^ id.high }
}

/// What is kept of messages that come in, before anybody has opened the mailbox with them.
extension Mailbox {
    func newCache() -> CacheFile {
        CacheFile(in: directory.root, uidValidity: state.log.header.uidValidity, mailboxID: state.log.header.mailboxID)
    }

    /// How large the file may grow: a message takes about 1.5 KiB; those that take more may not make it grow without end.
    var cacheRoom: Int { (1 << 20) + Int(state.summary.messages) * 4096 }

    /// In the file with `saveKept` only.
    func keep(_ uid: UID, _ id: ObjectID, _ keys: [UInt8], _ fields: [UInt8], _ items: [UInt8]) {
        let cache = cache ?? newCache()
        self.cache = cache
        KeptPieces.with(keys, fields, items) { pieces in
            if !cache.pending.hasRoom(for: pieces.count) { cache.save(room: cacheRoom, keeps: { _, _ in true }) }
            cache.add(uid.rawValue, identity: CacheFile.identity(id), pieces)
        }
    }

    func saveKept() {
        guard let cache else { return }
        self.cache = nil
        let header = state.log.header
        // The mailbox may have been made anew.
        guard header.uidValidity == cache.uidValidity, header.mailboxID == cache.mailboxID else { return }
        cache.save(room: cacheRoom, keeps: { _, _ in true })
    }
}
