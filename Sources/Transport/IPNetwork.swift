/// Addresses that begin alike: "192.0.2.0/24", "2001:db8::/32" (RFC 4632 §3.1, RFC 4291 §2.3).
public struct IPNetwork: Sendable, Hashable, CustomStringConvertible {
    public let address: IPAddress
    /// Bits that all addresses of the network share: 0 to 32, or 128.
    public let length: Int

    /// The network of this length that has `address` in it; a length beyond the address is that of the address.
    public init(of address: IPAddress, length: Int) {
        self.length = min(max(length, 0), address.family.bits)
        self.address = IPAddress(
            family: address.family, high: address.high & Self.mask(self.length), low: address.low & Self.mask(self.length - 64))
    }

    /// So many ones from the left.
    private static func mask(_ length: Int) -> UInt64 {
        length <= 0 ? 0 : length >= 64 ? .max : ~(UInt64.max >> UInt64(length))
    }

    public func contains(_ other: IPAddress) -> Bool {
        other.family == address.family && IPNetwork(of: other, length: length) == self
    }

    /// A single address is written without its length.
    public var description: String { length == address.family.bits ? "\(address)" : "\(address)/\(length)" }

    public struct Malformed: Error, CustomStringConvertible {
        public let description: String
    }

    /// "ADDRESS/LENGTH", or an address alone. What is set beyond the length is refused: it tells of a mistake.
    public init(_ text: String) throws(Malformed) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard let address = IPAddress(parts[0]) else {
            throw Malformed(description: "\"\(text)\" is not a network, such as 192.0.2.0/24 or 2001:db8::/32")
        }
        let bits = address.family.bits
        guard parts.count == 2 else {
            self.init(of: address, length: bits)
            return
        }
        guard let length = Int(parts[1]), (0...bits).contains(length), parts[1].allSatisfy(\.isNumber) else {
            throw Malformed(description: "\"\(text)\" has no length from 0 to \(bits) behind its /")
        }
        self.init(of: address, length: length)
        guard self.address == address else {
            throw Malformed(description: "\"\(text)\" is no network: did you mean \(self)?")
        }
    }
}

/// Networks in which an address can be found fast, however many there are.
public struct IPNetworkSet: Sendable, Equatable {
    private var networks: Set<IPNetwork> = []
    /// The lengths that occur, from the longest.
    private var lengths: [IPAddress.Family: [Int]] = [:]

    public init(_ networks: some Sequence<IPNetwork> = []) {
        self.networks = Set(networks)
        for family in IPAddress.Family.allCases {
            lengths[family] = Set(self.networks.filter { $0.address.family == family }.map(\.length)).sorted(by: >)
        }
    }

    public var isEmpty: Bool { networks.isEmpty }

    /// The length of the smallest network that has `address` in it.
    public func longestMatch(_ address: IPAddress) -> Int? {
        lengths[address.family]?.first { networks.contains(IPNetwork(of: address, length: $0)) }
    }

    public func contains(_ address: IPAddress) -> Bool { longestMatch(address) != nil }
}
