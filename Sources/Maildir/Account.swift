import CLinux
import Glibc
import IMAPTypes
import Logging
import MailStore

/// `imapd.account` in the Maildir: what has to outlive a mailbox's own files. One line for each thing that happened,
/// with a checksum in front; the last word on a mailbox counts.
///
/// ```
/// 5f1c2ab0 V 1763722800                          the largest UIDVALIDITY given so far
/// 0913c4de M 1763722800 3000 0123…cdef Sent      a mailbox: UIDVALIDITY, no UID was given from 3000 on, its id, its folder
/// 77ab01f2 U \Sent Sent                          its special use; "-" for none
/// 2e90d1cc R Sent/Sent Mail                      it was renamed
/// c0ffee11 D Sent Mail                           it was deleted
/// ```
final class Account {
    struct Mailbox {
        var uidValidity: UInt32 = 0
        /// UIDs from here on were never given.
        var ceiling: UInt64 = 1
        var id = ObjectID(low: 0, high: 0)
        var use: SpecialUse?
    }

    static let name = Array("imapd.account".utf8)
    /// UIDs are set aside in such numbers, so that the file is written seldom.
    static let reserve: UInt64 = 1000
    /// What is larger, another server or damage has left; to go on behind it would use up what there is.
    static let largestUIDValidity: UInt32 = 0xF000_0000

    let maildir: Handle
    let path: String
    let logger: Logger
    /// How long expunged messages are kept, in seconds; 0 for not at all, `nil` for whoever must not decide.
    let expungeDelay: Int64?
    /// How often a session that waits looks at a mailbox on a network file system, in seconds; 0 for never.
    let networkPoll: Int32
    private let lockFile: LockFile
    private var file: Handle?
    private var offset = 0
    private var contents = Contents()
    private var mailboxes: [FolderName: Mailbox] { contents.mailboxes }
    private var lastUIDValidity: UInt32 { contents.lastUIDValidity }

    init(
        _ maildir: Handle, path: String, expungeDelay: Int64? = nil, networkPoll: Int32 = 0, logger: Logger
    ) throws(StoreError) {
        self.expungeDelay = expungeDelay
        self.networkPoll = networkPoll
        self.maildir = maildir
        self.path = path
        self.logger = logger
        guard let lockFile = LockFile(in: maildir) else { throw failure("opening imapd.lock") }
        self.lockFile = lockFile
    }

    func locked<R>(_ body: () throws(StoreError) -> R) throws(StoreError) -> R {
        guard lockFile.lock(.account) else { throw failure("locking the account") }
        defer { lockFile.unlock(.account) }
        return try body()
    }

    // MARK: Asking

    func mailbox(_ folder: FolderName) throws(StoreError) -> Mailbox? {
        try readOn()
        return mailboxes[folder]
    }

    /// What the mailbox with this id is called now.
    func folder(of id: ObjectID) throws(StoreError) -> FolderName? {
        try readOn()
        return mailboxes.first { $0.value.id == id }?.key
    }

    /// Whether a mailbox has this id: a folder that was copied as a whole came with that of another.
    func isTaken(_ id: ObjectID) throws(StoreError) -> Bool {
        try readOn()
        return mailboxes.values.contains { $0.id == id }
    }

    /// No UIDVALIDITY that was given so far is larger.
    var largestGiven: UInt32 {
        get throws(StoreError) {
            try readOn()
            return lastUIDValidity
        }
    }

    /// Special uses by folder.
    func uses() throws(StoreError) -> [FolderName: SpecialUse] {
        try readOn()
        return mailboxes.compactMapValues(\.use)
    }

    // MARK: Telling

    /// A UIDVALIDITY that this account never had, for a mailbox that begins.
    func begin(_ folder: FolderName, id: ObjectID) throws(StoreError) -> UInt32 {
        try locked { () throws(StoreError) in
            try readOn()
            let clock = UInt32(clamping: now() / 1_000_000_000)
            let last = max(lastUIDValidity, min(DovecotCounter.last(in: maildir), Self.largestUIDValidity))
            guard last < .max else { throw .corrupt("there is no UIDVALIDITY left in imapd.account") }
            let value = max(last + 1, clock, 1)
            try append([line("V \(value)"), markLine(value, 1 + Self.reserve, id, folder)])
            return value
        }
    }

    /// Sets UIDs below the result aside for a mailbox.
    func reserveUIDs(_ folder: FolderName, uidValidity: UInt32, id: ObjectID, uidNext: UInt64) throws(StoreError) -> UInt64 {
        try locked { () throws(StoreError) in
            try readOn()
            // It may have been renamed while it was open.
            var folder = folder
            if mailboxes[folder]?.id != id, let other = mailboxes.first(where: { $0.value.id == id })?.key { folder = other }
            let ceiling = uidNext &+ Self.reserve
            if let known = mailboxes[folder], known.id == id, known.uidValidity == uidValidity, known.ceiling >= ceiling {
                return known.ceiling
            }
            try append([markLine(uidValidity, ceiling, id, folder)])
            return ceiling
        }
    }

    /// A mailbox that the file does not have under this name: it came from elsewhere, or was renamed as the power went.
    /// False if its id is that of another mailbox that is still there.
    func adopt(_ folder: FolderName, uidValidity: UInt32, id: ObjectID, ceiling: UInt64) throws(StoreError) -> Bool {
        try locked { () throws(StoreError) in
            try readOn()
            guard mailboxes[folder]?.id != id || mailboxes[folder]?.uidValidity != uidValidity else { return true }
            if let old = mailboxes.first(where: { $0.value.id == id && $0.key != folder })?.key {
                guard !maildir.hasDirectory(old.directory) else { return false }
                if mailboxes[folder] == nil {
                    try renamed([(old, folder)])
                    return true
                }
            }
            try append([markLine(uidValidity, ceiling, id, folder)])
            return true
        }
    }

    func setUse(_ use: SpecialUse?, of folder: FolderName) throws(StoreError) {
        try append([line("U \(use?.rawValue ?? "-") ", folder.line)])
    }

    func renamed(_ moves: [(from: FolderName, to: FolderName)]) throws(StoreError) {
        try append(moves.map { line("R ", $0.from.line + [UInt8(ascii: "/")] + $0.to.line) })
    }

    func deleted(_ folder: FolderName) throws(StoreError) {
        try append([line("D ", folder.line)])
    }

    private func markLine(_ uidValidity: UInt32, _ ceiling: UInt64, _ id: ObjectID, _ folder: FolderName) -> [UInt8] {
        line("M \(uidValidity) \(ceiling) \(id.hexadecimal) ", folder.line)
    }

    private func line(_ start: String, _ rest: [UInt8] = []) -> [UInt8] {
        let text = Array(start.utf8) + rest
        return Array("\(hexadecimalText(UInt64(text.withUnsafeBytes { crc32c($0) }), 8)) ".utf8) + text + [0x0A]
    }

    // MARK: The file

    /// Under the lock.
    private func append(_ lines: [[UInt8]]) throws(StoreError) {
        try readOn()
        if file == nil {
            file = maildir.open(Self.name, O_RDWR | O_CREAT | O_NOFOLLOW)
            guard file != nil, maildir.sync() else { throw failure("creating imapd.account") }
        }
        guard let file, let status = file.status() else { throw failure("opening imapd.account") }
        var bytes = Array(lines.joined())
        let end = Int(status.st_size)
        // What a crash left of a line must not become part of ours.
        if end > 0, file.read(at: end - 1, count: 1) != [0x0A] { bytes.insert(0x0A, at: 0) }
        guard bytes.withUnsafeBytes({ file.write($0, at: end) }), clinux_sync_data(file.raw) == 0 else {
            let error = failure("writing imapd.account")
            _ = ftruncate(file.raw, off_t(end))
            throw error
        }
        try readOn()
        // Every session reads all of it.
        if contents.lineCount > 4 * mailboxes.count + 100 { try compact() }
    }

    /// Writes the file anew, without lines that were damaged.
    func rewrite() throws(StoreError) {
        try locked { () throws(StoreError) in
            try readOn()
            try compact()
        }
    }

    private func compact() throws(StoreError) {
        var bytes = line("V \(lastUIDValidity)")
        for (folder, mailbox) in mailboxes {
            if mailbox.uidValidity > 0 { bytes += markLine(mailbox.uidValidity, mailbox.ceiling, mailbox.id, folder) }
            if let use = mailbox.use { bytes += line("U \(use.rawValue) ", folder.line) }
        }
        try maildir.replaceFile(Self.name, with: bytes)
        file = nil
    }

    /// Takes in what the file has beyond what was read. One that cannot be read is not taken for empty: a UIDVALIDITY or UIDs
    /// that it tells of would be given again.
    private func readOn() throws(StoreError) {
        if let status = file?.status(), status.st_nlink == 0 || Int(status.st_size) < offset { file = nil }
        if file == nil {
            offset = 0
            contents = Contents()
            file = maildir.open(Self.name, O_RDWR | O_NOFOLLOW)
            if file == nil, errno == ENOENT { return }
        }
        guard let file, let status = file.status() else { throw failure("opening imapd.account") }
        guard status.isRegular, status.st_size < 1 << 30 else { throw .corrupt("imapd.account is no file of ours") }
        guard Int(status.st_size) > offset else { return }
        guard let bytes = file.read(at: offset, count: Int(status.st_size) - offset) else {
            throw failure("reading imapd.account")
        }
        var rest = bytes[...]
        while let end = rest.firstIndex(of: 0x0A) {
            if end > rest.startIndex, !contents.take(rest[..<end]) {
                logger.warning("A damaged line in imapd.account is left out")
            }
            offset += end - rest.startIndex + 1
            rest = rest[(end + 1)...]
        }
    }
}

/// What the lines of `imapd.account` say, as far as they were read.
extension Account {
    struct Contents {
        private(set) var mailboxes: [FolderName: Mailbox] = [:]
        private(set) var lastUIDValidity: UInt32 = 0
        private(set) var lineCount = 0
    }
}

extension Account.Contents {
    /// Takes in a line without its end. False if it is damaged.
    mutating func take(_ line: ArraySlice<UInt8>) -> Bool {
        var rest = line
        guard let sum = Self.word(&rest), sum.count == 8, let crc = Self.hexadecimal(sum),
              crc == UInt64(rest.withUnsafeBytes({ crc32c($0) })), let kind = Self.word(&rest) else { return false }
        lineCount += 1
        func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
            bytes.count <= 18 ? bytes.reduce(0) { $0 * 10 + UInt64(($1 &- 0x30) % 10) } : 0
        }
        switch kind.first {
        case UInt8(ascii: "V"):
            lastUIDValidity = max(lastUIDValidity, UInt32(clamping: number(rest)))
        case UInt8(ascii: "M"):
            guard let uidValidity = Self.word(&rest), let ceiling = Self.word(&rest), let id = Self.word(&rest), id.count == 32,
                  let folder = FolderName(line: Array(rest)) else { return false }
            let old = mailboxes[folder]
            let new = Account.Mailbox(
                uidValidity: UInt32(clamping: number(uidValidity)), ceiling: min(number(ceiling), 1 << 33),
                id: ObjectID(low: Self.hexadecimal(id.suffix(16)) ?? 0, high: Self.hexadecimal(id.prefix(16)) ?? 0), use: old?.use)
            if new.uidValidity <= Account.largestUIDValidity { lastUIDValidity = max(lastUIDValidity, new.uidValidity) }
            // Two sessions may set UIDs aside in either order.
            if let old, old.uidValidity == new.uidValidity, old.ceiling > new.ceiling { return true }
            mailboxes[folder] = new
        case UInt8(ascii: "U"):
            guard let use = Self.word(&rest), let folder = FolderName(line: Array(rest)) else { return false }
            mailboxes[folder, default: Account.Mailbox()].use = SpecialUse(rawValue: String(decoding: use, as: UTF8.self))
        case UInt8(ascii: "R"):
            let fields = rest.split(separator: 0x2F)
            guard fields.count == 2, let old = FolderName(line: Array(fields[0])),
                  let new = FolderName(line: Array(fields[1])) else { return false }
            mailboxes[new] = mailboxes.removeValue(forKey: old)
        case UInt8(ascii: "D"):
            if let folder = FolderName(line: Array(rest)) { mailboxes[folder] = nil }
        default:
            break
        }
        return true
    }

    /// What stands before the next space, which goes too; `nil` if there is none.
    private static func word(_ rest: inout ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard let space = rest.firstIndex(of: 0x20) else { return nil }
        defer { rest = rest[(space + 1)...] }
        return rest[..<space]
    }

    /// `nil` unless all bytes are digits; at most 16 of them.
    private static func hexadecimal(_ bytes: ArraySlice<UInt8>) -> UInt64? {
        guard bytes.count <= 16 else { return nil }
        var value: UInt64 = 0
        for byte in bytes {
            switch byte {
            case 0x30...0x39: value = value << 4 | UInt64(byte - 0x30)
            case 0x61...0x66: value = value << 4 | UInt64(byte - 0x57)
            default: return nil
            }
        }
        return value
    }
}
