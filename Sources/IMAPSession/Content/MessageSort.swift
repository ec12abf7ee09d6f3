import Glibc
import IMAPGrammar
import IMAPTypes
import MailMessage
import MailStore

/// SORT (RFC 5256 §3).
struct MessageSort {
    private let keys: [SortCommand.Key]
    private let summaries: HeaderSummaries
    private var addresses = AddressList()

    /// What one criterion compares.
    private enum Value {
        case number(Int64)
        case text([UInt8])
    }

    init(_ keys: [SortCommand.Key], in mailbox: any OpenMailbox) {
        self.keys = keys
        summaries = HeaderSummaries(mailbox)
    }

    /// `uids`, which ascend, in the order of the keys; those that compare equal stay as they are (RFC 5256 §3).
    ///
    /// `progress` is called now and then, with the number of messages looked at.
    mutating func sorted(
        _ uids: [UID], progress: (Int) throws(ContentFailure) -> Void = { _ in }
    ) throws(ContentFailure) -> [UID] {
        let needsHeader = keys.contains {
            switch $0.criterion {
            case .arrival, .size: false
            case .cc, .date, .from, .subject, .to: true
            }
        }
        // By position, not by message: one array for each key.
        var columns = [[Value]](repeating: [], count: keys.count)
        for column in columns.indices { columns[column].reserveCapacity(uids.count) }
        for (index, uid) in uids.enumerated() {
            if index & 0xFF == 0xFF { try progress(index) }
            if needsHeader {
                try summaries.withHeader(uid) { (header) throws(ContentFailure) in
                    for (column, key) in keys.enumerated() { columns[column].append(try value(key.criterion, header, uid)) }
                }
            } else {
                for (column, key) in keys.enumerated() { columns[column].append(try value(key.criterion, nil, uid)) }
            }
        }
        let order = uids.indices.sorted { a, b in
            for (column, key) in keys.enumerated() {
                let order = Self.compare(columns[column][a], columns[column][b])
                if order != 0 { return key.reverse ? order > 0 : order < 0 }
            }
            return a < b
        }
        return order.map { uids[$0] }
    }

    private mutating func value(
        _ criterion: SortCommand.Criterion, _ header: MessageStructure?, _ uid: UID
    ) throws(ContentFailure) -> Value {
        switch criterion {
        case .arrival: return .number(try summaries.details(uid).internalDate)
        case .size: return .number(Int64(clamping: try summaries.details(uid).size))
        default: break
        }
        guard let header else { return .number(0) }
        switch criterion {
        case .date: return .number(try summaries.sentDate(header, uid))
        case .subject: return .text(summaries.baseSubject(header).text)
        case .from: return .text(mailbox(.from, header))
        case .to: return .text(mailbox(.to, header))
        case .cc: return .text(mailbox(.cc, header))
        case .arrival, .size: return .number(0)
        }
    }

    /// addr-mailbox of the first address (RFC 5256 §3), as ENVELOPE would have it; nothing if there is none.
    private mutating func mailbox(_ name: FieldName, _ header: MessageStructure) -> [UInt8] {
        header.addresses(name, of: MessageStructure.root, into: &addresses)
        switch addresses.entries.first {
        case .mailbox(_, _, let mailbox, _)?: return summaries.folder.fold(addresses[mailbox])
        case .groupStart(let name)?: return summaries.folder.fold(addresses[name])
        case .groupEnd?, nil: return []
        }
    }

    /// Negative, zero or positive.
    private static func compare(_ a: Value, _ b: Value) -> Int {
        switch (a, b) {
        case (.number(let a), .number(let b)): a < b ? -1 : a > b ? 1 : 0
        case (.text(let a), .text(let b)): compareBytes(a, b)
        // One column holds one sort of value.
        default: 0
        }
    }
}

/// i;octet (RFC 4790 §9.3): negative, zero or positive.
func compareBytes(_ a: [UInt8], _ b: [UInt8]) -> Int {
    let order = a.withUnsafeBytes { a in
        b.withUnsafeBytes { b in a.isEmpty || b.isEmpty ? 0 : memcmp(a.baseAddress!, b.baseAddress!, min(a.count, b.count)) }
    }
    return order != 0 ? Int(order) : a.count - b.count
}
