import Testing

@testable import Daemon

@Suite struct PenaltyTests {
    private let begin = ContinuousClock.now

    /// A table that expectations may change.
    private final class Table {
        private var value: PenaltyTable<Int>

        init(_ penalties: Penalties, capacity: Int) { value = PenaltyTable(penalties, capacity: capacity) }

        var count: Int { value.count }
        func refusal(of subject: Int, at now: ContinuousClock.Instant) -> Duration? { value.refusal(of: subject, at: now) }
        func charge(_ subject: Int, for offence: Penalties.Offence, at now: ContinuousClock.Instant) -> Bool {
            value.charge(subject, for: offence, at: now)
        }
    }

    private func table(_ penalties: Penalties = Penalties(), capacity: Int = 1000) -> Table {
        Table(penalties, capacity: capacity)
    }

    @Test("six guesses are one too many, and then nothing must be owed before another one")
    func guesses() {
        let table = table()
        for guess in 1...6 {
            #expect(table.refusal(of: 1, at: begin) == nil)
            #expect(table.charge(1, for: .failure(mark: UInt16(guess)), at: begin) == (guess == 6))
        }
        #expect(table.refusal(of: 1, at: begin) == .seconds(60))
        #expect(table.refusal(of: 1, at: begin + .seconds(59)) == .seconds(1))
        #expect(table.refusal(of: 1, at: begin + .seconds(60)) == nil)
        #expect(table.refusal(of: 2, at: begin) == nil)
        #expect(!table.charge(1, for: .failure(mark: 7), at: begin + .seconds(61)))
        #expect(table.refusal(of: 1, at: begin + .seconds(61)) == nil)
    }

    @Test("whoever is refused grows more so, is told once, and never for longer than the longest time")
    func growth() {
        let table = table()
        #expect(table.charge(1, for: .crash, at: begin))
        #expect(table.refusal(of: 1, at: begin) == .seconds(120))
        #expect(!table.charge(1, for: .crash, at: begin))
        #expect(table.refusal(of: 1, at: begin) == .seconds(240))
        for _ in 0..<20 { #expect(!table.charge(1, for: .crash, at: begin)) }
        #expect(table.refusal(of: 1, at: begin) == .seconds(900))
        #expect(table.refusal(of: 1, at: begin + .seconds(900)) == nil)
    }

    @Test("guesses at a steady pace get through at the price of one in ten seconds, and no faster", arguments: [1, 2, 5, 9, 10, 15])
    func pace(seconds: Int) {
        let table = table()
        var heard = 0
        let attempts = 10_000
        for attempt in 0..<attempts {
            let now = begin + .seconds(seconds * attempt)
            guard table.refusal(of: 1, at: now) == nil else { continue }
            heard += 1
            _ = table.charge(1, for: .failure(mark: UInt16(truncatingIfNeeded: attempt)), at: now)
        }
        let most = seconds * attempts / 10 + 6
        #expect(heard <= min(most, attempts))
        if seconds >= 10 { #expect(heard == attempts, "nobody is refused who owes less and less") }
    }

    @Test("a device with yesterday's password does not lock out its office")
    func repeatedPassword() {
        let table = table()
        // Once a second, from eight devices in turn, each with one wrong password.
        for second in 0..<3600 {
            let mark = UInt16(second % 8)
            #expect(!table.charge(1, for: .failure(mark: mark), at: begin + .seconds(second)) || second < 8)
        }
        // A guesser who repeats eight guesses learns nothing; one who goes through more pays for each.
        let guesser = self.table()
        for guess in 0..<100 { _ = guesser.charge(1, for: .failure(mark: UInt16(guess % 9)), at: begin) }
        #expect(guesser.refusal(of: 1, at: begin) == .seconds(900))
    }

    @Test("several devices that reconnect at once with one wrong password cost little more than one")
    func oneMistakeManyTimes() {
        let table = table()
        for _ in 0..<40 { #expect(!table.charge(1, for: .failure(mark: 77), at: begin)) }
        #expect(table.refusal(of: 1, at: begin) == nil)
    }

    @Test func timeoutsCostToo() {
        let table = table()
        for count in 1...6 { #expect(table.charge(1, for: .timeout, at: begin) == (count == 6)) }
    }

    @Test func withoutPenalties() {
        let table = table(.none)
        for _ in 0..<100 { #expect(!table.charge(1, for: .crash, at: begin)) }
        #expect(table.count == 0 && table.refusal(of: 1, at: begin) == nil)
    }

    @Test("a stranger's addresses do not make it grow, nor push out those who owe most")
    func bounded() {
        let table = table(capacity: 100)
        for _ in 0..<5 { _ = table.charge(-1, for: .crash, at: begin) }
        for subject in 0..<10_000 {
            _ = table.charge(subject, for: .failure(mark: 1), at: begin + .milliseconds(subject))
            #expect(table.count <= 100)
        }
        #expect(table.refusal(of: -1, at: begin + .seconds(11)) != nil)
        // Those who owe nothing go first.
        for subject in 20_000..<20_101 { _ = table.charge(subject, for: .failure(mark: 1), at: begin + .seconds(300)) }
        #expect(table.refusal(of: -1, at: begin + .seconds(300)) != nil)
    }
}
