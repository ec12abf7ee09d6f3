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
}
