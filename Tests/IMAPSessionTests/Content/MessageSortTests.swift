import IMAPGrammar
import IMAPTypes
import TestSupport
import Testing
@testable import IMAPSession

@Suite("MessageSort and MessageThread")
struct MessageSortTests {
    private static func message(_ number: Int, subject: String = "s", from: String = "a@b", to: String = "c@d",
        date: String? = nil, more: String = "") -> [UInt8] {
        Array("From: \(from)\nTo: \(to)\nSubject: \(subject)\n\(date.map { "Date: \($0)\n" } ?? "")Message-ID: <\(number)@x>\n\(more)\nbody\n".utf8)
    }

    @Test("sorts by each key (RFC 5256 §3)", arguments: [
        ([SortCommand.Key(.arrival, reverse: false)], [3, 2, 1, 4]), ([.init(.arrival, reverse: true)], [4, 1, 2, 3]),
        ([.init(.size, reverse: false)], [4, 1, 3, 2]), ([.init(.date, reverse: false)], [2, 1, 3, 4]),
        ([.init(.subject, reverse: false)], [2, 1, 3, 4]), ([.init(.subject, reverse: true)], [4, 1, 3, 2]),
        ([.init(.subject, reverse: false), .init(.arrival, reverse: false)], [2, 3, 1, 4]),
        ([.init(.from, reverse: false)], [4, 3, 2, 1]), ([.init(.to, reverse: false)], [2, 1, 3, 4]),
        ([.init(.cc, reverse: true)], [3, 1, 2, 4]),
    ] as [([SortCommand.Key], [UInt32])])
    func sort(keys: [SortCommand.Key], expected: [UInt32]) throws {
        let mailbox = FakeMailbox([
            Self.message(1, subject: "Re: banana", from: "zoe@x", date: "2 Jan 2020 00:00:00 +0000"),
            Self.message(2, subject: "Apple", from: "Aaron <mike@x>", to: "A@x", date: "1 Jan 2020 23:00:00 -0000",
                more: "X: longest of all of them here\n"),
            Self.message(3, subject: "BANANA", from: "bob@x", date: "2 Jan 2020 00:00:01 +0000", more: "Cc: someone@x\n"),
            Self.message(4, subject: "cherry", from: "al@x", to: "zz@x"),
        ])
        for (index, date) in [300, 200, 100, 1_600_000_000].enumerated() { mailbox.messages[index].internalDate = Int64(date) }
        let sort = MessageSort(keys, in: mailbox)
        #expect(try sort.sorted(mailbox.uids).map(\.rawValue) == expected)
    }

    @Test("a message that is gone is sorted as one without fields")
    func gone() throws {
        let mailbox = FakeMailbox([Self.message(1), Self.message(2, subject: "")])
        mailbox.messages[0].isGone = true
        let sort = MessageSort([.init(.subject, reverse: false), .init(.date, reverse: false)], in: mailbox)
        #expect(try sort.sorted(mailbox.uids).map(\.rawValue) == [1, 2])
    }

    private struct Sample {
        var message: ThreadedMessage
        var references: [UInt64]
    }

    private static func collected(_ samples: [Sample]) -> ThreadedMessages {
        var messages = ThreadedMessages()
        for sample in samples { messages.append(sample.message, references: sample.references) }
        return messages
    }

    private func thread(_ samples: [Sample], _ algorithm: ThreadCommand.Algorithm = .references) -> String {
        var serializer = Serializer()
        if algorithm == .references {
            var forest = ThreadForest(Self.collected(samples))
            serializer.thread(forest.threads())
        } else {
            serializer.thread(MessageThread.orderedSubject(Self.collected(samples).all))
        }
        return Array(serializer.bytes.dropLast(2).dropFirst("* THREAD ".count)).text
    }

    private static func hash(_ text: String) -> UInt64 {
        text.isEmpty ? 0 : Array(text.utf8).withUnsafeBytes { MessageKeys.hash($0) }
    }

    private func message(_ number: UInt32, _ id: String? = nil, _ references: [String] = [], subject: String = "",
        isReply: Bool = false, date: Int64? = nil) -> Sample {
        var message = ThreadedMessage(number: number, date: date ?? Int64(number))
        message.id = Self.hash(id ?? "")
        message.subject = Self.hash(subject)
        message.isReplyOrForward = isReply
        return Sample(message: message, references: references.map(Self.hash))
    }

    @Test("threads by references (RFC 5256 §4)")
    func references() {
        #expect(thread([message(1, "a"), message(2, "b", ["a"]), message(3, "c", ["a", "b"])]) == "(1 2 3)")
        #expect(thread([message(1, "a"), message(2, "b", ["a"]), message(3, "c", ["a"])]) == "(1 (2)(3))")
        #expect(thread([message(1, "b", ["a"]), message(2, "a")]) == "(2 1)")
        // Two answers to what is not here stay together; one stands alone.
        #expect(thread([message(1, "b", ["a"]), message(2, "c", ["a"])]) == "((1)(2))")
        #expect(thread([message(1, "b", ["a"])]) == "(1)")
        #expect(thread([message(1, "c", ["a", "b"]), message(2, "d", ["a", "x"])]) == "((1)(2))")
        // A loop is not made, and the last reference is the parent.
        #expect(thread([message(1, "a", ["b"]), message(2, "b", ["a"])]) == "(2 1)")
        #expect(thread([message(1, "a", ["a"])]) == "(1)")
        // Two messages of one id, and one without.
        #expect(thread([message(1, "a"), message(2, "a"), message(3)]) == "(1)(2)(3)")
        // By date, not by place.
        #expect(thread([message(1, "a", date: 5), message(2, "b", date: 1)]) == "(2)(1)")
        #expect(thread([]) == "")
    }

    @Test("joins threads of one subject (RFC 5256 §4, step 5)")
    func subjects() {
        #expect(thread([message(1, "a", subject: "S"), message(2, "b", subject: "S", isReply: true)]) == "(1 2)")
        #expect(thread([message(1, "a", subject: "S", isReply: true), message(2, "b", subject: "S")]) == "(2 1)")
        #expect(thread([message(1, "a", subject: "S"), message(2, "b", subject: "S")]) == "((1)(2))")
        #expect(thread([message(1, "a", subject: "S"), message(2, "b", subject: "S"), message(3, "c", subject: "S")])
            == "((1)(2)(3))")
        #expect(thread([message(1, "a", subject: ""), message(2, "b", subject: "")]) == "(1)(2)")
        #expect(thread([message(1, "b", ["x"], subject: "S"), message(2, "c", ["x"], subject: "S"), message(3, "d",
            subject: "S")]) == "((1)(2)(3))")
    }

    @Test("threads by subject (RFC 5256 §4)")
    func orderedSubject() {
        let messages = [message(1, subject: "B", date: 5), message(2, subject: "A", date: 1), message(3, subject: "B",
            date: 2), message(4, subject: "B", date: 9), message(5, subject: "A", date: 3)]
        #expect(thread(messages, .orderedSubject) == "(2 5)(3 (1)(4))")
    }

    @Test("does not exhaust the stack, nor the patience")
    func deep() {
        let count: UInt32 = 30_000
        let chain = (1...count).map { message($0, "\($0)", $0 > 1 ? ["\($0 - 1)"] : []) }
        #expect(thread(chain).utf8.count > 30_000)
        let reversed = (1...count).map { message($0, "\($0)", ["\($0 + 1)"]) }
        #expect(thread(reversed).utf8.count > 30_000)
    }

    @Test("holds every message once, whatever the references", arguments: 0..<30)
    func everyMessageOnce(seed: UInt64) {
        var generator = SeededGenerator(seed)
        let messages = (1...UInt32(40)).map { number in
            message(number, "\(Int.random(in: 0..<50, using: &generator))",
                    (0..<Int.random(in: 0...4, using: &generator)).map { _ in "\(Int.random(in: 0..<60, using: &generator))" },
                    subject: ["", "A", "B"].randomElement(using: &generator)!, isReply: Bool.random(using: &generator),
                    date: Int64.random(in: 0..<20, using: &generator))
        }
        var forest = ThreadForest(Self.collected(messages))
        let entries = forest.threads()
        #expect(entries.compactMap(\.number).sorted() == Array(1...40))
        for (index, entry) in entries.enumerated() where entry.number == nil {
            #expect(entry.depth == 0)
            #expect(index + 1 < entries.count && entries[index + 1].depth == 1)
        }
    }

    @Test("reads messages for threads")
    func read() throws {
        let mailbox = FakeMailbox([
            Self.message(1, subject: "one", date: "1 Jan 2020 00:00:00 +0000"),
            Self.message(2, subject: "other", date: "2 Jan 2020 00:00:00 +0000", more: "In-Reply-To: Your <1@x> of today\n"),
            Self.message(3, subject: "third", date: "3 Jan 2020 00:00:00 +0000", more: "References: <1@x>\n <2@x>\n"),
            Self.message(4, subject: "Re: =?utf-8?q?one?=", date: "4 Jan 2020 00:00:00 +0000"),
        ])
        let thread = MessageThread(in: mailbox)
        #expect(try thread.threads(mailbox.uids, by: .references, number: { (UInt32($0) + 1) * 10 }).map { [$0.number ?? 0,
            UInt32($0.depth)] }
            == [[10, 0], [20, 1], [30, 2], [40, 1]])
        #expect(try thread.threads(mailbox.uids, by: .orderedSubject, number: { UInt32($0) + 1 }).map { [$0.number ?? 0,
            UInt32($0.depth)] }
            == [[1, 0], [4, 1], [2, 0], [3, 0]])
    }
}
