/// What somebody owes.
struct Debt: Sendable, Equatable {
    var owed: Duration
    var isRefused: Bool
}

/// Who owes how much. A stranger's addresses do not make it grow beyond its capacity.
struct PenaltyTable<Subject: Hashable & Sendable>: Sendable {
    typealias Instant = ContinuousClock.Instant

    var penalties: Penalties
    private let capacity: Int
    private var records: [Subject: PenaltyRecord] = [:]

    /// - Parameter capacity: records, at least 2. When there is no room for another one, those who owe nothing go; if they are
    ///   fewer than half, so do those who owe least, until half are left. The price of a sweep is shared by as many new records.
    init(_ penalties: Penalties, capacity: Int) {
        self.penalties = penalties
        self.capacity = max(capacity, 2)
    }

    var count: Int { records.count }

    /// For how long `subject` is refused; `nil` if it is not.
    func refusal(of subject: Subject, at now: Instant) -> Duration? {
        guard let record = records[subject], record.isRefused, record.end > now else { return nil }
        return record.end - now
    }

    /// Adds what the offence costs. Whether `subject` is refused from now on, and was not before.
    mutating func charge(_ subject: Subject, for offence: Penalties.Offence, at now: Instant) -> Bool {
        var record = records[subject] ?? PenaltyRecord(end: now)
        if record.end < now { record = PenaltyRecord(end: now) }
        let cost = record.cost(of: offence, penalties)
        guard cost > .zero else { return false }
        record.end = min(record.end + cost, now + .seconds(penalties.longest))
        let wasRefused = record.isRefused
        if record.end - now >= .seconds(penalties.begin) { record.isRefused = true }
        if records[subject] == nil, records.count >= capacity { sweep(now) }
        records[subject] = record
        return record.isRefused && !wasRefused
    }

    /// What a predecessor has told.
    mutating func adopt(_ subject: Subject, _ debt: Debt, at now: Instant) {
        guard records.count < capacity else { return }
        var record = PenaltyRecord(end: now + min(debt.owed, .seconds(penalties.longest)))
        record.isRefused = debt.isRefused
        records[subject] = record
    }

    private mutating func sweep(_ now: Instant) {
        records = records.filter { $0.value.end > now }
        let surplus = records.count - capacity / 2
        guard surplus > 0 else { return }
        for (subject, _) in records.map({ ($0.key, $0.value.end) }).sorted(by: { $0.1 < $1.1 }).prefix(surplus) {
            records[subject] = nil
        }
    }

    /// Takes these out of the table. How many of them owed something.
    mutating func forgive(at now: Instant, where isMeant: (Subject) -> Bool) -> Int {
        let meant = records.filter { isMeant($0.key) }
        for subject in meant.keys { records[subject] = nil }
        return meant.values.count { $0.end > now }
    }

    /// Everybody who owes something, and how much.
    func debts(at now: Instant) -> [(subject: Subject, owed: Duration, isRefused: Bool)] {
        records.compactMap { $1.end > now ? ($0, $1.end - now, $1.isRefused) : nil }
    }
}

private struct PenaltyRecord {
    /// When nothing is owed any more.
    var end: ContinuousClock.Instant
    /// Refused until then.
    var isRefused = false
    /// Of the last wrong passwords.
    private var marks = SIMD8<UInt16>(repeating: 0)
    /// How many of these there were, while fewer than a round; after that, where in the second round the next one goes.
    private var known = 0

    init(end: ContinuousClock.Instant) { self.end = end }

    /// A device that goes on with yesterday's password is no stranger who guesses, and an office has many of them: what was
    /// wrong before, and lately, costs a tenth.
    mutating func cost(of offence: Penalties.Offence, _ penalties: Penalties) -> Duration {
        switch offence {
        case .crash: return .seconds(penalties.crash)
        case .timeout: return .seconds(penalties.timeout)
        case .failure(let mark):
            let round = marks.scalarCount
            for index in 0..<min(known, round) where marks[index] == mark { return .milliseconds(100 * penalties.failure) }
            marks[known % round] = mark
            known = known + 1 < 2 * round ? known + 1 : round
            return .seconds(penalties.failure)
        }
    }
}
