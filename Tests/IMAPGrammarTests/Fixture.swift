import IMAPTypes
@testable import IMAPGrammar

/// What a reader says, as text: to compare and to read.
enum Heard: Equatable, CustomStringConvertible {
    case command(String)
    case continuation
    case append(String, message: String)
    case refused(String)
    case appendEnd
    case rejected(String)

    var description: String {
        switch self {
        case .command(let text): "command(\(text.debugDescription))"
        case .continuation: "+"
        case .append(let header, let message): "append(\(header), \(message.debugDescription))"
        case .refused(let header): "refused(\(header))"
        case .appendEnd: "appendEnd"
        case .rejected(let text): "rejected(\(text))"
        }
    }
}

extension [UInt8] {
    init(_ string: String) { self = Array(string.utf8) }

    /// Bytes as text, one character a byte.
    var latin1: String { String(String.UnicodeScalarView(map { Unicode.Scalar($0) })) }
}

/// Everything a driver hears that feeds `bytes` in pieces of the lengths that `chunk` gives, and accepts or refuses messages.
func hear(
    _ bytes: [UInt8], limits: CommandReader.Limits = .afterLogin, mode: WireMode = [], accepting: Bool = true,
    chunk: () -> Int
) -> (heard: [Heard], rest: [UInt8]) {
    var reader = CommandReader(limits)
    reader.mode = mode
    var heard: [Heard] = []
    var message: (header: String, bytes: [UInt8])?
    var rest = bytes[...]
    func feed() -> Bool {
        guard !rest.isEmpty else { return false }
        let piece = Array(rest.prefix(max(1, chunk())))
        rest = rest.dropFirst(piece.count)
        piece.withUnsafeBytes { reader.append($0) }
        return true
    }
    while true {
        while reader.messageBytesDue > 0 {
            let taken = reader.takeMessageBytes { message?.bytes.append(contentsOf: $0) }
            if taken == 0, !feed() { return (heard, reader.takeRemainder()) }
        }
        if let (header, bytes) = message {
            heard.append(.append(header, message: bytes.latin1))
            message = nil
        }
        switch reader.next() {
        case .incomplete: if !feed() { return (heard, reader.takeRemainder()) }
        case .command(let text): heard.append(.command(text.latin1))
        case .continuation: heard.append(.continuation)
        case .append(let header):
            let text = describe(header)
            if accepting {
                reader.accept()
                message = (text, [])
            } else {
                reader.refuse()
                heard.append(.refused(text))
            }
        case .appendEnd: heard.append(.appendEnd)
        case .rejected(let rejection): heard.append(.rejected(describe(rejection)))
        }
    }
}

func hear(_ text: String, limits: CommandReader.Limits = .afterLogin, mode: WireMode = [], accepting: Bool = true) -> [Heard] {
    hear(Array(text.utf8), limits: limits, mode: mode, accepting: accepting, chunk: { .max }).heard
}

func describe(_ header: AppendHeader) -> String {
    var words = [header.tag.map { $0.bytes.latin1 } ?? "-", header.mailbox?.string ?? "-"]
    words += header.flags.system.isEmpty && header.flags.keywords.isEmpty ? [] : ["flags"]
    if let date = header.date { words.append("\(date.seconds)") }
    words.append("\(header.literal.isBinary ? "~" : "")\(header.literal.size)\(header.literal.isSynchronizing ? "" : "+")")
    if header.inUTF8 { words.append("utf8") }
    return words.joined(separator: " ")
}

func describe(_ rejection: CommandReader.Rejection) -> String {
    let tag = rejection.tag.map { $0.bytes.latin1 } ?? "*"
    return switch rejection.reason {
    case .lineTooLong: "\(tag) line too long"
    case .literalTooBig(let header): "\(tag) literal \(header.size)"
    case .tooManyLiterals: "\(tag) too many literals"
    case .commandTooBig: "\(tag) too big"
    case .syntax(let error): "\(tag) \(error.expected) at \(error.offset)"
    }
}

/// What `text` is read as.
func parse(_ text: String, mode: WireMode = []) throws -> Command {
    try Parser.command(Array(text.utf8), mode: mode).command
}

/// What is written.
func written(mode: WireMode = [], _ write: (inout Serializer) -> Void) -> String {
    var serializer = Serializer(mode: mode)
    write(&serializer)
    return serializer.bytes.latin1
}
