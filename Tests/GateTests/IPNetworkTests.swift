import Testing
import Transport

@Suite struct IPNetworkTests {
    @Test("addresses are read and written", arguments: [
        ("192.0.2.1", "192.0.2.1"), ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"), ("::", "::"), ("fe80::1", "fe80::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"), ("::192.0.2.1", "::192.0.2.1"),
    ])
    func addresses(text: String, canonical: String) throws {
        let address = try #require(IPAddress(text))
        #expect("\(address)" == canonical)
        #expect(IPAddress(address.bytes) == address)
        #expect(IPAddress(canonical) == address)
    }

    @Test("what is no address is none", arguments: [
        "", "192.0.2", "192.0.2.1.1", "192.0.2.256", "0x7f.1", "1", "localhost", "fe80::1%lo", "::1 ", "[::1]", "1::2::3",
    ])
    func noAddresses(text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test func bytesOfAnyOtherNumber() {
        for count in 0..<40 where count != 4 && count != 16 { #expect(IPAddress([UInt8](repeating: 1, count: count)) == nil) }
    }

    @Test(arguments: [("127.0.0.1", true), ("127.255.0.9", true), ("128.0.0.1", false), ("::1", true), ("::2", false),
                      ("::ffff:127.0.0.1", true)])
    func loopback(text: String, isLoopback: Bool) {
        #expect(IPAddress(text)?.isLoopback == isLoopback)
    }

    @Test(arguments: [
        ("192.0.2.0/24", "192.0.2.0/24", ["192.0.2.0", "192.0.2.255"], ["192.0.3.0", "192.0.1.255", "::ffff:192.0.3.1", "2001::"]),
        ("0.0.0.0/0", "0.0.0.0/0", ["0.0.0.0", "255.255.255.255"], ["::", "ffff::"]),
        ("::/0", "::/0", ["::", "ffff::"], ["0.0.0.0"]),
        ("2001:db8::/32", "2001:db8::/32", ["2001:db8::", "2001:db8:ffff::1"], ["2001:db9::", "2001:db7:ffff::"]),
        ("2001:db8:0:1::/64", "2001:db8:0:1::/64", ["2001:db8:0:1:ffff::"], ["2001:db8:0:2::", "2001:db8::"]),
        ("2001:db8::8000:0:0:0/65", "2001:db8:0:0:8000::/65", ["2001:db8::ffff:0:0:0"], ["2001:db8::7fff:0:0:0"]),
        ("192.0.2.7", "192.0.2.7", ["192.0.2.7"], ["192.0.2.6"]), ("192.0.2.7/32", "192.0.2.7", ["192.0.2.7"], ["192.0.2.6"]),
        ("::1/128", "::1", ["::1"], ["::2"]),
    ])
    func networks(text: String, canonical: String, inside: [String], outside: [String]) throws {
        let network = try IPNetwork(text)
        #expect("\(network)" == canonical)
        for address in inside { #expect(network.contains(try #require(IPAddress(address))), "\(address)") }
        for address in outside { #expect(!network.contains(try #require(IPAddress(address))), "\(address)") }
    }

    @Test(arguments: ["", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "::/129", "10.0.0.0/8/8", "10/8", "all"])
    func malformed(text: String) {
        #expect(throws: IPNetwork.Malformed.self) { try IPNetwork(text) }
    }

    @Test("what is set beyond the length tells of a mistake")
    func hostBits() {
        let error = #expect(throws: IPNetwork.Malformed.self) { try IPNetwork("192.168.1.7/24") }
        #expect(error?.description.contains("did you mean 192.168.1.0/24?") == true)
    }

    @Test("a set finds the smallest network, as looking at each of them does")
    func longestMatch() throws {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            // Few bits, so that networks overlap.
            let networks = (0..<8).map { _ in
                let bytes: [UInt8] = Bool.random() ? [10, .random(in: 0...3), 0, 0] : [10] + [UInt8](repeating: 0, count: 15)
                return IPNetwork(of: IPAddress(bytes)!, length: .random(in: 0...20, using: &random))
            }
            let set = IPNetworkSet(networks)
            for family in [4, 16] {
                let address = try #require(IPAddress([10, .random(in: 0...3)] + [UInt8](repeating: 7, count: family - 2)))
                #expect(set.longestMatch(address) == networks.filter { $0.contains(address) }.map(\.length).max())
            }
        }
        #expect(IPNetworkSet().longestMatch(IPAddress("::1")!) == nil)
    }
}
