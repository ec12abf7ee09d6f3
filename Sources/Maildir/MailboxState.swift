import IMAPTypes
import MailStore

/// A mailbox as its index and its log tell, up to a position of the log.
struct MailboxState {
    var log: LogFile
    var summary: Summary
    var keywords: [Keyword]
    /// `nil` where only the summary is wanted.
    var table: MessageTable?
    /// Files that the last transaction announced: if whoever wrote it has let go of the lock, it was cut short.
    var arriving: [[UInt8]] = []
    /// Messages whose files may have got the names of their flags, which the log does not tell yet.
    var naming: [ClosedRange<UInt32>] = []

    var uidValidity: UIDValidity { UIDValidity(log.header.uidValidity) ?? UIDValidity(1)! }

    /// The state at the beginning of `log`, or where `index` ends in it. `nil` if they do not belong together.
    init?(_ log: LogFile, _ index: IndexFile?, rows: Bool) {
        self.log = log
        guard let index else {
            guard log.header.baseGeneration == 0 else { return nil }
            summary = log.header.summary
            keywords = []
            table = rows ? MessageTable(nil) : nil
            return
        }
        guard index.header.generation == log.header.generation, index.header.uidValidity == log.header.uidValidity,
              index.header.mailboxID == log.header.mailboxID, index.header.logPosition >= UInt64(LogHeader.byteCount)
        else { return nil }
        self.log.position = Int(index.header.logPosition)
        self.log.chain = index.header.logChain
        summary = index.header.summary
        keywords = Self.keywords(from: index)
        table = rows ? MessageTable(index) : nil
    }

    init(_ log: LogFile, summary: Summary, keywords: [Keyword], table: MessageTable?) {
        self.log = log
        self.summary = summary
        self.keywords = keywords
        self.table = table
    }

    var mark: LogMark {
        LogMark(generation: log.header.generation, length: UInt64(log.position), uidValidity: log.header.uidValidity,
                uidNext: summary.uidNext, modSequence: summary.modSequence, inode: UInt32(truncatingIfNeeded: log.inode.number))
    }

    static func keywords(from index: IndexFile) -> [Keyword] {
        var reader = ByteReader(index.bytes(.keywords))
        var keywords: [Keyword] = []
        while !reader.isAtEnd, keywords.count < KeywordSet.capacity {
            guard let keyword = Keyword(reader.raw(Int(reader.number(UInt8.self)))) else { break }
            keywords.append(keyword)
        }
        return keywords
    }

    /// Takes in what a transaction says. UIDs of messages that it expunges or whose flags it changes go to `news`, if they are
    /// asked for.
    mutating func apply(_ transaction: Transaction, news: inout News?) {
        summary = transaction.summary
        arriving = []
        for entry in transaction.entries {
            if case .keyword(let keyword) = entry {
                if keywords.count < KeywordSet.capacity { keywords.append(keyword) }
                continue
            }
            if case .arriving(let names) = entry {
                arriving = names
                continue
            }
            if case .naming(let ranges) = entry {
                naming = ranges
                continue
            }
            guard let table else { continue }
            switch entry {
            case .keyword, .arriving, .naming: break
            case .add(let row, let base, let info):
                // Never out of order, whatever the file says: the table is searched by halves.
                if table.count == 0 || table.uid(table.count - 1) < row.uid { table.append(row, base: base, info: info) }
            case .flags(let flags, let keywords, let ranges):
                table.setFlags(ranges, flags, keywords, modSequence: summary.modSequence)
                if news != nil { table.forEachRow(ranges) { row in news?.flagged.append(table.uid(row)) } }
            case .expunge(let ranges):
                for range in ranges { table.rememberExpunge(range, modSequence: summary.modSequence) }
                table.forEachRow(ranges) { row in
                    table.setPlace(row, table.place(row).union(.expunged))
                    news?.expunged.append(table.uid(row))
                }
            case .named(let place, let flags, let ranges):
                table.setNames(ranges, place, flags)
            case .namedOddly(let uid, let place, let info):
                table.forEachRow(uid > 0 ? [uid...uid] : []) { row in table.setOddName(row, place, info: info) }
            case .details(let uid, let date, let size):
                if size != unknownSize, date != unknownDate, let row = table.row(uid) {
                    table.setDetails(row, internalDate: date, size: size)
                }
            }
        }
    }
}

/// What a session has not yet been told.
struct News {
    var expunged: [UInt32] = []
    var flagged: [UInt32] = []

    var isEmpty: Bool { expunged.isEmpty && flagged.isEmpty }
}

/// Ranges of UIDs for a log entry, from rows in ascending order: rows beside each other become one range.
struct RowRanges {
    private(set) var ranges: [ClosedRange<UInt32>] = []
    private var lastRow = -2

    mutating func append(_ row: Int, uid: UInt32) {
        if row == lastRow + 1, let last = ranges.last, last.upperBound < uid {
            ranges[ranges.count - 1] = last.lowerBound...uid
        } else {
            ranges.append(uid...uid)
        }
        lastRow = row
    }
}
