import IMAPGrammar
import IMAPTypes
import MailStore
import Transport

/// Why a command did not do what it was asked.
enum CommandFailure: Error {
    case store(StoreError)
    /// The same, of the mailbox that messages were to go into: if there is none, the client may make it and try again.
    case storeTarget(StoreError)
    /// The connection ended in the middle of an answer.
    case connection(ConnectionEnd)
    /// Somebody deleted the selected mailbox. The session ends.
    case mailboxGone

    // What the client got wrong.
    case noSuchMessage
    case notDone
    case qresyncNotEnabled
    /// RFC 7162 §3.2.6.
    case vanishedWithoutChangedSince
    /// RFC 9755 §3: who has enabled UTF-8 names no charset.
    case charsetWithUTF8
    case rejected(CommandReader.Rejection)

    // What cannot be done.
    case readOnlyMailbox
    /// Others expunged some of the messages and this client has not been told yet (RFC 2180 §4, RFC 5530).
    case expunged
    case messageTooBig
    /// A literal that is on its way and is not worth waiting for (RFC 7888 §4). The session ends.
    case endlessLiteral
    /// A size that is no number64.
    case numberTooBig
    /// NUL in a literal (RFC 9051 §9, CHAR8).
    case nulInLiteral
    /// RFC 3502 §6.3.11: a way to cancel an APPEND.
    case messageEmpty
    case inboxExists
    /// The prefix of the namespace.
    case noMailboxName
    case unknownSpecialUse
    case severalSpecialUses
    /// These are the charsets that are known (RFC 9051 §6.4.4).
    case unknownCharset([String])
    /// A part has a transfer encoding that is not known (RFC 9051 §6.4.5.3).
    case unknownEncoding
}

extension CommandFailure {
    /// The only place where a failure becomes NO or BAD (RFC 9051 §7.1, RFC 5530).
    var completion: Completion {
        switch self {
        case .storeTarget(.noSuchMailbox): .no(.tryCreate, "There is no such mailbox")
        case .store(let error), .storeTarget(let error): error.completion
        // Nobody reads these.
        case .connection, .mailboxGone, .endlessLiteral: .no(.unavailable, "The session has ended")
        case .noSuchMessage: .bad("No message has that number")
        case .notDone: .bad("Expected DONE")
        case .qresyncNotEnabled: .bad("ENABLE QRESYNC first")
        case .vanishedWithoutChangedSince: .bad("VANISHED goes with UID FETCH and CHANGEDSINCE")
        case .charsetWithUTF8: .bad("With UTF8=ACCEPT every string is in UTF-8")
        case .rejected(let rejection): Completion(rejection.condition, rejection.code, rejection.text)
        case .readOnlyMailbox: .no(.readOnly, "The mailbox is selected read-only")
        case .expunged: .no(.expungeIssued, "Some of the messages have been expunged")
        case .numberTooBig: .bad("The size of a literal is below 2^63")
        case .nulInLiteral: .no(.cannot, "A message with NUL needs a literal8")
        case .messageTooBig: .no(.tooBig, "The message is larger than this server takes")
        case .messageEmpty: .no(nil, "A message of no bytes cancels APPEND")
        case .inboxExists: .no(.alreadyExists, "INBOX is always there")
        case .noMailboxName: .no(.cannot, "That is where names of mailboxes begin, and no mailbox")
        case .unknownSpecialUse: .no(.useAttr, "That special use is not known here")
        case .severalSpecialUses: .no(.useAttr, "A mailbox has one special use here")
        case .unknownCharset(let known): .no(.badCharset(known), "That charset is not known here")
        case .unknownEncoding: .no(.unknownCTE, "A part has an encoding that is not known here")
        }
    }
}

extension CommandFailure {
    /// What is said in place of an answer when the session cannot go on.
    var farewell: (code: ResponseCode?, text: RespText)? {
        switch self {
        // RFC 2180 §3.3
        case .mailboxGone: (nil, "The selected mailbox has been deleted")
        case .endlessLiteral: (.tooBig, "That literal is too long even to be thrown away")
        default: nil
        }
    }
}

extension StoreError {
    fileprivate var completion: Completion {
        switch self {
        case .noSuchMailbox: .no(.nonexistent, "There is no such mailbox")
        case .mailboxExists: .no(.alreadyExists, "There is such a mailbox already")
        case .invalidName(_, let reason): .no(.cannot, RespText(replacingIn: reason))
        case .hasChildren: .no(.hasChildren, "That is no mailbox, and there are mailboxes below it")
        case .notPermitted(let reason): .no(.cannot, RespText(replacingIn: reason))
        case .specialUseTaken: .no(.useAttr, "Another mailbox has that special use")
        case .readOnly: .no(.noPerm, "The mailbox cannot be changed")
        case .tooManyKeywords: .no(.limit, "The mailbox has no room for another keyword")
        case .messageGone: .no(.expungeIssued, "The content of a message is gone")
        case .overQuota: .no(.overQuota, "There is no room left for more mail")
        // What happened is in the log; it may hold paths.
        case .io: .no(.serverBug, "The mail could not be reached; the server's log says why")
        case .corrupt: .no(.corruption, "The mailbox is damaged; the server's log says more")
        }
    }

    /// For the log, where the trouble is the system's; `nil` where it is the client's.
    var trouble: String? {
        switch self {
        case .io(let errno, let doing): "\(doing): \(errno)"
        case .corrupt(let what): what
        case .noSuchMailbox, .mailboxExists, .invalidName, .hasChildren, .notPermitted, .specialUseTaken, .readOnly,
             .tooManyKeywords, .messageGone, .overQuota: nil
        }
    }
}

/// The tagged response that a command ends with (RFC 9051 §7.1).
struct Completion {
    var condition: Condition
    var code: ResponseCode?
    var text: RespText
    /// Whether the Selected state ends with the command.
    var leavesMailbox = false

    init(_ condition: Condition, _ code: ResponseCode?, _ text: RespText) {
        self.condition = condition
        self.code = code
        self.text = text
    }

    static func ok(_ text: RespText, _ code: ResponseCode? = nil) -> Completion { Completion(.ok, code, text) }
    static func no(_ code: ResponseCode?, _ text: RespText) -> Completion { Completion(.no, code, text) }
    static func bad(_ text: RespText) -> Completion { Completion(.bad, nil, text) }

    func leavingMailbox() -> Completion {
        var copy = self
        copy.leavesMailbox = true
        return copy
    }
}

/// Runs calls into the store, so that their error becomes a command's.
func storing<Result>(_ body: () throws(StoreError) -> Result) throws(CommandFailure) -> Result {
    do { return try body() } catch { throw .store(error) }
}

/// Runs what writes to the connection, so that its end becomes the command's.
func sending(_ body: () throws(ConnectionEnd) -> Void) throws(CommandFailure) {
    do { try body() } catch { throw .connection(error) }
}
