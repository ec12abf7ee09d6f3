import CLinux
import Glibc
import IMAPTypes
@testable import Maildir
import MailStore

/// `imapd.log`: transactions of any content, with checksums that are right, and bytes without any.
func fuzzLog(_ input: UnsafeRawBufferPointer) {
    let (choices, bytes) = split(input, choices: 1)
    if let transaction = Transaction(from: bytes) {
        var writer = ByteWriter()
        transaction.write(to: &writer)
        let again = writer.bytes.withUnsafeBytes { Transaction(from: $0) }
        precondition(again != nil && again!.summary == transaction.summary, "what is written cannot be read")
        precondition(again!.entries.count == transaction.entries.count, "entries are lost")
    }
    guard choices[0] & 3 == 0 else { return }
    var log = LogHeader(generation: 1, uidValidity: 7, mailboxID: ObjectID(low: 1, high: 2), summary: Summary()).bytes()
    if choices[0] & 4 == 0 {
        // Some transactions, cut at zeros.
        var chain = log.withUnsafeBytes { crc32c($0) }
        for body in bytes.split(separator: 0xFE, maxSplits: 20, omittingEmptySubsequences: false) {
            var writer = ByteWriter()
            writer.number(LogFile.Frame.mark)
            writer.number(UInt32(body.count))
            writer.number(UInt32(0))
            writer.number(chain)
            writer.raw(body)
            chain = writer.bytes.withUnsafeBytes { crc32c(UnsafeRawBufferPointer(rebasing: $0[12...])) }
            writer.number(chain, at: 8)
            log += writer.bytes
        }
    } else {
        log += bytes
    }
    Scratch.clear()
    Scratch.put("imapd.log", log)
    Scratch.visit(believingUIDs: true)
}

/// `imapd.index`: any content, with checksums that are right.
func fuzzIndex(_ input: UnsafeRawBufferPointer) {
    let (choices, bytes) = split(input, choices: 8)
    let log = LogHeader(generation: 1, uidValidity: 7, mailboxID: ObjectID(low: 1, high: 2), summary: Summary()).bytes()
    let count = Int(choices[0] % 8)
    var summary = Summary()
    (summary.uidNext, summary.messages) = (UInt64(choices[1]) << 24, UInt32(count))
    var header = IndexHeader(
        generation: 1, logPosition: UInt64(log.count), logChain: log.withUnsafeBytes { crc32c($0) }, uidValidity: 7,
        mailboxID: ObjectID(low: 1, high: 2), summary: summary, count: count, forgottenExpunges: UInt64(choices[2]))
    // The columns of `count` messages are what the input has, over and over.
    var content: [UInt8] = []
    for section in IndexHeader.Section.allCases {
        let length: Int
        switch section {
        case .keywordSets: length = choices[3] & 1 == 0 ? 0 : 16 * count
        case .nameOffset: length = 4 * (count + 1)
        case .names, .oddInfos, .keywords, .expunged: length = Int(choices[4 + section.rawValue % 4])
        default: length = (section.stride ?? 0) * count
        }
        let offset = IndexHeader.byteCount + content.count
        let column = (0..<length).map { bytes.isEmpty ? 0 : bytes[(content.count + $0) % bytes.count] }
        header.sections[section.rawValue] = IndexHeader.Place(
            offset: offset, length: length, checksum: column.withUnsafeBytes { clinux_checksum($0.baseAddress, $0.count) })
        content += column + [UInt8](repeating: 0, count: (8 - length % 8) % 8)
    }
    Scratch.clear()
    Scratch.put("imapd.log", log)
    Scratch.put("imapd.index", header.bytes() + content)
    Scratch.visit(believingUIDs: true)
}

/// `imapd.cache`: any batches, with checksums of their tables that are right.
func fuzzCache(_ input: UnsafeRawBufferPointer) {
    let (choices, bytes) = split(input, choices: 1)
    let id = ObjectID(low: 1, high: 2)
    var file = CacheHeader.bytes(uidValidity: 7, mailboxID: id)
    for batch in bytes.split(separator: 0xFE, maxSplits: 8) {
        let lines = min(batch.count / CacheLine.byteCount, Int(choices[0] % 5) + 1) * CacheLine.byteCount
        let length = CacheFrame.byteCount + (batch.count + 7) / 8 * 8
        let table = UnsafeRawBufferPointer(rebasing: batch.prefix(lines))
        file += CacheFrame.bytes(table, length: length, at: file.count) + Array(batch)
        file += [UInt8](repeating: 0, count: (8 - batch.count % 8) % 8)
    }
    Scratch.clear()
    Scratch.put("imapd.cache", file)
    let cache = CacheFile(in: Scratch.directory, uidValidity: 7, mailboxID: id)
    cache.catchUp()
    for line in cache.lines() {
        for piece in KeptPiece.allCases { _ = cache.piece(piece, line.uid, identity: line.identity)?.reduce(0, &+) }
    }
}

/// `dovecot-uidlist`, `courierimapuiddb`: read by themselves, and by a mailbox that is taken over.
func fuzzForeignList(_ input: UnsafeRawBufferPointer) {
    let (choices, bytes) = split(input, choices: 1)
    if let list = ForeignList(Array(bytes)) {
        precondition(zip(list.records, list.records.dropFirst()).allSatisfy { $0.uid < $1.uid }, "UIDs are out of order")
        precondition(list.records.last.map { UInt64($0.uid) < list.uidNext } ?? true, "the next UID was given")
        for record in list.records { precondition(!list.bytes[record.name].isEmpty, "a name is empty") }
    }
    guard choices[0] & 7 == 0 else { return }
    Scratch.clear()
    Scratch.put(choices[0] & 8 == 0 ? "dovecot-uidlist" : "courierimapuiddb", Array(bytes))
    Scratch.visit()
}

/// Keywords and subscriptions of other servers.
func fuzzForeignKeywords(_ input: UnsafeRawBufferPointer) {
    let (choices, bytes) = split(input, choices: 1)
    _ = ForeignKeywords(dovecot: Array(bytes))
    guard choices[0] & 3 == 0 else { return }
    Scratch.clear()
    Scratch.put("dovecot-uidlist", Array("3 V7 N9\n1 :1\n2 :2\n5 :5\n".utf8))
    switch choices[0] >> 2 & 3 {
    case 0: Scratch.put("dovecot-keywords", Array(bytes))
    case 1: Scratch.put("subscriptions", Array(bytes))
    case 2: Scratch.put("courierimapsubscribed", Array(bytes))
    default:
        Scratch.put("courierimapkeywords/:list", Array(bytes))
        _ = try? ForeignKeywords(courier: Handle(open("\(Scratch.path)/courierimapkeywords", O_RDONLY | O_DIRECTORY)))
        unlink("\(Scratch.path)/courierimapkeywords/:list")
    }
    Scratch.visit()
}
