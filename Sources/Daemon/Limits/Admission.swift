import Gate
import Transport

/// Who may connect, and who may log in: connections counted in all, by source and by user, and penalties of those who have
/// misbehaved.
///
/// It knows neither sockets nor clocks nor chance: these are told. All its tables are bounded: those of counts by the number
/// of connections, those of penalties by a capacity.
struct Admission: Sendable {
    typealias Instant = ContinuousClock.Instant

    /// A connection that was admitted, until `end`.
    struct ID: Hashable, Sendable {
        fileprivate let number: UInt64
    }

    /// One that is counted.
    struct Connection: Sendable, Equatable {
        let peer: PeerAddress
        /// What it is counted with; `nil` for the exempt, and for proxies that have not said yet for whom they connect.
        var source: IPNetwork?
        var begin: Instant
        /// Who has logged in.
        var user: String?
        /// Whether it is no longer counted as its user's.
        var hasGivenWay = false
    }

    struct SourceCount: Sendable, Equatable {
        var connections = 0
        var startups = 0
    }

    private(set) var limits: AdmissionLimits
    private(set) var connections: [ID: Connection] = [:]
    private(set) var sources: [IPNetwork: SourceCount] = [:]
    private(set) var users: [String: Int] = [:]
    private(set) var startups = 0
    private(set) var sourcePenalties: PenaltyTable<IPNetwork>
    private(set) var userPenalties: PenaltyTable<String>
    private var next: UInt64 = 0

    /// Records of penalties, for either table: some megabytes.
    static let penaltyCapacity = 65_536

    init(_ limits: AdmissionLimits, penaltyCapacity: Int = penaltyCapacity) {
        self.limits = limits
        sourcePenalties = PenaltyTable(limits.penalties, capacity: penaltyCapacity)
        userPenalties = PenaltyTable(limits.penalties, capacity: penaltyCapacity)
    }

    /// Other limits from now on. Nobody is sent away, and what is owed stays owed.
    mutating func change(_ limits: AdmissionLimits) {
        self.limits = limits
        sourcePenalties.penalties = limits.penalties
        userPenalties.penalties = limits.penalties
    }

    // MARK: - Connections

    /// Decides about a connection that was just accepted.
    ///
    /// A proxy is none of the strangers that it brings: what they are refused for is decided when it has told their address.
    /// - Parameter chance: 0 to 99.
    mutating func connect(
        from peer: PeerAddress, at now: Instant, chance: @autoclosure () -> Int
    ) throws(AdmissionRefusal) -> ID {
        let source = isProxy(peer) ? nil : try admit(peer, at: now)
        guard connections.count < limits.connections else { throw .connections(limit: limits.connections) }
        if startups >= limits.startups.begin, limits.startups.refuses(startups, chance: chance()) {
            throw .startups(limit: limits.startups.full)
        }
        let id = ID(number: next)
        next += 1
        connections[id] = Connection(peer: peer, source: source, begin: now)
        startups += 1
        if let source { count(source, 1, startups: 1) }
        return id
    }

    /// Whether a PROXY header must come before anything else.
    func isProxy(_ peer: PeerAddress) -> Bool { peer.address.map { limits.proxies.contains($0) } ?? false }

    /// A proxy has told for whom it connects.
    mutating func reveal(_ id: ID, as peer: PeerAddress, at now: Instant) throws(AdmissionRefusal) {
        guard let connection = connections[id], connection.user == nil, connection.source == nil else { return }
        let source = try admit(peer, at: now)
        connections[id] = Connection(peer: peer, source: source, begin: connection.begin)
        if let source { count(source, 1, startups: 1) }
    }

    /// What a connection of `peer` is counted with, if there may be one more of them.
    private func admit(_ peer: PeerAddress, at now: Instant) throws(AdmissionRefusal) -> IPNetwork? {
        guard let address = peer.address else { return nil }
        guard limits.access.admits(address) else { throw .denied }
        if limits.exempt.contains(address) { return nil }
        let source = limits.source(of: address)
        if let rest = sourcePenalties.refusal(of: source, at: now) { throw .penalty(rest.secondsRoundedUp) }
        let present = sources[source] ?? SourceCount()
        guard present.connections < limits.connectionsPerAddress else {
            throw .connectionsPerAddress(limit: limits.connectionsPerAddress)
        }
        guard present.startups < limits.startupsPerAddress else { throw .startupsPerAddress(limit: limits.startupsPerAddress) }
        return source
    }

    /// A connection that a predecessor has admitted: it is counted, and nobody asks again.
    mutating func adopt(_ peer: PeerAddress, isProxy: Bool, user: String?, since begin: Instant) -> ID {
        let source = isProxy ? nil : peer.address.flatMap { limits.exempt.contains($0) ? nil : limits.source(of: $0) }
        let id = ID(number: next)
        next += 1
        connections[id] = Connection(peer: peer, source: source, begin: begin, user: user)
        if user == nil { startups += 1 }
        if let source { count(source, 1, startups: user == nil ? 1 : 0) }
        if let user { count(user, 1) }
        return id
    }

    mutating func adopt(sourceDebts: [IPNetwork: Debt], userDebts: [String: Debt], at now: Instant) {
        for (source, debt) in sourceDebts { sourcePenalties.adopt(source, debt, at: now) }
        for (user, debt) in userDebts { userPenalties.adopt(user, debt, at: now) }
    }

    /// The connection is over.
    mutating func end(_ id: ID) {
        guard let connection = connections.removeValue(forKey: id) else { return }
        if connection.user == nil { startups -= 1 }
        if let source = connection.source { count(source, -1, startups: connection.user == nil ? -1 : 0) }
        if let user = connection.user, !connection.hasGivenWay { count(user, -1) }
    }

    // MARK: - Logins

    /// The password was right.
    mutating func logIn(_ id: ID, as user: String, at now: Instant) throws(AdmissionRefusal) {
        guard let connection = connections[id], connection.user == nil else { return }
        if let rest = userPenalties.refusal(of: user, at: now) { throw .userPenalty(rest.secondsRoundedUp) }
        // Those that were there before a penalty began would else be a stranger's reserve.
        if let source = connection.source, let rest = sourcePenalties.refusal(of: source, at: now) {
            throw .penalty(rest.secondsRoundedUp)
        }
        // What runs on this machine, or speaks for many, has limits of its own.
        guard connection.source == nil || users[user, default: 0] < limits.connectionsPerUser else {
            throw .connectionsPerUser(limit: limits.connectionsPerUser)
        }
        connections[id]?.user = user
        startups -= 1
        if let source = connection.source { count(source, 0, startups: -1) }
        count(user, 1)
    }

    /// Whether this connection cannot become that user's because there are as many of theirs as may be.
    func lacksRoom(_ id: ID, for user: String) -> Bool {
        connections[id]?.source != nil && users[user, default: 0] >= limits.connectionsPerUser
    }

    /// The connection is about to end, and another of the same user may take its place.
    mutating func giveWay(_ id: ID) {
        guard let user = connections[id]?.user, connections[id]?.hasGivenWay == false else { return }
        connections[id]?.hasGivenWay = true
        count(user, -1)
    }

    /// Somebody on this connection has done what costs. Whether, and as whom, they are refused from now on.
    ///
    /// What a stranger does is their source's. A crash after login is the user's: else one poisonous message in a mailbox
    /// would lock out the office.
    mutating func charge(_ id: ID, for offence: Penalties.Offence, at now: Instant) -> Offender? {
        guard let connection = connections[id] else { return nil }
        if let user = connection.user {
            return userPenalties.charge(user, for: offence, at: now) ? .user(user) : nil
        }
        guard let source = connection.source else { return nil }
        return sourcePenalties.charge(source, for: offence, at: now) ? .source(source) : nil
    }

    func penaltyNotice(for source: IPNetwork, at now: Instant) -> Notice? {
        sourcePenalties.refusal(of: source, at: now).map { AdmissionRefusal.penalty($0.secondsRoundedUp).notice }
    }

    /// What these owe is forgiven; how many it was.
    mutating func forgive(_ network: IPNetwork, at now: Instant) -> Int {
        sourcePenalties.forgive(at: now) { $0 == network || network.contains($0.address) || $0.contains(network.address) }
    }

    mutating func forgive(user: String, at now: Instant) -> Int { userPenalties.forgive(at: now) { $0 == user } }

    /// The connections of this source on which nobody has logged in.
    func strangers(from source: IPNetwork) -> Set<ID> {
        Set(connections.lazy.filter { $0.value.source == source && $0.value.user == nil }.map(\.key))
    }

    enum Offender: Equatable {
        case source(IPNetwork)
        case user(String)
    }

    // MARK: - Counting

    private mutating func count(_ source: IPNetwork, _ connections: Int, startups: Int) {
        var count = sources[source] ?? SourceCount()
        count.connections += connections
        count.startups += startups
        sources[source] = count.connections > 0 ? count : nil
    }

    private mutating func count(_ user: String, _ connections: Int) {
        let count = users[user, default: 0] + connections
        users[user] = count > 0 ? count : nil
    }
}

extension Duration {
    var secondsRoundedUp: Int {
        Int(clamping: components.seconds) + (components.attoseconds > 0 ? 1 : 0)
    }
}
