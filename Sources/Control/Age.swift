import ArgumentParser

/// How long ago: a number with `m`, `h`, `d`, `w` or `y` (365 days) behind it.
struct Age: ExpressibleByArgument {
    /// Seconds.
    let seconds: Int64

    private static let units: [Character: Int64] = ["m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400, "y": 365 * 86_400]

    /// Up to a thousand years.
    init?(argument: String) {
        guard let last = argument.last, let unit = Self.units[last], let number = Int64(argument.dropLast()), number >= 0,
              number <= 1000 * 365 * 86_400 / unit else { return nil }
        seconds = number * unit
    }
}
