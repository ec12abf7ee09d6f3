import IMAPGrammar
import IMAPTypes
import MailStore

extension Authenticated {
    /// SUBSCRIBE (RFC 9051 §6.3.7). The mailbox need not exist: clients subscribe what they are about to create.
    func subscribe(_ name: MailboxName) throws(CommandFailure) -> Completion {
        let name = try localWithoutEnd(name)
        try storing { () throws(StoreError) in try store.subscribe(name) }
        return .ok("SUBSCRIBE completed")
    }

    /// UNSUBSCRIBE (RFC 9051 §6.3.8).
    func unsubscribe(_ name: MailboxName) throws(CommandFailure) -> Completion {
        let name = try localWithoutEnd(name)
        try storing { () throws(StoreError) in try store.unsubscribe(name) }
        return .ok("UNSUBSCRIBE completed")
    }
}
