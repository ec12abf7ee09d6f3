/// What a session has done for its client so far.
public struct SessionCounters: Sendable, Equatable {
    /// Those that could be understood, also if they failed.
    public var commands: UInt64 = 0
    /// Messages that FETCH told something of, each time.
    public var fetched: UInt64 = 0
    /// Those among them of which text was sent: the message, a part, or some of either.
    public var bodies: UInt64 = 0
    public var appended: UInt64 = 0
    /// By COPY.
    public var copied: UInt64 = 0
    public var moved: UInt64 = 0
    /// By EXPUNGE and CLOSE.
    public var expunged: UInt64 = 0

    public init() {}
}
