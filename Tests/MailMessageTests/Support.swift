import Foundation
import MailMessage

/// Messages that taught us something, by name.
enum Corpus {
    static let directory = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(path: "Corpus")

    static let names: [String] = ((try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? [])
        .filter { $0.hasSuffix(".eml") }.map { String($0.dropLast(4)) }.sorted()

    static func message(_ name: String) -> [UInt8] {
        Array(try! Data(contentsOf: directory.appending(path: name + ".eml")))
    }
}

/// A generator with a seed, so that what failed once fails again.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed &+ 0x9E37_79B9_7F4A_7C15 }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }
}

extension [UInt8] {
    /// Itself, in random pieces.
    func pieces(using generator: inout SeededGenerator) -> [[UInt8]] {
        var pieces: [[UInt8]] = []
        var at = 0
        let longest = [1, 2, 7, 80, 2000].randomElement(using: &generator)!
        while at < count {
            let length = Swift.min(Int.random(in: 1...longest, using: &generator), count - at)
            pieces.append(Array(self[at..<at + length]))
            at += length
        }
        return pieces
    }

    /// Itself with bytes changed, removed, doubled, or what matters to MIME put in.
    func mutated(using generator: inout SeededGenerator) -> [UInt8] {
        var result = self
        let inserts: [String] = ["\n", "\r\n", "\r", "\n\n", "--", "--b\n", "--b--\n", "\"", "(", ")", "<", ">", "\\", "=?",
            "?=", ":", ";", "\0", "\u{E9}",
                                 "Content-Type: multipart/mixed; boundary=b\n\n", "Content-Type: message/rfc822\n\n",
                                     "From: ", "{5}"]
        for _ in 0..<Int.random(in: 1...6, using: &generator) {
            let at = Int.random(in: 0...result.count, using: &generator)
            switch Int.random(in: 0..<4, using: &generator) {
            case 0: result.insert(contentsOf: inserts.randomElement(using: &generator)!.utf8, at: at)
            case 1 where at < result.count: result[at] = UInt8.random(in: 0...255, using: &generator)
            case 2: result.removeSubrange(at..<Swift.min(result.count, at + Int.random(in: 0...20, using: &generator)))
            default:
                let end = Swift.min(result.count, at + Int.random(in: 0...60, using: &generator))
                result.insert(contentsOf: Array(result[at..<end]), at: Int.random(in: 0...result.count, using: &generator))
            }
        }
        return result
    }

    /// Every line end made CRLF, the slow and obvious way.
    var withCRLF: [UInt8] {
        var result: [UInt8] = []
        for byte in self {
            if byte == 0x0A, result.last != 0x0D { result.append(0x0D) }
            result.append(byte)
        }
        return result
    }

    var text: String { String(decoding: self, as: UTF8.self) }
}

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
