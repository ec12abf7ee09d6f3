import Glibc

/// Who is at the other end of a connection.
public struct PeerAddress: Sendable, Hashable, CustomStringConvertible {
    /// `nil` for a socket without an Internet address.
    public let address: IPAddress?
    public let port: UInt16

    public init(_ address: IPAddress?, port: UInt16) {
        self.address = address
        self.port = port
    }

    /// As numbers and dots, or numbers and colons; "local" for a socket without an Internet address.
    public var host: String { address.map { "\($0)" } ?? "local" }

    /// Whether nothing between the two ends is on a wire.
    public var isLoopback: Bool { address?.isLoopback ?? true }

    public var description: String {
        guard let address else { return "local" }
        return address.family == .v6 ? "[\(address)]:\(port)" : "\(address):\(port)"
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
        self.init(UnsafeRawBufferPointer(start: address, count: Int(length)))
    }

    private init(_ ask: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32) {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        self = withUnsafeMutableBytes(of: &storage) { bytes in
            let failed = ask(bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self), &length) != 0
            return PeerAddress(UnsafeRawBufferPointer(rebasing: bytes.prefix(failed ? 0 : Int(length))))
        }
    }

    private init(_ bytes: UnsafeRawBufferPointer) {
        let family = bytes.count >= MemoryLayout<sa_family_t>.size ? bytes.loadUnaligned(as: sa_family_t.self) : 0
        switch Int32(family) {
        case AF_INET where bytes.count >= MemoryLayout<sockaddr_in>.size:
            let socket = bytes.loadUnaligned(as: sockaddr_in.self)
            self.init(withUnsafeBytes(of: socket.sin_addr) { IPAddress($0) }, port: UInt16(bigEndian: socket.sin_port))
        case AF_INET6 where bytes.count >= MemoryLayout<sockaddr_in6>.size:
            let socket = bytes.loadUnaligned(as: sockaddr_in6.self)
            self.init(withUnsafeBytes(of: socket.sin6_addr) { IPAddress($0) }, port: UInt16(bigEndian: socket.sin6_port))
        default: self.init(nil, port: 0)
        }
    }
}
