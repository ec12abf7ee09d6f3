/// When to stop waiting; `nil` time is never.
public struct Deadline: Sendable {
    private let instant: ContinuousClock.Instant?

    public init(after time: Duration?) {
        instant = time.map { ContinuousClock.now + $0 }
    }

    /// What is left, for `poll(2)`: in milliseconds, rounded up so that nobody spins, 0 when it is over, -1 for ever.
    public var milliseconds: Int32 {
        guard let rest = remaining else { return -1 }
        guard rest > .zero else { return 0 }
        let (seconds, attoseconds) = rest.components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1000)
        return overflow ? .max : Int32(clamping: product &+ attoseconds / 1_000_000_000_000_000 &+ 1)
    }

    /// What is left; `nil` for ever, negative when it is over.
    public var remaining: Duration? { instant.map { $0 - ContinuousClock.now } }
}
