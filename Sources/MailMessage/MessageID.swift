/// msg-id (RFC 5322 §3.6.4), as threading compares it (RFC 5256 §3).
public enum MessageID {
    /// The ids in a field's value, in order, without brackets and with quoting undone: `<"01KF8JCEOCBS0045PS"@xxx.yyy.com>` is
    /// `<01KF8JCEOCBS0045PS@xxx.yyy.com>`. What else stands there is skipped.
    public static func list(_ value: ArraySlice<UInt8>) -> [[UInt8]] { list(value, atMost: .max) }

    /// The first of them.
    public static func first(_ value: ArraySlice<UInt8>) -> [UInt8]? { list(value, atMost: 1).first }

    private static func list(_ value: ArraySlice<UInt8>, atMost limit: Int) -> [[UInt8]] {
        value.withUnsafeBufferPointer { value in
            var ids: [[UInt8]] = []
            var lexer = HeaderLexer(value)
            while true {
                _ = lexer.take { $0 == UInt8(ascii: "<") || $0 == UInt8(ascii: "(") || $0 == UInt8(ascii: "\"") }
                switch lexer.peek {
                case nil: return ids
                case UInt8(ascii: "("): lexer.skipCFWS()
                case UInt8(ascii: "\""):
                    var phrase: [UInt8] = []
                    lexer.quotedString(into: &phrase)
                default:
                    lexer.advance()
                    if let id = id(&lexer) { ids.append(id) }
                    if ids.count == limit { return ids }
                }
            }
        }
    }

    /// After "<": up to ">"; `nil` unless there is something on both sides of an "@".
    private static func id(_ lexer: inout HeaderLexer) -> [UInt8]? {
        var id: [UInt8] = []
        var at: Int?
        while let byte = lexer.peek {
            switch byte {
            case UInt8(ascii: ">"):
                lexer.advance()
                guard let at, at > 0, at + 1 < id.count else { return nil }
                return id
            case UInt8(ascii: "<"): return nil
            case UInt8(ascii: "\""): lexer.quotedString(into: &id)
            case UInt8(ascii: "("): lexer.skipCFWS()
            case _ where byte.isSpace: lexer.advance()
            default:
                let text = lexer.take {
                    $0 == UInt8(ascii: ">") || $0 == UInt8(ascii: "<") || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "(")
                        || $0.isSpace
                }
                if let found = text.lastIndex(of: UInt8(ascii: "@")) { at = id.count + found }
                id.append(contentsOf: text)
            }
        }
        return nil
    }
}
