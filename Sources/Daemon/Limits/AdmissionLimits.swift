import Transport

/// What `Admission` holds connections to. The defaults suit an office of a hundred people behind one address, each with
/// several devices that hold several connections.
struct AdmissionLimits: Sendable, Equatable {
    /// Connections that have not logged in yet, after sshd's MaxStartups.
    struct Startups: Sendable, Equatable {
        /// From so many on, new connections are refused by chance.
        var begin = 500
        /// How likely that is at `begin`, in percent; it grows evenly up to 100 at `full`.
        var rate = 30
        var full = 2000

        /// - Parameter chance: 0 to 99, each as likely as any other.
        func refuses(_ present: Int, chance: Int) -> Bool {
            if present < begin { return false }
            if present >= full { return true }
            return chance < rate + (100 - rate) * (present - begin) / (full - begin)
        }
    }

    /// Connections at one time, from 1.
    var connections = 10_000
    /// From one source.
    var connectionsPerAddress = 2000
    /// Of one user who has logged in.
    var connectionsPerUser = 50
    var startups = Startups()
    /// Not logged in, from one source.
    var startupsPerAddress = 200
    /// Bits that make addresses one source: a customer's IPv6 network is one stranger with 2^64 addresses.
    var prefixIPv4 = 32
    var prefixIPv6 = 64
    var access = AccessList()
    var penalties = Penalties()
    /// Whoever is here has neither limits nor penalties of the source's: web mail servers speak for many users.
    var exempt: IPNetworkSet = defaultExempt
    /// These tell in a PROXY header for whom they connect.
    var proxies = IPNetworkSet()

    /// What is on this machine is not a stranger.
    static let defaultExempt = IPNetworkSet([
        IPNetwork(of: IPAddress("127.0.0.0")!, length: 8), IPNetwork(of: IPAddress("::1")!, length: 128),
    ])

    /// What `address` is counted with.
    func source(of address: IPAddress) -> IPNetwork {
        IPNetwork(of: address, length: address.family == .v4 ? prefixIPv4 : prefixIPv6)
    }
}
