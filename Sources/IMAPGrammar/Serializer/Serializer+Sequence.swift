import IMAPTypes

/// Sets of numbers. None may be empty: the grammar has no such set.
extension Serializer {
    /// sequence-set, uid-set
    public mutating func sequenceSet(_ set: UIDSet) {
        precondition(!set.isEmpty, "an empty sequence-set")
        separated(set.ranges, by: ",") { $0.range($1.lowerBound, $1.upperBound) }
    }

    /// sequence-set, with runs of consecutive numbers as ranges, in the given order.
    public mutating func sequenceSet(_ numbers: some Sequence<UInt32>) {
        var numbers = numbers.makeIterator()
        guard var first = numbers.next() else { preconditionFailure("an empty sequence-set") }
        var last = first
        while let number = numbers.next() {
            if last < .max, number == last + 1 {
                last = number
                continue
            }
            range(first, last)
            write(",")
            first = number
            last = number
        }
        range(first, last)
    }

    public mutating func sequenceSet(_ uids: [UID]) {
        sequenceSet(uids.lazy.map(\.rawValue))
    }

    private mutating func range(_ first: UInt32, _ last: UInt32) {
        number(first)
        guard last > first else { return }
        write(":")
        number(last)
    }
}
