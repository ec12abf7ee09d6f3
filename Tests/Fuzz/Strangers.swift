@testable import Transport

/// What a proxy sends ahead of a client, in pieces. Pieces must not matter, nothing is read beyond the header, and a header has
/// an end.
func fuzzProxy(_ input: UnsafeRawBufferPointer) {
    let (choices, rest) = split(input, choices: 1)
    let bytes = Array(rest)
    let whole = header(bytes, piece: .max)
    precondition(whole == header(bytes, piece: Int(choices[0] % 16) + 1), "pieces matter")
}

/// As a gate reads it: the header and its length, or `nil`.
private func header(_ bytes: [UInt8], piece: Int) -> Header? {
    var taken: [UInt8] = []
    while true {
        precondition(taken.count <= ProxyHeader.longestBinary, "a header has no end")
        switch try? ProxyHeader.parse(taken) {
        case nil: return nil
        case .complete(let header): return Header(header: header, length: taken.count)
        case .needs(let count):
            precondition(count > 0, "nothing is needed, and there is no header")
            guard taken.count < bytes.count else { return nil }
            taken += bytes[taken.count...].prefix(min(count, piece))
        }
    }
}

private struct Header: Equatable {
    let header: ProxyHeader
    let length: Int
}

/// A handshake in which a client has shown a certificate, as a gate that was taken over may show it.
func fuzzHandshake(_ input: UnsafeRawBufferPointer) {
    let bytes = Array(input)
    guard let handshake = TLSHandshake(bytes) else { return }
    precondition(!handshake.clientCertificates.isEmpty, "nobody has shown anything")
    precondition(TLSHandshake(Array(bytes.dropLast())) == nil, "it has no end")
}
