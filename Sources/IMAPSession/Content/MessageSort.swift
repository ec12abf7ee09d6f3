import Glibc
import IMAPGrammar
import IMAPTypes
import MailStore

/// SORT (RFC 5256 §3).
struct MessageSort {
    private let keys: [SortCommand.Key]
    private let reader: MessageKeyReader

    /// - Parameter readers: threads that may read messages, this one included.
    init(_ keys: [SortCommand.Key], in mailbox: any OpenMailbox, readers: Int = 1) {
        self.keys = keys
        reader = MessageKeyReader(mailbox, readers: readers)
    }

    /// The values of one criterion, by position. The head of a value orders as the value does, as far as it goes.
    private struct Column {
        var heads: [UInt64] = []
        /// Texts one after another, and where each ends; none for numbers.
        var text: [UInt8] = []
        var ends: [Int] = []

        mutating func append(_ number: Int64) { heads.append(UInt64(bitPattern: number) ^ 1 << 63) }

        mutating func append(_ bytes: UnsafeRawBufferPointer) {
            var head: UInt64 = 0
            for index in 0..<8 { head = head << 8 | (index < bytes.count ? UInt64(bytes[index]) : 0) }
            heads.append(head)
            text.append(contentsOf: bytes)
            ends.append(text.count)
        }

        /// i;octet (RFC 4790 §9.3): negative, zero or positive.
        func compare(_ a: Int, _ b: Int) -> Int {
            if heads[a] != heads[b] { return heads[a] < heads[b] ? -1 : 1 }
            if ends.isEmpty { return 0 }
            let first = (a > 0 ? ends[a - 1] : 0)..<ends[a], second = (b > 0 ? ends[b - 1] : 0)..<ends[b]
            let order = text.withUnsafeBytes { text in
                let count = min(first.count, second.count)
                return count <= 8 ? 0 : memcmp(text.baseAddress! + first.lowerBound, text.baseAddress! + second.lowerBound, count)
            }
            return order != 0 ? Int(order) : first.count - second.count
        }
    }

    /// `uids`, which ascend, in the order of the keys; those that compare equal stay as they are (RFC 5256 §3).
    ///
    /// `progress` is called now and then, with the number of messages looked at.
    func sorted(_ uids: [UID], progress: (Int) throws(ContentFailure) -> Void = { _ in }) throws(ContentFailure) -> [UID] {
        try order(uids, progress: progress).map { uids[$0] }
    }

    /// The positions of `uids` in the order of the keys.
    func order(_ uids: [UID], progress: (Int) throws(ContentFailure) -> Void = { _ in }) throws(ContentFailure) -> [Int] {
        var columns = [Column](repeating: Column(), count: keys.count)
        for column in columns.indices { columns[column].heads.reserveCapacity(uids.count) }
        let needsHeader = keys.contains { $0.criterion != .arrival && $0.criterion != .size }
        let ahead = needsHeader ? reader.ahead(uids) : nil
        defer { ahead?.end() }
        for (index, uid) in uids.enumerated() {
            if index & 0xFF == 0xFF { try progress(index) }
            ahead?.reach(index)
            for (column, key) in keys.enumerated() {
                switch key.criterion {
                case .arrival: columns[column].append(try reader.details(uid).internalDate)
                case .size: columns[column].append(Int64(clamping: try reader.details(uid).size))
                case .cc, .date, .from, .subject, .to: break
                }
            }
            guard needsHeader else { continue }
            try reader.withKeys(uid) { (found) throws(ContentFailure) in
                for (column, key) in keys.enumerated() {
                    switch key.criterion {
                    case .arrival, .size: break
                    case .cc: columns[column].append(found.text(.cc))
                    case .date: columns[column].append(try reader.sentDate(found, uid))
                    case .from: columns[column].append(found.text(.from))
                    case .subject: columns[column].append(found.text(.subject))
                    case .to: columns[column].append(found.text(.to))
                    }
                }
            }
        }
        return order(columns, count: uids.count)
    }

    private func order(_ columns: [Column], count: Int) -> [Int] {
        guard let first = columns.first else { return Array(0..<count) }
        let isReversed = keys[0].reverse
        // The first head goes along with the position: most comparisons need no more.
        var order = (0..<count).map { (head: isReversed ? ~first.heads[$0] : first.heads[$0], position: $0) }
        order.sort { a, b in
            if a.head != b.head { return a.head < b.head }
            for (column, key) in zip(columns, keys) {
                let order = column.compare(a.position, b.position)
                if order != 0 { return key.reverse ? order > 0 : order < 0 }
            }
            return a.position < b.position
        }
        return order.map(\.position)
    }
}
