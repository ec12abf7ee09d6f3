import CLinux
import Glibc
import MailStore

/// Adding to `imapd.cache`. Whoever cannot have the lock, or cannot write, does without.
extension CacheFile {
    /// Adds a record; to the file with `save` only.
    func add(_ uid: UInt32, identity: UInt64, _ pieces: KeptPieces) {
        pending.append(uid, identity: identity, pieces)
    }

    /// Appends what was added. `room` is how large the file may grow; `keeps` tells which records are of use if it has to be
    /// written anew.
    func save(room: Int, keeps: (UInt32, UInt64) -> Bool) {
        guard !pending.isEmpty else { return }
        defer { pending.removeAll() }
        guard lockForWriting() else { return }
        defer { unlock() }
        if end == 0 || end != size {
            // It is new or not ours, or its end is damaged; nothing is ever written over what others may be looking at.
            if !(size == 0 && begin()) {
                replace(keeps: keeps)
                return
            }
        }
        if end + pending.used > room {
            // Half of it may be of no use any more; if not, it has what it may have.
            let kept = lines().reduce(0) { keeps($1.uid, $1.identity) ? $0 + 1 : $0 }
            if kept <= count / 2 { replace(keeps: keeps) }
            return
        }
        append()
    }

    /// Writes the file anew if much of it is of no more use, or it takes long to open.
    func compactIfDue(messages: Int, keeps: (UInt32, UInt64) -> Bool) {
        guard isCompactionDue(messages), lockForWriting() else { return }
        defer { unlock() }
        // Another session may have been faster.
        if isCompactionDue(messages) { replace(keeps: keeps) }
    }

    private func isCompactionDue(_ messages: Int) -> Bool {
        canWrite && (tailCount > 1000 + baseCount / 4 || batches > 256 + baseCount / 16 || count > 1000 + 2 * messages)
    }

    // MARK: The lock

    /// A lock on the file itself, which must be the one of its name.
    private func lockForWriting() -> Bool {
        for _ in 0..<3 {
            if !isCurrent { open(create: true) }
            guard canWrite, let file, clinux_lock(file.raw, 0, 1, 0) == 0 else { return false }
            if isCurrent {
                readOn()
                return self.file != nil
            }
        }
        return false
    }

    private func unlock() {
        if let file { _ = clinux_unlock(file.raw, 0) }
    }

    // MARK: Writing

    private func begin() -> Bool {
        let header = CacheHeader.bytes(uidValidity: uidValidity, mailboxID: mailboxID)
        guard let file, header.withUnsafeBytes({ file.write($0, at: 0) }) else { return false }
        readOn()
        return end == CacheHeader.byteCount
    }

    private func append() {
        guard let file else { return }
        let lines = pending.sortedLines().filter { line in
            // Another session may have been faster.
            !(self.line(line.uid, identity: line.identity)?.isSame(as: line) ?? false)
        }
        if lines.isEmpty { return }
        let start = end
        var layout = CacheLayout(lines, at: start)
        var table = ByteWriter(), keys: [UInt8] = [], rest: [UInt8] = []
        rest.reserveCapacity(pending.used + 8)
        for line in lines {
            layout.place(line).write(to: &table)
            keys.append(contentsOf: pending.bytes(.keys, of: line))
            rest.append(contentsOf: pending.bytes(.fields, of: line))
            rest.append(contentsOf: pending.bytes(.items, of: line))
        }
        let padding = (8 - layout.end % 8) % 8
        rest.append(contentsOf: repeatElement(0, count: padding))
        let length = layout.end + padding - start
        // The frame last: a batch that is found is there.
        let frame = table.bytes.withUnsafeBytes { CacheFrame.bytes($0, length: length, at: start) }
        let head = table.bytes + keys
        guard head.withUnsafeBytes({ file.write($0, at: start + CacheFrame.byteCount) }),
              rest.withUnsafeBytes({ file.write($0, at: start + CacheFrame.byteCount + head.count) }),
              frame.withUnsafeBytes({ file.write($0, at: start) }) else {
            canWrite = false
            return
        }
        readOn()
    }

    /// Under the lock: what is of use of the file, and what was added, in a new file.
    private func replace(keeps: (UInt32, UInt64) -> Bool) {
        let temporary = Self.name + Array(".tmp".utf8)
        _ = directory.unlink(temporary)
        guard let new = directory.open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW) else { return }
        guard write(to: new, keeps: keeps), directory.rename(temporary, to: directory, Self.name) else {
            // A full disk: this session leaves it alone.
            _ = directory.unlink(temporary)
            canWrite = false
            return
        }
        pending.removeAll()
        open()
        readOn()
    }

    private func write(to new: Handle, keeps: (UInt32, UInt64) -> Bool) -> Bool {
        let added = pending.sortedLines()
        // Where each record is now; those that were added count.
        var kept: [CacheLine] = [], areAdded: [Bool] = []
        func take(_ line: CacheLine, isAdded: Bool) {
            kept.append(line)
            areAdded.append(isAdded)
        }
        var at = 0
        for line in lines() {
            while at < added.count, added[at].uid < line.uid { take(added[at], isAdded: true); at += 1 }
            if at < added.count, added[at].uid == line.uid { continue }
            if keeps(line.uid, line.identity), let whole = self.line(line.uid, identity: line.identity) {
                take(whole, isAdded: false)
            }
        }
        while at < added.count { take(added[at], isAdded: true); at += 1 }

        let header = CacheHeader.bytes(uidValidity: uidValidity, mailboxID: mailboxID)
        guard header.withUnsafeBytes({ new.write($0, at: 0) }) else { return false }
        if kept.isEmpty { return true }
        let start = header.count
        var layout = CacheLayout(kept, at: start)
        var table = ByteWriter(), piece: [UInt8] = []
        table.bytes.reserveCapacity(kept.count * CacheLine.byteCount)
        for line in kept { layout.place(line).write(to: &table) }
        let padding = (8 - layout.end % 8) % 8
        let length = layout.end + padding - start
        guard start + length < CacheHeader.longestFile else { return false }
        var written = start + CacheFrame.byteCount + table.bytes.count
        func flush() -> Bool {
            defer { piece.removeAll(keepingCapacity: true) }
            defer { written += piece.count }
            return piece.withUnsafeBytes { new.write($0, at: written) }
        }
        for pieces in [[KeptPiece.keys], [.fields, .items]] {
            for (line, isAdded) in zip(kept, areAdded) {
                for wanted in pieces where line[wanted].length > 0 {
                    guard let bytes = isAdded ? pending.bytes(wanted, of: line) : line.bytes(wanted, in: map) else {
                        return false
                    }
                    piece.append(contentsOf: bytes)
                }
                if piece.count >= PendingRecords.capacity, !flush() { return false }
            }
        }
        piece.append(contentsOf: repeatElement(0, count: padding))
        guard flush() else { return false }
        let frame = table.bytes.withUnsafeBytes { CacheFrame.bytes($0, length: length, at: start) }
        return (frame + table.bytes).withUnsafeBytes { new.write($0, at: start) }
    }
}
