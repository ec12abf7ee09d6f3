import Glibc

/// How far a long piece of work has come, on standard error: a bar on a terminal, else a line now and then.
///
/// Work of less than a second shows nothing.
final class Progress {
    private let label: String
    private let total: Int
    private let isQuiet: Bool
    private let isTerminal: Bool
    private let start = Progress.now()
    private var shownAt: Int64 = 0
    private(set) var done = 0
    private var isShown = false

    private static let patience: Int64 = 1_000_000_000

    /// - Parameter total: 0 where nobody knows.
    init(_ label: String, total: Int, quiet: Bool) {
        self.label = Output.safe(label)
        self.total = total
        isQuiet = quiet
        isTerminal = isatty(2) == 1
    }

    deinit { end() }

    func advance(by count: Int = 1) {
        done += count
        // Not each time: to ask for the time costs more than most steps.
        guard !isQuiet, done & 0x3F == 0 || count > 1 else { return }
        let time = Self.now()
        guard time - start > Self.patience, time - shownAt > (isTerminal ? Self.patience / 10 : 5 * Self.patience) else { return }
        shownAt = time
        show()
    }

    /// As much is done as `count` says.
    func reach(_ count: Int) { advance(by: max(count - done, 0)) }

    private func show() {
        isShown = true
        let share = total > 0 ? min(1, Double(done) / Double(total)) : 0
        let numbers = total > 0 ? "\(done) of \(total)" : "\(done)"
        guard isTerminal else { return Output.write("\(label): \(numbers)\n", to: 2) }
        let width = 24, filled = Int(share * Double(width))
        let bar = String(repeating: "#", count: filled) + String(repeating: " ", count: width - filled)
        Output.write("\r\u{1B}[K\(total > 0 ? "[\(bar)] " : "")\(numbers)  \(label)", to: 2)
    }

    /// Removes the bar.
    func end() {
        if isShown, isTerminal { Output.write("\r\u{1B}[K", to: 2) }
        isShown = false
    }

    private static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
