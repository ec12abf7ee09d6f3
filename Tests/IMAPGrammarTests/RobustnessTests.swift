import IMAPTypes
import TestSupport
import Testing
@testable import IMAPGrammar

/// Whatever comes, there is an answer.
@Suite struct RobustnessTests {
    static let commands: [String] = RFCExampleTests.commands + FetchTests.attributes.map { "a UID FETCH 1,3:* (\($0.0))" }
        + SearchTests.keys.map { "a SEARCH RETURN (ALL) CHARSET UTF-8 \($0.0)" } + [
            "a SELECT x (QRESYNC (67890007 1 41,43:211 (1,5 41,45)) CONDSTORE)",
            "a STORE 1 (UNCHANGEDSINCE 5) +FLAGS.SILENT (\\Seen $x)",
            "a ID (\"name\" \"x\" {2}\r\nos NIL)", "a LOGIN {3}\r\njoe {2+}\r\nab", "a CREATE x (USE (\\Sent))",
            "a UID THREAD REFERENCES UTF-8 ALL",
            "a UID SORT (REVERSE DATE) UTF-8 OR NEW (OLD NOT 1)",
            "a LIST (SUBSCRIBED) x (a {1}\r\nb) RETURN (STATUS (SIZE) CHILDREN)",
        ]

    private func answer(_ bytes: [UInt8], _ mode: WireMode) {
        do { _ = try Parser.command(bytes, mode: mode) } catch {
            guard case .badArguments(_, let syntax) = error else { return }
            #expect((0...bytes.count).contains(syntax.offset))
        }
        _ = try? Parser.preAuthCommand(bytes)
    }

    /// A part of a command is another command or wrong, but never a crash.
    @Test func prefixes() {
        for command in Self.commands {
            let bytes = Array(command.utf8)
            for length in 0...bytes.count {
                answer(Array(bytes.prefix(length)), [])
                answer(Array(bytes.suffix(length)), .imap4rev2)
            }
        }
    }

    @Test("changed commands", arguments: 0..<20 as Range<UInt64>)
    func mutations(seed: UInt64) {
        var random = SeededGenerator(seed)
        let interesting = Array("()[]{}<>\"\\*%$+-:,. \r\n~019&".utf8) + [0, 0x7F, 0x80, 0xC3, 0xFF]
        for _ in 0..<1_500 {
            var bytes = Array(Self.commands.randomElement(using: &random)!.utf8)
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let at = Int.random(in: 0...bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes.insert(interesting.randomElement(using: &random)!, at: at)
                case 1 where at < bytes.count: bytes[at] = interesting.randomElement(using: &random)!
                case 2 where at < bytes.count: bytes.remove(at: at)
                default:
                    let other = Array(Self.commands.randomElement(using: &random)!.utf8)
                    bytes.replaceSubrange(at..., with: other.suffix(Int.random(in: 0...other.count, using: &random)))
                }
            }
            answer(bytes, Bool.random(using: &random) ? [] : .utf8Accept)
        }
    }

    @Test("random bytes", arguments: 0..<20 as Range<UInt64>)
    func noise(seed: UInt64) {
        var random = SeededGenerator(seed &+ 77)
        let names = [
            "", "a ", "a FETCH ", "a SEARCH ", "a UID STORE ", "a LIST ", "a STATUS ", "a LOGIN ", "a SELECT ", "a ID (",
            "a APPEND ",
        ]
        for _ in 0..<500 {
            let noise = (0..<Int.random(in: 0..<60, using: &random)).map { _ in UInt8.random(in: .min ... .max, using: &random) }
            answer(Array(names.randomElement(using: &random)!.utf8) + noise, [])
        }
    }

    /// Twice the length, twice the time, more or less: a quadratic rule would need hours here.
    @Test("long commands take no more than their length", arguments: [
        "a SEARCH TEXT \"" + String(repeating: "\\\\", count: 200_000) + "\"",
        "a DELETE \"" + String(repeating: "&Jjo-x", count: 100_000) + "\"",
        "a DELETE \"" + String(repeating: "&", count: 200_000) + "\"",
        "a FETCH " + String(repeating: "1:2,", count: 100_000) + "3 FLAGS",
        "a NOOP" + String(repeating: " ", count: 400_000), String(repeating: "a", count: 400_000),
        "a STORE 1 FLAGS (" + String(repeating: "k", count: 400_000) + ")",
    ])
    func long(command: String) {
        answer(Array(command.utf8), [])
    }
}
