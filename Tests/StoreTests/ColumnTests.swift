import IMAPTypes
@testable import Maildir
import MailStore
import TestSupport
import Testing

/// What is asked of all messages at once is what would be found by asking each.
@Suite struct ColumnTests {
    private static func randomTest(_ keywords: Int, using generator: inout SeededGenerator) -> MetadataTest {
        var test = MetadataTest()
        for flag in [SystemFlags.seen, .flagged, .answered, .deleted] where Int.random(in: 0..<3, using: &generator) == 0 {
            _ = test.require(flag, isSet: Bool.random(using: &generator))
        }
        if Int.random(in: 0..<4, using: &generator) == 0 {
            _ = test.require(keyword: Int.random(in: 0..<keywords, using: &generator), isSet: Bool.random(using: &generator))
        }
        if Int.random(in: 0..<3, using: &generator) == 0 {
            test.require(above: ModSequence(UInt64.random(in: 0...30, using: &generator))!)
        }
        return test
    }

    @Test(arguments: StoreKind.allCases)
    func `All messages that pass a test are found, and no others`(_ kind: StoreKind) throws {
        var generator = SeededGenerator(11)
        let store = try kind.makeAccount().openStore()
        let names = ["a", "b", "$c"]
        func append(_ count: Int) throws {
            for _ in 0..<count {
                let keywords = Set(names.filter { _ in Int.random(in: 0..<4, using: &generator) == 0 }.compactMap { Keyword($0) })
                let flags = FlagSet(system: SystemFlags(rawValue: .random(in: 0..<32, using: &generator)), keywords: keywords)
                _ = try store.append([Array("x\r\n".utf8)], to: .inbox, flags)
            }
        }
        func check(_ mailbox: any OpenMailbox) {
            for round in 0..<40 {
                let test = round == 0 ? MetadataTest() : Self.randomTest(max(1, mailbox.keywords.count), using: &generator)
                let expected = mailbox.uids.filter { mailbox.metadata($0).map(test.holds) ?? false }
                #expect(mailbox.uids(test, atMost: .max) == expected, "\(test)")
                #expect(mailbox.uids(test, atMost: 3) == Array(expected.prefix(3)))
            }
        }
        try append(30)
        let mailbox = try store.open(.inbox, readOnly: false), other = try store.open(.inbox, readOnly: false)
        check(mailbox)
        if let maildir = mailbox as? OpenMaildir {
            // The rows of an index, and then those that came after it.
            try maildir.mailbox.locked { () throws(StoreError) in try maildir.mailbox.checkpoint() }
        }
        try append(10)
        let both = try store.open(.inbox, readOnly: false)
        check(both)
        _ = try both.store([2, 3, 35], FlagChange(.add, FlagSet(system: .seen, keywords: [Keyword("new")!])), unchangedSince: nil)
        _ = try both.expunge([1, 7, 8, 40])
        check(both)
        both.forget([7, 40])
        check(both)
        // Another session's picture has what it has not been told of.
        check(other)
        _ = try other.refresh()
        check(other)
        _ = mailbox
    }

    @Test func `Rows are found by UID, wherever the last search ended`() throws {
        var generator = SeededGenerator(23)
        let store = try MaildirAccount().openMaildir()
        _ = try store.append([[UInt8]](repeating: [0x78], count: 60), to: .inbox)
        let mailbox = try #require(try store.open(.inbox, readOnly: false) as? OpenMaildir)
        _ = try mailbox.expunge((10..<60).filter { $0 % 3 == 0 }.compactMap { UID($0) })
        mailbox.forget(mailbox.uids.filter { mailbox.metadata($0)?.isExpunged == true })
        try mailbox.mailbox.locked { () throws(StoreError) in try mailbox.mailbox.checkpoint() }
        // Of what was read anew, the first rows are those of the index, which has gaps between UIDs.
        let again = try #require(try store.open(.inbox, readOnly: false) as? OpenMaildir)
        _ = try store.append([[UInt8]](repeating: [0x78], count: 30), to: .inbox)
        _ = try again.refresh()
        _ = try again.expunge([5, 70, 90])
        let table = again.table
        let all = (0..<table.count).map { table.uid($0) }
        for _ in 0..<300 {
            let ranges = (0..<Int.random(in: 0..<5, using: &generator)).map { _ in
                let low = UInt32.random(in: 1...95, using: &generator)
                return low...(Bool.random(using: &generator) ? low : .random(in: low...100, using: &generator))
            } + (Int.random(in: 0..<9, using: &generator) == 0 ? [90...UInt32.max] : [])
            var rows: [Int] = []
            table.forEachRow(ranges) { rows.append($0) }
            #expect(rows == ranges.flatMap { range in all.indices.filter { range.contains(all[$0]) && !table.isGone($0) } })
            let uid = UInt32.random(in: 0...100, using: &generator)
            #expect(table.firstRow(from: uid) == all.firstIndex { $0 >= uid } ?? all.count)
        }
    }

    @Test func `Who reads the log anew finds the flags that were set`() throws {
        var generator = SeededGenerator(29)
        let account = try MaildirAccount(), store = try account.openMaildir()
        _ = try store.append([[UInt8]](repeating: [0x78], count: 80), to: .inbox)
        let mailbox = try #require(try store.open(.inbox, readOnly: false) as? OpenMaildir)
        try mailbox.mailbox.locked { () throws(StoreError) in try mailbox.mailbox.checkpoint() }
        _ = try store.append([[UInt8]](repeating: [0x78], count: 20), to: .inbox)
        _ = try mailbox.refresh()
        let reader = try account.openMaildir().open(.inbox, readOnly: true)
        for round in 0..<12 {
            if round % 4 == 3 { _ = try mailbox.expunge([UID(UInt32(round) * 7)!]) }
            let uids = mailbox.uids.filter { _ in Int.random(in: 0..<3, using: &generator) > 0 }
            let flags = FlagSet(system: SystemFlags(rawValue: .random(in: 0..<32, using: &generator)),
                                keywords: round < 6 ? [] : [Keyword(round % 2 == 0 ? "even" : "odd")!])
            let action = [FlagChange.Action.add, .remove, .replace][round % 3]
            let stored = try mailbox.store(uids, FlagChange(action, flags), unchangedSince: nil).stored
            // Who reads on from the log is told of each that changed; who opens the mailbox finds the same.
            let changed = Set(try reader.refresh().flagged)
            #expect(changed.isSubset(of: Set(stored)))
            let fresh = try account.openMaildir().open(.inbox, readOnly: true)
            for uid in mailbox.uids where mailbox.metadata(uid)?.isExpunged == false {
                for other in [fresh, reader] {
                    #expect(other.flags(uid) == mailbox.flags(uid) && other.keywordNames(uid) == mailbox.keywordNames(uid))
                    #expect(other.metadata(uid)?.modSequence == mailbox.metadata(uid)?.modSequence)
                }
            }
            if round % 3 == 1 { while try store.tidy() {} }
        }
    }

    @Test func `A mailbox that is selected again has what came meanwhile`() throws {
        let account = try MaildirAccount()
        let store = try account.openMaildir(), another = try account.openMaildir()
        _ = try store.append([Array("1\r\n".utf8), Array("2\r\n".utf8), Array("3\r\n".utf8)], to: .inbox)
        do {
            let mailbox = try store.open(.inbox, readOnly: false)
            #expect(mailbox.uids == [1, 2, 3])
        }
        let before = try another.open(.inbox, readOnly: false)
        _ = try before.expunge([2])
        _ = try before.add(.flagged, to: [3])
        _ = try another.append([Array("4\r\n".utf8)], to: .inbox)
        try account.deliver("1700000000.one.host", "5\n")
        let again = try store.open(.inbox, readOnly: false)
        #expect(again.uids == [1, 3, 4, 5])
        #expect(again.flags(3) == .flagged)
        #expect(try again.refresh().isEmpty)
        #expect(again.metadata(2) == nil)
    }

    @Test func `A mailbox that was deleted and made anew is not the one that was selected`() throws {
        let account = try MaildirAccount()
        let store = try account.openMaildir()
        try store.create("A", use: nil)
        _ = try store.append([Array("1\r\n".utf8)], to: "A")
        let first = try store.open("A", readOnly: false).uidValidity
        let another = try account.openMaildir()
        try another.delete("A")
        #expect(throws: StoreError.self) { try store.open("A", readOnly: false) }
        try another.create("A", use: nil)
        let again = try store.open("A", readOnly: false)
        #expect(again.uids.isEmpty)
        #expect(again.uidValidity != first)
    }
}
