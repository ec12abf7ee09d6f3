import Foundation
import Glibc
import Synchronization
import TestSupport
import Testing

/// Sessions, and then the whole daemon, are killed while clients append, store, move and expunge.
@Suite(.enabled(if: isRoot, needsRoot))
struct KilledTests {
    @Test func `Whatever is killed, what was acknowledged is there`() async throws {
        let user = try await SystemUser(), pam = try PAMConfiguration.unix()
        let known = Knowledge()
        for round in 0...thoroughness {
            let daemon = try await ForkedDaemon(user: user, pam: pam, ["--allow-plaintext-login"])
            if round == 0 {
                let client = try daemon.client()
                _ = try daemon.logIn(client)
                #expect(try client.command("CREATE Archive").last!.contains(" OK"))
            }
            await withTaskGroup { group in
                let works = (0..<3).map { Work(daemon, known, "r\(round)c\($0)") }
                for work in works { group.addTask { await work.run() } }
            }
            #expect(await daemon.daemon.child.end(within: .seconds(60)) == 128 + SIGKILL)
            let next = try await ForkedDaemon(user: user, pam: pam, ["--allow-plaintext-login"])
            let client = try next.client()
            _ = try next.logIn(client)
            for mailbox in Knowledge.mailboxes { try known.compare(mailbox, with: client) }
            known.conclude()
            #expect(known.problems.isEmpty, "round \(round)")
            _ = try client.command("LOGOUT")
            await next.daemon.stop()
        }
        #expect(known.acknowledged > 40 && known.kills > 1, "\(known.acknowledged) commands, \(known.kills) kills")
    }
}

/// What is known from all that clients were told.
private final class Knowledge: @unchecked Sendable {
    static let mailboxes = ["INBOX", "Archive"]

    struct Message {
        /// Where it may be: one of these, or with `isMoving` several, or with `mayBeGone` none. With its UID, if that was told.
        var places: [String: Int?] = [:]
        var mayBeGone = false
        var isMoving = false
        /// One of these sets.
        var flags: [Set<String>] = [[]]
        /// Whether all that was asked of it was answered.
        var isSettled = true
    }

    // Guarded by the lock while clients work.
    private let lock = NSLock()
    private var messages: [String: Message] = [:]
    private var uids: [String: String] = [:]
    private var validities: [String: Substring] = [:]
    private var found: [String: Set<String>] = [:]
    private(set) var problems: [String] = []
    private(set) var acknowledged = 0
    private(set) var kills = 0

    func countKill() { lock.withLock { kills += 1 } }
    func complain(_ problem: String) { lock.withLock { problems.append(problem) } }

    subscript(text: String) -> Message {
        get { lock.withLock { messages[text] ?? Message() } }
        set { lock.withLock { messages[text] = newValue } }
    }

    func acknowledge(_ text: String, _ message: Message) {
        lock.withLock {
            acknowledged += 1
            messages[text] = message
            for case (let mailbox, let uid?) in message.places { see(uid, in: mailbox, text) }
        }
    }

    private func see(_ uid: Int, in mailbox: String, _ text: String) {
        if let other = uids.updateValue(text, forKey: "\(mailbox) \(uid)"), other != text {
            problems.append("UID \(uid) of \(mailbox) was \(other) and is \(text)")
        }
    }

    func select(_ mailbox: String, _ answer: [String]) {
        guard let validity = answer.lazy.compactMap({ $0.firstMatch(of: /UIDVALIDITY (\d+)/)?.1 }).first else { return }
        lock.withLock {
            if let other = validities.updateValue(validity, forKey: mailbox), other != validity {
                problems.append("the UIDVALIDITY of \(mailbox) was \(other) and is \(validity)")
            }
        }
    }

    /// Nobody else works now.
    func compare(_ mailbox: String, with client: MailClient) throws {
        select(mailbox, try client.command("SELECT \(mailbox)"))
        let lines = try client.command("UID FETCH 1:* (UID FLAGS BODY.PEEK[])")
        for (index, line) in lines.enumerated() {
            guard let match = line.firstMatch(of: /FETCH \(UID (\d+) FLAGS \(([^)]*)\) BODY\[\] \{\d+\}/), let uid = Int(match.1)
            else { continue }
            guard index + 4 < lines.count else { return problems.append("\(mailbox) ends early: \(lines.suffix(5))") }
            let text = String(lines[index + 1].dropFirst("Subject: ".count))
            if lines[(index + 1)...].prefix(4) != ["Subject: \(text)", "", "The body of \(text)", ")"] {
                problems.append("the bytes of \(text) are others: \(lines[(index + 1)...].prefix(4))")
            }
            see(uid, in: mailbox, text)
            if found[text, default: []].insert(mailbox).inserted == false { problems.append("\(text) is in \(mailbox) twice") }
            guard let message = messages[text], let place = message.places[mailbox] else {
                problems.append("\(text) is in \(mailbox), where nobody has put it")
                continue
            }
            if let known = place, known != uid { problems.append("\(text) had UID \(known) in \(mailbox) and has \(uid)") }
            let flags = Set(match.2.split(separator: " ").map(String.init)).subtracting(["\\Recent"])
            if !message.flags.contains(flags) { problems.append("\(text) has \(flags), not one of \(message.flags)") }
        }
    }

    /// Every message was looked for.
    func conclude() {
        for (text, message) in messages {
            let places = found[text] ?? []
            if places.isEmpty, !message.mayBeGone { problems.append("\(text) is gone") }
            if places.count > 1, !message.isMoving { problems.append("\(text) is in \(places)") }
        }
        found = [:]
    }
}

/// One client after the other, each at work until its session is killed.
private final class Work: @unchecked Sendable {
    private struct Refused: Error {}

    private let daemon: ForkedDaemon
    private let known: Knowledge
    private let who: String
    private var texts: [String] = []
    private var commands = 0

    init(_ daemon: ForkedDaemon, _ known: Knowledge, _ who: String) {
        self.daemon = daemon
        self.known = known
        self.who = who
    }

    func run() async {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread { [self] in
                // A connection that ends is what we are here for; when none is to be had, the daemon is gone.
                while commands < 40, let client = try? MailClient(port: daemon.port) { try? work(client) }
                // Whoever is the first to have done enough ends it for all.
                if commands >= 40 { killAll() }
                continuation.resume()
            }
        }
    }

    private func work(_ client: MailClient) throws {
        guard try client.line() != nil else { return }
        _ = try daemon.logIn(client)
        known.select("INBOX", try client.command("SELECT INBOX"))
        while commands < 40 {
            commands += 1
            let settled = texts.filter { known[$0].isSettled && known[$0].places["INBOX"] != nil }
            guard let text = settled.randomElement(), Bool.random() else {
                try append(client)
                continue
            }
            var after = known[text]
            guard case let uid?? = after.places["INBOX"] else { continue }
            var during = after
            during.isSettled = false
            switch Int.random(in: 0..<6) {
            case 0, 1, 2:
                let flags = Set(["\\Seen", "\\Flagged", "\\Answered", "$Forwarded", "other"].filter { _ in Bool.random() })
                after.flags = [flags]
                during.flags.append(flags)
                known[text] = during
                _ = try ask(client, "UID STORE \(uid) FLAGS.SILENT (\(flags.sorted().joined(separator: " ")))")
            case 3, 4:
                during.isMoving = true
                during.places["Archive"] = .some(nil)
                known[text] = during
                let answer = try ask(client, "UID MOVE \(uid) Archive")
                let copy = answer.lazy.compactMap { $0.firstMatch(of: /COPYUID \d+ \d+ (\d+)\]/) }.first.flatMap { Int($0.1) }
                after.places = ["Archive": copy]
            default:
                during.mayBeGone = true
                during.flags += after.flags.map { $0.union(["\\Deleted"]) }
                known[text] = during
                _ = try ask(client, "UID STORE \(uid) +FLAGS.SILENT (\\Deleted)")
                _ = try ask(client, "UID EXPUNGE \(uid)")
                after.places = [:]
                after.mayBeGone = true
            }
            known.acknowledge(text, after)
        }
    }

    private func append(_ client: MailClient) throws {
        let text = "\(who)-\(commands)", message = "Subject: \(text)\r\n\r\nThe body of \(text)\r\n"
        let flags = ["", "\\Seen", "\\Flagged $Forwarded"].randomElement()!
        var during = Knowledge.Message()
        during.places["INBOX"] = .some(nil)
        during.mayBeGone = true
        during.isSettled = false
        during.flags = [Set(flags.split(separator: " ").map(String.init))]
        known[text] = during
        texts.append(text)
        let answer = try ask(client, "APPEND INBOX (\(flags)) {\(message.utf8.count)+}\r\n\(message)")
        var after = during
        after.places["INBOX"] = answer.last?.firstMatch(of: /APPENDUID \d+ (\d+)\]/).flatMap { Int($0.1) }
        after.mayBeGone = false
        after.isSettled = true
        known.acknowledge(text, after)
    }

    /// Sends a command, and sometimes kills a session while it is carried out, which may be the one that carries it out.
    private func ask(_ client: MailClient, _ command: String) throws -> [String] {
        let tag = "k\(commands)"
        try client.send("\(tag) \(command)\r\n")
        if Int.random(in: 0..<8) == 0, let session = daemon.processes("session").randomElement() {
            kill(session.pid, SIGKILL)
            known.countKill()
        }
        let answer = try client.lines(through: tag)
        guard answer.last?.hasPrefix("\(tag) OK") == true else {
            // Whoever is not killed must not notice.
            known.complain("\(command): \(answer)")
            throw Refused()
        }
        return answer
    }

    /// The listener first, so that nothing more is forked.
    private func killAll() {
        let all = daemon.listener.descendants
        kill(daemon.listener.pid, SIGKILL)
        for process in all { kill(process.pid, SIGKILL) }
    }
}
