import Glibc
import IMAPTypes
import Logging
import MailStore

/// Why imapctl could not do what it was asked, in a sentence for an administrator. The exit status is 2.
struct ControlFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }

    init(_ error: StoreError) { description = Self.words(error) }

    static func words(_ error: StoreError) -> String {
        switch error {
        case .noSuchMailbox(let name): "there is no mailbox \(name.string)"
        case .mailboxExists(let name): "there is a mailbox \(name.string) already"
        case .invalidName(let name, let reason): "\(name.string) cannot be the name of a mailbox: \(reason)"
        case .hasChildren(let name): "\(name.string) has mailboxes below it"
        case .notPermitted(let reason): reason
        case .specialUseTaken(let use): "another mailbox is for \(use.rawValue) already"
        case .readOnly: "the mailbox is read-only"
        case .tooManyKeywords: "the mailbox has room for no further keyword: it has \(KeywordSet.capacity)"
        case .messageGone(let uid): "the message with the UID \(uid.rawValue) is gone"
        case .overQuota: "there is no room left within the quota"
        case .io(let error, let doing): "\(doing): \(error)"
        case .corrupt(let what): what
        }
    }
}

/// What the store would log: its warnings are what the commands tell in their own words.
let quietLogger = Logger(label: "imapctl") { _ in StandardErrorLog() }

private struct StandardErrorLog: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.error

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let pairs = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }
        Output.error("\(event.message)\(pairs.joined())")
    }
}
