import Glibc

/// An Internet address, as a number. An IPv4 address that is written as IPv6 (RFC 4291 §2.5.5.2) is the IPv4 address.
public struct IPAddress: Sendable, Hashable, CustomStringConvertible {
    public enum Family: UInt8, Sendable, CaseIterable {
        case v4 = 4, v6 = 6

        /// Of an address.
        public var bits: Int { self == .v4 ? 32 : 128 }
    }

    public let family: Family
    /// The first bits, from the left; of IPv4 all are in the first half of this.
    let high: UInt64
    let low: UInt64

    init(family: Family, high: UInt64, low: UInt64) {
        self.family = family
        self.high = high
        self.low = low
    }

    /// 4 or 16 bytes, in the order of the network; `nil` for any other number.
    public init?(_ bytes: some Collection<UInt8>) {
        let high = bytes.prefix(8).reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
        switch bytes.count {
        case 4: self.init(family: .v4, high: high << 32, low: 0)
        case 16:
            let low = bytes.dropFirst(8).reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
            if high == 0, low >> 32 == 0xFFFF {
                self.init(family: .v4, high: low << 32, low: 0)
            } else {
                self.init(family: .v6, high: high, low: low)
            }
        default: return nil
        }
    }

    /// Numbers and dots, or numbers and colons, as inet_pton(3) reads them: no names, no zones, no short forms of IPv4.
    public init?(_ text: String) {
        var v4 = in_addr()
        var v6 = in6_addr()
        if inet_pton(AF_INET, text, &v4) == 1 {
            self.init(withUnsafeBytes(of: v4) { Array($0) })
        } else if inet_pton(AF_INET6, text, &v6) == 1 {
            self.init(withUnsafeBytes(of: v6) { Array($0) })
        } else {
            return nil
        }
    }

    /// In the order of the network: 4 or 16.
    public var bytes: [UInt8] {
        let all = [high, low].flatMap { half in (0..<8).map { UInt8(truncatingIfNeeded: half >> UInt64(56 - 8 * $0)) } }
        return Array(all.prefix(family.bits / 8))
    }

    /// Whether nothing between the two ends is on a wire.
    public var isLoopback: Bool { family == .v4 ? high >> 56 == 127 : high == 0 && low == 1 }

    public var description: String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { buffer in
            let end = inet_ntop(family == .v4 ? AF_INET : AF_INET6, bytes, buffer.baseAddress!, socklen_t(buffer.count))
            return end == nil ? "unknown" : String(cString: buffer.baseAddress!)
        }
    }
}
