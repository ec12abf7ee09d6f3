import Foundation

/// A file of Tests/Transcripts: a conversation that must go as it is written. Its notation is in the README there.
struct Transcript: Sendable {
    struct Step: Sendable {
        let line: Int
        let action: Action
    }

    enum Action: Sendable {
        /// In one piece. `paced` waits until the server has taken it.
        case send(connection: Int, [UInt8], paced: Bool)
        case expect(connection: Int, Expectation)
        case serverCloses(connection: Int)
        case clientCloses(connection: Int)
        /// What the connection sends from here on goes in pieces of so many bytes.
        case chunks(connection: Int, size: Int)
        case select(MailboxText, readOnly: Bool, connections: [Int])
        case enable(String, connections: [Int])
        case check(String, Comparison, String)
        case store(StoreAction)
    }

    /// A line of the server. Only `said` has a place in the order.
    enum Expectation: Sendable {
        case said(Line)
        /// One of a group, in any order.
        case anyOrder(Line)
        case optional(Line)
        /// Not before the next `said`.
        case forbidden(Line)
        /// Whatever comes before the next `said`, but no EXPUNGE, VANISHED or BYE.
        case whatever
    }

    struct Line: Sendable {
        var text: [UInt8]
        var literals: [[UInt8]] = []
    }

    enum Comparison: String, Sendable {
        case less = "<", notGreater = "<=", equal = "=", different = "!="
    }

    /// What happens in the store, from outside of the connections.
    enum StoreAction: Sendable {
        case create(MailboxText, use: String?)
        case fill(MailboxText, messages: Int)
        case append(MailboxText, TranscriptMessage)
        case deliver(MailboxText, TranscriptMessage)
        case subscribe(MailboxText)
        case setFlags(MailboxText, subject: String, letters: String)
        case remove(MailboxText, subject: String)
    }

    /// A mailbox's name in UTF-8.
    typealias MailboxText = String

    let name: String
    let path: String
    let onlyStore: StoreKind?
    let separator: Character?
    let prefix: String
    let steps: [Step]
}

struct TranscriptMessage: Sendable {
    /// As in an APPEND: `\Seen $Forwarded`.
    var flags: [String] = []
    /// As in an APPEND: `17-Jul-1996 02:44:25 -0700`.
    var date: String?
    var bytes: [UInt8] = []
}

extension Transcript {
    /// Tests/Transcripts
    static let directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Transcripts")
    /// Tests/Corpus
    static let corpus = directory.deletingLastPathComponent().appendingPathComponent("Corpus")

    /// All `.txt` files below Tests/Transcripts, by name; those that `IMAPD_TRANSCRIPTS` is part of, if it is set.
    static let paths: [String] = {
        let only = ProcessInfo.processInfo.environment["IMAPD_TRANSCRIPTS"]
        let files = FileManager.default.enumerator(at: directory, includingPropertiesForKeys: nil)?.allObjects as? [URL] ?? []
        return files.filter { $0.pathExtension == "txt" }.map(\.path).sorted()
            .filter { path in only.map { path.contains($0) } ?? true }
    }()
}
