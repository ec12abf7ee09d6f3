import Daemon

/// A JSON text (RFC 8259), on one line, its members in the order given.
indirect enum JSON {
    case null
    case bool(Bool)
    case number(UInt64)
    case string(String)
    case array([JSON])
    case object([(String, JSON)])

    init(_ number: some BinaryInteger) { self = .number(UInt64(clamping: number)) }
    init(_ string: String?) { self = string.map { .string($0) } ?? .null }
    init(_ number: (some BinaryInteger)?) { self = number.map { .number(UInt64(clamping: $0)) } ?? .null }

    var text: String {
        switch self {
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .number(let value): String(value)
        case .string(let value): JSONText.quoted(value)
        case .array(let values): "[" + values.map(\.text).joined(separator: ",") + "]"
        case .object(let members): "{" + members.map { JSONText.quoted($0.0) + ":" + $0.1.text }.joined(separator: ",") + "}"
        }
    }
}
