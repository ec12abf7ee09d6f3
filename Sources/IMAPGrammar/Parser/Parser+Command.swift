import IMAPTypes

/// What may be said before login (RFC 9051 §3.1).
public enum PreAuthCommand: Hashable, Sendable {
    case any(AnyStateCommand)
    case notAuthenticated(NotAuthenticatedCommand)
}

private enum PreAuthName: String, CaseIterable {
    case capability = "CAPABILITY", noop = "NOOP", logout = "LOGOUT", id = "ID"
    case startTLS = "STARTTLS", authenticate = "AUTHENTICATE", login = "LOGIN"
}

/// The names of the commands that need login.
private enum PostAuthName: String, CaseIterable {
    case append = "APPEND", create = "CREATE", delete = "DELETE", enable = "ENABLE", idle = "IDLE", list = "LIST", lsub = "LSUB"
    case namespace = "NAMESPACE", rename = "RENAME", status = "STATUS", subscribe = "SUBSCRIBE", unsubscribe = "UNSUBSCRIBE"
    case select = "SELECT", examine = "EXAMINE"
    case check = "CHECK", close = "CLOSE", copy = "COPY", expunge = "EXPUNGE", fetch = "FETCH", move = "MOVE", search = "SEARCH"
    case sort = "SORT", store = "STORE", thread = "THREAD", uid = "UID", unselect = "UNSELECT"
}

private enum Name {
    case preAuth(PreAuthName), postAuth(PostAuthName)

    private static let preAuthNames = Vocabulary(PreAuthName.self)
    private static let postAuthNames = Vocabulary(PostAuthName.self)

    init?(_ word: Word?) {
        if let name = Self.postAuthNames[word] {
            self = .postAuth(name)
        } else if let name = Self.preAuthNames[word] {
            self = .preAuth(name)
        } else {
            return nil
        }
    }
}

extension Parser {

    /// Reads a command as `CommandReader` found it.
    ///
    /// command         = tag SP (command-any / command-auth /
    ///                   command-nonauth / command-select) CRLF
    public static func command(_ text: [UInt8], mode: WireMode) throws(CommandError) -> TaggedCommand {
        var parser = Parser(text, mode: mode)
        let (tag, word) = try parser.tagAndName()
        guard let name = Name(word) else { throw .unknownCommand(tag) }
        do {
            let command = try parser.arguments(of: name)
            try parser.end()
            return TaggedCommand(tag: tag, command: command)
        } catch {
            throw .badArguments(tag, error)
        }
    }

    /// Reads a command of a client that has not logged in. Of a command that needs login no more than the name is read.
    public static func preAuthCommand(_ text: [UInt8]) throws(CommandError) -> (tag: Tag, command: PreAuthCommand) {
        var parser = Parser(text, mode: [])
        let (tag, word) = try parser.tagAndName()
        guard let name = Name(word) else { throw .unknownCommand(tag) }
        guard case .preAuth(let name) = name else { throw .needsLogin(tag) }
        do {
            let command = try parser.arguments(of: name)
            try parser.end()
            return (tag, command)
        } catch {
            throw .badArguments(tag, error)
        }
    }

    private mutating func tagAndName() throws(CommandError) -> (Tag, Word?) {
        let tag: Tag
        do { tag = try self.tag() } catch { throw .noTag(error) }
        do { try sp() } catch { throw .badArguments(tag, error) }
        return (tag, word())
    }

    /// tag             = 1*<any ASTRING-CHAR except "+">
    mutating func tag() throws(SyntaxError) -> Tag {
        guard let tag = Tag(take(while: \.isTagCharacter)) else { throw failure("tag") }
        return tag
    }

    private mutating func arguments(of name: Name) throws(SyntaxError) -> Command {
        switch name {
        case .preAuth(let name):
            switch try arguments(of: name) {
            case .any(let command): .any(command)
            case .notAuthenticated(let command): .notAuthenticated(command)
            }
        case .postAuth(let name): try arguments(of: name)
        }
    }

    private mutating func arguments(of name: PreAuthName) throws(SyntaxError) -> PreAuthCommand {
        switch name {
        case .capability: .any(.capability)
        case .noop: .any(.noop)
        case .logout: .any(.logout)
        case .id: .any(try id())
        case .startTLS: .notAuthenticated(.startTLS)
        case .authenticate: .notAuthenticated(try authenticate())
        case .login: .notAuthenticated(try login())
        }
    }

    private mutating func arguments(of name: PostAuthName) throws(SyntaxError) -> Command {
        switch name {
        // A whole APPEND never comes here: `CommandReader` streams it. This one has no message.
        case .append: throw failure("literal")
        case .create: .authenticated(try create())
        case .delete: .authenticated(.delete(try mailboxArgument()))
        case .enable: .authenticated(try enable())
        case .idle: .authenticated(.idle)
        case .list: .authenticated(.list(try list()))
        case .lsub: .authenticated(try lsub())
        case .namespace: .authenticated(.namespace)
        case .rename: .authenticated(try rename())
        case .status: .authenticated(try status())
        case .subscribe: .authenticated(.subscribe(try mailboxArgument()))
        case .unsubscribe: .authenticated(.unsubscribe(try mailboxArgument()))
        case .select: .select(try select(readOnly: false))
        case .examine: .select(try select(readOnly: true))
        case .check: .selected(.check)
        case .close: .selected(.close)
        case .unselect: .selected(.unselect)
        case .expunge: .selected(.expunge)
        case .uid: .selected(try uid())
        case .copy: .selected(try copy(byUID: false))
        case .move: .selected(try move(byUID: false))
        case .fetch: .selected(.fetch(try fetch(byUID: false)))
        case .search: .selected(.search(try search(byUID: false)))
        case .sort: .selected(.sort(try sort(byUID: false)))
        case .store: .selected(.store(try store(byUID: false)))
        case .thread: .selected(.thread(try thread(byUID: false)))
        }
    }

    /// uid             = "UID" SP
    ///                   (copy / move / fetch / search / store /
    ///                    uid-expunge)
    ///
    /// uid-expunge     = "EXPUNGE" SP sequence-set
    private mutating func uid() throws(SyntaxError) -> SelectedCommand {
        try sp()
        let start = at
        switch Name(word()) {
        case .postAuth(.copy): return try copy(byUID: true)
        case .postAuth(.move): return try move(byUID: true)
        case .postAuth(.fetch): return .fetch(try fetch(byUID: true))
        case .postAuth(.search): return .search(try search(byUID: true))
        case .postAuth(.sort): return .sort(try sort(byUID: true))
        case .postAuth(.store): return .store(try store(byUID: true))
        case .postAuth(.thread): return .thread(try thread(byUID: true))
        case .postAuth(.expunge):
            try sp()
            return .uidExpunge(try sequenceSet())
        default:
            at = start
            throw failure("uid")
        }
    }

    /// copy            = "COPY" SP sequence-set SP mailbox
    private mutating func copy(byUID: Bool) throws(SyntaxError) -> SelectedCommand {
        try sp()
        let set = try sequenceSet()
        return .copy(set, byUID: byUID, to: try mailboxArgument())
    }

    /// move            = "MOVE" SP sequence-set SP mailbox
    private mutating func move(byUID: Bool) throws(SyntaxError) -> SelectedCommand {
        try sp()
        let set = try sequenceSet()
        return .move(set, byUID: byUID, to: try mailboxArgument())
    }
}
