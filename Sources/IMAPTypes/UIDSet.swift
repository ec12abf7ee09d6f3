/// A set of UIDs, kept as ascending ranges that neither touch nor overlap.
public struct UIDSet: Hashable, Sendable {
    public private(set) var ranges: [ClosedRange<UInt32>] = []

    public init() {}

    public init(_ uids: some Sequence<UID>) {
        for uid in uids { insert(uid) }
    }

    public init(_ range: ClosedRange<UID>) {
        ranges = [range.lowerBound.rawValue...range.upperBound.rawValue]
    }

    public var isEmpty: Bool { ranges.isEmpty }
    public var count: Int { ranges.reduce(0) { $0 + $1.count } }
    public var min: UID? { ranges.first.flatMap { UID($0.lowerBound) } }
    public var max: UID? { ranges.last.flatMap { UID($0.upperBound) } }

    /// Appending in ascending order takes constant time.
    public mutating func insert(_ uid: UID) {
        insert(uid...uid)
    }

    public mutating func insert(_ range: ClosedRange<UID>) {
        let low = range.lowerBound.rawValue, high = range.upperBound.rawValue
        // The ranges that touch or overlap the new one become one with it.
        var first = ranges.count
        if let last = ranges.last, low <= last.upperBound || low - 1 == last.upperBound {
            first = firstRange { $0.upperBound >= low || $0.upperBound == low - 1 }
        }
        var end = first
        var merged = low...high
        while end < ranges.count, ranges[end].lowerBound <= high || ranges[end].lowerBound - 1 == high {
            merged = Swift.min(merged.lowerBound, ranges[end].lowerBound)...Swift.max(merged.upperBound, ranges[end].upperBound)
            end += 1
        }
        ranges.replaceSubrange(first..<end, with: CollectionOfOne(merged))
    }

    public mutating func formUnion(_ other: UIDSet) {
        for range in other.ranges { insert(UID(range.lowerBound)!...UID(range.upperBound)!) }
    }

    public func contains(_ uid: UID) -> Bool {
        let at = firstRange { $0.upperBound >= uid.rawValue }
        return at < ranges.count && ranges[at].contains(uid.rawValue)
    }

    /// The index of the first range for which `isBeyond` holds; it must hold for all after it.
    private func firstRange(where isBeyond: (ClosedRange<UInt32>) -> Bool) -> Int {
        var low = 0, high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if isBeyond(ranges[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

extension UIDSet: Sequence {
    public struct Iterator: IteratorProtocol {
        let ranges: [ClosedRange<UInt32>]
        var range = 0
        var next32: UInt32?

        public mutating func next() -> UID? {
            guard range < ranges.count else { return nil }
            let value = next32 ?? ranges[range].lowerBound
            if value == ranges[range].upperBound {
                range += 1
                next32 = nil
            } else {
                next32 = value + 1
            }
            return UID(value)
        }
    }

    public func makeIterator() -> Iterator { Iterator(ranges: ranges) }
}
