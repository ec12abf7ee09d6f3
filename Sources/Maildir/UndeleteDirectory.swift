import Glibc
import IMAPTypes
import MailStore

/// `imapd.undelete/` in a mailbox: messages that were expunged less than `expunge-delay` ago, for an administrator to bring back.
///
/// No other program looks there. What is to be known of a message is in the name of its file: when it was expunged, UID, flags,
/// the bits of its keywords, and then its base name, as far as that fits. INTERNALDATE is the file's time, as ever.
enum UndeleteDirectory {
    static let name = Array("imapd.undelete".utf8)
    /// Holds when messages were last removed for good.
    private static let purgedName = Array("purged".utf8)

    static func open(_ directory: MailboxDirectory, create: Bool) -> Handle? {
        if create, directory.root.status(name) == nil { _ = directory.root.makeDirectory(name) }
        return directory.root.open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    }

    /// A message that is kept.
    struct Entry {
        /// Of the file.
        let name: [UInt8]
        /// When it was expunged, in seconds since the epoch.
        let time: Int64
        let uid: UInt32
        let flags: SystemFlags
        let keywords: KeywordSet
        /// Empty if it did not fit.
        let base: ArraySlice<UInt8>
    }

    static func fileName(_ row: MessageRow, base: [UInt8], time: Int64) -> [UInt8] {
        let letters = String(decoding: FileName.letters(row.flags), as: UTF8.self)
        let keywords = row.keywords.isEmpty ? ""
            : hexadecimalText(row.keywords.high, 16) + hexadecimalText(row.keywords.low, 16)
        let start = Array("\(time).\(row.uid).\(letters).\(keywords)=".utf8)
        return start.count + base.count <= FileName.longest ? start + base : start
    }

    /// `nil` if `fileName` writes no such name.
    static func entry(_ name: some Collection<UInt8>) -> Entry? {
        let name = Array(name)
        guard let end = name.firstIndex(of: UInt8(ascii: "=")) else { return nil }
        let fields = name[..<end].split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        guard fields.count == 4, let time = Int64(fields[0]), time >= 0, let uid = UInt32(fields[1]), uid > 0 else { return nil }
        var keywords = KeywordSet()
        if !fields[3].isEmpty {
            guard fields[3].utf8.count == 32, let high = UInt64(fields[3].prefix(16), radix: 16),
                  let low = UInt64(fields[3].suffix(16), radix: 16) else { return nil }
            (keywords.high, keywords.low) = (high, low)
        }
        let flags = fields[2].utf8.reduce(into: SystemFlags()) { if let flag = FileName.flag($1) { $0.insert(flag) } }
        return Entry(name: name, time: time, uid: uid, flags: flags, keywords: keywords, base: name[(end + 1)...])
    }

    /// In the order in which they were expunged.
    static func entries(_ kept: Handle) throws(StoreError) -> [Entry] {
        var entries: [Entry] = []
        guard forEachName(in: kept, { name, _ in if let entry = Self.entry(name) { entries.append(entry) } }) else {
            throw failure("reading imapd.undelete")
        }
        return entries.sorted { ($0.time, $0.uid) < ($1.time, $1.uid) }
    }

    // MARK: Going for good

    /// Looked at so often at most: when a mailbox is closed, this mostly reads one small file.
    private static let interval: Int64 = 3600

    /// Removes what was expunged more than `delay` seconds ago; all if it is 0.
    ///
    /// - Parameter isAlone: that no other session has the mailbox open. Else the directory stays: somebody may be about to put a
    ///   message into it.
    static func purge(_ directory: MailboxDirectory, delay: Int64, isAlone: Bool) {
        guard directory.root.status(name) != nil, let kept = open(directory, create: false) else { return }
        let time = now() / 1_000_000_000
        if delay > 0 {
            let last = kept.open(purgedName, O_RDONLY | O_NOFOLLOW)?.read(at: 0, count: 20)
                .flatMap { Int64(String(decoding: $0, as: UTF8.self)) }
            if let last, last <= time, last > time - min(interval, delay) { return }
        }
        var names: [[UInt8]] = []
        var remaining = 0
        _ = forEachName(in: kept) { name, _ in
            guard let entry = Self.entry(name) else { return }
            if delay == 0 || entry.time < time - delay { names.append(entry.name) } else { remaining += 1 }
        }
        for name in names { _ = kept.unlink(name) }
        if remaining == 0, isAlone {
            _ = kept.unlink(purgedName)
            _ = directory.root.removeDirectory(name)
        } else if delay > 0, let file = kept.open(purgedName, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW) {
            _ = Array("\(time)".utf8).withUnsafeBytes { file.write($0, at: 0) }
        }
    }
}
