import IMAPGrammar
import IMAPTypes
import MailStore
import Transport

/// What others did, and when the client hears of it (RFC 9051 §5.2, §7.5.1).
extension Selected {
    /// Takes in what others did, if that can be found out: otherwise what we have is still true of a moment ago.
    mutating func refresh() throws(CommandFailure) {
        do { try takeNews() } catch {
            guard case .store(let reason) = error else { throw error }
            account.note(reason)
        }
    }

    /// Takes in what others did. The client is told by `tell`.
    mutating func takeNews() throws(CommandFailure) {
        let changes: MailboxChanges
        let toldUpTo = mailbox.highestModSequence
        do { changes = try mailbox.refresh() } catch {
            if case .noSuchMailbox = error { throw .mailboxGone }
            throw .store(error)
        }
        guard !changes.isEmpty else { return }
        if !changes.added.isEmpty {
            view.append(changes.added)
            news.firstAdded = news.firstAdded ?? changes.added.first
            claimRecent()
        }
        if news.expunged.isEmpty, !changes.expunged.isEmpty { news.toldUpTo = toldUpTo }
        noteExpunged(changes.expunged)
        news.flagged.formUnion(UIDSet(changes.flagged))
    }

    /// Whether messages are \Recent is no reason to fail anything.
    mutating func claimRecent() {
        do { recent.formUnion(UIDSet(try mailbox.claimRecent())) } catch { account.note(error) }
    }

    /// Notes the loss of messages, for `tell`.
    mutating func noteExpunged(_ uids: [UID]) {
        guard !uids.isEmpty else { return }
        news.expunged = news.expunged.isEmpty ? uids : Array(UIDSet(news.expunged + uids))
    }

    /// Whether the message is still in the view only because the client has not been told that it is gone.
    func isGone(_ uid: UID) -> Bool {
        !news.expunged.isEmpty && (mailbox.metadata(uid)?.isExpunged ?? true)
    }

    /// Tells the client what it does not know yet and may know now.
    mutating func tell(_ timing: Timing) throws(CommandFailure) {
        if !timing.contains(.withoutExpunge) {
            // What came and went while nothing could be told comes first, or the client could not count (RFC 7162 §3.2.10.2).
            if let added = news.firstAdded, let gone = news.expunged.last, gone >= added { tellAdded() }
            try tellExpunged()
        }
        tellAdded()
        if !timing.contains(.flagsInTheEnd) { try tellFlags() }
    }

    private mutating func tellAdded() {
        guard news.firstAdded != nil else { return }
        news.firstAdded = nil
        wire.out.exists(view.count)
        tellRecent()
    }

    private mutating func tellExpunged() throws(CommandFailure) {
        guard !news.expunged.isEmpty else { return }
        let gone = news.expunged
        news.expunged = []
        news.toldUpTo = nil
        mailbox.forget(gone)
        let indexes = view.remove(gone)
        if features.contains(.qresync) {
            wire.out.vanished(UIDSet(gone), earlier: false)
        } else {
            // Each takes one off the numbers behind it, and we go upwards.
            for (told, index) in indexes.enumerated() {
                wire.out.expunge(view.number(at: index - told))
                try sending { () throws(ConnectionEnd) in try wire.flushIfLarge() }
            }
        }
        if !recent.isEmpty {
            let before = recent.count
            recent.subtract(UIDSet(gone))
            if recent.count != before, news.firstAdded == nil { tellRecent() }
        }
    }

    /// RECENT (RFC 3501 §7.3.2) is gone from IMAP4rev2.
    func tellRecent() {
        if !features.contains(.imap4rev2) { wire.out.recent(recent.count) }
    }

    private mutating func tellFlags() throws(CommandFailure) {
        tellKeywords()
        guard !news.flagged.isEmpty else { return }
        let flagged = news.flagged
        news.flagged = UIDSet()
        for index in view.selection(flagged) {
            tellMessage(at: index)
            try sending { () throws(ConnectionEnd) in try wire.flushIfLarge() }
        }
    }

    /// An unsolicited FETCH. Its UID saves clients from guessing when numbers are in flux (RFC 9051 §7.5.2); who knows of
    /// mod-sequences is told the message's (RFC 7162 §3.2.4).
    func tellMessage(at index: Int, flags: Bool = true) {
        let uid = view.uid(at: index)
        guard let metadata = mailbox.metadata(uid) else { return }
        wire.out.fetch(view.number(at: index))
        wire.out.fetchUID(uid)
        if flags {
            wire.out.space()
            wire.out.fetchFlags(metadata.flags, metadata.keywords, of: mailbox.keywords, isRecent: isRecent(uid))
        }
        if features.contains(.condstore) {
            wire.out.space()
            wire.out.fetchModSeq(metadata.modSequence)
        }
        wire.out.fetchEnd()
    }

    /// Whether \Recent is shown with the message.
    func isRecent(_ uid: UID) -> Bool {
        !features.contains(.imap4rev2) && recent.contains(uid)
    }

    /// FLAGS again, when the mailbox has keywords that the client has not heard of (RFC 9051 §7.3.5).
    mutating func tellKeywords() {
        let count = mailbox.keywords.count
        guard count != news.keywordsTold else { return }
        news.keywordsTold = count
        wire.flags(of: mailbox)
    }
}
