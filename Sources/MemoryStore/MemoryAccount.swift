import Glibc
import IMAPTypes
import MailStore
import Synchronization

/// One user's mailboxes in memory, shared by that user's sessions.
public final class MemoryAccount: Sendable {
    public let separator: Character
    private let state: Mutex<State>

    struct State: Sendable {
        var mailboxes: [MailboxName: MemoryMailbox] = [:]
        var subscriptions: Set<MailboxName> = []
        var nextUIDValidity: UInt32
    }

    /// An account with an empty INBOX.
    public init(separator: Character = "/") {
        self.separator = separator
        // The mailboxes of the next process must not look like those of this one.
        state = Mutex(State(nextUIDValidity: UInt32(clamping: max(1, time(nil)))))
        state.withLock { state in _ = state.add(.inbox, use: nil) }
    }

    /// A session's access to the account.
    public func openStore() -> any MailStore { MemoryStore(account: self) }

    func withLock<Result: Sendable, Failure: Error>(
        _ body: (inout State) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try state.withLock { (state: inout State) throws(Failure) -> Result in try body(&state) }
    }

    func mailbox(_ name: MailboxName) throws(StoreError) -> MemoryMailbox {
        let found = withLock { state in state.mailboxes[name] }
        guard let found else { throw .noSuchMailbox(name) }
        return found
    }
}

extension MemoryAccount.State {
    mutating func add(_ name: MailboxName, use: SpecialUse?) -> MemoryMailbox {
        let mailbox = MemoryMailbox(uidValidity: UIDValidity(nextUIDValidity)!, use: use)
        nextUIDValidity = nextUIDValidity == UInt32.max ? 1 : nextUIDValidity + 1
        mailboxes[name] = mailbox
        return mailbox
    }
}
