import Glibc

/// What client and server say to each other, in a file, for whoever looks for a fault.
///
/// Each line has the time, "C" or "S" for the side that has spoken, and what it said. Passwords are hidden; so are literals,
/// which is where messages are, unless somebody wants to see them.
public final class ProtocolTrace {
    private let descriptor: Int32
    private var client: TracedSide
    private var server: TracedSide
    /// Bytes that may still be written.
    private var room: Int

    /// - Parameters:
    ///   - descriptor: a file, open for writing; owned.
    ///   - limit: bytes after which no more is written.
    public init(descriptor: Int32, showsLiterals: Bool, limit: Int = 64 << 20) {
        self.descriptor = descriptor
        client = TracedSide(isClient: true, showsLiterals: showsLiterals)
        server = TracedSide(isClient: false, showsLiterals: showsLiterals)
        room = limit
    }

    deinit { close(descriptor) }

    func received(_ bytes: UnsafeRawBufferPointer) {
        guard room > 0 else { return }
        client.take(bytes)
        write("C", &client.lines)
    }

    func sent(_ bytes: UnsafeRawBufferPointer) {
        guard room > 0 else { return }
        server.take(bytes)
        // A literal that must be asked for does not come if the command has been answered.
        if server.hasAnswered { client.forgetAwaitedLiteral() }
        server.hasAnswered = false
        write("S", &server.lines)
    }

    /// What neither side has said.
    public func note(_ text: String) {
        var lines = [TracedSide.shown(Array(text.utf8))]
        write("-", &lines)
    }

    private func write(_ side: String, _ lines: inout [[UInt8]]) {
        guard !lines.isEmpty, room > 0 else { return }
        let time = Self.now()
        var text: [UInt8] = []
        for line in lines {
            text += time.utf8
            text += " \(side) ".utf8
            text += line
            text.append(0x0A)
        }
        lines.removeAll()
        room -= text.count
        if room <= 0 { text += "\(time) - the trace is full\n".utf8 }
        var rest = text[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                // A full disk ends the trace, not the session.
                room = 0
                return
            }
            rest = rest.dropFirst(count)
        }
    }

    /// RFC 3339, in UTC, with microseconds.
    private static func now() -> String {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        var parts = tm()
        gmtime_r(&time.tv_sec, &parts)
        let seconds = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 32) { buffer in
            let count = strftime(buffer.baseAddress!, buffer.count, "%Y-%m-%dT%H:%M:%S", &parts)
            return count > 0 ? String(cString: buffer.baseAddress!) : ""
        }
        return "\(seconds).\(String(time.tv_nsec / 1000 + 1_000_000).dropFirst())Z"
    }
}

/// One direction of a traced conversation: bytes that become lines.
struct TracedSide {
    private let isClient: Bool
    private let showsLiterals: Bool
    /// Finished, without line ends, and fit to be seen.
    var lines: [[UInt8]] = []
    /// Whether a command was answered, by the server.
    var hasAnswered = false

    /// The line's first bytes, and its last ones, which announce a literal.
    private var line: [UInt8] = []
    private var end: [UInt8] = []
    /// Bytes of the line.
    private var length = 0
    /// The literal that has begun, and how much of it is still to come.
    private var literal: (size: UInt64, left: UInt64)?
    /// Whether nothing of that has come yet that the server must ask for.
    private var isAwaited = false
    /// Whether the line goes on with a command, after a literal; and whether that tells a password.
    private var goesOn = false
    private var isSecret = false

    /// Bytes of a line that are shown, and as many of one as can announce a literal.
    private static let longest = 8192, announcement = 24

    init(isClient: Bool, showsLiterals: Bool) {
        self.isClient = isClient
        self.showsLiterals = showsLiterals
    }

    mutating func take(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes[...]
        while !rest.isEmpty {
            if let (size, left) = literal {
                let piece = rest.prefix(Int(clamping: left))
                isAwaited = false
                takeLiteral(piece, size, left - UInt64(piece.count))
                rest = rest.dropFirst(piece.count)
            } else if let index = rest.firstIndex(of: 0x0A) {
                add(rest[..<index])
                rest = rest[(index + 1)...]
                endLine()
            } else {
                add(rest)
                return
            }
        }
    }

    /// The server did not ask for it.
    mutating func forgetAwaitedLiteral() {
        guard isAwaited else { return }
        (literal, isAwaited, goesOn, isSecret) = (nil, false, false, false)
    }

    private mutating func add(_ bytes: Slice<UnsafeRawBufferPointer>) {
        line += bytes.prefix(Self.longest - line.count)
        end = Array((end + bytes.suffix(Self.announcement)).suffix(Self.announcement))
        length += bytes.count
    }

    // MARK: - Literals

    private mutating func takeLiteral(_ piece: Slice<UnsafeRawBufferPointer>, _ size: UInt64, _ left: UInt64) {
        let isShown = showsLiterals && !isSecret
        if isShown {
            var rest = piece
            while let index = rest.firstIndex(of: 0x0A) {
                add(rest[..<index])
                rest = rest[(index + 1)...]
                endLiteralLine()
            }
            add(rest)
        }
        literal = left > 0 ? (size: size, left: left) : nil
        guard left == 0 else { return }
        if isShown {
            if length > 0 { endLiteralLine() }
        } else {
            lines.append(Array("| (\(size) bytes)".utf8))
        }
    }

    private mutating func endLiteralLine() {
        lines.append(Array("| ".utf8) + text())
        beginLine()
    }

    // MARK: - Lines

    private mutating func endLine() {
        let announced = Self.announced(end)
        defer {
            beginLine()
            goesOn = announced != nil
            if let announced, announced.size > 0 { literal = (size: announced.size, left: announced.size) }
            isAwaited = isClient && announced?.isAwaited == true
        }
        guard isClient else {
            if !goesOn, let first = line.first, first != UInt8(ascii: "*"), first != UInt8(ascii: "+") { hasAnswered = true }
            lines.append(text())
            return
        }
        if goesOn {
            lines.append(isSecret ? Self.hidden : text())
            return
        }
        let words = line.split(separator: 0x20, maxSplits: 2).map { $0.filter { $0 != 0x0D } }
        let names = words.prefix(2).map { String(decoding: $0, as: UTF8.self).uppercased() }
        // The tag may be missing.
        let secret = names.firstIndex { $0.contains("LOGIN") || $0.contains("AUTH") }
        isSecret = secret != nil
        if let secret {
            lines.append(Self.shown(Array(words[...secret].joined(separator: [0x20]))) + [0x20] + Self.hidden)
        } else if names.count == 1, names[0] != "DONE" {
            // No command is a single word. It may be a response to AUTHENTICATE.
            lines.append(Self.hidden)
        } else {
            lines.append(text())
        }
    }

    private mutating func beginLine() {
        line.removeAll(keepingCapacity: true)
        end.removeAll(keepingCapacity: true)
        length = 0
    }

    private static let hidden = Array("(hidden)".utf8)

    private func text() -> [UInt8] {
        guard length > line.count else { return Self.shown(line.last == 0x0D ? line.dropLast() : line[...]) }
        return Self.shown(line) + Array("… (\(length - line.count) more bytes)".utf8)
    }

    /// What a terminal can show without being told what to do.
    static func shown(_ bytes: some Collection<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        for byte in bytes {
            if byte >= 0x20, byte != 0x7F {
                result.append(byte)
            } else {
                result += "\\x\(String(UInt16(byte) + 0x100, radix: 16).dropFirst())".utf8
            }
        }
        return result
    }

    /// The literal that a line announces with its last bytes (RFC 9051 §4.3, RFC 7888).
    private static func announced(_ end: [UInt8]) -> (size: UInt64, isAwaited: Bool)? {
        var rest = end[...]
        if rest.last == 0x0D { rest.removeLast() }
        guard rest.popLast() == UInt8(ascii: "}") else { return nil }
        let sign = rest.last
        let isAwaited = sign != UInt8(ascii: "+") && sign != UInt8(ascii: "-")
        if !isAwaited { rest.removeLast() }
        guard let brace = rest.lastIndex(of: UInt8(ascii: "{")) else { return nil }
        let digits = rest[(brace + 1)...]
        guard !digits.isEmpty, digits.allSatisfy({ (0x30...0x39).contains($0) }),
              let size = UInt64(String(decoding: digits, as: UTF8.self))
        else { return nil }
        return (size, isAwaited)
    }
}
