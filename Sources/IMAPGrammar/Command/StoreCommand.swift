import IMAPTypes

public struct StoreCommand: Hashable, Sendable {
    public enum Action: Hashable, Sendable { case replace, add, remove }
    public var set: SequenceSet
    public var byUID: Bool
    public var action: Action
    public var silent: Bool
    public var flags: FlagSet
    /// UNCHANGEDSINCE (RFC 7162 §3.1.3).
    public var unchangedSince: ModSequence?

    public init(set: SequenceSet, byUID: Bool, action: Action, silent: Bool, flags: FlagSet) {
        self.set = set
        self.byUID = byUID
        self.action = action
        self.silent = silent
        self.flags = flags
    }
}
