import IMAPGrammar
import IMAPTypes
import MailStore
import Transport

/// RFC 9051 §3, after login. Before login is another state machine, in another process.
enum SessionState: ~Copyable {
    case authenticated(Authenticated)
    /// Owns the open mailbox; leaving the case closes it.
    case selected(Selected)
    case logout

    var isLogout: Bool {
        switch self {
        case .logout: true
        case .authenticated: false
        case .selected: false
        }
    }

    /// The one that is selected.
    var mailbox: MailboxName? {
        switch self {
        case .selected(let state): state.mailbox.name
        case .authenticated: nil
        case .logout: nil
        }
    }

    /// The one place where a command meets a state.
    consuming func perform(_ tagged: TaggedCommand) throws(ConnectionEnd) -> SessionState {
        let tag = tagged.tag
        switch consume self {
        case .authenticated(let account):
            switch tagged.command {
            case .any(.logout): return try account.logout(tag)
            case .any(let command):
                try account.complete(tag) { () throws(CommandFailure) in try account.handle(command) }
            case .authenticated(let command):
                try account.complete(tag) { () throws(CommandFailure) in try account.handle(command) }
            case .select(let command): return try account.select(command, tag)
            case .selected: account.wire.tagged(tag, .bad("Select a mailbox first"))
            case .notAuthenticated: account.wire.tagged(tag, .bad("You are logged in already"))
            }
            return .authenticated(account)

        case .selected(let state):
            switch tagged.command {
            case .any(.logout): return try state.account.logout(tag)
            case .any(let command): return try state.perform(command, tag)
            case .authenticated(let command): return try state.perform(command, tag)
            case .select(let command): return try state.reselect(command, tag)
            case .selected(let command): return try state.perform(command, tag)
            case .notAuthenticated: state.account.wire.tagged(tag, .bad("You are logged in already"))
            }
            return .selected(state)

        case .logout:
            return .logout
        }
    }

    /// APPEND, whose message is read while it is stored.
    consuming func append(_ header: AppendHeader) throws(ConnectionEnd) -> SessionState {
        switch consume self {
        case .authenticated(let account):
            let completion: Completion
            do { completion = try account.append(header) } catch {
                if account.partsWithClient(after: error) { return .logout }
                completion = try account.outcome(of: error)
            }
            account.wire.tagged(header.tagOfCommand, completion)
            return .authenticated(account)
        case .selected(let state):
            return try state.append(header)
        case .logout:
            return .logout
        }
    }
}
