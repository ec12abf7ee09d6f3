/// Strings as JSON has them (RFC 8259 §7).
package enum JSONText {
    /// With its quotation marks. What a terminal would not show as it is, is escaped.
    package static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\":
                result += "\\"
                result.unicodeScalars.append(scalar)
            // None of them is beyond the four digits that JSON has.
            case _ where scalar.isHidden:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

extension Unicode.Scalar {
    /// Controls, and those that hide or reorder what stands around them.
    var isHidden: Bool {
        switch self {
        case "\0"..."\u{1F}", "\u{7F}"..."\u{A0}", "\u{2000}"..."\u{206F}", "\u{FEFF}", "\u{FFF0}"..."\u{FFFB}": true
        default: false
        }
    }
}
