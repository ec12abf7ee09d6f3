/// A server's response (RFC 9051 §7), taken apart as far as a client needs it.
struct Response {
    /// `*`, `+`, or the tag of the command that it completes.
    let tag: String
    /// The first words behind the tag: `OK`, or a name such as `LIST`; of `* 12 FETCH …` it is `FETCH`.
    let name: String
    /// What stood before the name: `12`.
    let number: UInt32?
    /// What follows the name: text, and literals where they stood.
    let rest: [Piece]

    enum Piece {
        case text([UInt8])
        case literal([UInt8])
        /// A literal that was handed on as it came.
        case passedOn
    }

    indirect enum Value {
        case atom(String)
        case string([UInt8])
        case list([Value])
        case passedOn

        /// `nil` for NIL and for lists.
        var bytes: [UInt8]? {
            switch self {
            case .atom(let text): text.uppercased() == "NIL" ? nil : Array(text.utf8)
            case .string(let bytes): bytes
            case .list, .passedOn: nil
            }
        }

        var text: String? { bytes.map { String(decoding: $0, as: UTF8.self) } }

        var list: [Value]? { if case .list(let values) = self { values } else { nil } }
    }

    var isUntagged: Bool { tag == "*" }

    /// `nil` if it makes no sense.
    init?(_ pieces: [Piece]) {
        guard case .text(let line)? = pieces.first else { return nil }
        var rest = line[...]
        func word() -> String {
            let word = rest.prefix { $0 != 0x20 }
            rest = rest.dropFirst(word.count).drop { $0 == 0x20 }
            return String(decoding: word, as: UTF8.self)
        }
        tag = word()
        guard !tag.isEmpty else { return nil }
        if tag == "+" {
            (name, number) = ("", nil)
        } else {
            let first = word()
            if let number = UInt32(first) {
                (self.number, name) = (number, word().uppercased())
            } else {
                (number, name) = (nil, first.uppercased())
            }
        }
        self.rest = [.text(Array(rest))] + pieces.dropFirst()
    }

    // MARK: OK, NO, BAD, BYE, PREAUTH

    /// What people are told, and the response code before it, without its brackets.
    var text: (code: String?, text: String) {
        guard case .text(let bytes)? = rest.first else { return (nil, "") }
        let text = String(decoding: bytes, as: UTF8.self)
        guard text.first == "[", let end = text.firstIndex(of: "]") else { return (nil, text) }
        return (String(text[text.index(after: text.startIndex)..<end]),
                String(text[text.index(after: end)...].drop { $0 == " " }))
    }

    // MARK: Data

    /// The values of the rest; `nil` if it is none that a server may send.
    var values: [Value]? {
        var scanner = Scanner(rest)
        return scanner.values(depth: 0, untilParenthesis: false)
    }

    private struct Scanner {
        private var pieces: ArraySlice<Piece>
        private var text: ArraySlice<UInt8> = []

        /// Lists in lists: more than any response that we ask for has.
        private static let deepest = 16

        init(_ pieces: [Piece]) { self.pieces = pieces[...] }

        mutating func values(depth: Int, untilParenthesis: Bool) -> [Value]? {
            guard depth < Self.deepest else { return nil }
            var values: [Value] = []
            while true {
                text = text.drop { $0 == 0x20 }
                guard let byte = text.first else {
                    guard let piece = pieces.popFirst() else { return untilParenthesis ? nil : values }
                    switch piece {
                    case .text(let bytes): text = bytes[...]
                    case .literal(let bytes): values.append(.string(bytes))
                    case .passedOn: values.append(.passedOn)
                    }
                    continue
                }
                switch byte {
                case UInt8(ascii: "("):
                    text.removeFirst()
                    guard let list = self.values(depth: depth + 1, untilParenthesis: true) else { return nil }
                    values.append(.list(list))
                case UInt8(ascii: ")"):
                    text.removeFirst()
                    return untilParenthesis ? values : nil
                case UInt8(ascii: "\""):
                    guard let string = quoted() else { return nil }
                    values.append(.string(string))
                default:
                    values.append(.atom(atom()))
                }
            }
        }

        private mutating func quoted() -> [UInt8]? {
            var result: [UInt8] = []
            var isEscaped = false
            for at in text.indices.dropFirst() {
                let byte = text[at]
                if !isEscaped, byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if !isEscaped, byte == UInt8(ascii: "\"") {
                    text = text[(at + 1)...]
                    return result
                } else {
                    result.append(byte)
                    isEscaped = false
                }
            }
            return nil
        }

        /// With what stands in brackets, as in `BODY[HEADER.FIELDS (DATE)]`.
        private mutating func atom() -> String {
            var depth = 0
            let end = text.firstIndex { byte in
                switch byte {
                case UInt8(ascii: "["): depth += 1
                case UInt8(ascii: "]"): depth -= 1
                case 0x20, UInt8(ascii: "("), UInt8(ascii: ")"): return depth <= 0
                default: break
                }
                return false
            } ?? text.endIndex
            defer { text = text[end...] }
            return String(decoding: text[..<end], as: UTF8.self)
        }
    }
}
