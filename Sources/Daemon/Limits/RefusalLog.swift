/// Which refusals are worth a line of the log: a flood must not fill the disk, nor hide what else happens.
struct RefusalLog: Sendable {
    typealias Instant = ContinuousClock.Instant

    private struct Entry {
        var last: Instant
        var untold = 0
    }

    /// By reason, of which there are few.
    private var entries: [String: Entry] = [:]

    /// Between two lines for the same reason.
    static let interval: Duration = .seconds(10)

    /// How many refusals a line for this one would stand for; `nil` if there must be none now.
    mutating func note(_ reason: String, at now: Instant) -> Int? {
        guard let entry = entries[reason], now - entry.last < Self.interval else {
            let count = (entries[reason]?.untold ?? 0) + 1
            entries[reason] = Entry(last: now)
            return count
        }
        entries[reason]?.untold += 1
        return nil
    }
}
