import IMAPGrammar
import IMAPTypes
import TestSupport
import Testing
@testable import IMAPSession

@Suite("Tables and keys")
struct HashTableTests {
    @Test("a hash table finds what was put there, and nothing else")
    func table() {
        var generator = SeededGenerator(3)
        var table = HashTable(capacity: 4)
        var known: [UInt64: Int] = [:]
        for number in 0..<3000 {
            // Hashes that are alike in all but a few bits.
            let key = UInt64.random(in: 1...4000, using: &generator) << 40
            if known[key] == nil { known[key] = number }
            #expect(table.find(key, or: number) == known[key])
        }
        for key in 1...UInt64(4000) { #expect(table[key << 40] == known[key << 40]) }
        table.set(1 << 40, to: 7)
        #expect(table[1 << 40] == 7)
    }

    @Test("hashes of keys differ in any byte, and are the same for ever")
    func hash() {
        func hash(_ text: String) -> UInt64 { Array(text.utf8).withUnsafeBytes { MessageKeys.hash($0) } }
        let texts = (0..<2000).map { "<\($0)@example.org>" } + ["", "a", "b", "ab", "ba", "a\0", "12345678", "123456789"]
        #expect(Set(texts.map(hash)).count == texts.count)
        // Kept records of today are read by versions to come.
        #expect(hash("<1@example.org>") == 0x6E91_32F7_6D23_F7D7)
        #expect(hash("") != 0)
    }

    @Test("the index of what ascends is found wherever it is", arguments: 0..<10)
    func indexes(seed: UInt64) {
        var generator = SeededGenerator(seed)
        let all = (1...UInt32(400)).filter { _ in Bool.random(using: &generator) }.compactMap { UID($0) }
        let wanted = (1...UInt32(420)).filter { _ in Int.random(in: 0..<9, using: &generator) == 0 }.compactMap { UID($0) }
        let view = MessageView(all)
        var found: [Int] = []
        view.forEachIndex(of: wanted) { found.append($0) }
        #expect(found == wanted.compactMap { all.firstIndex(of: $0) })
        let some = MessageSelection([10..<30, 50..<51, 90..<120])
        #expect(Array(view.selection(of: wanted, within: some)) == found.filter(some.contains))
    }
}

@Suite("A FETCH response of metadata")
struct MetadataResponseTests {
    @Test("is what its parts would be",
          arguments: [[Serializer.MetadataItem.uid], [.flags], [.uid, .flags], [.flags, .modSeq, .uid]])
    func response(items: [Serializer.MetadataItem]) throws {
        let table = [try #require(Keyword("one")), try #require(Keyword("two"))]
        var some = KeywordSet()
        some[1] = true
        for (flags, keywords, isRecent, modSequence) in [
            (SystemFlags(), KeywordSet(), false, UInt64(1)), (.all, KeywordSet(), true, 9_223_372_036_854_775_807),
            ([], some, true, 1_700_000_000_000), (.seen, some, false, 42), ([], KeywordSet(), true, 10_000_000_000),
        ] as [(SystemFlags, KeywordSet, Bool, UInt64)] {
            for number in [1, 9, 10, 4_294_967_295] as [UInt32] {
                let uid = try #require(UID(number)), sequence = try #require(SequenceNumber(number))
                let value = try #require(ModSequence(modSequence))
                var parts = Serializer(), whole = Serializer()
                parts.fetch(sequence)
                for (index, item) in items.enumerated() {
                    if index > 0 { parts.space() }
                    switch item {
                    case .uid: parts.fetchUID(uid)
                    case .flags: parts.fetchFlags(flags, keywords, of: table, isRecent: isRecent)
                    case .modSeq: parts.fetchModSeq(value)
                    }
                }
                parts.fetchEnd()
                whole.fetch(sequence, items, uid, flags, keywords, of: table, isRecent: isRecent, value)
                #expect(whole.bytes == parts.bytes)
            }
        }
    }
}
