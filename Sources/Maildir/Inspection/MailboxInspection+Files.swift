import CLinux
import Glibc
import IMAPTypes
import MailStore

/// What the names, owners and modes of a mailbox's files say.
extension MailboxInspection {
    /// Everything that is wrong. `progress` hears of each message that was looked at.
    ///
    /// - Parameter readsMessages: whether sizes are compared with what the files hold, for which all of it must be read.
    public func check(readsMessages: Bool, progress: () -> Void) -> [Finding] {
        checkDirectories()
        checkNames()
        checkTemporary()
        checkExpunged()
        checkLeftovers()
        checkCache()
        for position in listing.entries.indices {
            checkMessage(position, reads: readsMessages)
            progress()
        }
        return findings.all
    }

    private func checkDirectories() {
        if let status = root.status() { checkRights(status, path(".")) }
        for part in ["cur", "new", "tmp"] {
            guard let status = root.status(part.utf8) else {
                findings.add(.missingDirectory, name, path(part))
                continue
            }
            inspection.checkLink(folder.directory + Array("/\(part)".utf8), status, in: name, &findings)
            if status.isDirectory {
                checkRights(status, path(part))
            } else {
                findings.add(.missingDirectory, name, path(part))
            }
        }
        for file in Self.ownFiles {
            guard let status = root.status(file.utf8) else { continue }
            if status.isRegular { checkRights(status, path(file)) } else { findings.add(.strangeFile, name, path(file)) }
        }
    }

    static let ownFiles = [
        "imapd.log", "imapd.log.old", "imapd.log.spare", "imapd.index", "imapd.index.old", "imapd.lock", "imapd.cache",
        "imapd.account", "imapd.subscriptions", "imapd.status",
    ]

    private func checkRights(_ status: stat, _ path: String) {
        if status.st_uid != inspection.owner { findings.add(.wrongOwner, name, path) }
        let needed: mode_t = status.isDirectory ? 0o700 : 0o600
        if status.st_mode & needed != needed { findings.add(.wrongMode, name, path) }
        if status.st_mode & 0o002 != 0 { findings.add(.writableByOthers, name, path) }
    }

    private func checkNames() {
        for stray in listing.misnamed {
            findings.add(.impossibleName, name, path(stray.isNew ? "new" : "cur", printable(stray.name)))
        }
        for (directory, part) in [(new, "new"), (cur, "cur")] {
            guard let directory else { continue }
            _ = forEachName(in: directory) { file, type in
                guard type != 8, let status = directory.status(file), !status.isRegular else { return }
                let path = folder.directory + Array("/\(part)/".utf8) + Array(file)
                inspection.checkLink(path, status, in: name, &findings)
                findings.add(.strangeFile, name, self.path(part, printable(file)))
            }
        }
        // Two files with one base name are one message for every program that knows Maildirs.
        let ordered = listing.entries.sorted { listing.isBaseOrdered($0, $1) }
        for (entry, next) in zip(ordered, ordered.dropFirst()) where listing.isSameBase(entry, next) {
            let places = [entry, next].map { entry in
                (entry.isNew ? new : cur)?.status(listing.location(entry).name)?.st_ino
            }
            // Two names of one file: a program is about to remove one of them.
            guard let first = places[0], let second = places[1], first != second else { continue }
            findings.add(.duplicateName, name, path(next))
        }
    }

    private func checkTemporary() {
        guard let tmp = root.open("tmp".utf8, O_RDONLY | O_DIRECTORY | O_NOFOLLOW) else { return }
        let limit = inspection.time - Mailbox.abandonedAfter
        _ = forEachName(in: tmp) { file, _ in
            guard let status = tmp.status(file), status.isRegular, Int64(status.st_ctim.tv_sec) < limit else { return }
            findings.add(.oldTemporary, name, path("tmp", printable(file)))
        }
    }

    private func checkExpunged() {
        guard let graveyard = root.open(Graveyard.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW) else { return }
        let limit = inspection.time - Graveyard.patience
        let isInUse = isOpenElsewhere
        var remaining = 0
        _ = forEachName(in: graveyard) { file, _ in
            remaining += 1
            guard let status = graveyard.status(file), !isInUse || Int64(status.st_ctim.tv_sec) < limit else { return }
            findings.add(.expungedLeft, name, path("imapd.expunged", printable(file)))
        }
        if remaining == 0, !isInUse { findings.add(.expungedLeft, name, path("imapd.expunged"), count: 0) }
    }

    /// Whether a session has the mailbox open.
    private var isOpenElsewhere: Bool {
        guard let lock = root.open(LockFile.name, O_RDWR | O_NOFOLLOW) else { return false }
        return clinux_lock(lock.raw, LockFile.Byte.presence.rawValue, 1, 0) != 0
    }

    /// What a write or a repair that was cut short has left.
    private func checkLeftovers() {
        let limit = inspection.time - MaildirStore.sweepAge
        _ = forEachName(in: root) { file, _ in
            guard Self.isLeftover(file), let status = root.status(file), status.isRegular,
                  Int64(status.st_ctim.tv_sec) < limit else { return }
            findings.add(.leftover, name, path(printable(file)))
        }
    }

    static func isLeftover(_ file: UnsafeRawBufferPointer) -> Bool {
        let name = String(decoding: file, as: UTF8.self)
        return name.hasPrefix("imapd.") && name.hasSuffix(".tmp") || name == "imapd.index.damaged" || name == "imapd.log.repair"
    }

    private func checkCache() {
        guard let state, let table = state.table, let status = root.status(CacheFile.name), status.isRegular else { return }
        let header = state.log.header
        let cache = CacheFile(in: root, uidValidity: header.uidValidity, mailboxID: header.mailboxID)
        cache.catchUp()
        guard cache.file != nil else {
            return findings.add(.unreadable, name, path("imapd.cache"), detail: String(cString: strerror(errno)))
        }
        // Empty, it is about to be written.
        if status.st_size > 0, cache.end != Int(status.st_size) { return findings.add(.cacheDamaged, name, path("imapd.cache")) }
        for line in cache.lines() {
            guard let row = table.row(line.uid), !table.isGone(row) else { continue }
            let id = table.id(row), identity = id.low ^ id.high
            // That of an earlier message of this UID is of no more use, and no damage.
            if line.identity == identity, cache.line(line.uid, identity: identity) == nil {
                return findings.add(.cacheDamaged, name, path("imapd.cache"))
            }
        }
    }

    // MARK: Messages

    private func checkMessage(_ position: Int, reads: Bool) {
        let entry = listing.entries[position], file = listing.location(entry).name
        guard let directory = entry.isNew ? new : cur, let status = directory.status(file) else { return }
        if status.st_uid != inspection.owner { findings.add(.wrongOwner, name, path(entry)) }
        if status.st_mode & 0o400 == 0 { findings.add(.wrongMode, name, path(entry)) }
        if status.st_mode & 0o002 != 0 { findings.add(.writableByOthers, name, path(entry)) }
        if !entry.isNew, entry.baseLength == entry.length { findings.add(.noInfo, name, path(entry)) }
        checkLetters(entry)
        let named = file.withUnsafeBytes { FileName.size(UInt8(ascii: "S"), in: $0) }
        var isFieldWrong = named.map { $0 != UInt64(max(0, status.st_size)) } ?? false
        if reads, checkWireSize(position, directory, file) { isFieldWrong = true }
        if isFieldWrong { findings.add(.wrongSizeField, name, path(entry)) }
    }

    /// Dovecot's letters for keywords, in a mailbox whose list of them does not have them.
    private func checkLetters(_ entry: Listing.Entry) {
        let letters = listing.withInfo(entry) { FileName.unknownLetters(Array($0)) }.filter { (0x61...0x7A).contains($0) }
        guard !letters.isEmpty else { return }
        let known = meanings
        if letters.contains(where: { !known.contains($0) }) { findings.add(.lostLetter, name, path(entry)) }
    }

    private var meanings: Set<UInt8> {
        if let letterMeanings { return letterMeanings }
        let file = try? root.readForeign(ForeignKeywords.dovecotName, longest: 1 << 20)
        let meanings = Set(file.map { ForeignKeywords(dovecot: $0.bytes).meanings.map(\.letter) } ?? [])
        letterMeanings = meanings
        return meanings
    }

    /// Compares what the file holds with what the log and the name's `,W=` tell. Returns whether the name is wrong.
    private func checkWireSize(_ position: Int, _ directory: Handle, _ file: [UInt8]) -> Bool {
        let named = file.withUnsafeBytes { FileName.size(UInt8(ascii: "W"), in: $0) }
        let known = rows[position] < 0 ? nil : state?.table?.size(rows[position])
        guard named != nil || known != nil else { return false }
        guard let handle = directory.open(file, O_RDONLY | O_NOFOLLOW) else {
            // Renamed or removed since.
            if errno != ENOENT {
                findings.add(.unreadable, name, path(listing.entries[position]), detail: String(cString: strerror(errno)))
            }
            return false
        }
        do throws(StoreError) {
            let size = try MessageFile(handle, .first).wireSize()
            if let known, known != size { findings.add(.wrongKnownSize, name, path(listing.entries[position])) }
            return named.map { $0 != size } ?? false
        } catch {
            findings.add(.unreadable, name, path(listing.entries[position]), detail: "\(error)")
            return false
        }
    }
}

extension FileName {
    /// The number of the first field `,S=` or `,W=` of a file's name; `nil` if there is none that is a number.
    static func size(_ key: UInt8, in name: UnsafeRawBufferPointer) -> UInt64? {
        let base = UnsafeRawBufferPointer(rebasing: name[..<baseEnd(name)])
        for field in base.split(separator: UInt8(ascii: ",")).dropFirst() where field.count > 2 && field.count <= 20 {
            guard field.first == key, field[field.startIndex + 1] == UInt8(ascii: "=") else { continue }
            let digits = field.dropFirst(2)
            guard digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
            return digits.reduce(0) { $0 * 10 + UInt64($1 - 0x30) }
        }
        return nil
    }
}
