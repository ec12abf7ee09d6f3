import IMAPGrammar
import IMAPTypes
import MailStore

extension Selected {
    /// EXPUNGE and UID EXPUNGE (RFC 9051 §6.4.3, §6.4.9): messages that are \Deleted, of the second only those in `set`.
    mutating func expunge(_ set: SequenceSet?) throws(CommandFailure) -> Completion {
        guard !mailbox.isReadOnly else { throw .readOnlyMailbox }
        let deleted = deletedMessages(among: set.map { view.selection(uids: $0, saved: saved) } ?? view.all)
        let text: RespText = set == nil ? "EXPUNGE completed" : "UID EXPUNGE completed"
        guard !deleted.isEmpty else { return .ok(text) }
        let expunged = try storing { () throws(StoreError) in try mailbox.expunge(deleted) }
        account.counters.expunged += UInt64(expunged.count)
        noteExpunged(expunged)
        guard features.contains(.qresync) else { return .ok(text) }
        // RFC 7162 §3.2.7. The mod-sequence is of what this command tells, and no later.
        try refresh()
        return .ok(text, .highestModSeq(mailbox.highestModSequence))
    }

    func deletedMessages(among selection: MessageSelection) -> [UID] {
        var result: [UID] = []
        for index in selection {
            let uid = view.uid(at: index)
            guard let metadata = mailbox.metadata(uid), metadata.flags.contains(.deleted), !metadata.isExpunged else { continue }
            result.append(uid)
        }
        return result
    }
}
