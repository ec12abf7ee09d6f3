import IMAPGrammar
import IMAPTypes
import Logging
import MailStore
import Transport

/// The Authenticated and Selected states (RFC 9051 §3.2, §3.3) of one connection.
public final class Session {
    /// May be changed until `run()`.
    public var settings = SessionSettings()
    /// Where the conversation is written down. May be set until `run()`.
    public var trace: ProtocolTrace?
    /// What it has done, when `run()` has returned.
    public private(set) var counters = SessionCounters()

    /// What it does and has done; whoever wants to look at it from outside says where it is.
    public let record: SessionRecord

    private let connection: Connection
    private let store: any MailStore
    private let user: String
    private let readAhead: [UInt8]
    private let logger: Logger

    /// - Parameters:
    ///   - readAhead: what the gate had read beyond the command that logged the client in.
    public init(
        connection: Connection, store: any MailStore, user: String, readAhead: [UInt8], record: SessionRecord = SessionRecord(),
        logger: Logger
    ) {
        self.connection = connection
        self.record = record
        self.store = store
        self.user = user
        self.readAhead = readAhead
        self.logger = logger
    }

    /// Serves the client until it logs out or its connection ends, and says goodbye where the RFC asks for it.
    @discardableResult
    public func run() -> SessionEnd {
        let wire = Wire(
            connection: connection, readAhead: readAhead, autologout: settings.autologout, record: record, trace: trace)
        let account = Authenticated(wire: wire, store: store, user: user, settings: settings, logger: logger)
        let whenSilent = connection.whenSilent
        connection.whenSilent = { [unowned wire] in
            wire.releaseBuffers()
            whenSilent?()
        }
        defer { connection.whenSilent = whenSilent }
        let end: SessionEnd
        record.begin(at: SessionRecord.now())
        account.furnish()
        do {
            try converse(account)
            end = .loggedOut
        } catch {
            sayGoodbye(error, to: wire)
            end = .connection(error)
        }
        while account.tidy() {}
        note(store.work)
        counters = account.counters
        return end
    }

    private func converse(_ account: Authenticated) throws(ConnectionEnd) {
        var state = SessionState.authenticated(account)
        var badCommands = 0
        var mailbox: MailboxName?
        while !state.isLogout {
            let event = try account.wire.next(rest: account.tidy)
            let start = SessionRecord.now()
            var name = CommandName.invalid
            switch event {
            case .command(let text):
                switch Result(catching: { () throws(CommandError) in try Parser.command(text, mode: account.wire.mode) }) {
                case .success(let command):
                    name = CommandName(command.command)
                    record.begin(name, at: start)
                    account.counters.commands += 1
                    state = try state.perform(command)
                    badCommands = 0
                case .failure(let error):
                    account.wire.refuse(error)
                    badCommands += 1
                }
            case .append(let header):
                name = .append
                record.begin(name, at: start)
                account.counters.commands += 1
                state = try state.append(header)
                badCommands = 0
            case .continuation:
                account.wire.out.continuation("Go on")
            case .rejected(let rejection):
                if case .literalTooBig(let literal) = rejection.reason,
                   !literal.isSynchronizing, literal.size > Self.longestSkipped {
                    account.sayGoodbye(.tooBig, "That literal is too long even to be thrown away")
                    return try account.wire.flushResponses()
                }
                account.wire.refuse(rejection)
                badCommands += 1
            case .incomplete, .appendEnd:
                preconditionFailure("an event of a command that is not under way")
            }
            record.end(name, from: start, to: SessionRecord.now())
            note(account.store.work)
            if state.mailbox != mailbox {
                mailbox = state.mailbox
                record.setMailbox(mailbox?.string)
            }
            if badCommands > settings.badCommands {
                account.sayGoodbye(nil, "Too many commands that make no sense")
                return try account.wire.flushResponses()
            }
            try account.wire.flushIfLarge()
        }
        try account.wire.flushResponses()
    }

    private func note(_ work: StoreWork) {
        record[.syncs] = work.syncs
        record[.cacheHits] = work.cacheHits
        record[.cacheMisses] = work.cacheMisses
    }

    /// Bytes of a literal that comes unasked for, which we rather throw away than part with the client (RFC 7888 §4).
    static let longestSkipped: UInt64 = 1 << 30

    private func sayGoodbye(_ end: ConnectionEnd, to wire: Wire) {
        switch end {
        case .closed, .failed: break
        case .timedOut: wire.bye(nil, "Logged out after a long silence")
        case .shutdown: wire.bye(.unavailable, "The server is going down")
        case .dismissed: wire.bye(.unavailable, "An administrator has ended this connection")
        case .replaced:
            wire.bye(.limit, "Too many connections for this user: this one was silent and gave way (max-connections-per-user)")
        }
        // Whoever is gone will not hear it, and whoever was cut off would take it for something else.
        if !wire.isCut { try? wire.flushResponses() }
    }
}

/// How a session ended.
public enum SessionEnd: Sendable, Equatable {
    /// By LOGOUT, or by us: the client has been told why.
    case loggedOut
    case connection(ConnectionEnd)

    /// For a line of the log.
    public var reason: String {
        switch self {
        case .loggedOut: "logged out"
        case .connection(let end): end.reason
        }
    }
}
