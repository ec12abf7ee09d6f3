import IMAPGrammar
import IMAPTypes
import MailStore

extension Authenticated {
    /// STATUS (RFC 9051 §6.3.11). An empty list of items is answered with an empty list: some clients send it.
    func status(_ name: MailboxName, _ items: [StatusItem], _ held: HeldRecent?) throws(CommandFailure) -> Completion {
        let local = try local(name)
        var status = try storing { () throws(StoreError) in
            try store.status(local, wantsSize: items.contains(.size))
        }
        held?.add(to: &status)
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

/// The messages that are \Recent in the session that has them selected: a store counts only those that are in nobody's yet,
/// STATUS those of the client too (RFC 3501 §6.3.10).
struct HeldRecent {
    private let mailbox: ObjectID
    private let count: Int

    /// `nil` if the store counts them all: who only looks at a mailbox takes nothing out of it.
    init?(_ selected: borrowing Selected) {
        if selected.mailbox.isReadOnly || selected.recent.isEmpty { return nil }
        mailbox = selected.mailbox.id
        var recent = selected.recent
        recent.subtract(UIDSet(selected.news.expunged))
        count = recent.count
    }

    func add(to status: inout MailboxStatus) {
        if status.id == mailbox { status.recent += count }
    }
}
