import IMAPGrammar
import IMAPTypes
import MailStore
import Transport

extension Selected {
    /// STORE and UID STORE (RFC 9051 §6.4.6, RFC 7162 §3.1.3).
    mutating func store(_ command: StoreCommand) throws(CommandFailure) -> Completion {
        guard !mailbox.isReadOnly else { throw .readOnlyMailbox }
        let asked = view.uids(try selection(command.set, byUID: command.byUID))
        noteUse(ofModSequences: command.unchangedSince != nil)
        // RFC 2180 §4.2: what others expunged is left alone.
        let uids = asked.filter { !isGone($0) }
        if uids.isEmpty, !asked.isEmpty, !command.silent { throw .expunged }

        let change = FlagChange(command.action, command.flags)
        let result = try storing { () throws(StoreError) in
            try mailbox.store(uids, change, unchangedSince: command.unchangedSince)
        }
        try tell(result, of: command)
        if !result.modified.isEmpty {
            let code = ResponseCode.modified(numbers(result.modified, byUID: command.byUID))
            return uids.count < asked.count ? .no(code, "Some of the messages have been expunged")
                : .ok("Some of the messages were changed by others", code)
        }
        // Who wants no answer about the messages gets none about those that are gone either.
        if uids.count < asked.count, !command.silent { throw .expunged }
        return .ok(command.byUID ? "UID STORE completed" : "STORE completed")
    }

    /// FETCH of what was changed, and of what was not because others had changed it.
    private mutating func tell(_ result: StoreResult, of command: StoreCommand) throws(CommandFailure) {
        // Mod-sequences are told even to who wants no answer.
        let tellsStored = !command.silent || features.contains(.condstore)
        guard tellsStored || !result.modified.isEmpty else { return }
        tellKeywords()
        let modified = UIDSet(result.modified)
        var told = modified
        if tellsStored { told.formUnion(UIDSet(result.stored)) }
        for index in view.selection(told) {
            let wasModified = modified.contains(view.uid(at: index))
            tellMessage(at: index, flags: !command.silent || wasModified)
            try sending { () throws(ConnectionEnd) in try wire.flushIfLarge() }
        }
        news.flagged.subtract(command.silent ? modified : told)
    }

    /// The messages that a command is about.
    func selection(_ set: SequenceSet, byUID: Bool) throws(CommandFailure) -> MessageSelection {
        if byUID { return view.selection(uids: set, saved: saved) }
        guard let selection = view.selection(numbers: set, saved: saved) else { throw .noSuchMessage }
        return selection
    }
}

extension FlagChange {
    init(_ action: StoreCommand.Action, _ flags: FlagSet) {
        switch action {
        case .replace: self.init(Action.replace, flags)
        case .add: self.init(Action.add, flags)
        case .remove: self.init(Action.remove, flags)
        }
    }
}
