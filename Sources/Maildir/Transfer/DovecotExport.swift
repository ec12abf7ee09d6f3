import Glibc
import IMAPTypes
import MailStore

/// What `exportDovecot` wrote.
public struct DovecotExport: Sendable {
    public var mailboxes = 0
    public var messages = 0
    /// Keywords that found no letter, by mailbox: Dovecot keeps 26 in the names of files.
    public var lostKeywords: [MailboxName: [Keyword]] = [:]
}

/// The way back: files with which Dovecot serves this Maildir as we do, so that its clients find nothing changed.
///
/// In each mailbox that is `dovecot-uidlist`, `dovecot-keywords`, the letters of keywords in the names of files, and a
/// `dovecot.index.log` without entries, whose header lets mod-sequences go on above ours; for the account, subscriptions and the
/// counter of UIDVALIDITYs. Dovecot must not run meanwhile, and deliveries are better held back.
extension MaildirStore {
    /// `progress` hears of each mailbox when it is done.
    public func exportDovecot(progress: (MailboxName) -> Void = { _ in }) throws(StoreError) -> DovecotExport {
        var result = DovecotExport()
        for entry in try mailboxes() {
            let mailbox = try openMailbox(entry.name, hasRows: true)
            try mailbox.locked { () throws(StoreError) in
                try mailbox.scanIfDue()
                let lost = try mailbox.exportDovecot()
                if !lost.isEmpty { result.lostKeywords[entry.name] = lost }
                result.mailboxes += 1
                result.messages += Int(mailbox.state.summary.messages)
            }
            progress(entry.name)
        }
        var list = Array("V\t2\n\n".utf8)
        for folder in try subscribedFolders() {
            list += folder == .inbox ? folder.line : folder.line.map { $0 == UInt8(ascii: ".") ? 0x09 : $0 }
            list.append(0x0A)
        }
        try maildir.replaceFile(ForeignSubscriptions.dovecotName, with: list)
        try DovecotCounter.raise(in: maildir, to: try account.largestGiven)
        return result
    }
}

extension Mailbox {
    /// Under the lock. Returns the keywords that found no letter.
    fileprivate func exportDovecot() throws(StoreError) -> [Keyword] {
        let old = try directory.root.readForeign(ForeignKeywords.dovecotName, longest: 1 << 20)
        let meanings = old.map { ForeignKeywords(dovecot: $0.bytes).meanings } ?? []
        let letters = DovecotLetters(table, state.keywords, meanings)
        try nameWithLetters(letters)
        try directory.root.replaceFile(ForeignKeywords.dovecotName, with: letters.file)
        // What Dovecot derived from the list before is not true any more.
        for name in ["dovecot.index", "dovecot.index.log", "dovecot.index.log.2", "dovecot.index.cache", "dovecot.index.backup"] {
            guard directory.root.unlink(name.utf8) || errno == ENOENT else { throw failure("removing", Array(name.utf8)) }
        }
        try directory.root.replaceFile(Array("dovecot.index.log".utf8), with: dovecotLog)
        try directory.root.replaceFile(Array(TakeOver.Server.dovecot.listName.utf8), with: try dovecotList())
        return letters.lost
    }

    /// Gives files the names that tell their flags and keywords.
    private func nameWithLetters(_ letters: DovecotLetters) throws(StoreError) {
        try nameFiles { row in
            let old = table.info(row), info = letters.info(old, flags: table.flags(row), keywords: table.keywords(row))
            // What is in new/ and has no flags may stay there.
            return info == old || old.isEmpty && info.count == FileName.mark.count ? nil : info
        }
    }

    /// Version 3. What an older list says of the same message beyond its UID (GUID, UIDL of POP3) goes along.
    private func dovecotList() throws(StoreError) -> [UInt8] {
        let header = state.log.header
        let name = Array(TakeOver.Server.dovecot.listName.utf8)
        let old = try directory.root.readForeign(name, longest: 1 << 30).flatMap { ForeignList($0.bytes) }
        let known = old?.uidValidity == header.uidValidity ? old : nil
        let next = min(state.summary.uidNext, ForeignList.largestUID + 1)
        var bytes = Array("3 V\(header.uidValidity) N\(next) G\(header.mailboxID.hexadecimal)\n".utf8)
        var at = 0
        for row in 0..<table.count where !table.isGone(row) {
            let uid = table.uid(row), base = table.baseName(row)
            bytes += Array("\(uid) ".utf8)
            if let known {
                while at < known.records.count, known.records[at].uid < uid { at += 1 }
                if at < known.records.count, known.records[at].uid == uid,
                   known.bytes[known.records[at].name].elementsEqual(base) {
                    bytes += known.bytes[known.records[at].fields]
                }
            }
            bytes.append(UInt8(ascii: ":"))
            bytes += base
            bytes.append(0x0A)
        }
        return bytes
    }

    /// mail_transaction_log_header of Dovecot 2.2 to 2.4: version 1.3, 40 bytes, little-endian, with `initial_modseq`.
    private var dovecotLog: [UInt8] {
        let time = UInt32(clamping: now() / 1_000_000_000)
        var writer = ByteWriter()
        writer.raw([1, 3])
        writer.number(UInt16(40))
        writer.number(time)
        writer.number(UInt32(1))
        writer.raw(repeatElement(0, count: 8))
        writer.number(time)
        writer.number(state.summary.modSequence)
        writer.raw([1])
        writer.pad(to: 8)
        return writer.bytes
    }
}

/// Which letter stands for which keyword in the names of a mailbox's files.
struct DovecotLetters {
    /// By index of the mailbox's keywords.
    private var letters: [UInt8?]
    private var names: [(letter: UInt8, keyword: Keyword)]
    private let known: Set<UInt8>
    private(set) var lost: [Keyword] = []

    /// Letters that have a meaning keep it. A letter without one is not given to a keyword while it stands in a name.
    init(_ table: MessageTable, _ keywords: [Keyword], _ old: [(letter: UInt8, keyword: Keyword)]) {
        var used = [Bool](repeating: false, count: 26)
        var inUse = KeywordSet()
        for row in 0..<table.count where !table.isGone(row) {
            for index in table.keywords(row) { inUse[index] = true }
            guard table.place(row).contains(.odd) else { continue }
            for letter in FileName.unknownLetters(table.info(row)) where (0x61...0x7A).contains(letter) {
                used[Int(letter - 0x61)] = true
            }
        }
        names = old
        for (letter, _) in names { used[Int(letter - 0x61)] = true }
        letters = keywords.map { keyword in old.first { $0.keyword == keyword }?.letter }
        for index in keywords.indices where letters[index] == nil && inUse[index] {
            if let free = used.firstIndex(of: false) {
                used[free] = true
                letters[index] = UInt8(free) + 0x61
                names.append((UInt8(free) + 0x61, keywords[index]))
            } else {
                lost.append(keywords[index])
            }
        }
        known = Set(names.map(\.letter))
    }

    /// The info part that tells flags and keywords. What no keyword of ours stands behind stays.
    func info(_ old: [UInt8], flags: SystemFlags, keywords: KeywordSet) -> [UInt8] {
        let wanted = keywords.compactMap { letters.indices.contains($0) ? letters[$0] : nil }
        let plain = FileName.info(old, with: flags)
        let end = plain[FileName.mark.count...].firstIndex(of: UInt8(ascii: ",")) ?? plain.endIndex
        let kept = plain[FileName.mark.count..<end].filter { !known.contains($0) }
        return FileName.mark + (kept + wanted).sorted() + plain[end...]
    }

    var hasMeanings: Bool { !names.isEmpty }

    /// `dovecot-keywords`.
    var file: [UInt8] {
        Array(names.sorted { $0.letter < $1.letter }.map { "\($0.letter - 0x61) \($0.keyword.name)\n" }.joined().utf8)
    }
}
