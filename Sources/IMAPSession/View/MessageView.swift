import IMAPTypes

/// A session's picture of its mailbox as its client knows it (RFC 9051 §2.3.1.2): the one place where a sequence number
/// and a UID meet.
struct MessageView {
    /// Ascending. The message with sequence number n is at n - 1.
    private var uids: [UInt32] = []

    init() {}

    init(_ uids: [UID]) { self.uids = uids.map(\.rawValue) }

    var count: Int { uids.count }

    /// The number that `EXISTS` tells.
    var exists: UInt32 { UInt32(truncatingIfNeeded: uids.count) }

    func uid(at index: Int) -> UID { UID(uids[index])! }

    func number(at index: Int) -> SequenceNumber { SequenceNumber(UInt32(truncatingIfNeeded: index) + 1)! }

    /// Where the message with `uid` is.
    func index(of uid: UID) -> Int? {
        let at = position(of: uid.rawValue)
        return at < uids.count && uids[at] == uid.rawValue ? at : nil
    }

    func number(of uid: UID) -> SequenceNumber? { index(of: uid).map(number(at:)) }

    var lastUID: UID? { uids.last.flatMap { UID($0) } }

    /// Where the first message with a UID of at least `uid` is; `count` if there is none.
    func position(of uid: UInt32) -> Int {
        var low = 0, high = uids.count
        while low < high {
            let middle = (low + high) / 2
            if uids[middle] < uid { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// `new` ascends beyond all that are here.
    mutating func append(_ new: [UID]) {
        uids.append(contentsOf: new.lazy.map(\.rawValue))
    }

    /// Takes messages out. Returns their indexes before that, ascending.
    mutating func remove(_ gone: [UID]) -> [Int] {
        var indexes: [Int] = []
        indexes.reserveCapacity(gone.count)
        for uid in gone { if let at = index(of: uid) { indexes.append(at) } }
        guard let first = indexes.first else { return [] }
        var write = first, next = 0
        for read in first..<uids.count {
            if next < indexes.count, indexes[next] == read {
                next += 1
            } else {
                uids[write] = uids[read]
                write += 1
            }
        }
        uids.removeLast(uids.count - write)
        return indexes
    }
}

/// The messages of a sequence set, as ascending ranges of indexes into a view that neither touch nor overlap.
struct MessageSelection: Sequence {
    private(set) var ranges: [Range<Int>] = []

    init() {}

    /// Ranges in any order; empty ones count for nothing.
    init(_ unsorted: [Range<Int>]) {
        for range in unsorted.sorted(by: { $0.lowerBound < $1.lowerBound }) where !range.isEmpty {
            if let last = ranges.last, range.lowerBound <= last.upperBound {
                ranges[ranges.count - 1] = last.lowerBound..<Swift.max(last.upperBound, range.upperBound)
            } else {
                ranges.append(range)
            }
        }
    }

    var isEmpty: Bool { ranges.isEmpty }
    var count: Int { ranges.reduce(0) { $0 + $1.count } }

    func contains(_ index: Int) -> Bool {
        var low = 0, high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound <= index { low = middle + 1 } else { high = middle }
        }
        return low < ranges.count && ranges[low].contains(index)
    }

    func makeIterator() -> Iterator { Iterator(ranges: ranges) }

    struct Iterator: IteratorProtocol {
        let ranges: [Range<Int>]
        var range = 0
        var offset = 0

        mutating func next() -> Int? {
            guard range < ranges.count else { return nil }
            let value = ranges[range].lowerBound + offset
            offset += 1
            if offset == ranges[range].count {
                offset = 0
                range += 1
            }
            return value
        }
    }
}
