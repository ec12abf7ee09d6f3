import IMAPGrammar
import IMAPTypes
import MailStore

extension Authenticated {
    /// RENAME (RFC 9051 §6.3.6). Subscriptions stay as they are: they belong to names.
    func rename(_ name: MailboxName, to newName: MailboxName) throws(CommandFailure) -> Completion {
        let name = try localWithoutEnd(name), newName = try localWithoutEnd(newName)
        try storing { () throws(StoreError) in try store.rename(name, to: newName) }
        return .ok("RENAME completed")
    }
}
