import Glibc

/// Who is at the other end of a connection.
public struct PeerAddress: Sendable, Hashable, CustomStringConvertible {
    /// As numbers and dots, or numbers and colons; "local" for a socket without an Internet address.
    public let host: String
    public let port: UInt16
    /// Whether nothing between the two ends is on a wire.
    public let isLoopback: Bool

    public var description: String {
        if port == 0 { return host }
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    /// The peer of a connected socket.
    public init(peerOf socket: Int32) {
        self.init { getpeername(socket, $0, $1) }
    }

    /// Where a socket is bound.
    init(boundBy socket: Int32) {
        self.init { getsockname(socket, $0, $1) }
    }

    init(_ address: UnsafePointer<sockaddr>, _ length: socklen_t) {
        var storage = sockaddr_storage()
        withUnsafeMutableBytes(of: &storage) {
            $0.copyMemory(from: UnsafeRawBufferPointer(start: address, count: min(Int(length), $0.count)))
        }
        self.init(storage)
    }

    private init(_ ask: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32) {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let failed = withUnsafeMutableBytes(of: &storage) { bytes in
            ask(bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self), &length) != 0
        }
        self.init(failed ? nil : storage)
    }

    private init(_ storage: sockaddr_storage?) {
        switch storage.map({ Int32($0.ss_family) }) {
        case AF_INET:
            let address = withUnsafeBytes(of: storage!) { $0.loadUnaligned(as: sockaddr_in.self) }
            port = UInt16(bigEndian: address.sin_port)
            host = Self.text(AF_INET, address.sin_addr, capacity: INET_ADDRSTRLEN)
            isLoopback = UInt32(bigEndian: address.sin_addr.s_addr) >> 24 == 127
        case AF_INET6:
            let address = withUnsafeBytes(of: storage!) { $0.loadUnaligned(as: sockaddr_in6.self) }
            port = UInt16(bigEndian: address.sin6_port)
            host = Self.text(AF_INET6, address.sin6_addr, capacity: INET6_ADDRSTRLEN)
            isLoopback = withUnsafeBytes(of: address.sin6_addr) { bytes in
                let mapped = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
                return mapped ? bytes[12] == 127 : bytes[..<15].allSatisfy { $0 == 0 } && bytes[15] == 1
            }
        default:
            port = 0
            host = "local"
            isLoopback = true
        }
    }

    private static func text<Address>(_ family: Int32, _ address: Address, capacity: Int32) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(capacity)) { buffer in
            withUnsafePointer(to: address) { address in
                guard inet_ntop(family, address, buffer.baseAddress!, socklen_t(capacity)) != nil else { return "unknown" }
                return String(cString: buffer.baseAddress!)
            }
        }
    }
}
