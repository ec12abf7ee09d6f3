import CLinux
import Glibc
import SystemPackage

/// Why an address cannot be listened on.
public enum ListenError: Error, Equatable, CustomStringConvertible {
    case unknownHost(String, reason: String)
    case address(PeerAddress, Errno)
    case descriptors(Errno)

    public var description: String {
        switch self {
        case .unknownHost(let host, let reason): "no address for host \"\(host)\": \(reason)"
        case .address(let address, let error): "cannot listen on \(address): \(error)"
        case .descriptors(let error): "cannot make a socket: \(error)"
        }
    }
}

/// A socket that clients connect to.
public final class Listener: Sendable {
    public let descriptor: Int32
    /// Where it is bound; with the port that the kernel chose, if it was asked to.
    public let address: PeerAddress
    /// Whether TLS begins with the first byte (RFC 8314 §3.2), as on port 993.
    public let usesImplicitTLS: Bool

    private init(descriptor: Int32, implicitTLS: Bool) {
        self.descriptor = descriptor
        address = PeerAddress(boundBy: descriptor)
        usesImplicitTLS = implicitTLS
    }

    /// A socket that somebody has made and bound for us. `nil` if it does not listen for connections.
    ///
    /// - Parameter implicitTLS: what its port means.
    public init?(adopting descriptor: Int32, implicitTLS: (_ port: UInt16) -> Bool) {
        var listens: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0, listens != 0 else { return nil }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        Self.configure(descriptor)
        self.descriptor = descriptor
        address = PeerAddress(boundBy: descriptor)
        usesImplicitTLS = implicitTLS(address.port)
    }

    deinit { close(descriptor) }

    /// Listens on every address of `host`: a name, an IPv4 or an IPv6 address, or "*" for all of this machine.
    /// Port 0 lets the kernel choose one, the same for all addresses where that can be.
    ///
    /// - Parameter keepalive: silence after which the kernel asks whether a client is there; zero never asks.
    public static func listen(
        host: String, port: UInt16, implicitTLS: Bool, keepalive: Duration = .seconds(240)
    ) throws(ListenError) -> [Listener] {
        var hints = addrinfo()
        hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host == "*" ? nil : host, String(port), &hints, &found)
        guard status == 0, let found else {
            throw .unknownHost(host, reason: status == 0 ? "none" : String(cString: gai_strerror(status)))
        }
        defer { freeaddrinfo(found) }

        var listeners: [Listener] = []
        var next: UnsafeMutablePointer<addrinfo>? = found
        while let candidate = next?.pointee {
            next = candidate.ai_next
            guard let address = candidate.ai_addr else { continue }
            do throws(ListenError) {
                let descriptor = try bind(address, candidate.ai_addrlen, sharing: port == 0 ? listeners.first?.address.port : nil)
                let listener = Listener(descriptor: descriptor, implicitTLS: implicitTLS)
                listener.keepAlive(after: keepalive)
                listeners.append(listener)
            } catch .descriptors(.addressFamilyNotSupported) {
                continue  // A kernel without IPv6: the other addresses will do.
            } catch .address(_, .addressNotAvailable) where candidate.ai_next != nil || !listeners.isEmpty {
                continue  // "localhost" is ::1 too, also where no interface has that.
            }
        }
        guard !listeners.isEmpty else { throw .unknownHost(host, reason: "none of its addresses is this machine's") }
        return listeners
    }

    private static func bind(
        _ address: UnsafeMutablePointer<sockaddr>, _ length: socklen_t, sharing port: UInt16?
    ) throws(ListenError) -> Int32 {
        let family = Int32(address.pointee.sa_family)
        if let port {
            switch family {
            case AF_INET6:
                address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { $0.pointee.sin6_port = port.bigEndian }
            default:
                address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { $0.pointee.sin_port = port.bigEndian }
            }
        }
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(family, kind, 0)
        guard descriptor >= 0 else { throw .descriptors(Errno(rawValue: errno)) }

        set(descriptor, SOL_SOCKET, SO_REUSEADDR, 1)
        // IPv4 has a socket of its own, whatever net.ipv6.bindv6only says.
        if family == AF_INET6 { set(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1) }
        configure(descriptor)
        guard Glibc.bind(descriptor, address, length) == 0, Glibc.listen(descriptor, backlog) == 0 else {
            let error = Errno(rawValue: errno)
            close(descriptor)
            throw .address(PeerAddress(address, length), error)
        }
        return descriptor
    }

    /// Accepted sockets inherit these: no system call a connection.
    private static func configure(_ descriptor: Int32) {
        set(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    }

    /// After how much silence the kernel asks whether a client is still there; zero never asks. Sockets that are accepted from
    /// now on inherit it.
    ///
    /// With 240 seconds, an IDLE client behind a NAT box that has forgotten it is found out within 12 minutes; one behind a box
    /// that forgets after 5 minutes of silence is kept.
    public func keepAlive(after silence: Duration) {
        Self.set(descriptor, SOL_SOCKET, SO_KEEPALIVE, silence > .zero ? 1 : 0)
        guard silence > .zero else { return }
        Self.set(descriptor, Int32(IPPROTO_TCP), TCP_KEEPIDLE, Int32(clamping: min(silence.components.seconds, 32_767)))
        Self.set(descriptor, Int32(IPPROTO_TCP), TCP_KEEPINTVL, 60)
        Self.set(descriptor, Int32(IPPROTO_TCP), TCP_KEEPCNT, 8)
    }

    /// Connections that wait to be accepted; the kernel takes no more than `net.core.somaxconn`.
    private static let backlog: Int32 = 4096

    private static func set(_ descriptor: Int32, _ level: Int32, _ option: Int32, _ value: Int32) {
        var value = value
        _ = setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    public enum Accepted: ~Copyable {
        case connection(Descriptor)
        /// Nobody is waiting, or who was has gone.
        case nobody
        /// This process or machine has no descriptor left: accepting must wait until one is free.
        case exhausted(Errno)
    }

    /// Takes the next connection, without waiting. It is non-blocking.
    public func accept() -> Accepted {
        while true {
            let descriptor = clinux_accept(descriptor)
            if descriptor >= 0 { return .connection(Descriptor(owning: descriptor)) }
            switch errno {
            case EINTR: continue
            case EMFILE, ENFILE, ENOBUFS, ENOMEM: return .exhausted(Errno(rawValue: errno))
            default: return .nobody
            }
        }
    }
}
