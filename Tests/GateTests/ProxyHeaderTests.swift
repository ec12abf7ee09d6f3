import Testing

@testable import Transport

@Suite struct ProxyHeaderTests {
    /// Reads as a gate does: never more than is needed, in whatever pieces.
    private func read(_ bytes: [UInt8], piece: Int = .max) throws -> (header: ProxyHeader, used: Int)? {
        var taken: [UInt8] = []
        while true {
            switch try ProxyHeader.parse(taken) {
            case .complete(let header): return (header, taken.count)
            case .needs(let count):
                #expect(count > 0)
                guard taken.count < bytes.count else { return nil }
                taken += bytes[taken.count...].prefix(min(count, piece))
            }
        }
    }

    static func binary(_ command: UInt8 = 0x21, family: UInt8, _ body: [UInt8], length: Int? = nil) -> [UInt8] {
        let length = length ?? body.count
        return [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A, command, family,
                UInt8(length >> 8), UInt8(length & 0xFF)] + body
    }

    static let v4: [UInt8] = [192, 0, 2, 1, 198, 51, 100, 1, 0xDA, 0xFE, 0x03, 0xE1]
    static let v6: [UInt8] = [0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [1]
        + [0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [2] + [0xDA, 0xFE, 0x03, 0xE1]

    /// The checksum is 0x03, and over all of the header with zeros in its place.
    static func checked(_ body: [UInt8], wrongBy difference: UInt32 = 0) -> [UInt8] {
        let header = binary(family: 0x11, body + [3, 0, 4, 0, 0, 0, 0])
        let sum = ProxyHeader.crc32c(header) ^ difference
        return header.dropLast(4) + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: sum >> $0) }
    }

    static let good: [([UInt8], String?)] = [
        (Array("PROXY TCP4 192.0.2.1 198.51.100.1 56062 993\r\n".utf8), "192.0.2.1:56062"),
        (Array("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n".utf8), "255.255.255.255:65535"),
        (Array("PROXY TCP4 1.1.1.1 2.2.2.2 0 0\r\n".utf8), "1.1.1.1:0"),
        (Array("PROXY TCP6 2001:db8::1 2001:db8::2 56062 993\r\n".utf8), "[2001:db8::1]:56062"),
        (Array("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n".utf8), "192.0.2.1:1"),
        (Array("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n".utf8),
         "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"),
        (Array("PROXY UNKNOWN\r\n".utf8), nil),
        (Array("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n".utf8), nil),
        (Array("PROXY UNKNOWN what ever\r\n".utf8), nil),
        (binary(family: 0x11, v4), "192.0.2.1:56062"),
        (binary(family: 0x21, v6), "[2001:db8::1]:56062"),
        (binary(family: 0x31, [UInt8](repeating: 0x2F, count: 216)), nil),
        (binary(family: 0x00, []), nil),
        (binary(family: 0x00, [1, 2, 3]), nil),
        (binary(0x20, family: 0x00, []), nil),
        (binary(0x20, family: 0x11, v4), nil),
        (binary(0x20, family: 0xFF, [1]), nil),
        // Extensions: nothing, a name, padding, and a checksum.
        (binary(family: 0x11, v4 + [4, 0, 0]), "192.0.2.1:56062"),
        (binary(family: 0x11, v4 + [2, 0, 3, 0x61, 0x62, 0x63] + [4, 0, 5, 0, 0, 0, 0, 0]), "192.0.2.1:56062"),
        (checked(v4 + [2, 0, 3, 0x61, 0x62, 0x63]), "192.0.2.1:56062"),
        (binary(family: 0x11, v4 + [0xEA, 0x0F, 0xE1] + [UInt8](repeating: 9, count: 0xFE1)), "192.0.2.1:56062"),
    ]

    @Test(arguments: good)
    func isRead(bytes: [UInt8], client: String?) throws {
        let outcome = try #require(try read(bytes))
        #expect(outcome.header.client.map { "\($0)" } == client)
        #expect(outcome.used == bytes.count)
    }

    @Test("in any pieces, every prefix is incomplete, and what follows is left to others", arguments: good)
    func pieces(bytes: [UInt8], client: String?) throws {
        for count in bytes.indices { #expect(try read(Array(bytes.prefix(count))) == nil, "\(count)") }
        for piece in [1, 2, 7] { #expect(try read(bytes, piece: piece)?.header == read(bytes)?.header) }
        for next: [UInt8] in [[0x16, 3, 1, 0, 5], Array("a LOGIN\r\n".utf8), [0x0D, 0x0A], [0x0A]] {
            #expect(try read(bytes + next)?.used == bytes.count)
        }
    }

    static let bad: [[UInt8]] = [
        // The client itself, with and without TLS.
        Array("a1 CAPABILITY\r\n".utf8), [0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3, 0, 0], Array("GET / HTTP/1.1\r\n".utf8),
        Array("proxy TCP4 192.0.2.1 198.51.100.1 56062 993\r\n".utf8),
        Array("PROXY\r\n TCP4 192.0.2.1 198.51.100.1 56062 993\r\n".utf8),
        Array("PROXY  TCP4 192.0.2.1 198.51.100.1 56062 993\r\n".utf8),
        Array("PROXY TCP4 192.0.2.1 198.51.100.1 56062 993\n".utf8),
        Array("PROXY TCP4 192.0.2.1 198.51.100.1 56062 993 \r\n".utf8),
        Array("PROXY TCP4 192.0.2.1 198.51.100.1 56062\r\n".utf8),
        Array("PROXY TCP4 192.0.2.1  198.51.100.1 56062 993\r\n".utf8),
        Array("PROXY TCP4 192.0.2 198.51.100.1 56062 993\r\n".utf8),
        Array("PROXY TCP4 localhost 198.51.100.1 56062 993\r\n".utf8),
        Array("PROXY TCP4 2001:db8::1 2001:db8::2 56062 993\r\n".utf8),
        Array("PROXY TCP6 192.0.2.1 198.51.100.1 56062 993\r\n".utf8),
        Array("PROXY TCP6 fe80::1%lo fe80::2 56062 993\r\n".utf8),
        Array("PROXY TCP4 192.0.2.1 198.51.100.1 65536 993\r\n".utf8),
        Array("PROXY TCP4 192.0.2.1 198.51.100.1 +1 993\r\n".utf8),
        Array("PROXY TCP4 192.0.2.1 198.51.100.1 056 993\r\n".utf8),
        Array("PROXY TCP4 192.0.2.1 198.51.100.1 -1 993\r\n".utf8),
        Array("PROXY TCP4 192.0.2.1 198.51.100.1 1 99999999999999999999\r\n".utf8),
        Array("PROXY TCP5 192.0.2.1 198.51.100.1 1 2\r\n".utf8), Array("PROXY UNKNOWNS\r\n".utf8),
        Array("PROXY unknown 1\r\n".utf8), Array("PROXY \u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\r\n".utf8),
        Array("PROXY UNKNOWN ".utf8) + [UInt8](repeating: 0x61, count: 92) + [0x0D, 0x0A],
        Array("PROXY UNKNOWN ".utf8) + [UInt8](repeating: 0x61, count: 5000),
        Array("PROXY UNKNOWN a\rb\nc\r\n".utf8),
        // Versions 1 and 3, a command and protocols that there are not.
        binary(0x11, family: 0x11, v4), binary(0x31, family: 0x11, v4), binary(0x22, family: 0x11, v4),
        binary(family: 0x10, v4), binary(family: 0x12, v4), binary(family: 0x22, v6), binary(family: 0x41, v6),
        binary(family: 0x01, v4),
        // Addresses that are cut short, and lengths beyond all need.
        binary(family: 0x11, Array(v4.dropLast())), binary(family: 0x21, v4), binary(family: 0x31, v6),
        binary(family: 0x11, v4, length: 4081), binary(family: 0x11, v4, length: 0xFFFF),
        binary(0x20, family: 0, [], length: 0xFFFF),
        // Extensions that are cut short, and checksums that are none.
        binary(family: 0x11, v4 + [4]), binary(family: 0x11, v4 + [4, 0]), binary(family: 0x11, v4 + [4, 0, 1]),
        binary(family: 0x11, v4 + [4, 0xFF, 0xFF, 0]), binary(family: 0x11, v4 + [3, 0, 3, 1, 2, 3]),
        checked(v4, wrongBy: 1), checked(v4, wrongBy: 0x8000_0000),
    ]

    @Test(arguments: bad)
    func isRefused(bytes: [UInt8]) {
        #expect(throws: ProxyHeader.Malformed.self) { try read(bytes) }
    }

    @Test("refused at the first byte that cannot be")
    func atOnce() {
        for bytes in [[0x16], [0x61], Array("PROXZ".utf8), [0x0D, 0x0A, 0x0D, 0x0B]] as [[UInt8]] {
            #expect(throws: ProxyHeader.Malformed.self) { try ProxyHeader.parse(bytes) }
        }
    }

    @Test("anything else is one of three: refused, incomplete, or a header", arguments: 0..<50)
    func garbage(_: Int) {
        for _ in 0..<200 {
            var bytes = Self.good.randomElement()!.0
            for _ in 0..<Int.random(in: 1...4) { bytes[.random(in: bytes.indices)] = .random(in: 0...255) }
            _ = try? read(bytes)
        }
    }

    @Test("the checksum is the one of RFC 3720 B.4")
    func checksum() {
        #expect(ProxyHeader.crc32c([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
        #expect(ProxyHeader.crc32c([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
        #expect(ProxyHeader.crc32c(Array("123456789".utf8)) == 0xE306_9283)
    }
}
