import IMAPGrammar

/// What commands are counted by: the names of RFC 9051 §6, of its extensions after login, and of whatever is none of them.
///
/// A UID command counts as the one that it is a form of.
///
/// New ones come last: sessions and listener may be of two versions of the program, and count by these numbers.
public enum CommandName: UInt8, CaseIterable, Sendable {
    case capability, noop, logout, id
    case enable, select, examine, create, delete, rename, subscribe, unsubscribe, list, lsub, namespace, status, append, idle
    case check, close, unselect, expunge, search, sort, thread, fetch, store, copy, move
    /// What cannot be understood, or is not allowed after login.
    case invalid

    /// As it is written, but for `invalid`.
    public var name: String { "\(self)".uppercased() }

    init(_ command: Command) {
        self =
            switch command {
            case .any(.capability): .capability
            case .any(.noop): .noop
            case .any(.logout): .logout
            case .any(.id): .id
            case .notAuthenticated: .invalid
            case .authenticated(let command): Self(command)
            case .select(let command): command.readOnly ? .examine : .select
            case .selected(let command): Self(command)
            }
    }

    private init(_ command: AuthenticatedCommand) {
        self =
            switch command {
            case .enable: .enable
            case .create: .create
            case .delete: .delete
            case .rename: .rename
            case .subscribe: .subscribe
            case .unsubscribe: .unsubscribe
            case .list: .list
            case .lsub: .lsub
            case .namespace: .namespace
            case .status: .status
            case .idle: .idle
            }
    }

    private init(_ command: SelectedCommand) {
        self =
            switch command {
            case .check: .check
            case .close: .close
            case .unselect: .unselect
            case .expunge, .uidExpunge: .expunge
            case .search: .search
            case .sort: .sort
            case .thread: .thread
            case .fetch: .fetch
            case .store: .store
            case .copy: .copy
            case .move: .move
            }
    }
}
