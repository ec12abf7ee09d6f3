/// What a proxy sends ahead of a client's bytes, ahead even of TLS: for whom it connects. Versions 1 (text) and 2 (binary) of
/// the PROXY protocol, as HAProxy's `proxy-protocol.txt` defines them.
public struct ProxyHeader: Equatable, Sendable {
    /// The client; `nil` if the proxy connects for itself, as it does to see whether we are alive, or does not know.
    public let client: PeerAddress?

    public struct Malformed: Error, Equatable, CustomStringConvertible {
        public let description: String

        init(_ description: String) { self.description = description }
    }

    /// What can be said of the bytes so far.
    public enum Progress: Equatable, Sendable {
        /// So many more belong to the header, and perhaps others behind them: not one may be read too many.
        case needs(Int)
        case complete(ProxyHeader)
    }

    /// Bytes: of version 1 as defined; of version 2 more than the largest address and what proxies tell of TLS.
    public static let longestText = 107
    public static let longestBinary = 4096

    private static let textSignature = Array("PROXY ".utf8)
    private static let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]
    private static let binaryStart = 16

    /// - Parameter bytes: all that were read.
    public static func parse(_ bytes: [UInt8]) throws(Malformed) -> Progress {
        guard let first = bytes.first else { return .needs(12) }
        let expected = first == textSignature[0] ? textSignature : signature
        guard zip(bytes, expected).allSatisfy({ $0 == $1 }) else { throw Malformed("there is no PROXY header") }
        if bytes.count < 12 { return .needs(12 - bytes.count) }
        return expected == signature ? try parseBinary(bytes) : try parseText(bytes)
    }

    // MARK: - Version 1

    private static func parseText(_ bytes: [UInt8]) throws(Malformed) -> Progress {
        let isComplete = bytes.suffix(2) == [0x0D, 0x0A]
        guard isComplete || !bytes.contains(0x0A) else { throw Malformed("a line feed stands alone") }
        guard bytes.count <= longestText, isComplete || bytes.count < longestText else { throw Malformed("the line is too long") }
        guard isComplete else {
            // "PROXY UNKNOWN" and its end is the shortest.
            return .needs(max(15 - bytes.count, 1))
        }
        let fields = bytes.dropLast(2).split(separator: 0x20, omittingEmptySubsequences: false).dropFirst()
        let family: IPAddress.Family
        switch fields.first.map({ String(decoding: $0, as: UTF8.self) }) {
        case "UNKNOWN": return .complete(ProxyHeader(client: nil))
        case "TCP4": family = .v4
        case "TCP6": family = .v6
        default: throw Malformed("the protocol is none of TCP4, TCP6 and UNKNOWN")
        }
        let parts = fields.dropFirst().map { String(decoding: $0, as: UTF8.self) }
        guard parts.count == 4 else { throw Malformed("there are not two addresses and two ports") }
        let addresses = parts[..<2].compactMap { text in
            text.contains(":") == (family == .v6) ? IPAddress(text) : nil
        }
        let ports = parts[2...].compactMap(port)
        guard addresses.count == 2, ports.count == 2 else { throw Malformed("an address or a port is none") }
        return .complete(ProxyHeader(client: PeerAddress(addresses[0], port: ports[0])))
    }

    private static func port(_ text: String) -> UInt16? {
        guard let first = text.utf8.first, first != 0x30 || text.utf8.count == 1,
              text.utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        return UInt16(text)
    }

    // MARK: - Version 2

    private static func parseBinary(_ bytes: [UInt8]) throws(Malformed) -> Progress {
        guard bytes.count >= binaryStart else { return .needs(binaryStart - bytes.count) }
        let length = Int(bytes[14]) << 8 | Int(bytes[15])
        guard bytes[12] >> 4 == 2, bytes[12] & 0xF <= 1 else { throw Malformed("version or command are unknown") }
        guard binaryStart + length <= longestBinary else { throw Malformed("the header is too long") }
        let missing = binaryStart + length - bytes.count
        if missing > 0 { return .needs(missing) }
        guard missing == 0 else { throw Malformed("more was read than the header") }

        // LOCAL: whatever else there is has no meaning.
        if bytes[12] & 0xF == 0 { return .complete(ProxyHeader(client: nil)) }
        let body = bytes[binaryStart...]
        let addressLength: Int
        let family = bytes[13]
        switch family {
        case 0x00: return .complete(ProxyHeader(client: nil))
        case 0x11: addressLength = 4
        case 0x21: addressLength = 16
        // AF_UNIX: a neighbour of the proxy.
        case 0x31: addressLength = 108
        default: throw Malformed("the protocol is not TCP")
        }
        let blockLength = family == 0x31 ? 2 * addressLength : 2 * addressLength + 4
        guard body.count >= blockLength else { throw Malformed("the addresses are cut short") }
        try checkExtensions(bytes, from: binaryStart + blockLength)
        if family == 0x31 { return .complete(ProxyHeader(client: nil)) }
        let portAt = binaryStart + 2 * addressLength
        let client = PeerAddress(
            IPAddress(body.prefix(addressLength)), port: UInt16(bytes[portAt]) << 8 | UInt16(bytes[portAt + 1]))
        return .complete(ProxyHeader(client: client))
    }

    /// Type (1 byte), length (2) and value, again and again. None of them is asked for; but a header whose own checksum it does
    /// not fit is not what the proxy sent.
    private static func checkExtensions(_ bytes: [UInt8], from start: Int) throws(Malformed) {
        var index = start
        while index < bytes.count {
            guard bytes.count - index >= 3 else { throw Malformed("an extension is cut short") }
            let length = Int(bytes[index + 1]) << 8 | Int(bytes[index + 2])
            let value = index + 3
            guard length <= bytes.count - value else { throw Malformed("an extension is cut short") }
            if bytes[index] == 0x03 {
                guard length == 4 else { throw Malformed("the checksum is none") }
                var zeroed = bytes
                zeroed.replaceSubrange(value..<(value + 4), with: [0, 0, 0, 0])
                let stated = bytes[value..<(value + 4)].reduce(0 as UInt32) { $0 << 8 | UInt32($1) }
                guard stated == crc32c(zeroed) else { throw Malformed("the checksum does not fit") }
            }
            index = value + length
        }
    }

    /// RFC 3720 appendix B.4.
    static func crc32c(_ bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(UInt32.max) { crc, byte in
            (0..<8).reduce(crc ^ UInt32(byte)) { crc, _ in crc >> 1 ^ (crc & 1 == 1 ? 0x82F6_3B78 : 0) }
        }
    }
}
