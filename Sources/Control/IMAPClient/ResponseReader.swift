import Transport

/// Finds responses in what a server sends. The server is a stranger: everything that it can make us hold has a limit.
final class ResponseReader {
    /// Where the bytes of messages go.
    typealias Body = (UnsafeRawBufferPointer) throws(ControlFailure) -> Void

    private enum Limit {
        /// Text of one response, with its literals. UIDs of a million messages have a line each.
        static let response = 16 << 20
        static let literals = 1000
    }

    /// A server that says nothing for so long is not there any more.
    static let patience = Duration.seconds(300)

    let connection: Connection
    private var buffer = [UInt8](repeating: 0, count: 1 << 17)
    private var filled = 0..<0

    init(_ connection: Connection) { self.connection = connection }

    /// Whether everything that came was taken: nothing may have been said before TLS begins.
    var isEmpty: Bool { filled.isEmpty }

    /// The next response. The literal of `BODY[]` goes to `body`, in pieces.
    func next(_ body: Body? = nil) throws(ControlFailure) -> Response {
        var pieces: [Response.Piece] = []
        var held = 0
        while true {
            var line = try line(atMost: Limit.response - held)
            held += line.count
            guard let (size, start) = Self.literal(line) else {
                pieces.append(.text(line))
                break
            }
            line.removeSubrange(start...)
            pieces.append(.text(line))
            if let body, String(decoding: line.suffix(7), as: UTF8.self).uppercased() == "BODY[] " {
                try forward(size, to: body)
                pieces.append(.passedOn)
            } else {
                guard size <= UInt64(Limit.response - held), pieces.count < 2 * Limit.literals else {
                    throw ControlFailure("the server says more than makes sense")
                }
                var literal: [UInt8] = []
                try forward(size) { literal.append(contentsOf: $0) }
                held += literal.count
                pieces.append(.literal(literal))
            }
        }
        guard let response = Response(pieces) else { throw ControlFailure("the server does not speak IMAP") }
        return response
    }

    /// The size that a line ends with, as `{12}` or `~{12}`, and where that begins.
    private static func literal(_ line: [UInt8]) -> (size: UInt64, start: Int)? {
        guard line.last == UInt8(ascii: "}"), let open = line.lastIndex(of: UInt8(ascii: "{")),
              let size = UInt64(String(decoding: line[(open + 1)..<(line.count - 1)], as: UTF8.self)) else { return nil }
        let isBinary = open > 0 && line[open - 1] == UInt8(ascii: "~")
        return (size, isBinary ? open - 1 : open)
    }

    private func fill() throws(ControlFailure) {
        guard filled.isEmpty else { return }
        let connection = connection
        var count = 0
        var end: ConnectionEnd?
        buffer.withUnsafeMutableBytes { buffer in
            do throws(ConnectionEnd) { count = try connection.receive(into: buffer, atMost: Self.patience) } catch { end = error }
        }
        if let end { throw ControlFailure(end) }
        filled = 0..<count
    }

    /// Up to the next line end, without it.
    private func line(atMost limit: Int) throws(ControlFailure) -> [UInt8] {
        var line: [UInt8] = []
        while true {
            try fill()
            let end = buffer[filled].firstIndex(of: 0x0A)
            line += buffer[filled.lowerBound..<(end ?? filled.upperBound)]
            filled = (end.map { $0 + 1 } ?? filled.upperBound)..<filled.upperBound
            guard line.count <= limit else { throw ControlFailure("the server says more than makes sense") }
            if end != nil {
                if line.last == 0x0D { line.removeLast() }
                return line
            }
        }
    }

    private func forward(_ size: UInt64, to body: Body) throws(ControlFailure) {
        var due = size
        while due > 0 {
            try fill()
            let count = Int(min(UInt64(filled.count), due))
            let piece = filled.lowerBound..<filled.lowerBound + count
            var failure: ControlFailure?
            buffer.withUnsafeBytes { bytes in
                do throws(ControlFailure) { try body(UnsafeRawBufferPointer(rebasing: bytes[piece])) } catch { failure = error }
            }
            if let failure { throw failure }
            filled = piece.upperBound..<filled.upperBound
            due -= UInt64(count)
        }
    }
}

extension ControlFailure {
    init(_ end: ConnectionEnd) {
        self.init(end == .closed ? "the server has closed the connection" : "the connection to the server: \(end.reason)")
    }
}
