import IMAPGrammar
import IMAPTypes
import MailStore
import Transport

/// CONDSTORE and QRESYNC (RFC 7162).
extension Selected {
    /// RFC 7162 §3.1: a client that uses CONDSTORE once knows it from then on, and hears where it starts (§3.1.2.1).
    mutating func noteUse(ofModSequences uses: Bool) {
        guard uses, !features.contains(.condstore) else { return }
        account.noteUse(ofModSequences: true)
        noteHighestModSequence()
    }

    func noteHighestModSequence() {
        wire.note(.highestModSeq(mailbox.highestModSequence), "The highest mod-sequence")
    }

    /// A client that remembers the mod-sequences of FETCH must not miss a loss with a lower one that it could not be told of,
    /// should it lose its connection now: until then, HIGHESTMODSEQ counts more than these (RFC 7162 §3.2, §6).
    mutating func tellWhatIsHeldBack() {
        guard features.contains(.qresync) else { return }
        if let toldUpTo = news.toldUpTo {
            news.isHeldBack = true
            wire.note(.highestModSeq(toldUpTo), "Some messages are gone of which you will be told")
        } else if news.isHeldBack {
            news.isHeldBack = false
            noteHighestModSequence()
        }
    }

    /// VANISHED (EARLIER) (RFC 7162 §3.2.10.1): of `uids`, those expunged since then.
    func tellVanished(since: ModSequence, among uids: UIDSet) throws(CommandFailure) {
        var vanished = try storing { () throws(StoreError) in try mailbox.expunged(since: since) }
        vanished.formIntersection(uids)
        // What the client still counts is no earlier loss.
        vanished.subtract(UIDSet(news.expunged))
        if !vanished.isEmpty { wire.out.vanished(vanished, earlier: true) }
    }

    /// SELECT (QRESYNC …) (RFC 7162 §3.2.5): what has changed since the client last knew the mailbox.
    mutating func resynchronize(_ known: QResync) throws(CommandFailure) {
        // Another UIDVALIDITY: whatever the client knows is not of this mailbox.
        guard known.uidValidity == mailbox.uidValidity else { return }
        let uids = known.knownUIDs.map { view.known($0, saved: saved) } ?? UIDSet(UID.first...UID.last)
        var unsure = uids
        // Up to there the client knows all that is gone.
        if let certain = known.match.flatMap({ lastMatch($0) }) { unsure.subtract(UIDSet(UID.first...certain)) }
        try tellVanished(since: known.modSequence, among: unsure)
        let changed = mailbox.uids(MetadataTest(above: known.modSequence), atMost: .max)
        for index in view.selection(of: changed, within: view.selection(uids)) {
            tellMessage(at: index)
            try sending { () throws(ConnectionEnd) in try wire.flushIfLarge() }
        }
    }

    /// The highest UID that still has the number by which the client knows it (RFC 7162 §3.2.5.2).
    private func lastMatch(_ match: QResync.Match) -> UID? {
        guard case .ranges(let numbers) = match.numbers, case .ranges(let uids) = match.uids else { return nil }
        var result: UID?
        var uid = RangeWalk(uids), number = RangeWalk(numbers), last: UInt32 = 0
        // Both ascend, so no number beyond the last message matters, however far the client counts, and however often.
        while let n = number.next(), let u = uid.next(), n > last, n <= view.exists {
            if view.uid(at: Int(n) - 1).rawValue == u { result = UID(u) }
            last = n
        }
        return result
    }
}

/// The numbers of ranges one by one, without ever holding them all.
private struct RangeWalk: IteratorProtocol {
    private var ranges: ArraySlice<SeqRange>
    private var at: UInt32?

    init(_ ranges: [SeqRange]) { self.ranges = ranges[...] }

    mutating func next() -> UInt32? {
        guard let range = ranges.first else { return nil }
        let (low, high) = range.bounds(largest: .max)
        let value = at ?? low
        if value == high {
            ranges.removeFirst()
            at = nil
        } else {
            at = value + 1
        }
        return value
    }
}
