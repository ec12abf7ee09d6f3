import Foundation
import Glibc
import IMAPGrammar
import IMAPTypes
import Logging
import Maildir
import MailStore
import SystemPackage
import TestSupport
import Testing
@testable import IMAPSession

/// Several readers find what one finds, whatever becomes of the messages meanwhile.
@Suite("Read ahead")
struct ReadAheadTests {
    /// Messages enough that threads begin, each with an address that is told from others'.
    private static let messages: [[UInt8]] = {
        var generator = SeededGenerator(11)
        let corpus = Corpus.names.map(Corpus.message).filter { $0.count < 1 << 16 }
        return (0..<700).map { index in
            let message = corpus[index % corpus.count]
            var text = index % 3 == 0 ? message : message.mutated(using: &generator)
            // Some that do not fit a window, one that is read in pieces, with line ends of both kinds.
            if [20, 21, 90, 400].contains(index) {
                let line = Array("\(index) \(index == 21 ? "\0" : "") of a long text\(index == 90 ? "\r" : "")\n".utf8)
                text += [[UInt8]](repeating: line, count: index == 400 ? 70_000 : 15_000).joined()
            }
            return Array("Message-ID: <\(index)@example.com>\nX-Number: \(index)\n".utf8) + text
        }
    }()

    private struct Outcome: Equatable {
        var sent: [UInt8]
        var failure: String?
        var gone: [UID]
    }

    /// As `Selected.fetch` does it.
    private func fetch(_ mailbox: any OpenMailbox, _ attributes: [FetchAttribute], readers: Int) throws -> Outcome {
        let sink = FakeSink()
        let fetcher = MessageFetcher(FetchProgram(attributes), mailbox: mailbox, sink: sink)
        var outcome = Outcome(sent: [], failure: nil, gone: [])
        let uids = mailbox.uids
        fetcher.begin(uids, readers: readers)
        defer { fetcher.end() }
        for (position, uid) in uids.enumerated() {
            fetcher.reach(position)
            do {
                let number = SequenceNumber(UInt32(position) + 1)!
                if try fetcher.fetch(uid, number: number, isRecent: false, adding: [.uid]) == .gone { outcome.gone.append(uid) }
            } catch {
                outcome.failure = "\(error)"
                break
            }
        }
        try sink.flush()
        outcome.sent = sink.sent
        return outcome
    }

    private static let wanted: [[FetchAttribute]] = [
        [.envelope], [.bodyStructure], [.envelope, .preview(lazy: false), .flags], [.threadID],
        [.bodySection(Section(text: .headerFields([Array("Subject".utf8), Array("Message-ID".utf8)])), nil, peek: true)],
        [.flags, .bodySection(Section(), nil, peek: true)],
        [.rfc822Size, .bodySection(Section(), Partial(offset: 7, count: 90), peek: true)],
    ]

    private static func mailbox(_ change: (Int, inout FakeMailbox.Message) -> Void) -> FakeMailbox {
        let mailbox = FakeMailbox(messages)
        mailbox.keeps = true
        mailbox.hasSources = true
        for index in mailbox.messages.indices { change(index, &mailbox.messages[index]) }
        return mailbox
    }

    @Test("FETCH tells the same", arguments: 0..<7, 2..<5)
    func fetch(wanted: Int, readers: Int) throws {
        func mailbox() -> FakeMailbox {
            Self.mailbox { index, message in
                message.isGone = index % 53 == 3
                message.isReadAheadRefused = index % 17 == 5
            }
        }
        let attributes = Self.wanted[wanted], one = mailbox(), several = mailbox()
        let expected = try fetch(one, attributes, readers: 1)
        #expect(expected.gone.count == 14)
        #expect(try fetch(several, attributes, readers: readers) == expected)
        // What the readers made, nobody read again; it was kept as one reader keeps it.
        #expect(several.opens < one.opens / 3)
        #expect(one.kept == several.kept)
        #expect(try fetch(several, attributes, readers: readers) == expected, "again")
    }

    @Test("a message that cannot be read ends FETCH where it ends for one reader", arguments: 0..<7, [0, 300, 699])
    func unreadable(wanted: Int, at index: Int) throws {
        func mailbox() -> FakeMailbox {
            Self.mailbox { number, message in
                message.isUnreadable = number == index
                if number % 41 == 7 { message.truncatedTo = message.bytes.count / 2 }
            }
        }
        let expected = try fetch(mailbox(), Self.wanted[wanted], readers: 1)
        #expect(expected.failure != nil)
        #expect(try fetch(mailbox(), Self.wanted[wanted], readers: 3) == expected)
    }

    @Test("few messages, or a mailbox that keeps nothing, or kept messages, are not read ahead")
    func notWorthwhile() throws {
        let few = FakeMailbox(Array(Self.messages.prefix(200)))
        few.keeps = true
        few.hasSources = true
        _ = try fetch(few, [.envelope], readers: 4)
        #expect(few.sourcesAsked == 0)
        let plain = FakeMailbox(Self.messages)
        plain.hasSources = true
        _ = try fetch(plain, [.envelope], readers: 4)
        #expect(plain.sourcesAsked == 0)
        let known = Self.mailbox { _, _ in }
        _ = try fetch(known, [.bodyStructure], readers: 1)
        _ = try fetch(known, [.envelope], readers: 4)
        #expect(known.sourcesAsked == 0)
    }

    @Test("what is ahead is bounded")
    func bounded() throws {
        let mailbox = Self.mailbox { _, _ in }
        let ahead = try #require(RecordsAhead(mailbox.uids, in: mailbox, readers: 4, .header) { _ in false })
        ahead.reach(0)
        #expect((1...256).contains(mailbox.sourcesAsked))
        ahead.end()
        let asked = mailbox.sourcesAsked
        ahead.reach(100)
        #expect(mailbox.sourcesAsked == asked)
    }

    @Test("what was made of another message under the same UID is not kept")
    func exchanged() throws {
        let mailbox = Self.mailbox { _, _ in }
        let ahead = try #require(RecordsAhead(mailbox.uids, in: mailbox, readers: 2, .header) { _ in false })
        defer { ahead.end() }
        ahead.reach(0)
        mailbox.identityOffset = 1000
        ahead.reach(16)
        let uids = mailbox.uids
        #expect(mailbox.kept(uids[0], .keys) != nil && mailbox.kept(uids[16], .keys) == nil)
    }

    @Test("SEARCH, SORT and THREAD find the same", arguments: 2..<5)
    func search(readers: Int) throws {
        func mailbox() -> FakeMailbox {
            Self.mailbox { index, message in
                message.isGone = index % 53 == 3
                message.isReadAheadRefused = index % 17 == 5
                message.metadata.isExpunged = index % 31 == 1
                if index % 2 == 0 { message.metadata.flags = .seen }
            }
        }
        func header(_ name: String, _ value: String) -> SearchKey { .header(name: Array(name.utf8), value: Array(value.utf8)) }
        func text(_ value: String) -> SearchKey { .text(Array(value.utf8)) }
        func body(_ value: String) -> SearchKey { .body(Array(value.utf8)) }
        let keys: [SearchKey] = [
            body("the"), text("example"), .or(body("gr\u{FC}n"), text("X-Number: 12")), .not(body("e")),
            .not(text("nowhere to be found")),
            .and([.flag(.seen, isSet: true), body("a")]), .and([.flag(.seen, isSet: false), .not(body("the")), .larger(100)]),
            header("Subject", "e"), header("X-Number", "7"), .and([header("From", "a"), body("the")]),
            .or(header("Cc", ""), text("the")), .sentSince(CalendarDay(year: 1995, month: 1, day: 1)!),
        ]
        let environment = SearchEnvironment(resolve: { _, _ in UIDSet() }, isRecent: { _ in false })
        func found(_ key: SearchKey, readers: Int) throws -> [UID] {
            let mailbox = mailbox()
            let command = SearchCommand(byUID: true, charset: nil, returning: nil, key: key)
            return try MessageSearch(command, in: mailbox, environment, readers: readers).matches(among: mailbox.uids)
        }
        for key in keys { #expect(try found(key, readers: readers) == found(key, readers: 1), "\(key)") }
        let one = mailbox(), several = mailbox()
        #expect(try MessageSort([.init(.date, reverse: false), .init(.subject, reverse: true)], in: one).sorted(one.uids)
            == MessageSort([.init(.date, reverse: false), .init(.subject, reverse: true)], in: several, readers: readers)
                .sorted(several.uids))
        #expect(one.kept == several.kept)
        let threads = try [1, readers].map { readers in
            let mailbox = mailbox()
            return try MessageThread(in: mailbox, readers: readers).threads(mailbox.uids, by: .references) { UInt32($0) }
        }
        #expect(threads[0].map { "\($0)" } == threads[1].map { "\($0)" })
    }

    @Test("a search that ends early ends its readers, and says why", arguments: [0, 300, 699])
    func unreadableText(at index: Int) throws {
        let environment = SearchEnvironment(resolve: { _, _ in UIDSet() }, isRecent: { _ in false })
        func failure(readers: Int) throws -> String? {
            let mailbox = Self.mailbox { number, message in message.isUnreadable = number == index }
            let command = SearchCommand(byUID: true, charset: nil, returning: nil, key: .body(Array("nowhere".utf8)))
            do {
                _ = try MessageSearch(command, in: mailbox, environment, readers: readers).matches(among: mailbox.uids)
                return nil
            } catch let failure as ContentFailure {
                return "\(failure)"
            }
        }
        let expected = try failure(readers: 1)
        #expect(expected != nil)
        #expect(try failure(readers: 3) == expected)
    }

    @Test("files that vanish, are are renamed, cut or replaced meanwhile concern nobody else", arguments: 0..<3)
    func disturbed(seed: UInt64) throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("Maildir")
        var logger = Logger(label: "read-ahead")
        logger.logLevel = .critical
        _ = try MaildirStore(path: path, separator: ".", logger: logger)
        for (index, message) in Self.messages.enumerated() {
            try Data(message).write(to: URL(fileURLWithPath: "\(path)/cur/\(1_700_000_000 + index).\(index).example:2,S"))
        }
        var expected: [UInt32: [UInt8]] = [:]
        // Undisturbed first; then all that was derived from the messages is deleted.
        for round in 0..<2 {
            for name in try FileManager.default.contentsOfDirectory(atPath: path) where name.hasPrefix("imapd.") {
                unlink("\(path)/\(name)")
            }
            let store = try MaildirStore(path: path, separator: ".", logger: logger)
            let mailbox = try store.open(.inbox, readOnly: false)
            let disturber = Disturber(path, seed: seed)
            if round == 1 { disturber.start() }
            let outcome = try fetch(mailbox, [.bodyStructure, .threadID], readers: 4)
            disturber.stop()
            let responses = Self.byNumber(outcome.sent)
            if round == 0 {
                expected = responses
                #expect(expected.count == Self.messages.count)
                continue
            }
            for index in Self.messages.indices where !Disturber.disturbs(index) {
                let number = UInt32(index) + 1
                // UIDs are new.
                #expect(Self.withoutUID(responses[number]) == Self.withoutUID(expected[number]), "message \(index)")
            }
        }
    }

    /// Each response, by its number. Literals may have line ends: a response begins with "* N FETCH".
    private static func byNumber(_ sent: [UInt8]) -> [UInt32: [UInt8]] {
        var result: [UInt32: [UInt8]] = [:]
        var number: UInt32 = 0
        for line in sent.split(separator: 0x0A, omittingEmptySubsequences: false) {
            let words = line.split(separator: 0x20, maxSplits: 3)
            if words.count > 2, words[0].elementsEqual("*".utf8), words[2].elementsEqual("FETCH".utf8),
               let value = UInt32(String(decoding: words[1], as: UTF8.self)) { number = value }
            result[number, default: []].append(contentsOf: line + [0x0A])
        }
        result[number]?.removeLast()
        return result
    }

    private static func withoutUID(_ response: [UInt8]?) -> String? {
        response.map { String(decoding: $0, as: UTF8.self).replacing(/\ UID [0-9]+/, with: "") }
    }
}

/// Another program at work in a Maildir, in a thread of its own.
private final class Disturber: @unchecked Sendable {
    private let path: String
    private let seed: UInt64
    private let done = DispatchSemaphore(value: 0)
    private var isRunning = false

    init(_ path: String, seed: UInt64) {
        self.path = path
        self.seed = seed
    }

    /// Whether it touches that message.
    static func disturbs(_ index: Int) -> Bool { index % 5 == 2 }

    func start() {
        isRunning = true
        let thread = Foundation.Thread { [self] in
            var generator = SeededGenerator(seed)
            for index in (0..<700).shuffled(using: &generator) where Self.disturbs(index) {
                let file = "\(path)/cur/\(1_700_000_000 + index).\(index).example:2,S"
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: unlink(file)
                case 1: rename(file, file + "T")
                case 2: truncate(file, 40)
                default:
                    unlink(file)
                    mkfifo(file, 0o600)
                }
            }
            done.signal()
        }
        thread.start()
    }

    func stop() { if isRunning { done.wait() } }
}
