import IMAPTypes
import MailStore
import TestSupport
import Testing

/// Several clients work on one mailbox at random, each keeping the books as RFC 9051 §7 says, and believing nothing but
/// what it is told. Their books must agree with every answer, and with the mailbox in the end.
@Suite("Several clients' books")
struct BookkeepingTests {
    @Test("hold all that a client needs to know", arguments: StoreKind.allCases, 1...3)
    func work(_ kind: StoreKind, _ seed: UInt64) throws {
        var random = SeededGenerator(seed)
        let account = try kind.makeAccount(separator: nil)
        try account.openStore().create(MailboxName("Other")!, use: nil)
        let clients = try (1...3).map { try BookkeepingClient("c\($0)", account, knowsQResync: $0 == 3) }
        for client in clients { try client.select() }
        for _ in 0..<200 {
            let client = clients.randomElement(using: &random)!
            try client.work(&random)
        }
        for client in clients { try client.perform("NOOP") }
        let books = try clients.map { try $0.checkAll() }
        #expect(books[0] == books[1] && books[1] == books[2])
    }
}

private final class BookkeepingClient {
    private struct Message {
        var uid: UInt32?
        var flags: Set<Substring>?
    }

    private let name: String
    private let peer: SessionPeer
    private let knowsQResync: Bool
    private var messages: [Message] = []
    private var count = 0
    /// What was said so far, for who must find out what went wrong.
    private var log: [String] = []

    init(_ name: String, _ account: any TestAccount, knowsQResync: Bool) throws {
        self.name = name
        self.knowsQResync = knowsQResync
        peer = try SessionPeer(store: { try! account.openStore() })
        if knowsQResync { try perform("ENABLE QRESYNC") }
    }

    func select() throws {
        messages = []
        try perform("SELECT INBOX")
        try learn()
    }

    /// VANISHED names UIDs: a client needs to know them all.
    private func learn() throws {
        if knowsQResync, messages.contains(where: { $0.uid == nil }) { try perform("FETCH 1:* (UID FLAGS)") }
    }

    func work(_ random: inout SeededGenerator) throws {
        let flag = ["\\Seen", "\\Flagged", "\\Deleted", "$One", "$Two"].randomElement(using: &random)!
        let sign = ["+", "-", ""].randomElement(using: &random)!
        let silent = Bool.random(using: &random) ? ".SILENT" : ""
        switch Int.random(in: 0..<14, using: &random) {
        case 0...2:
            try perform("APPEND INBOX (\\Draft) {3+}\r\nab\n")
        case 3...4 where !messages.isEmpty:
            let numbers = someNumbers(&random)
            try perform("STORE \(numbers.lowerBound):\(numbers.upperBound) \(sign)FLAGS\(silent) (\(flag))") {
                if !silent.isEmpty { $0.note(sign, flag, in: numbers) }
            }
        case 5 where messages.contains { $0.uid != nil }:
            let uid = messages.compactMap(\.uid).randomElement(using: &random)!
            try perform("UID STORE \(uid) \(sign)FLAGS\(silent) (\(flag))") { client in
                if !silent.isEmpty, let at = client.messages.firstIndex(where: { $0.uid == uid }) {
                    client.note(sign, flag, in: at + 1...at + 1)
                }
            }
        case 6: try perform("EXPUNGE")
        case 7: try perform("UID EXPUNGE 1:\(messages.compactMap(\.uid).max() ?? 1)")
        case 8 where !messages.isEmpty:
            let numbers = someNumbers(&random)
            try perform("FETCH \(numbers.lowerBound):\(numbers.upperBound) (UID FLAGS)")
        case 9: try perform("UID FETCH 1:* (FLAGS)")
        case 10: try perform("SEARCH DELETED")
        case 11 where !messages.isEmpty: try perform("COPY \(messages.count) INBOX")
        case 12 where !messages.isEmpty: try perform("MOVE 1 Other")
        case 13 where Int.random(in: 0..<4, using: &random) == 0:
            try perform("CLOSE")
            try select()
        default: try perform("NOOP")
        }
        try learn()
    }

    private func someNumbers(_ random: inout SeededGenerator) -> ClosedRange<Int> {
        let a = Int.random(in: 1...messages.count, using: &random), b = Int.random(in: 1...messages.count, using: &random)
        return min(a, b)...max(a, b)
    }

    /// What a silent STORE has done, as far as we know the flags.
    private func note(_ sign: String, _ flag: String, in numbers: ClosedRange<Int>) {
        for number in numbers {
            switch sign {
            case "+": messages[number - 1].flags?.insert(flag[...])
            case "-": messages[number - 1].flags?.remove(flag[...])
            default: messages[number - 1].flags = [flag[...]]
            }
        }
    }

    /// `whenDone` notes what the command has done and says nothing of.
    func perform(_ command: String, whenDone: (BookkeepingClient) -> Void = { _ in }) throws {
        count += 1
        let tag = "\(name)-\(count)"
        log.append("C: \(tag) \(command)")
        peer.send("\(tag) \(command)\r\n")
        // §7.5.1, §5.5
        let mayExpunge = !["FETCH", "STORE", "SEARCH"].contains { command.hasPrefix($0) }
        var lines: [String] = []
        while true {
            let line = try peer.readLine()
            log.append("S: \(line)")
            if line.hasPrefix(tag + " ") {
                try require(!line.hasPrefix(tag + " BAD"), "a bad command")
                break
            }
            lines.append(line)
        }
        // FETCH has the last word: it tells flags as they are after a silent change (§6.4.6).
        let firstFetch = lines.firstIndex { $0.contains(" FETCH ") } ?? lines.count
        for line in lines[..<firstFetch] { try believe(line, mayExpunge) }
        whenDone(self)
        for line in lines[firstFetch...] { try believe(line, mayExpunge) }
    }

    private func believe(_ line: String, _ mayExpunge: Bool) throws {
        if let match = line.wholeMatch(of: /\* (\d+) EXISTS/), let count = Int(match.1) {
            try require(count >= messages.count, "EXISTS may not tell of losses")
            while messages.count < count { messages.append(Message()) }
        } else if let match = line.wholeMatch(of: /\* (\d+) EXPUNGE/), let number = Int(match.1) {
            try require(mayExpunge && !knowsQResync, "EXPUNGE may not come now")
            try require((1...messages.count).contains(number), "there is no such message")
            messages.remove(at: number - 1)
        } else if let match = line.wholeMatch(of: /\* VANISHED (.*)/) {
            try require(mayExpunge && knowsQResync, "VANISHED may not come now")
            for range in match.1.split(separator: ",") {
                let ends = range.split(separator: ":").compactMap { UInt32($0) }
                for uid in ends[0]...ends[ends.count - 1] {
                    let at = messages.firstIndex { $0.uid == uid }
                    try require(at != nil, "UID \(uid) vanished, which was not there")
                    messages.remove(at: at!)
                }
            }
        } else if let match = line.wholeMatch(of: /\* (\d+) FETCH \((.*)\)/), let number = Int(match.1) {
            try require((1...max(1, messages.count)).contains(number) && !messages.isEmpty, "there is no such message")
            if let uid = match.2.firstMatch(of: /UID (\d+)/).flatMap({ UInt32($0.1) }) {
                let known = messages[number - 1].uid
                try require(known == nil || known == uid, "message \(number) was UID \(known ?? 0)")
                messages[number - 1].uid = uid
                try require(zip(messages, messages.dropFirst()).allSatisfy { ($0.uid ?? 0) < ($1.uid ?? .max) }, "UIDs ascend")
            }
            if let flags = match.2.firstMatch(of: /FLAGS \((.*?)\)/)?.1 {
                messages[number - 1].flags = Set(flags.split(separator: " ").filter { $0 != "\\Recent" })
            }
        }
    }

    /// All that is there, after the books have been compared with it.
    func checkAll() throws -> [String] {
        let before = messages
        if messages.isEmpty { return [] }
        try perform("FETCH 1:* (UID FLAGS)")
        for (old, new) in zip(before, messages) where old.flags != nil {
            try require(old.flags == new.flags, "UID \(new.uid ?? 0) had \(old.flags!.sorted()), and nobody said otherwise")
        }
        return messages.map { "\($0.uid ?? 0) \($0.flags?.sorted() ?? [])" }
    }

    private func require(_ condition: Bool, _ comment: String) throws {
        try #require(condition, "\(comment)\n\(log.suffix(40).joined(separator: "\n"))")
    }
}
