import IMAPTypes

/// A session's picture of its mailbox as its client knows it (RFC 9051 §2.3.1.2): the one place where a sequence number
/// and a UID meet.
struct MessageView {
    /// Ascending. The message with sequence number n is at n - 1.
    private var uids: [UID] = []

    init() {}

    init(_ uids: [UID]) { self.uids = uids }

    var count: Int { uids.count }

    /// The number that `EXISTS` tells.
    var exists: UInt32 { UInt32(truncatingIfNeeded: uids.count) }

    func uid(at index: Int) -> UID { uids[index] }

    func number(at index: Int) -> SequenceNumber { SequenceNumber(UInt32(truncatingIfNeeded: index) + 1)! }

    /// Where the message with `uid` is.
    func index(of uid: UID) -> Int? {
        let at = position(of: uid.rawValue)
        return at < uids.count && uids[at] == uid ? at : nil
    }

    func number(of uid: UID) -> SequenceNumber? { index(of: uid).map(number(at:)) }

    var lastUID: UID? { uids.last }

    /// Where the first message with a UID of at least `uid` is; `count` if there is none.
    func position(of uid: UInt32) -> Int {
        var low = 0, high = uids.count
        while low < high {
            let middle = (low + high) / 2
            if uids[middle].rawValue < uid { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Calls `body` with the index of each of `wanted`, which ascend. Those that are not here are left out.
    func forEachIndex(of wanted: [UID], _ body: (Int) -> Void) {
        var low = 0
        for uid in wanted {
            // Mostly it is near: steps that double, then halves.
            var step = 1, high = low
            while high < uids.count, uids[high] < uid {
                low = high + 1
                high += step
                step *= 2
            }
            high = min(high, uids.count)
            while low < high {
                let middle = (low + high) / 2
                if uids[middle] < uid { low = middle + 1 } else { high = middle }
            }
            guard low < uids.count else { return }
            if uids[low] == uid { body(low) }
        }
    }

    /// `new` ascends beyond all that are here.
    mutating func append(_ new: [UID]) {
        uids.append(contentsOf: new)
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

    func intersection(_ other: MessageSelection) -> MessageSelection {
        var result = MessageSelection()
        var mine = 0, theirs = 0
        while mine < ranges.count, theirs < other.ranges.count {
            let common = ranges[mine].clamped(to: other.ranges[theirs])
            if !common.isEmpty { result.ranges.append(common) }
            if ranges[mine].upperBound < other.ranges[theirs].upperBound { mine += 1 } else { theirs += 1 }
        }
        return result
    }

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
