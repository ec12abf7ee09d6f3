import IMAPGrammar
import IMAPTypes
import MailStore

extension Selected {
    /// COPY and UID COPY (RFC 9051 §6.4.7).
    mutating func copy(_ set: SequenceSet, byUID: Bool, to name: MailboxName) throws(CommandFailure) -> Completion {
        let uids = try messagesToCopy(set, byUID: byUID)
        let name = try account.local(name)
        let text: RespText = byUID ? "UID COPY completed" : "COPY completed"
        let result: CopyResult
        do { result = try mailbox.copy(uids, to: name) } catch { throw .storeTarget(error) }
        account.counters.copied += UInt64(result.source.count)
        // RFC 4315 §3: nothing copied, no COPYUID.
        guard !result.source.isEmpty else { return .ok(text) }
        return .ok(text, .copyUID(result.uidValidity, source: result.source, destination: result.destination))
    }

    /// MOVE and UID MOVE (RFC 9051 §6.4.8). COPYUID comes before the EXPUNGE that it explains (RFC 6851 §4.3).
    mutating func move(_ set: SequenceSet, byUID: Bool, to name: MailboxName) throws(CommandFailure) -> Completion {
        guard !mailbox.isReadOnly else { throw .readOnlyMailbox }
        let uids = try messagesToCopy(set, byUID: byUID)
        let name = try account.local(name)
        let result: CopyResult
        do { result = try mailbox.move(uids, to: name) } catch { throw .storeTarget(error) }
        account.counters.moved += UInt64(result.source.count)
        if !result.source.isEmpty {
            wire.note(.copyUID(result.uidValidity, source: result.source, destination: result.destination), "Moved")
            noteExpunged(result.source)
        }
        let text: RespText = byUID ? "UID MOVE completed" : "MOVE completed"
        guard !result.source.isEmpty, features.contains(.condstore) else { return .ok(text) }
        // RFC 6851 §4.4
        try refresh()
        return .ok(text, .highestModSeq(mailbox.highestModSequence))
    }

    /// RFC 2180 §4.4.1: a message that others expunged cannot be copied by number; by UID it is merely not there.
    /// The client is told of it at the end of the command.
    private mutating func messagesToCopy(_ set: SequenceSet, byUID: Bool) throws(CommandFailure) -> [UID] {
        try refresh()
        let uids = view.uids(try selection(set, byUID: byUID))
        let present = uids.filter { !isGone($0) }
        if !byUID, present.count < uids.count { throw .expunged }
        return present
    }
}
