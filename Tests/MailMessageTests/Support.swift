import MailMessage
import TestSupport

func parse(_ message: [UInt8], scope: MessageParser.Scope = .whole, pieces: [[UInt8]]? = nil) -> MessageStructure {
    var parser = MessageParser(scope: scope)
    for piece in pieces ?? [message] { piece.withUnsafeBytes { parser.feed($0) } }
    parser.finish()
    return parser.structure
}

extension MessageStructure {
    /// The tree as one line, like `mixed(plain,message(plain))`.
    func outline(_ part: Index = MessageStructure.root) -> String {
        let children = children(of: part)
        let kind = switch parts[part].kind {
        case .text: parts[part].isOpaque ? "opaque" : "text"
        case .basic: "basic"
        case .multipart: "multi"
        case .message: "message"
        }
        return children.isEmpty ? kind : kind + "(" + children.map { outline($0) }.joined(separator: ",") + ")"
    }

    func bytes(_ extent: Extent, of message: [UInt8]) -> [UInt8] { Array(message[extent.offset..<extent.end]) }

    func text(_ path: [UInt32], _ section: SectionPart? = nil, of message: [UInt8]) -> String? {
        extent(path, section).map { bytes($0, of: message).text }
    }
}
