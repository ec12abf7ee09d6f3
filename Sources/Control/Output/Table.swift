/// Rows in columns as wide as their widest cell; numbers stand to the right.
struct Table {
    private var rows: [[String]]
    private let isNumber: [Bool]

    init(_ columns: [(title: String, isNumber: Bool)]) {
        rows = [columns.map(\.title)]
        isNumber = columns.map(\.isNumber)
    }

    mutating func add(_ cells: [String]) { rows.append(cells.map(Output.safe)) }

    var lines: [String] {
        let widths = isNumber.indices.map { column in rows.map { Self.width($0[column]) }.max() ?? 0 }
        return rows.map { row in
            let cells = row.indices.map { column in
                let space = String(repeating: " ", count: widths[column] - Self.width(row[column]))
                return isNumber[column] ? space + row[column] : row[column] + space
            }
            let line = cells.joined(separator: "  ")
            return String(line.reversed().drop { $0 == " " }.reversed())
        }
    }

    private static let wide: [ClosedRange<UInt32>] = [
        0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFF00...0xFF60, 0x1F300...0x1FAFF,
    ]

    /// Columns of a terminal, near enough: wide characters of East Asia take two.
    private static func width(_ text: String) -> Int {
        text.reduce(0) { width, character in
            let value = character.unicodeScalars.first?.value ?? 0
            return width + (wide.contains { $0.contains(value) } ? 2 : 1)
        }
    }

    /// A number of bytes, as short as can be: 812, 4.1K, 23M.
    static func bytes(_ count: UInt64) -> String {
        if count < 1000 { return String(count) }
        var value = Double(count)
        for unit in ["K", "M", "G", "T", "P"] {
            value /= 1024
            if value < 9.95 { return String((value * 10).rounded() / 10) + unit }
            if value < 999.5 { return String(Int(value.rounded())) + unit }
        }
        return String(Int(value)) + "P"
    }
}
