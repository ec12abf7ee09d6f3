/// SORT (RFC 5256 §3). Its keys follow in order of significance.
public struct SortCommand: Hashable, Sendable {
    public enum Criterion: Hashable, Sendable { case arrival, cc, date, from, size, subject, to }
    public struct Key: Hashable, Sendable {
        public var criterion: Criterion
        public var reverse: Bool
        public init(_ criterion: Criterion, reverse: Bool) {
            self.criterion = criterion
            self.reverse = reverse
        }
    }
    public var keys: [Key]
    public var search: SearchCommand

    public init(keys: [Key], search: SearchCommand) {
        self.keys = keys
        self.search = search
    }
}

/// THREAD (RFC 5256 §4).
public struct ThreadCommand: Hashable, Sendable {
    public enum Algorithm: String, Hashable, Sendable, CaseIterable {
        case orderedSubject = "ORDEREDSUBJECT", references = "REFERENCES"
    }
    public var algorithm: Algorithm
    public var search: SearchCommand

    public init(algorithm: Algorithm, search: SearchCommand) {
        self.algorithm = algorithm
        self.search = search
    }
}
