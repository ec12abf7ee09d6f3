import IMAPTypes

/// Sets of numbers. None may be empty: the grammar has no such set.
extension Serializer {
    /// sequence-set, uid-set
    public mutating func sequenceSet(_ set: UIDSet) {
        precondition(!set.isEmpty, "an empty sequence-set")
        separated(set.ranges, by: ",") { $0.range($1.lowerBound, $1.upperBound) }
    }

    /// sequence-set, with runs of consecutive numbers as ranges, in the given order.
    public mutating func sequenceSet(_ numbers: [UInt32]) {
        guard var first = numbers.first else { preconditionFailure("an empty sequence-set") }
        var last = first
        for number in numbers.dropFirst() {
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
        sequenceSet(uids.map(\.rawValue))
    }

    private mutating func range(_ first: UInt32, _ last: UInt32) {
        number(first)
        guard last > first else { return }
        write(":")
        number(last)
    }
}
