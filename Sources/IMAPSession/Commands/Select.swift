import IMAPGrammar
import IMAPTypes
import MailStore
import Transport

extension Authenticated {
    /// SELECT and EXAMINE (RFC 9051 §6.3.2, §6.3.3).
    func select(_ command: SelectCommand, _ tag: Tag) throws(ConnectionEnd) -> SessionState {
        let state: Selected
        do { state = try open(command) } catch {
            wire.tagged(tag, try outcome(of: error))
            return .authenticated(self)
        }
        let messages = state.view.count, access = state.mailbox.isReadOnly ? "read-only" : "read-write"
        logger.debug("select", metadata: [
            "mailbox": "\(command.mailbox.string)", "messages": "\(messages)", "access": "\(access)",
        ])
        wire.tagged(tag, .ok(command.readOnly ? "EXAMINE completed" : "SELECT completed",
                             state.mailbox.isReadOnly ? .readOnly : .readWrite))
        return .selected(state)
    }

    private func open(_ command: SelectCommand) throws(CommandFailure) -> Selected {
        if command.qresync != nil, !features.contains(.qresync) { throw .qresyncNotEnabled }
        let name = try local(command.mailbox)
        let mailbox = try storing { () throws(StoreError) in try store.open(name, readOnly: command.readOnly) }
        noteUse(ofModSequences: command.condstore)
        var state = Selected(account: self, mailbox: mailbox, view: MessageView(mailbox.uids))
        state.claimRecent()
        try state.introduce(asked: command.mailbox)
        if let qresync = command.qresync { try state.resynchronize(qresync) }
        return state
    }
}

extension Selected {
    /// SELECT with a mailbox selected: that one is closed first, and stays so if the new one cannot be opened.
    consuming func reselect(_ command: SelectCommand, _ tag: Tag) throws(ConnectionEnd) -> SessionState {
        let account = account
        _ = consume self
        account.wire.note(.closed, "The previous mailbox is closed")
        return try account.select(command, tag)
    }

    /// The untagged responses of SELECT. `asked` is the client's name for the mailbox.
    mutating func introduce(asked: MailboxName) throws(CommandFailure) {
        news.keywordsTold = mailbox.keywords.count
        wire.flags(of: mailbox)
        wire.out.exists(view.count)
        tellRecent()
        if !features.contains(.imap4rev2), let unseen = firstUnseen() {
            wire.note(.unseen(unseen), "The first unseen message")
        }
        wire.note(.uidValidity(mailbox.uidValidity), "UIDs are valid")
        wire.note(.uidNext(mailbox.uidNext), "The next UID")
        wire.note(.highestModSeq(mailbox.highestModSequence), "The highest mod-sequence")
        wire.note(.mailboxID(mailbox.id), "The mailbox for ever")
        if features.contains(.imap4rev2) { try account.listSelected(mailbox.name, asked: asked) }
    }

    private func firstUnseen() -> SequenceNumber? {
        var isUnseen = MetadataTest()
        _ = isUnseen.require(.seen, isSet: false)
        return mailbox.uids(isUnseen, atMost: 1).first.flatMap { view.number(of: $0) }
    }
}
