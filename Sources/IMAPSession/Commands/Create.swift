import IMAPGrammar
import IMAPTypes
import MailStore

extension Authenticated {
    /// CREATE (RFC 9051 §6.3.4, RFC 6154 §3, RFC 8474 §4.1).
    ///
    /// A separator at the end tells us nothing: any mailbox can have others below it.
    func create(_ name: MailboxName, _ uses: [SpecialUse?]) throws(CommandFailure) -> Completion {
        let asked = name
        let name = try localWithoutEnd(name)
        guard !name.isInbox else { throw .inboxExists }
        var use: SpecialUse?
        for wanted in uses {
            guard let wanted else { throw .unknownSpecialUse }
            guard use == nil || use == wanted else { throw .severalSpecialUses }
            use = wanted
        }
        let id = try storing { () throws(StoreError) in try store.create(name, use: use) }
        if features.contains(.imap4rev2), let shown = naming.shown(name), asked != shown,
           asked.string != shown.string + String(store.separator) {
            // Its name is another than the client said (§6.3.9.7).
            try listSelected(name, asked: asked)
        }
        return .ok("CREATE completed", .mailboxID(id))
    }
}
