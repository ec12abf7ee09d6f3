/// Names that somebody may have meant.
enum SettingName {
    /// Up to 2 letters away, or begun with these.
    static func nearest(to typed: String, among names: [String]) -> String? {
        guard typed.count > 1 else { return nil }
        let ranked = names.map { ($0, distance(typed, $0)) }.min { $0.1 < $1.1 }
        if let ranked, ranked.1 <= 2 { return ranked.0 }
        return names.first { $0.hasPrefix(typed) || typed.hasPrefix($0) }
    }

    /// Letters to insert, remove or replace (Levenshtein).
    private static func distance(_ first: String, _ second: String) -> Int {
        let second = Array(second)
        var row = Array(0...second.count)
        for (line, letter) in first.enumerated() {
            var diagonal = row[0]
            row[0] = line + 1
            for column in second.indices {
                let replaced = diagonal + (letter == second[column] ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(replaced, row[column] + 1, row[column + 1] + 1)
            }
        }
        return row[second.count]
    }
}
