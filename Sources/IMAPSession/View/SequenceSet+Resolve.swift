import IMAPGrammar
import IMAPTypes

extension MessageView {
    /// The messages that a set of UIDs means (RFC 9051 §6.4.9): "*" is the highest UID, and UIDs that are not there are
    /// ignored, so this cannot fail. `saved` is what "$" stands for.
    func selection(uids set: SequenceSet, saved: UIDSet) -> MessageSelection {
        guard case .ranges(let ranges) = set else { return selection(saved) }
        let largest = lastUID?.rawValue ?? 0
        return MessageSelection(ranges.map { range in
            let (low, high) = range.bounds(largest: largest)
            return position(of: low)..<endPosition(of: high)
        })
    }

    /// The messages that a set of sequence numbers means; `nil` if one is beyond the last message, as "*" is in an
    /// empty mailbox (RFC 9051 §9, seq-number).
    func selection(numbers set: SequenceSet, saved: UIDSet) -> MessageSelection? {
        guard case .ranges(let ranges) = set else { return selection(saved) }
        var result: [Range<Int>] = []
        for range in ranges {
            let (low, high) = range.bounds(largest: exists)
            guard low >= 1, high <= exists else { return nil }
            result.append(Int(low) - 1..<Int(high))
        }
        return MessageSelection(result)
    }

    /// As above, without what is not there: for SEARCH, where such a message is merely not found.
    func selection(existingNumbers set: SequenceSet, saved: UIDSet) -> MessageSelection {
        guard case .ranges(let ranges) = set else { return selection(saved) }
        return MessageSelection(ranges.map { range in
            let (low, high) = range.bounds(largest: exists)
            let end = Int(min(high, exists))
            return min(Int(max(low, 1)) - 1, end)..<end
        })
    }

    var all: MessageSelection { MessageSelection([0..<count]) }

    /// The UIDs that a client names, whether or not there are such messages: those that it may know. "*" is beyond every
    /// UID here, for the message that was the last may be the one that is gone.
    func known(_ set: SequenceSet, saved: UIDSet) -> UIDSet {
        guard case .ranges(let ranges) = set else { return saved }
        var result = UIDSet()
        for range in ranges {
            let (low, high) = range.bounds(largest: .max)
            if let low = UID(low), let high = UID(high) { result.insert(low...high) }
        }
        return result
    }

    func selection(_ uids: UIDSet) -> MessageSelection {
        MessageSelection(uids.ranges.map { position(of: $0.lowerBound)..<endPosition(of: $0.upperBound) })
    }

    private func endPosition(of uid: UInt32) -> Int {
        uid == UInt32.max ? count : position(of: uid + 1)
    }

    /// Those of `uids`, which ascend, that are in `selection`.
    func selection(of uids: [UID], within selection: MessageSelection) -> MessageSelection {
        var ranges: [Range<Int>] = []
        forEachIndex(of: uids) { index in
            if let last = ranges.last, last.upperBound == index {
                ranges[ranges.count - 1] = last.lowerBound..<index + 1
            } else {
                ranges.append(index..<index + 1)
            }
        }
        return MessageSelection(ranges).intersection(selection)
    }

    func uids(_ selection: MessageSelection) -> [UID] {
        var result: [UID] = []
        result.reserveCapacity(selection.count)
        for index in selection { result.append(uid(at: index)) }
        return result
    }
}

extension SeqRange {
    /// Lower bound first, whichever way round the client wrote it (RFC 9051 §9, seq-range).
    func bounds(largest: UInt32) -> (low: UInt32, high: UInt32) {
        func value(_ number: SeqNumber) -> UInt32 {
            switch number {
            case .number(let value): value
            case .largest: largest
            }
        }
        let a = value(first), b = value(last)
        return (min(a, b), max(a, b))
    }
}
