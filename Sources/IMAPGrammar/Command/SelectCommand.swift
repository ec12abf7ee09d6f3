import IMAPTypes

/// SELECT and EXAMINE (RFC 9051 §6.3.2, §6.3.3; parameters of RFC 7162 §3.1.8, §3.2.5).
public struct SelectCommand: Hashable, Sendable {
    public var mailbox: MailboxName
    public var readOnly: Bool
    public var condstore: Bool = false
    public var qresync: QResync?

    public init(mailbox: MailboxName, readOnly: Bool) {
        self.mailbox = mailbox
        self.readOnly = readOnly
    }
}

/// What the client knew (RFC 7162 §3.2.5).
public struct QResync: Hashable, Sendable {
    public var uidValidity: UIDValidity
    public var modSequence: ModSequence
    /// The UIDs that the client knew; `nil` for all.
    public var knownUIDs: SequenceSet?
    public var match: Match?

    /// Message numbers, and beside each the UID that the client knew it by.
    public struct Match: Hashable, Sendable {
        public var numbers: SequenceSet
        public var uids: SequenceSet

        public init(numbers: SequenceSet, uids: SequenceSet) {
            self.numbers = numbers
            self.uids = uids
        }
    }

    public init(uidValidity: UIDValidity, modSequence: ModSequence) {
        self.uidValidity = uidValidity
        self.modSequence = modSequence
    }
}
