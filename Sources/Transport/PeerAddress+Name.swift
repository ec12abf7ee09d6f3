import Glibc

extension PeerAddress {
    /// What name services call this host, and whether they say of that name that it is this host's: anybody can claim any name
    /// for an address of their own. `nil` if it has none. Waits for name servers.
    public func lookUpName() -> (name: String, isConfirmed: Bool)? {
        guard let addresses = Self.addresses(of: host, AI_NUMERICHOST) else { return nil }
        defer { freeaddrinfo(addresses) }
        var buffer = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        guard getnameinfo(addresses.pointee.ai_addr, addresses.pointee.ai_addrlen, &buffer, socklen_t(buffer.count), nil, 0,
                          NI_NAMEREQD) == 0
        else { return nil }
        let name = buffer.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        guard let found = Self.addresses(of: name, 0) else { return (name, false) }
        defer { freeaddrinfo(found) }
        var next: UnsafeMutablePointer<addrinfo>? = found
        while let candidate = next?.pointee {
            next = candidate.ai_next
            if let address = candidate.ai_addr, PeerAddress(address, candidate.ai_addrlen).host == host { return (name, true) }
        }
        return (name, false)
    }

    private static func addresses(of host: String, _ flags: Int32) -> UnsafeMutablePointer<addrinfo>? {
        var hints = addrinfo()
        hints.ai_flags = flags
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        return getaddrinfo(host, nil, &hints, &found) == 0 ? found : nil
    }
}
