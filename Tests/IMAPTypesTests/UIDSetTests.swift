import IMAPTypes
import TestSupport
import Testing

/// Against a model that is plainly right: a `Set` of numbers.
@Suite struct UIDSetTests {
    @Test("agrees with a plain set", arguments: 0..<200 as Range<UInt64>)
    func model(seed: UInt64) {
        var random = SeededGenerator(seed)
        var set = UIDSet()
        var model = Set<UInt32>()
        for _ in 0..<60 {
            let low = UInt32.random(in: 1...120, using: &random)
            switch Int.random(in: 0..<6, using: &random) {
            case 0:
                set.insert(UID(low)!)
                model.insert(low)
            case 1:
                let high = low + UInt32.random(in: 0...15, using: &random)
                set.insert(UID(low)!...UID(high)!)
                model.formUnion(low...high)
            case 2:
                let others = (0..<8).map { _ in UInt32.random(in: 1...130, using: &random) }
                set.formUnion(UIDSet(others.map { UID($0)! }))
                model.formUnion(others)
            case 3:
                let others = (0..<20).map { _ in UInt32.random(in: 1...130, using: &random) }
                set.subtract(UIDSet(others.map { UID($0)! }))
                model.subtract(others)
            case 4 where set.count > 40:
                let others = (0..<100).map { _ in UInt32.random(in: 1...130, using: &random) }
                set.formIntersection(UIDSet(others.map { UID($0)! }))
                model.formIntersection(others)
            default:
                #expect(set.contains(UID(low)!) == model.contains(low))
            }
            let expected = model.sorted()
            #expect(set.map(\.rawValue) == expected)
            #expect(set.count == expected.count)
            #expect(set.isEmpty == expected.isEmpty)
            #expect(set.min?.rawValue == expected.first)
            #expect(set.max?.rawValue == expected.last)
            for (earlier, later) in zip(set.ranges, set.ranges.dropFirst()) {
                #expect(earlier.upperBound + 1 < later.lowerBound, "ranges touch: \(set.ranges)")
            }
        }
    }

    @Test func holdsTheLastUID() {
        var set = UIDSet([.last])
        set.insert(UID(UInt32.max - 1)!)
        #expect(set.ranges == [UInt32.max - 1...UInt32.max])
        #expect(Array(set).map(\.rawValue) == [UInt32.max - 1, UInt32.max])
        set.formUnion(UIDSet(UID.first...UID.last))
        #expect(set.ranges == [1...UInt32.max])
        #expect(set.count == Int(UInt32.max))
    }

    @Test func whatIsTakenAwayMayReachBothEnds() {
        var set = UIDSet(UID.first...UID.last)
        set.subtract(UIDSet([.first, .last, UID(7)!]))
        #expect(set.ranges == [2...6, 8...UInt32.max - 1])
        set.formIntersection(UIDSet(UID(6)!...UID.last))
        #expect(set.ranges == [6...6, 8...UInt32.max - 1])
        set.subtract(UIDSet(UID.first...UID.last))
        #expect(set.isEmpty)
    }

    @Test func unionWithNothingChangesNothing() {
        var set = UIDSet([UID(3)!])
        set.formUnion(UIDSet())
        #expect(set.ranges == [3...3])
        var empty = UIDSet()
        empty.formUnion(set)
        #expect(empty == set)
    }
}
