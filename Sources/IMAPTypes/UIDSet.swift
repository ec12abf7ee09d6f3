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

    /// Takes time in proportion to the number of ranges in both.
    public mutating func formUnion(_ other: UIDSet) {
        guard let first = other.ranges.first else { return }
        // What lies before the other's begin stays as it is, so that a set that grows at its end costs little.
        let kept = firstRange { $0.upperBound >= first.lowerBound || $0.upperBound == first.lowerBound - 1 }
        var mine = ranges[kept...], others = other.ranges[...]
        ranges.removeSubrange(kept...)
        func earliest() -> ClosedRange<UInt32>? {
            guard let a = mine.first, let b = others.first else { return mine.popFirst() ?? others.popFirst() }
            return a.lowerBound <= b.lowerBound ? mine.popFirst() : others.popFirst()
        }
        while let next = earliest() {
            if let last = ranges.last, next.lowerBound <= last.upperBound || next.lowerBound - 1 == last.upperBound {
                ranges[ranges.count - 1] = last.lowerBound...Swift.max(last.upperBound, next.upperBound)
            } else {
                ranges.append(next)
            }
        }
    }

    public mutating func formIntersection(_ other: UIDSet) {
        var result: [ClosedRange<UInt32>] = []
        var mine = 0, theirs = 0
        while mine < ranges.count, theirs < other.ranges.count {
            let a = ranges[mine], b = other.ranges[theirs]
            let low = Swift.max(a.lowerBound, b.lowerBound), high = Swift.min(a.upperBound, b.upperBound)
            if low <= high { result.append(low...high) }
            if a.upperBound < b.upperBound { mine += 1 } else { theirs += 1 }
        }
        ranges = result
    }

    public mutating func subtract(_ other: UIDSet) {
        var result: [ClosedRange<UInt32>] = []
        var next = 0
        for range in ranges {
            // What is left of the range, beyond all that was taken off it.
            var low = UInt64(range.lowerBound)
            let high = UInt64(range.upperBound)
            while next < other.ranges.count, UInt64(other.ranges[next].upperBound) < low { next += 1 }
            var at = next
            while at < other.ranges.count, low <= high, UInt64(other.ranges[at].lowerBound) <= high {
                let cut = other.ranges[at]
                if UInt64(cut.lowerBound) > low { result.append(UInt32(low)...cut.lowerBound - 1) }
                low = Swift.max(low, UInt64(cut.upperBound) + 1)
                at += 1
            }
            if low <= high { result.append(UInt32(low)...UInt32(high)) }
        }
        ranges = result
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
