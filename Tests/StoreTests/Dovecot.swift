import Foundation
import Glibc
import IMAPTypes
@testable import Maildir
import MailStore
import TestSupport

/// The Dovecot of the machine, over a Maildir of its own: its IMAP process alone, already logged in, on standard input and
/// output.
struct Dovecot {
    let directory: TemporaryDirectory
    private let program = "/usr/lib/dovecot/imap"
    private let shell: Program
    private var configuration: String { directory.path("dovecot.conf") }

    /// - Parameters:
    ///   - options: of the mail location, as `:UTF-8`.
    ///   - prefix: of its namespace. Its last letter is the separator.
    init(in directory: TemporaryDirectory, options: String = "", prefix: String? = nil) throws {
        self.directory = directory
        guard FileManager.default.isExecutableFile(atPath: program) else {
            throw Program.Missing(
                description: "Dovecot is not installed: apt-get install dovecot-imapd, or the test line of README.md")
        }
        shell = try Program("sh", package: "dash")
        var lines = [
            "base_dir = \(directory.path("run"))", "mail_location = maildir:\(directory.path("Maildir"))\(options)",
            "protocols = imap", "ssl = no", "first_valid_uid = 1", "first_valid_gid = 1",
        ]
        if let prefix, let separator = prefix.last {
            lines += ["namespace inbox {", "inbox = yes", "prefix = \(prefix)", "separator = \(separator)", "}"]
        }
        if getuid() == 0 {
            // It does not serve root.
            lines += ["mail_uid = \(Self.nobody)", "mail_gid = \(Self.nobody)"]
            chown(directory.url.path, Self.nobody, Self.nobody)
        }
        try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: URL(fileURLWithPath: configuration))
    }

    static let nobody: uid_t = 65534

    /// Gives everything in the Maildir to whom Dovecot runs as.
    func own() {
        guard getuid() == 0 else { return }
        for path in FileManager.default.enumerator(atPath: directory.path("Maildir"))?.compactMap({ $0 as? String }) ?? [] {
            lchown(directory.path("Maildir") + "/" + path, Self.nobody, Self.nobody)
        }
        lchown(directory.path("Maildir"), Self.nobody, Self.nobody)
    }

    /// Runs commands in one session. Throws unless each is answered with OK.
    @discardableResult
    func run(_ commands: [String]) async throws -> [String] {
        let tagged = commands.enumerated().map { "t\($0.offset) \($0.element)\r\n" } + ["end LOGOUT\r\n"]
        // It waits by epoll(7), which takes no files.
        let outcome = try await shell.run(["-c", "cat | \(program) -c \"$0\" | cat", configuration],
            input: Data(tagged.joined().utf8),
                                          environment: ["USER": "someone"], in: directory.url)
        let lines = outcome.output.components(separatedBy: "\r\n")
        for index in commands.indices where !lines.contains(where: { $0.hasPrefix("t\(index) OK") })
            { throw Refused(outcome: outcome) }
        return lines
    }

    struct Refused: Error { let outcome: Program.Outcome }

    /// APPEND without waiting to be asked for the message.
    static func append(_ mailbox: String, _ flags: String, _ date: String, _ text: String) -> String {
        "APPEND \(mailbox) (\(flags)) \"\(date)\" {\(text.utf8.count)+}\r\n\(text)"
    }

    /// By their names in the protocol.
    func subscriptions() async throws -> [String] {
        try await run(["LSUB \"\" *"]).compactMap { line in
            line.firstMatch(of: /^\* LSUB \(([^)]*)\) "." "?([^"]+)"?$/).map { String($0.2) }
        }
    }

    // MARK: What a client knows of the account

    /// A mailbox as a client sees it: UIDVALIDITY, UIDNEXT, and of each message UID, flags, INTERNALDATE and RFC822.SIZE.
    struct View: Equatable {
        var uidValidity: UInt32 = 0
        var uidNext: UInt32 = 0
        var messages: [String] = []
    }

    func view(_ mailboxes: [String]) async throws -> [String: View] {
        var views: [String: View] = [:]
        for mailbox in mailboxes {
            var view = View()
            for line in try await run(["EXAMINE \(mailbox)", "UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)"]) {
                if let match = line.firstMatch(of: /UIDVALIDITY (\d+)\]/) { view.uidValidity = UInt32(match.1)! }
                if let match = line.firstMatch(of: /UIDNEXT (\d+)\]/) { view.uidNext = UInt32(match.1)! }
                if let match = line.firstMatch(of: /\(UID (\d+) FLAGS \(([^)]*)\) INTERNALDATE "([^"]+)" RFC822.SIZE (\d+)\)/) {
                    view.messages.append(Self.message(UInt32(match.1)!, match.2.split(separator: " ").map(String.init),
                                                      Self.date(String(match.3)), UInt64(match.4)!))
                }
            }
            views[mailbox] = view
        }
        return views
    }

    private static func message(_ uid: UInt32, _ flags: [String], _ date: Int64, _ size: UInt64) -> String {
        "\(uid) \(flags.filter { $0 != "\\Recent" }.sorted().joined(separator: " ")) \(date) \(size)"
    }

    private static func date(_ text: String) -> Int64 {
        let format = DateFormatter()
        format.locale = Locale(identifier: "en_US_POSIX")
        format.dateFormat = "dd-MMM-yyyy HH:mm:ss Z"
        return format.date(from: text.trimmingCharacters(in: .whitespaces)).map { Int64($0.timeIntervalSince1970) } ?? -1
    }

    /// The same, of a mailbox of ours.
    static func view(_ mailbox: any OpenMailbox) throws -> View {
        View(uidValidity: mailbox.uidValidity.rawValue, uidNext: mailbox.uidNext, messages: try mailbox.uids.map { uid in
            let names: [(SystemFlags, String)] = [(.answered, "\\Answered"), (.flagged, "\\Flagged"), (.deleted, "\\Deleted"),
                (.seen, "\\Seen"),
                                                  (.draft, "\\Draft")]
            let flags = names.filter { mailbox.flags(uid)?.contains($0.0) ?? false }.map(\.1) + (mailbox.keywordNames(uid) ?? [])
            let details = try mailbox.details(uid)
            return message(uid.rawValue, flags, details.internalDate, details.size)
        })
    }
}
