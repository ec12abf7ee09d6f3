import Glibc
import IMAPGrammar
import IMAPTypes
import Maildir
import MailMessage
import MailStore

/// Something that is measured: the difference between doing it `rounds` times and not at all.
struct Work: Sendable {
    var name: String
    /// Enough that what else happens in the program does not matter.
    var rounds: Int
    /// How many of what one round works on.
    var units: Int
    var unit: String
    var run: @Sendable (_ directory: String, _ rounds: Int) throws -> Void

    static let all: [Work] = [
        Work(name: "parse-command", rounds: 200, units: commands.count, unit: "command") { _, rounds in parseCommands(rounds) },
        Work(name: "parse-message", rounds: 5, units: 200, unit: "message") { _, rounds in parseMessages(rounds) },
        Work(name: "serialize-fetch", rounds: 20, units: 1000, unit: "response") { _, rounds in serialize(rounds) },
        Work(name: "load-index", rounds: 50, units: Sample.count, unit: "message") { try open("INBOX", $0, $1) },
        Work(name: "replay-log", rounds: 20, units: Sample.changes, unit: "transaction") { try open("Log", $0, $1) },
        command("reselect", 50, "SELECT INBOX"),
        command("fetch-flags", 10, "FETCH 1:* (UID FLAGS)"),
        command("fetch-envelope", 10, "FETCH 1:* (UID ENVELOPE)"),
        command("fetch-bodystructure", 10, "FETCH 1:* (UID BODYSTRUCTURE)"),
        command("fetch-headers", 10, "FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (DATE FROM TO SUBJECT MESSAGE-ID)])"),
        command("fetch-full", 2, "FETCH 1:* (UID BODY.PEEK[])"),
        Work(name: "fetch-cold", rounds: 1, units: Sample.count, unit: "message") { directory, rounds in
            guard rounds > 0 else { return try converse("", directory, 0) }
            unlink(Sample.maildir(directory) + "/imapd.cache")
            try converse("FETCH 1:* (UID ENVELOPE)", directory, 1)
        },
        command("search-flags", 50, "SEARCH UNSEEN"),
        command("search-header", 10, "SEARCH SUBJECT needle"),
        command("search-body", 2, "SEARCH BODY nowhere"),
        command("search-changes", 50, "FETCH 1:* (FLAGS) (CHANGEDSINCE 1000000000000000)"),
        command("sort-date", 10, "SORT (DATE) UTF-8 ALL"),
        command("sort-subject", 10, "SORT (SUBJECT) UTF-8 ALL"),
        command("thread", 10, "THREAD REFERENCES UTF-8 ALL"),
    ]

    /// A command in INBOX.
    private static func command(_ name: String, _ rounds: Int, _ command: String) -> Work {
        Work(name: name, rounds: rounds, units: Sample.count, unit: "message") { try converse(command, $0, $1) }
    }

    private static func converse(_ command: String, _ directory: String, _ rounds: Int) throws {
        let commands = String(repeating: "b \(command)\r\n", count: rounds)
        try Conversation.hold(Sample.maildir(directory), "a SELECT INBOX\r\n" + commands)
    }

    private static func open(_ name: String, _ directory: String, _ rounds: Int) throws {
        for _ in 0..<rounds {
            let store = try MaildirStore(path: Sample.maildir(directory), logger: Sample.logger)
            guard try !store.open(MailboxName(name)!, readOnly: true).uids.isEmpty else { fatalError("an empty mailbox") }
        }
    }

    // MARK: - Without a mailbox

    private static let commands = [
        "a1 NOOP", "a2 UID FETCH 1:100,205,3000:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (DATE FROM)])", "a3 SELECT \"Sent Items\"",
        "a4 UID STORE 17 +FLAGS.SILENT (\\Seen $Forwarded)", "a5 SEARCH RETURN (COUNT) UNSEEN SINCE 1-Feb-2025 OR FROM a TO b",
        "a6 LIST (SUBSCRIBED) \"\" (\"*\" \"%\") RETURN (STATUS (MESSAGES UNSEEN))", "a7 FETCH 1:* (FLAGS) (CHANGEDSINCE 12345)",
        "a8 UID SORT (REVERSE DATE) UTF-8 UNDELETED", "a9 UID COPY 1,3,5,7,9 \"Archive\"", "b1 STATUS INBOX (MESSAGES UIDNEXT)",
    ]

    private static func parseCommands(_ rounds: Int) {
        let text = Array((commands.joined(separator: "\r\n") + "\r\n").utf8)
        for _ in 0..<rounds {
            var reader = CommandReader(.afterLogin, readAhead: text)
            for _ in commands {
                guard case .command(let command) = reader.next(), (try? Parser.command(command, mode: [])) != nil else {
                    fatalError("a command that is none")
                }
            }
        }
    }

    private static func parseMessages(_ rounds: Int) {
        let messages = (0..<200).map(Sample.message)
        var parser = MessageParser()
        for _ in 0..<rounds {
            for message in messages {
                parser.begin(.whole)
                message.withUnsafeBytes { parser.feed($0) }
                parser.finish()
            }
        }
    }

    private static func serialize(_ rounds: Int) {
        var out = Serializer()
        for _ in 0..<rounds {
            for number in 1...UInt32(1000) {
                guard let uid = UID(number), let sequence = SequenceNumber(number) else { continue }
                out.fetch(sequence)
                out.fetchUID(uid)
                out.space()
                out.fetchFlags([.seen, .answered], KeywordSet(), of: [], isRecent: false)
                out.fetchEnd()
            }
            out.removeAll()
        }
    }
}
