import IMAPGrammar
import IMAPTypes
import MailStore

extension Authenticated {
    /// STATUS (RFC 9051 §6.3.11). An empty list of items is answered with an empty list: some clients send it.
    func status(_ name: MailboxName, _ items: [StatusItem]) throws(CommandFailure) -> Completion {
        let local = try local(name)
        let status = try storing { () throws(StoreError) in
            try store.status(local, wantsSize: items.contains(.size))
        }
        noteUse(ofModSequences: items.contains(.highestModSeq))
        // By the name that the client used: it looks for that.
        wire.status(naming.normalized(name), items, status)
        return .ok("STATUS completed")
    }

    /// RFC 7162 §3.1: a client that uses CONDSTORE once knows it from then on.
    func noteUse(ofModSequences uses: Bool) {
        if uses, !features.contains(.condstore) { features.insert(.condstore) }
    }
}
