import IMAPGrammar
import IMAPTypes
import MailStore
import TestSupport
import Testing
@testable import IMAPSession

/// Answers from what was kept are those from the messages, byte for byte.
@Suite("Kept records")
struct KeptRecordTests {
    /// The corpus, and as much again with damage, from the same seed always.
    private static let messages: [[UInt8]] = {
        var generator = SeededGenerator(7)
        let corpus = Corpus.names.map(Corpus.message)
        let long = Array("Subject: \(String(repeating: "long ", count: 3000))\nTo: a@b\n\ntext\n".utf8)
        let raw = Array("Subject: gr\u{FC}\u{DF}e\nFrom: J\u{F6}rg <j@x>\n\ntext\n".utf8)
        let latin: [UInt8] = Array("Subject: gr".utf8) + [0xFC, 0xDF] + Array("e\nFrom: a@b\n\n".utf8)
        return corpus + [long, raw, latin] + (corpus + corpus).map { $0.mutated(using: &generator) }
    }()

    private func fetchAll(_ mailbox: FakeMailbox, _ attributes: [FetchAttribute], _ mode: WireMode) throws -> [UInt8] {
        let sink = FakeSink(mode)
        let fetcher = MessageFetcher(FetchProgram(attributes), mailbox: mailbox, sink: sink)
        for uid in mailbox.uids {
            _ = try fetcher.fetch(uid, number: SequenceNumber(uid.rawValue)!, isRecent: false, adding: [.uid])
        }
        try sink.flush()
        return sink.sent
    }

    private static func fields(_ names: [String], _ partial: Partial? = nil) -> FetchAttribute {
        .bodySection(Section(text: .headerFields(names.map { Array($0.utf8) })), partial, peek: true)
    }

    private static func randomFetch(using generator: inout SeededGenerator) -> [FetchAttribute] {
        let names = KeptFields.names.map { String(decoding: $0, as: UTF8.self) }
        var attributes: [FetchAttribute] = []
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
            switch Int.random(in: 0..<9, using: &generator) {
            case 0: attributes.append(.envelope)
            case 1: attributes.append(.bodyStructure)
            case 2: attributes.append(.body)
            case 3: attributes.append(.flags)
            case 4: attributes.append(.rfc822Size)
            case 5: attributes.append(Bool.random(using: &generator) ? .threadID : .preview(lazy: false))
            default:
                let some = (0..<Int.random(in: 1...6, using: &generator)).map { _ in names.randomElement(using: &generator)! }
                let cased = some.map { Bool.random(using: &generator) ? $0 : $0.uppercased() }
                let partial = Bool.random(using: &generator) ? nil : Partial(offset: .random(in: 0...60, using: &generator),
                                                                             count: .random(in: 1...80, using: &generator))
                attributes.append(Self.fields(cased, partial))
            }
        }
        return attributes
    }

    @Test("FETCH tells the same, kept or not", arguments: 0..<40)
    func fetch(seed: UInt64) throws {
        var generator = SeededGenerator(seed)
        let plain = FakeMailbox(Self.messages), keeping = FakeMailbox(Self.messages)
        keeping.keeps = true
        for _ in 0..<6 {
            let attributes = Self.randomFetch(using: &generator)
            let mode: WireMode = Bool.random(using: &generator) ? [] : .utf8Accept
            let expected = try fetchAll(plain, attributes, mode)
            #expect(try fetchAll(keeping, attributes, mode) == expected, "first: \(attributes)")
            #expect(try fetchAll(keeping, attributes, mode) == expected, "again: \(attributes)")
        }
    }

    @Test("what was kept is not read again", arguments: [
        [FetchAttribute.envelope], [.bodyStructure], [.body, .envelope], [.emailID, .threadID],
        [.preview(lazy: false), .envelope], [fields(["From", "SUBJECT", "References"]), .rfc822Size],
    ])
    func notRead(attributes: [FetchAttribute]) throws {
        // Those that have nothing too long.
        let names = Corpus.names.filter { $0.hasPrefix("rfc") || $0 == "plain" || $0 == "eai" || $0 == "empty" }
        let mailbox = FakeMailbox(names.map(Corpus.message))
        mailbox.keeps = true
        _ = try fetchAll(mailbox, attributes, [])
        #expect(mailbox.opens == names.count)
        _ = try fetchAll(mailbox, attributes, [])
        _ = try fetchAll(mailbox, [.envelope, .threadID, .saveDate], .utf8Accept)
        #expect(mailbox.opens == names.count)
        // Other fields, and what is no field, are read.
        _ = try fetchAll(mailbox, [Self.fields(["Subject", "Received"])], [])
        #expect(mailbox.opens == 2 * names.count)
    }

    @Test("a header that is too long is read every time")
    func long() throws {
        let mailbox = FakeMailbox([Array("To: \(String(repeating: "a@b, ", count: 20_000))c@d\n\n".utf8),
                                   Array("Subject: \(String(repeating: "long ", count: 3000))\n\n".utf8)])
        mailbox.keeps = true
        let first = try fetchAll(mailbox, [.envelope], [])
        #expect(try fetchAll(mailbox, [.envelope], []) == first)
        #expect(mailbox.opens == 4)
    }

    @Test("records that make no sense are not used")
    func nonsense() throws {
        let expected = try fetchAll(FakeMailbox(Self.messages), [.envelope, .bodyStructure], [])
        let mailbox = FakeMailbox(Self.messages)
        mailbox.keeps = true
        for (index, uid) in mailbox.uids.enumerated() {
            [UInt8](repeating: UInt8(index % 251), count: index * 3).withUnsafeBytes {
                var pieces = KeptPieces()
                (pieces.keys, pieces.fields, pieces.items) = ($0, $0, $0)
                mailbox.keep(uid, pieces)
            }
        }
        #expect(try fetchAll(mailbox, [.envelope, .bodyStructure], []) == expected)
    }

    @Test("SEARCH, SORT and THREAD find the same")
    func search() throws {
        let plain = FakeMailbox(Self.messages), keeping = FakeMailbox(Self.messages)
        keeping.keeps = true
        func header(_ name: String, _ value: String) -> SearchKey { .header(name: Array(name.utf8), value: Array(value.utf8)) }
        let day = CalendarDay(year: 1995, month: 1, day: 1)!
        let keys: [SearchKey] = [
            header("Subject", "e"), header("FROM", "a"), header("X-Unheard", ""), header("Received", "by"),
            .sentBefore(day), .sentSince(day),
            .or(header("Subject", "e"), .and([header("X-Unheard", ""), .not(.sentSince(day))])),
            .and([header("To", "a"), .text(Array("the".utf8)), header("Subject", "e")]),
            .threadID(ObjectID(digestOf: Array("12345@example.com".utf8))), .not(.threadID(ObjectID(low: 2, high: 0))),
            .or(.body(Array("the".utf8)), header("Cc", "")), .or(header("Message-ID", "@"), header("Received", "x")),
        ]
        func found(_ key: SearchKey, _ mailbox: FakeMailbox) throws -> [UID] {
            let environment = SearchEnvironment(resolve: { _, _ in UIDSet() }, isRecent: { _ in false })
            return try MessageSearch(SearchCommand(byUID: true, charset: nil, returning: nil, key: key), in: mailbox, environment)
                .matches(among: mailbox.uids)
        }
        let criteria: [SortCommand.Criterion] = [.date, .subject, .from, .to, .cc]
        for _ in 0..<2 {
            for key in keys { #expect(try found(key, keeping) == found(key, plain), "\(key)") }
            for criterion in criteria {
                let a = MessageSort([.init(criterion, reverse: false)], in: plain)
                let b = MessageSort([.init(criterion, reverse: false)], in: keeping)
                #expect(try a.sorted(plain.uids) == b.sorted(keeping.uids), "\(criterion)")
            }
            for algorithm in [ThreadCommand.Algorithm.references, .orderedSubject] {
                let a = try MessageThread(in: plain).threads(plain.uids, by: algorithm) { UInt32($0) }
                let b = try MessageThread(in: keeping).threads(keeping.uids, by: algorithm) { UInt32($0) }
                #expect(a.map { "\($0)" } == b.map { "\($0)" })
            }
        }
        let opens = keeping.opens
        _ = try found(keys[0], keeping)
        // Only what is too long to be kept.
        #expect(keeping.opens <= opens + 8)
    }
}
