import IMAPTypes
import TestSupport
import Testing

@Suite struct KeywordTests {
    @Test("is an atom", arguments: ["$Forwarded", "a", "NonJunk", "+x", "[", "}"])
    func atom(name: String) {
        #expect(Keyword(name)?.name == name)
    }

    @Test("is nothing else", arguments: ["a]", "", "a b", "a\"", "\\Seen", "é", "a\u{0}", "x("])
    func noAtom(name: String) {
        #expect(Keyword(name) == nil)
    }

    @Test func hasAtMost255Bytes() {
        #expect(Keyword(String(repeating: "k", count: 255)) != nil)
        #expect(Keyword(String(repeating: "k", count: 256)) == nil)
    }

    @Test func comparesWithoutCaseAndKeepsIt() throws {
        let one = try #require(Keyword("$Junk")), other = try #require(Keyword("$JUNK"))
        #expect(one == other)
        #expect(Set([one, other]).count == 1)
        #expect(one.name == "$Junk")
        #expect(other.name == "$JUNK")
        // "@" and "`" differ in the bit that tells the cases of a letter.
        #expect(Keyword("@") != Keyword("`"))
    }
}

@Suite struct KeywordSetTests {
    @Test("agrees with a plain set", arguments: 0..<100 as Range<UInt64>)
    func model(seed: UInt64) {
        var random = SeededGenerator(seed)
        var set = KeywordSet()
        var model = Set<Int>()
        for _ in 0..<200 {
            let index = Int.random(in: 0..<KeywordSet.capacity, using: &random)
            if Bool.random(using: &random) {
                set[index] = true
                model.insert(index)
            } else {
                set[index] = false
                model.remove(index)
            }
            #expect(set.isEmpty == model.isEmpty)
            #expect(Array(set) == model.sorted())
        }
        for index in 0..<KeywordSet.capacity { #expect(set[index] == model.contains(index)) }
    }
}
