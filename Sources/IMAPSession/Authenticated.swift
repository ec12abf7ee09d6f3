import IMAPGrammar
import IMAPTypes
import Logging
import MailStore
import Transport

/// The Authenticated state (RFC 9051 §3.2), and what stays when a mailbox is selected: the client's connection, its mail,
/// and what it has enabled.
final class Authenticated {
    let wire: Wire
    let store: any MailStore
    let user: String
    let settings: SessionSettings
    let naming: PersonalNamespace
    let logger: Logger
    var counters = SessionCounters()

    var features: Features = [] {
        didSet { wire.mode = features.wireMode }
    }

    init(wire: Wire, store: any MailStore, user: String, settings: SessionSettings, logger: Logger) {
        self.wire = wire
        self.store = store
        self.user = user
        self.settings = settings
        naming = PersonalNamespace(prefix: settings.namespacePrefix, separator: store.separator)
        self.logger = logger
    }

    func handle(_ command: AnyStateCommand) throws(CommandFailure) -> Completion {
        switch command {
        case .capability: capability()
        case .noop: .ok("NOOP completed")
        case .id(let fields): id(fields)
        // It changes the state, so the state machine performs it.
        case .logout: preconditionFailure("LOGOUT is no command of one state")
        }
    }

    /// - Parameter held: what the session that asks has taken out of the count of STATUS.
    func handle(_ command: AuthenticatedCommand, held: HeldRecent? = nil) throws(CommandFailure) -> Completion {
        switch command {
        case .enable(let names): enable(names)
        case .create(let name, let use): try create(name, use)
        case .delete(let name): try delete(name)
        case .rename(let name, let newName): try rename(name, to: newName)
        case .subscribe(let name): try subscribe(name)
        case .unsubscribe(let name): try unsubscribe(name)
        case .list(let command): try list(command, held)
        case .lsub(let reference, let pattern): try lsub(reference, pattern)
        case .namespace: namespace()
        case .status(let name, let items): try status(name, items, held)
        case .idle: try idle()
        }
    }

    /// LOGOUT (RFC 9051 §6.1.3).
    func logout(_ tag: Tag) throws(ConnectionEnd) -> SessionState {
        wire.bye(nil, "Logging out")
        wire.tagged(tag, .ok("LOGOUT completed"))
        return .logout
    }

    /// For a session that ends without being asked to.
    func sayGoodbye(_ code: ResponseCode?, _ text: RespText) {
        logger.info("session given up", metadata: ["reason": "\(String(decoding: text.bytes, as: UTF8.self))"])
        wire.bye(code, text)
    }

    // MARK: - How commands end

    func complete(_ tag: Tag, _ body: () throws(CommandFailure) -> Completion) throws(ConnectionEnd) {
        wire.tagged(tag, try outcome(body))
    }

    /// What a command ends with, whether or not it did what it was asked. Only the end of the connection is passed on.
    func outcome(_ body: () throws(CommandFailure) -> Completion) throws(ConnectionEnd) -> Completion {
        do { return try body() } catch { return try outcome(of: error) }
    }

    func outcome(of failure: CommandFailure) throws(ConnectionEnd) -> Completion {
        switch failure {
        case .connection(let end): throw end
        case .store(let error), .storeTarget(let error): note(error)
        default: break
        }
        return failure.completion
    }

    /// Ends the session if it cannot go on after such a failure. Returns whether it does.
    func partsWithClient(after failure: CommandFailure) -> Bool {
        guard let (code, text) = failure.farewell else { return false }
        sayGoodbye(code, text)
        return true
    }

    /// Logs what went wrong, where the system is to blame.
    func note(_ error: StoreError) {
        if let trouble = error.trouble { logger.error("store failed", metadata: ["user": "\(user)", "reason": "\(trouble)"]) }
    }

    // MARK: - Names

    /// The client's name as the store knows it.
    func local(_ name: MailboxName) throws(CommandFailure) -> MailboxName {
        guard let local = naming.local(name) else { throw .noMailboxName }
        return local
    }

    /// The same without the separator that may end a name in CREATE (RFC 9051 §6.3.4), and that some clients append
    /// elsewhere.
    func localWithoutEnd(_ name: MailboxName) throws(CommandFailure) -> MailboxName {
        guard name.string.last == store.separator else { return try local(name) }
        return try local(MailboxName(String(name.string.dropLast())) ?? name)
    }

    /// Whether the client's `name` is now that of the mailbox with this id, which may have been renamed since it was opened.
    func names(_ name: MailboxName, _ id: ObjectID) -> Bool {
        guard let local = try? localWithoutEnd(name) else { return false }
        return (try? store.status(local, wantsSize: false))?.id == id
    }

    // MARK: - The first login

    /// Gives an account that has nothing but INBOX the mailboxes that it is to begin with.
    func furnish() {
        guard !settings.specialMailboxes.isEmpty else { return }
        do throws(StoreError) {
            guard try store.mailboxes().count <= 1, try store.subscriptions().isEmpty else { return }
        } catch { return note(error) }
        for mailbox in settings.specialMailboxes {
            do throws(StoreError) {
                try store.create(mailbox.name, use: mailbox.use)
                try store.subscribe(mailbox.name)
            } catch {
                // Another session may have been faster; whatever else it is, the account works without.
                note(error)
            }
        }
    }

    // MARK: - Work that can wait

    /// Returns whether there is more to do.
    func tidy() -> Bool {
        do { return try store.tidy() } catch {
            note(error)
            return false
        }
    }
}
