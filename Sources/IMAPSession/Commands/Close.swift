import IMAPGrammar
import IMAPTypes
import MailStore
import Transport

extension Selected {
    /// CLOSE (RFC 9051 §6.4.1): expunges without a word, unless the mailbox is read-only.
    mutating func close() throws(CommandFailure) -> Completion {
        if !mailbox.isReadOnly {
            try refresh()
            let deleted = deletedMessages(among: view.all)
            if !deleted.isEmpty {
                let expunged = try storing { () throws(StoreError) in try mailbox.expunge(deleted) }
                account.counters.expunged += UInt64(expunged.count)
            }
        }
        return .ok("CLOSE completed").leavingMailbox()
    }

    /// DELETE of the mailbox that is selected here: it is closed first.
    consuming func deleteSelected(_ name: MailboxName, _ tag: Tag) throws(ConnectionEnd) -> SessionState {
        let completion: Completion
        do { completion = try account.delete(name) } catch { return try fail(tag, error, .after) }
        wire.note(.closed, "The mailbox was deleted")
        return try finish(tag, completion.leavingMailbox(), [])
    }
}
