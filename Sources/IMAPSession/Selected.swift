import IMAPGrammar
import IMAPTypes
import MailStore
import Transport

/// The Selected state (RFC 9051 §3.3): an open mailbox, and what its client knows of it.
struct Selected: ~Copyable {
    let account: Authenticated
    let mailbox: any OpenMailbox
    var view: MessageView
    /// Messages that this session was the first to be told of (RFC 3501 §2.3.2).
    var recent = UIDSet()
    /// What "$" stands for (RFC 9051 §6.4.4.1). Messages that are gone from the view do not count.
    var saved = UIDSet()
    /// What the client has not been told yet.
    var news = News()

    struct News {
        /// The first message that the client has not been told of.
        var firstAdded: UID?
        /// Ascending; still in the view.
        var expunged: [UID] = []
        /// While others have expunged some of these: the mod-sequence up to which the client has been told everything.
        var toldUpTo: ModSequence?
        /// Whether the client was last told that one instead of the mailbox's.
        var isHeldBack = false
        var flagged = UIDSet()
        /// Keywords of the mailbox that the client has been told of.
        var keywordsTold = 0
    }

    /// When a command looks for what others did, and what it may tell of it.
    ///
    /// A command that shows messages looks before, so that it shows them as they are; one that changes the mailbox looks
    /// after, so that it tells of its own effect.
    struct Timing: OptionSet {
        let rawValue: UInt8
        static let before = Timing(rawValue: 1)
        static let after = Timing(rawValue: 2)
        /// §7.5.1: no EXPUNGE during FETCH, STORE or SEARCH, or the client's sequence numbers drift.
        static let withoutExpunge = Timing(rawValue: 4)
        /// FETCH of what others changed comes after the command has done its part, so that it tells the flags as they are in
        /// the end: a silent STORE says nothing else, and a client cannot know which came first (RFC 9051 §6.4.6).
        static let flagsInTheEnd = Timing(rawValue: 8)
    }

    var features: Features { account.features }
    var wire: Wire { account.wire }

    // MARK: - Commands

    consuming func perform(_ command: AnyStateCommand, _ tag: Tag) throws(ConnectionEnd) -> SessionState {
        let completion = try account.outcome { () throws(CommandFailure) in try account.handle(command) }
        return try finish(tag, completion, .after)
    }

    consuming func perform(_ command: AuthenticatedCommand, _ tag: Tag) throws(ConnectionEnd) -> SessionState {
        switch command {
        case .idle:
            let completion: Completion
            do { completion = try idle() } catch { return try fail(tag, error, .after) }
            return try finish(tag, completion, .after)
        case .delete(let name) where account.names(name, mailbox.id):
            return try deleteSelected(name, tag)
        case .enable, .create, .delete, .rename, .subscribe, .unsubscribe, .list, .lsub, .namespace, .status:
            let knewModSequences = features.contains(.condstore)
            let held = HeldRecent(self)
            let completion = try account.outcome { () throws(CommandFailure) in try account.handle(command, held: held) }
            if !knewModSequences, features.contains(.condstore) { noteHighestModSequence() }
            return try finish(tag, completion, .after)
        }
    }

    consuming func perform(_ command: SelectedCommand, _ tag: Tag) throws(ConnectionEnd) -> SessionState {
        let timing = Self.timing(of: command)
        let completion: Completion
        // What was read of messages, whatever became of the command.
        let mailbox = mailbox
        defer { mailbox.saveKept() }
        do throws(CommandFailure) {
            if timing.contains(.before) {
                try refresh()
                try tell(timing)
            }
            completion = try handle(command, tag)
        } catch { return try fail(tag, error, timing) }
        return try finish(tag, completion, timing)
    }

    private static func timing(of command: SelectedCommand) -> Timing {
        switch command {
        case .check: .after
        case .close, .unselect: []
        case .expunge, .uidExpunge: .before
        case .search(let command): timing(of: command)
        // RFC 5256 §3: as SEARCH.
        case .sort(let command): timing(of: command.search)
        case .thread(let command): timing(of: command.search)
        case .fetch(let command): command.byUID ? .before : [.before, .withoutExpunge]
        case .store(let command): command.byUID ? [.before, .flagsInTheEnd] : [.before, .flagsInTheEnd, .withoutExpunge]
        // They look before too, and tell only after (RFC 2180 §4.4).
        case .copy, .move: .after
        }
    }

    /// Sequence numbers within UID SEARCH mean what they meant before it (RFC 9051 §5.5, RFC 7162 §3.2.10.2).
    private static func timing(of command: SearchCommand) -> Timing {
        command.byUID && !command.key.usesSequenceNumbers ? .before : [.before, .withoutExpunge]
    }

    private mutating func handle(_ command: SelectedCommand, _ tag: Tag) throws(CommandFailure) -> Completion {
        switch command {
        case .check: .ok("CHECK completed")
        case .close: try close()
        case .unselect: .ok("UNSELECT completed").leavingMailbox()
        case .expunge: try expunge(nil)
        case .uidExpunge(let set): try expunge(set)
        case .search(let command): try search(command, tag)
        case .sort(let command): try sort(command)
        case .thread(let command): try thread(command)
        case .fetch(let command): try fetch(command)
        case .store(let command): try store(command)
        case .copy(let set, let byUID, let name): try copy(set, byUID: byUID, to: name)
        case .move(let set, let byUID, let name): try move(set, byUID: byUID, to: name)
        }
    }

    // MARK: - How commands end

    /// Tells what is to be told and completes the command.
    consuming func finish(_ tag: Tag, _ completion: Completion, _ timing: Timing) throws(ConnectionEnd) -> SessionState {
        let account = account
        if completion.leavesMailbox {
            account.wire.tagged(tag, completion)
            return .authenticated(account)
        }
        do throws(CommandFailure) {
            // Who is told mod-sequences of its own changes and goes by them must not miss what others did just before.
            if timing.contains(.after) || timing.contains(.before) && features.contains(.qresync) { try refresh() }
            try tell(timing.subtracting(.flagsInTheEnd))
            tellWhatIsHeldBack()
        } catch { return try fail(tag, error, []) }
        account.wire.tagged(tag, completion)
        return .selected(self)
    }

    /// Completes a command that failed.
    consuming func fail(_ tag: Tag, _ failure: CommandFailure, _ timing: Timing) throws(ConnectionEnd) -> SessionState {
        if account.partsWithClient(after: failure) { return .logout }
        return try finish(tag, try account.outcome(of: failure), timing)
    }
}
