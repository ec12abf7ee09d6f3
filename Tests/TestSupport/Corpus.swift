import Foundation

/// Messages that taught us something, by name.
public enum Corpus {
    private static let directory = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Corpus")

    public static let names: [String] = ((try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? [])
        .filter { $0.hasSuffix(".eml") }.map { String($0.dropLast(4)) }.sorted()

    public static func message(_ name: String) -> [UInt8] {
        guard let data = try? Data(contentsOf: directory.appending(path: name + ".eml")) else {
            preconditionFailure("there is no message \(name) in the corpus")
        }
        return Array(data)
    }

    /// The targets of fuzzing that have inputs here.
    public static func fuzzed() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: directory.appending(path: "fuzz").path)
    }

    /// Inputs of a target, one in a line, in base64; "#" begins what is said about the next.
    public static func fuzzing(_ target: String) throws -> [[UInt8]] {
        let file = directory.appending(path: "fuzz/\(target)")
        guard FileManager.default.fileExists(atPath: file.path) else { return [] }
        return try String(contentsOf: file, encoding: .utf8).split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
            guard let data = Data(base64Encoded: String(line)) else { throw CocoaError(.fileReadCorruptFile) }
            return Array(data)
        }
    }

    /// How many mutations of a message are worth the time.
    public static func rounds(_ usual: Int, of message: [UInt8]) -> Int {
        max(2, message.count > 20_000 ? usual / 10 : usual) * thoroughness
    }
}

extension [UInt8] {
    /// Itself, in random pieces.
    public func pieces(using generator: inout SeededGenerator) -> [[UInt8]] {
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

    /// Itself with bytes changed, removed, doubled, or what matters to mail put in.
    public func mutated(using generator: inout SeededGenerator) -> [UInt8] {
        var result = self
        let inserts: [String] = [
            "\n", "\r\n", "\r", "\n\n", "--", "--b\n", "--b--\n", "\"", "(", ")", "<", ">", "\\", "=?", "?=", ":", ";", "\0",
            "\u{E9}", "Content-Type: multipart/mixed; boundary=b\n\n", "Content-Type: message/rfc822\n\n", "From: ", "{5}",
        ]
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
    public var withCRLF: [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(count + count / 32)
        for byte in self {
            if byte == 0x0A, result.last != 0x0D { result.append(0x0D) }
            result.append(byte)
        }
        return result
    }

    public var text: String { String(decoding: self, as: UTF8.self) }
}
