import IMAPGrammar
import IMAPTypes
import MailStore

extension Authenticated {
    /// DELETE (RFC 9051 §6.3.5).
    func delete(_ name: MailboxName) throws(CommandFailure) -> Completion {
        let name = try localWithoutEnd(name)
        try storing { () throws(StoreError) in try store.delete(name) }
        return .ok("DELETE completed")
    }
}
