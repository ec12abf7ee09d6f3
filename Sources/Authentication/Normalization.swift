/// Normalization form KC (Unicode Standard Annex 15) of Unicode 3.2, for `SASLprep`. Made for one string, now and then: it reads
/// its tables each time.
struct Normalization {
    private var decompositions: [UInt32: [UInt32]] = [:]
    /// By the first in the higher half of the key, and the second in the lower.
    private var compositions: [UInt64: UInt32] = [:]
    private var classes: [UInt32: UInt32] = [:]

    init() {
        var table = TableReader(SASLprepTables.decompositions)
        var point: UInt32 = 0
        while let gap = table.next(), let count = table.next() {
            point += gap
            decompositions[point] = (0..<count).compactMap { _ in table.next() }
        }
        table = TableReader(SASLprepTables.compositions)
        point = 0
        while let gap = table.next(), let first = table.next(), let second = table.next() {
            point += gap
            compositions[UInt64(first) << 32 | UInt64(second)] = point
        }
        table = TableReader(SASLprepTables.combiningClasses)
        point = 0
        while let gap = table.next(), let length = table.next(), let kind = table.next() {
            point += gap
            for member in point...(point + length) { classes[member] = kind }
            point += length
        }
    }

    /// Splits all that can be split, puts marks in their order, and joins what can be joined.
    func compose(_ points: [UInt32]) -> [UInt32] {
        var split: [UInt32] = []
        for point in points { split += Hangul.split(point) ?? decompositions[point] ?? [point] }
        defer { split.wipe() }
        order(&split)
        return join(split)
    }

    /// The canonical order: marks on one letter by their classes, those of one class as they stand.
    private func order(_ points: inout [UInt32]) {
        var index = 0
        while index < points.count {
            guard classes[points[index]] != nil else {
                index += 1
                continue
            }
            var end = index
            while end < points.count, classes[points[end]] != nil { end += 1 }
            // Stable: the position decides between equals.
            let sorted = points[index..<end].enumerated().sorted { first, second in
                let (one, other) = (classes[first.element]!, classes[second.element]!)
                return one == other ? first.offset < second.offset : one < other
            }
            for (offset, mark) in sorted.enumerated() { points[index + offset] = mark.element }
            index = end
        }
    }

    private func join(_ points: [UInt32]) -> [UInt32] {
        var joined: [UInt32] = []
        /// The last letter without a class, which marks join.
        var starter: Int?
        var last: UInt32 = 0
        for point in points {
            let kind = classes[point] ?? 0
            // Nothing of the same or a higher class stands between.
            if let at = starter, joined.count == at + 1 || last != 0 && last < kind, let whole = pair(joined[at], point) {
                joined[at] = whole
                continue
            }
            if kind == 0 { starter = joined.count }
            last = kind
            joined.append(point)
        }
        return joined
    }

    private func pair(_ first: UInt32, _ second: UInt32) -> UInt32? {
        Hangul.join(first, second) ?? compositions[UInt64(first) << 32 | UInt64(second)]
    }
}

/// Syllables, which are reckoned (Unicode 3.2, section 3.11).
private enum Hangul {
    private static let leading: UInt32 = 0x1100, vowel: UInt32 = 0x1161, trailing: UInt32 = 0x11A7, syllable: UInt32 = 0xAC00
    private static let vowels: UInt32 = 21, trailings: UInt32 = 28, syllables: UInt32 = 11_172

    static func split(_ point: UInt32) -> [UInt32]? {
        guard point >= syllable, point < syllable + syllables else { return nil }
        let index = point - syllable
        let parts = [leading + index / (vowels * trailings), vowel + index % (vowels * trailings) / trailings]
        return index % trailings == 0 ? parts : parts + [trailing + index % trailings]
    }

    static func join(_ first: UInt32, _ second: UInt32) -> UInt32? {
        if first >= leading, first < leading + 19, second >= vowel, second < vowel + vowels {
            return syllable + ((first - leading) * vowels + second - vowel) * trailings
        }
        guard first >= syllable, first < syllable + syllables, (first - syllable) % trailings == 0,
              second > trailing, second < trailing + trailings
        else { return nil }
        return first + second - trailing
    }
}
