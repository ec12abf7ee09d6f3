import IMAPGrammar
import IMAPTypes
import MailStore
import Transport

extension Selected {
    /// FETCH and UID FETCH (RFC 9051 §6.4.5), in ascending order: clients count on it.
    mutating func fetch(_ command: FetchCommand) throws(CommandFailure) -> Completion {
        if command.vanished, !command.byUID || command.changedSince == nil { throw .vanishedWithoutChangedSince }
        if command.vanished, !features.contains(.qresync) { throw .qresyncNotEnabled }
        var attributes = command.attributes
        if command.changedSince != nil { attributes.append(.modSeq) }
        noteUse(ofModSequences: attributes.contains(.modSeq))
        var selection = try selection(command.set, byUID: command.byUID)
        if let since = command.changedSince {
            selection = view.selection(of: mailbox.uids(MetadataTest(above: since), atMost: .max), within: selection)
        }
        if command.vanished, let since = command.changedSince {
            try tellVanished(since: since, among: view.known(command.set, saved: saved))
        }
        return try fetch(selection, command, FetchProgram(attributes))
    }

    private mutating func fetch(
        _ selection: MessageSelection, _ command: FetchCommand, _ program: FetchProgram
    ) throws(CommandFailure) -> Completion {
        let fetcher = MessageFetcher(program, mailbox: mailbox, sink: wire)
        let setsSeen = program.setsSeen && !mailbox.isReadOnly
        let extra: [FetchAttribute] = command.byUID ? [.uid] : []
        let extraWhenSeen: [FetchAttribute] = features.contains(.condstore) ? [.uid, .flags, .modSeq] : extra + [.flags]
        var failure: CommandFailure?
        // \Seen is set shortly before a message is sent: a client that goes away has not "seen" all that it asked for.
        var newlySeen = UIDSet()
        var ahead = selection.makeIterator()
        var marked = 0
        var sent: UInt64 = 0
        defer {
            account.counters.fetched += sent
            if program.sendsText { account.counters.bodies += sent }
        }
        let showsRecent = !features.contains(.imap4rev2) && !recent.isEmpty
        if selection.count >= ReadAhead.fewest { fetcher.begin(view.uids(selection), readers: account.settings.readers) }
        defer { fetcher.end() }
        for (position, index) in selection.enumerated() {
            fetcher.reach(position)
            if position & 0xFF == 0xFF { try sending { () throws(ConnectionEnd) in try wire.heedShutdown() } }
            let uid = view.uid(at: index)
            if setsSeen {
                if marked == 0 {
                    var batch: [UID] = []
                    while batch.count < Self.seenAtOnce, let next = ahead.next() { batch.append(view.uid(at: next)) }
                    newlySeen = try setSeen(batch)
                    marked = batch.count
                }
                marked -= 1
            }
            do {
                switch try fetcher.fetch(uid, number: view.number(at: index), isRecent: showsRecent && recent.contains(uid),
                                         adding: setsSeen && newlySeen.contains(uid) ? extraWhenSeen : extra) {
                case .sent: sent += 1
                case .gone: failure = .expunged
                case .unknownEncoding: failure = failure ?? .unknownEncoding
                }
            } catch { throw CommandFailure(error) }
        }
        if !news.flagged.isEmpty, program.attributes.contains(.flags), command.changedSince == nil {
            news.flagged.subtract(UIDSet(view.uids(selection)))
        }
        if let failure { throw failure }
        return .ok(command.byUID ? "UID FETCH completed" : "FETCH completed")
    }

    /// Messages that are marked as \Seen with one change of the mailbox.
    private static let seenAtOnce = 32

    /// Returns those that were not \Seen.
    private func setSeen(_ uids: [UID]) throws(CommandFailure) -> UIDSet {
        let unseen = uids.filter { uid in mailbox.metadata(uid).map { !$0.flags.contains(.seen) && !$0.isExpunged } ?? false }
        guard !unseen.isEmpty else { return UIDSet() }
        return UIDSet(try storing { () throws(StoreError) in
            try mailbox.store(unseen, FlagChange(FlagChange.Action.add, FlagSet(system: .seen)), unchangedSince: nil).stored
        })
    }
}

extension CommandFailure {
    init(_ failure: ContentFailure) {
        switch failure {
        case .store(let error): self = .store(error)
        case .connection(let end): self = .connection(end)
        }
    }
}
