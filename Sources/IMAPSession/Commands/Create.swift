import IMAPGrammar
import IMAPTypes
import MailStore

extension Authenticated {
    /// CREATE (RFC 9051 §6.3.4, RFC 6154 §3, RFC 8474 §4.1).
    ///
    /// A separator at the end tells us nothing: any mailbox can have others below it.
    func create(_ name: MailboxName, _ uses: [SpecialUse?]) throws(CommandFailure) -> Completion {
        let name = localWithoutEnd(name)
        guard !name.isInbox else { throw .inboxExists }
        var use: SpecialUse?
        for wanted in uses {
            guard let wanted else { throw .unknownSpecialUse }
            guard use == nil || use == wanted else { throw .severalSpecialUses }
            use = wanted
        }
        let id = try storing { () throws(StoreError) in try store.create(name, use: use) }
        return .ok("CREATE completed", .mailboxID(id))
    }
}
