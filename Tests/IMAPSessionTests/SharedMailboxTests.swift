import Foundation
import IMAPTypes
import TestSupport
import Testing

/// Clients that do at random what clients do, all in one mailbox and all at once. Each keeps count of what it is told:
/// its numbers and UIDs must agree at every step, and in the end all must see the same mailbox.
@Suite("Several clients at once")
struct SharedMailboxTests {
    static let cases = StoreKind.allCases.flatMap { store in (1...4).map { (store, UInt64($0)) } }

    @Test("agree", arguments: cases)
    func parallel(store: StoreKind, seed: UInt64) throws {
        let account = try store.makeAccount(separator: nil)
        // To move messages to; made by a client, it might come too late for the others.
        try account.openStore().create(#require(MailboxName("other")), use: nil)
        let results = Results()
        let done = DispatchSemaphore(value: 0)
        for number in 0..<4 {
            let thread = Thread {
                defer { done.signal() }
                do {
                    var client = try RandomClient(account, number: number, generator: SeededGenerator(seed * 10 + UInt64(number)))
                    for _ in 0..<80 { try client.step() }
                    results.add(client)
                } catch {
                    Issue.record("client \(number): \(error)")
                }
            }
            thread.stackSize = 4 << 20
            thread.start()
        }
        for _ in 0..<4 { done.wait() }
        var clients = results.clients
        try #require(clients.count == 4)
        try agree(&clients)
    }

    private func agree(_ clients: inout [RandomClient]) throws {
        for index in clients.indices { try clients[index].perform("NOOP") }
        let views = try clients.indices.map { try clients[$0].wholeView() }
        for view in views.dropFirst() { #expect(view == views[0]) }
    }

    private final class Results: @unchecked Sendable {
        private let lock = NSLock()
        private var all: [RandomClient] = []
        func add(_ client: RandomClient) { lock.withLock { all.append(client) } }
        var clients: [RandomClient] { lock.withLock { all } }
    }
}

/// One client and what it has been told.
private struct RandomClient {
    private let connection: TranscriptClient
    private var generator: SeededGenerator
    private let number: Int
    private var commands = 0
    /// The UIDs of messages 1 to n, as far as they are known.
    private var view: [UInt32?] = []
    /// What EXPUNGE of the command under way would break: it counts messages by number.
    private var refusesExpunge = false
    /// Whether VANISHED is told instead of EXPUNGE.
    private let hasQResync: Bool
    private var log: [String] = []
    private var fetched: [UInt32: [String]] = [:]

    init(_ account: any TestAccount, number: Int, generator: SeededGenerator) throws {
        connection = try TranscriptClient(account, prefix: "")
        self.number = number
        self.generator = generator
        hasQResync = number == 3
        try perform(hasQResync ? "ENABLE IMAP4rev2 QRESYNC" : "ENABLE IMAP4rev2")
        try select()
    }

    private mutating func select() throws {
        view = []
        try perform("SELECT INBOX")
        try learnUIDs()
    }

    private mutating func learnUIDs() throws {
        while view.contains(nil) { try perform("FETCH 1:\(view.count) (UID)", refusesExpunge: true) }
    }

    mutating func step() throws {
        let count = view.count
        func message() -> Int { Int.random(in: 1...max(count, 1), using: &generator) }
        func set() -> String {
            let a = message(), b = message()
            return Bool.random(using: &generator) ? "\(a)" : "\(min(a, b)):\(max(a, b))"
        }
        func uids() -> String {
            let known = view.compactMap { $0 }
            guard let uid = known.randomElement(using: &generator) else { return "1:*" }
            return Bool.random(using: &generator) ? "\(uid)" : "\(uid):\(uid + 3)"
        }
        let flag = ["\\Seen", "\\Flagged", "\\Deleted", "\\Answered", "$k\(Int.random(in: 0..<5, using: &generator))"]
            .randomElement(using: &generator)!
        let sign = ["+", "-", ""].randomElement(using: &generator)!
        let silent = Bool.random(using: &generator) ? ".SILENT" : ""
        switch Int.random(in: 0..<20, using: &generator) {
        case 0...2:
            try perform("APPEND INBOX (\(flag)) {6+}\r\nX: y\r\n")
        case 3...5 where count > 0:
            try perform("STORE \(set()) \(sign)FLAGS\(silent) (\(flag))", refusesExpunge: true, mayFail: true)
        case 6...7 where count > 0:
            try perform("UID STORE \(uids()) \(sign)FLAGS\(silent) (\(flag))")
        case 8: try perform("EXPUNGE")
        case 9 where count > 0: try perform("UID EXPUNGE \(uids())")
        case 10...11 where count > 0: try perform("FETCH \(set()) (UID FLAGS)", refusesExpunge: true, mayFail: true)
        case 12 where count > 0: try perform("UID FETCH \(uids()) (FLAGS BODY.PEEK[])", mayFail: true)
        case 13: try perform("SEARCH \(sign == "-" ? "UN" : "")DELETED", refusesExpunge: true)
        case 14 where count > 0: try perform("COPY \(set()) INBOX", mayFail: true)
        case 15 where count > 0: try perform("UID MOVE \(uids()) other")
        case 16 where count > 0: try perform("UID MOVE \(uids()) INBOX")
        case 17 where Bool.random(using: &generator):
            try perform("CLOSE")
            try select()
        case 18: try perform("STATUS INBOX (MESSAGES UIDNEXT)")
        default: try perform("NOOP")
        }
        // Now and then, so that gaps are seen too.
        if hasQResync || Bool.random(using: &generator) { try learnUIDs() }
    }

    /// UID and flags of all messages, in order.
    mutating func wholeView() throws -> [String] {
        fetched = [:]
        if view.isEmpty { return [] }
        try perform("FETCH 1:\(view.count) (UID FLAGS)", refusesExpunge: true)
        return try view.map { uid in
            guard let uid, let flags = fetched[uid] else { throw failure("a message without UID or FLAGS") }
            return "\(uid) \(flags.joined(separator: " "))"
        }
    }

    mutating func perform(_ command: String, refusesExpunge: Bool = false, mayFail: Bool = false) throws {
        commands += 1
        let tag = "c\(number).\(commands)"
        log.append("C: \(tag) \(command)")
        self.refusesExpunge = refusesExpunge
        connection.send(Array("\(tag) \(command)\r\n".utf8), paced: false)
        while true {
            guard let line = try connection.receive() else { throw failure("the server closes the connection") }
            log.append("S: \(line.shown)")
            var reader = ResponseReader(line)
            switch try reader.response() {
            case .status(tag, let condition, _, _):
                guard condition == "OK" || mayFail && condition == "NO" else { throw failure("\(command) fails") }
                return
            case .status(_, "BYE", _, _): throw failure("BYE")
            case .data(let nodes): try take(nodes)
            case .status, .continuation: break
            }
        }
    }

    private mutating func take(_ nodes: [ResponseNode]) throws {
        let first = nodes[0].atomText ?? "", second = nodes.count > 1 ? nodes[1].atomText ?? "" : ""
        switch (first, second) {
        case (_, "EXISTS"):
            guard let count = Int(first), count >= view.count else { throw failure("EXISTS goes back") }
            view += [UInt32?](repeating: nil, count: count - view.count)
        case (_, "EXPUNGE"):
            guard !refusesExpunge, !hasQResync else { throw failure("EXPUNGE where there must be none") }
            guard let message = Int(first), (1...view.count).contains(message) else { throw failure("EXPUNGE of no message") }
            view.remove(at: message - 1)
        case ("VANISHED", _):
            guard !refusesExpunge, hasQResync else { throw failure("VANISHED where there must be none") }
            for range in second.split(separator: ",") {
                let bounds = range.split(separator: ":").compactMap { UInt32($0) }
                for uid in bounds[0]...bounds[bounds.count - 1] {
                    // RFC 7162 §3.2.10.2: each UID was announced by EXISTS, and counts, known or not.
                    guard let at = position(of: uid) else { throw failure("VANISHED of \(uid), which was never told") }
                    view.remove(at: at)
                }
            }
        case (_, "FETCH"):
            guard let message = Int(first), (1...max(view.count, 1)).contains(message), message <= view.count,
                  case .list(let items) = nodes[2] else { throw failure("FETCH of no message") }
            var uid: UInt32?
            for at in stride(from: 0, to: items.count - 1, by: 2) {
                if items[at] == .atom("UID") { uid = items[at + 1].atomText.flatMap { UInt32($0) } }
            }
            guard let uid else { break }
            if let known = view[message - 1], known != uid { throw failure("message \(message) was \(known) and is \(uid)") }
            if view[..<(message - 1)].contains(where: { ($0 ?? 0) >= uid })
                || view[message...].contains(where: { ($0 ?? .max) <= uid }) {
                throw failure("UIDs do not ascend")
            }
            view[message - 1] = uid
            for at in stride(from: 0, to: items.count - 1, by: 2) where items[at] == .atom("FLAGS") {
                if case .list(let flags) = items[at + 1] { fetched[uid] = flags.compactMap(\.atomText).sorted() }
            }
        default: break
        }
    }

    /// Where the message with `uid` is, or must be if it is one of those whose UID is not known yet.
    private func position(of uid: UInt32) -> Int? {
        if let at = view.firstIndex(of: uid) { return at }
        let start = view.lastIndex { ($0 ?? .max) < uid }.map { $0 + 1 } ?? 0
        return start < view.count && view[start] == nil ? start : nil
    }

    private func failure(_ message: String) -> TestFailure {
        TestFailure("client \(number): \(message)\n" + log.suffix(40).joined(separator: "\n"))
    }
}
