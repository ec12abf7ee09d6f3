import Glibc

/// The address of a socket of this machine (unix(7)): a path, or, after "@", a name in the kernel's abstract namespace.
public struct UnixAddress: Sendable {
    private let address: sockaddr_un
    private let length: socklen_t

    /// `nil` if it is too long: more than 107 bytes.
    public init?(_ path: String) {
        var name = Array(path.utf8)
        let isAbstract = name.first == UInt8(ascii: "@")
        if isAbstract { name[0] = 0 }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let fits = withUnsafeMutableBytes(of: &address.sun_path) { room in
            guard name.count < room.count else { return false }
            room.copyBytes(from: name)
            return true
        }
        guard fits else { return nil }
        self.address = address
        // An abstract name ends with the address, a path with a zero byte.
        length = socklen_t(MemoryLayout<sa_family_t>.size + name.count + (isAbstract ? 0 : 1))
    }

    /// False and `errno` if it fails.
    public func connect(_ socket: Int32) -> Bool { call { Glibc.connect(socket, $0, $1) } }

    /// False and `errno` if it fails.
    public func bind(_ socket: Int32) -> Bool { call { Glibc.bind(socket, $0, $1) } }

    private func call(_ function: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Bool {
        withUnsafeBytes(of: address) { function($0.baseAddress!.assumingMemoryBound(to: sockaddr.self), length) } == 0
    }
}
