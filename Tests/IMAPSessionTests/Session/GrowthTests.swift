import IMAPGrammar
import IMAPTypes
import TestSupport
import Testing

@testable import IMAPSession

/// What a client may say, and what its mailbox may hold, must not cost more time than its length accounts for.
@Suite(.serialized) struct SessionGrowthTests {
    @Test("patterns with many wildcards", arguments: ["*a", "%a", "*%", "*.%", "%.a*", "a", "*"])
    func patterns(text: String) throws {
        let name = try #require(MailboxName(String(repeating: "a", count: 120) + "." + String(repeating: "b", count: 120)))
        let ratio = growth(of: 500) { count in
            _ = ListPattern(Array(String(repeating: text, count: count).utf8), ".").matches(name)
        }
        #expect(ratio < mostGrowth)
    }

    @Test("a pattern and a name that almost match")
    func backtracking() throws {
        let ratio = try growth(of: 7) { count in
            let name = try #require(MailboxName(String(repeating: "a", count: 2 * count)))
            for _ in 0..<20 { _ = ListPattern(Array((String(repeating: "*a", count: count) + "b").utf8), ".").matches(name) }
        }
        // Length by length is 256; all ways to match would have no end.
        #expect(ratio < 1000)
    }

    @Test("sets of many ranges", arguments: ["ascending", "descending", "overlapping", "the same"])
    func sets(kind: String) {
        let ratio = growth(of: 500) { count in
            let ranges = (1...UInt32(count)).map { index -> SeqRange in
                let number: UInt32 = switch kind {
                case "ascending": 2 * index
                case "descending": 2 * UInt32(count) - 2 * index + 2
                default: 1
                }
                let last: UInt32 = kind == "overlapping" ? UInt32(count) + index : number
                return SeqRange(.number(number), .number(last))
            }
            let uids = (1...UInt32(2 * count + 2)).compactMap { UID($0) }
            let view = MessageView(uids)
            _ = view.selection(uids: .ranges(ranges), saved: UIDSet())
            _ = view.selection(existingNumbers: .ranges(ranges), saved: UIDSet())
            _ = view.known(.ranges(ranges), saved: UIDSet())
        }
        #expect(ratio < mostGrowth)
    }

    @Test("references that lead up a deep thread again and again")
    func references() {
        let ratio = growth(of: 1000) { count in
            var messages = ThreadedMessages()
            // One thread as deep as there are messages, then small ones, then one that would join each of these to the deepest.
            let deep = (1...UInt64(count)).map { $0 }
            messages.append(ThreadedMessage(number: 1, date: 0), references: deep)
            var joining: [UInt64] = []
            for index in 0..<UInt64(count) {
                let root = 1_000_000 + 2 * index
                messages.append(ThreadedMessage(number: 2, date: 0), references: [root, root + 1])
                joining += [UInt64(count), root]
            }
            messages.append(ThreadedMessage(number: 3, date: 0), references: joining)
            var forest = ThreadForest(messages)
            _ = forest.threads()
        }
        #expect(ratio < mostGrowth)
    }
}
