import IMAPTypes
import TestSupport
import Testing
@testable import IMAPGrammar

/// The same bytes in any chunks are the same commands.
@Suite struct ChunkingTests {
    static let small = CommandReader.Limits(line: 60, literal: 12, literals: 3, total: 100, streamsAppend: true, wipes: false)

    /// What a client may send, right and wrong.
    private func stream(_ random: inout SeededGenerator) -> [UInt8] {
        let pieces = [
            "a NOOP\r\n", "b FETCH 1:* (FLAGS)\n", "c LOGIN {3}\r\njoe {4+}\r\np\r\nw\r\n", "d APPEND x {5}\r\nab\r\nc\r\n",
            "e APPEND {1+}\r\ny (\\Seen) ~{3+}\r\n\0\r\n\r\n", "f APPEND x UTF8 (~{2+}\r\nab) {1}\r\nz\r\n",
            "g APPEND x bad {4+}\r\n\r\n\r\n\r\n",
            "h APPEND x {2+}\r\nab junk\r\n", "i XXX {13+}\r\n0123456789\r\n!\r\n", "j XXX {13}\r\n", "\r\n", "\n", "\r",
            "{5}\r\n", " {3+}\r\n", "}\r\n",
            String(repeating: "k ", count: 60), "\0", "é", "~", "{", "+", "5", "\"",
            "l XXX {99999999999999999999}\r\n", " ", "m APPEND x {0+}\r\n\r\n",
            "n SEARCH TEXT {2}\r\n{1}\r\n", "o X " + String(repeating: "y", count: 70) + " {4+}\r\n",
        ]
        return (0..<Int.random(in: 1..<14, using: &random)).flatMap { _ in Array(pieces.randomElement(using: &random)!.utf8) }
    }

    @Test("chunks do not matter", arguments: 0..<20 as Range<UInt64>, [true, false])
    func chunks(seed: UInt64, accepting: Bool) {
        var random = SeededGenerator(seed)
        for _ in 0..<20 {
            let bytes = stream(&random)
            for limits in [CommandReader.Limits.afterLogin, .beforeLogin, Self.small] {
                let whole = hear(bytes, limits: limits, accepting: accepting, chunk: { .max })
                let single = hear(bytes, limits: limits, accepting: accepting, chunk: { 1 })
                #expect(whole.heard == single.heard, "\(bytes.latin1.debugDescription)")
                var sizes = SeededGenerator(random.next())
                let some = hear(bytes, limits: limits, accepting: accepting, chunk: { Int.random(in: 1...9, using: &sizes) })
                #expect(whole.heard == some.heard, "\(bytes.latin1.debugDescription)")
            }
        }
    }

    /// Every prefix says the beginning of what the whole says.
    @Test("a prefix is a beginning", arguments: 0..<10 as Range<UInt64>)
    func prefixes(seed: UInt64) {
        var random = SeededGenerator(seed &+ 500)
        let bytes = stream(&random)
        let whole = hear(bytes, limits: Self.small, chunk: { .max }).heard
        for length in 0...bytes.count {
            let part = hear(Array(bytes.prefix(length)), limits: Self.small, chunk: { .max }).heard
            #expect(part.elementsEqual(whole.prefix(part.count)), "\(length) of \(bytes.latin1.debugDescription)")
        }
    }

    @Test("random bytes are survived", arguments: 0..<20 as Range<UInt64>)
    func noise(seed: UInt64) {
        var random = SeededGenerator(seed &+ 9_000)
        let alphabet = Array("a APPEND{}~+()\"\\\r\n\r\n 0123456789\0".utf8) + [0xFF, 0x80]
        for _ in 0..<100 {
            let bytes = (0..<300).map { _ in alphabet.randomElement(using: &random)! }
            _ = hear(bytes, limits: Self.small, chunk: { .max })
            _ = hear(bytes, limits: .beforeLogin, chunk: { 3 })
        }
    }
}
