import IMAPTypes

/// Which message here is which message there. As UIDs ascend in both, most of it are long runs.
public struct ImportPlaces: Equatable, Sendable {
    private struct Run: Equatable {
        var there: ClosedRange<UInt32>
        /// Of the first.
        var here: UInt32
    }

    /// Ascending by `there`, without overlaps.
    private var runs: [Run] = []

    public init() {}

    /// The message here.
    public subscript(there: UID) -> UID? {
        let at = firstRun { $0.there.upperBound >= there.rawValue }
        guard at < runs.count, runs[at].there.contains(there.rawValue) else { return nil }
        return UID(runs[at].here + (there.rawValue - runs[at].there.lowerBound))
    }

    /// In ascending order it takes constant time. What is known already stays as it is.
    public mutating func insert(_ there: UID, at here: UID) {
        let at = firstRun { $0.there.upperBound >= there.rawValue }
        if at < runs.count, runs[at].there.contains(there.rawValue) { return }
        if at > 0, runs[at - 1].there.upperBound + 1 == there.rawValue,
           UInt64(runs[at - 1].here) + UInt64(runs[at - 1].there.count) == UInt64(here.rawValue) {
            runs[at - 1].there = runs[at - 1].there.lowerBound...there.rawValue
        } else {
            runs.insert(Run(there: there.rawValue...there.rawValue, here: here.rawValue), at: at)
        }
    }

    public mutating func remove(_ uids: UIDSet) {
        var rest = self.uids
        rest.subtract(uids)
        var kept = ImportPlaces()
        for uid in rest { if let here = self[uid] { kept.insert(uid, at: here) } }
        self = kept
    }

    /// All that are there.
    public var uids: UIDSet {
        var set = UIDSet()
        for run in runs { if let low = UID(run.there.lowerBound), let high = UID(run.there.upperBound) { set.insert(low...high) } }
        return set
    }

    private func firstRun(where isBeyond: (Run) -> Bool) -> Int {
        if let last = runs.last, !isBeyond(last) { return runs.count }
        var low = 0, high = runs.count
        while low < high {
            let middle = (low + high) / 2
            if isBeyond(runs[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }

    // MARK: As text: `1-200:17,205-205:300`

    var text: String { runs.map { "\($0.there.lowerBound)-\($0.there.upperBound):\($0.here)" }.joined(separator: ",") }

    /// What makes no sense is left out.
    init(text: ArraySlice<UInt8>) {
        for part in text.split(separator: UInt8(ascii: ",")) {
            let numbers = part.split { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ":") }
                .compactMap { UInt32(String(decoding: $0, as: UTF8.self)) }
            guard numbers.count == 3, numbers[0] > 0, numbers[0] <= numbers[1], numbers[2] > 0,
                  numbers[1] - numbers[0] <= UInt32.max - numbers[2],
                  (runs.last?.there.upperBound ?? 0) < numbers[0] else { continue }
            runs.append(Run(there: numbers[0]...numbers[1], here: numbers[2]))
        }
    }
}
