import Gate
import Testing
import Transport

@testable import Daemon

/// An admission that expectations may change.
private final class Door {
    private var value: Admission
    private let begin = ContinuousClock.now

    init(_ value: Admission) { self.value = value }

    var connections: [Admission.ID: Admission.Connection] { value.connections }
    var sources: [IPNetwork: Admission.SourceCount] { value.sources }
    var users: [String: Int] { value.users }
    var startups: Int { value.startups }

    func connect(from peer: PeerAddress, at now: ContinuousClock.Instant, chance: Int) throws -> Admission.ID {
        try value.connect(from: peer, at: now, chance: chance)
    }

    /// How many connections in a row get in, and why the next one does not.
    func fill(from addresses: [String], most: Int = 5000) -> (Int, AdmissionRefusal?) {
        for count in 0..<most {
            do throws(AdmissionRefusal) {
                let peer = PeerAddress(IPAddress(addresses[count % addresses.count])!, port: 1)
                _ = try value.connect(from: peer, at: begin, chance: 99)
            } catch {
                return (count, error)
            }
        }
        return (most, nil)
    }

    func isProxy(_ peer: PeerAddress) -> Bool { value.isProxy(peer) }
    func reveal(_ id: Admission.ID, as peer: PeerAddress, at now: ContinuousClock.Instant) throws {
        try value.reveal(id, as: peer, at: now)
    }
    func logIn(_ id: Admission.ID, as user: String, at now: ContinuousClock.Instant) throws {
        try value.logIn(id, as: user, at: now)
    }
    func charge(_ id: Admission.ID, for offence: Penalties.Offence, at now: ContinuousClock.Instant) -> Admission.Offender? {
        value.charge(id, for: offence, at: now)
    }
    func lacksRoom(_ id: Admission.ID, for user: String) -> Bool { value.lacksRoom(id, for: user) }
    func giveWay(_ id: Admission.ID) { value.giveWay(id) }
    func end(_ id: Admission.ID) { value.end(id) }
    func report(at now: ContinuousClock.Instant) -> Admission.Report { value.report(at: now) }
}

@Suite struct AdmissionTests {
    private let begin = ContinuousClock.now

    private func peer(_ address: String) -> PeerAddress { PeerAddress(IPAddress(address)!, port: 1) }

    private func admission(_ change: (inout AdmissionLimits) -> Void = { _ in }) -> Door {
        var limits = AdmissionLimits()
        change(&limits)
        return Door(Admission(limits))
    }

    @Test func connectionsInAll() throws {
        let admission = admission { $0.connections = 3 }
        let (count, refusal) = admission.fill(from: ["192.0.2.1", "192.0.2.2", "127.0.0.1"])
        #expect(count == 3 && refusal == .connections(limit: 3))
        let report = admission.report(at: begin)
        #expect(report.connections == 3 && report.startups == 3)
        admission.end(try #require(admission.connections.keys.first))
        #expect(admission.fill(from: ["192.0.2.1"]).0 == 1)
    }

    @Test("an IPv6 network is one stranger; an IPv4 address is one, too")
    func sources() {
        let admission = admission { $0.startupsPerAddress = 2 }
        #expect(admission.fill(from: ["2001:db8::1", "2001:db8::2", "2001:db8::3"]) == (2, .startupsPerAddress(limit: 2)))
        #expect(admission.fill(from: ["2001:db8:0:1::1", "192.0.2.1", "192.0.2.2"], most: 6) == (6, nil))
        let wider = self.admission {
            $0.startupsPerAddress = 2
            $0.prefixIPv6 = 48
            $0.prefixIPv4 = 24
        }
        #expect(wider.fill(from: ["2001:db8:0:1::1", "2001:db8:0:2::1"]) == (2, .startupsPerAddress(limit: 2)))
        #expect(wider.fill(from: ["192.0.2.1", "192.0.2.9"]) == (2, .startupsPerAddress(limit: 2)))
    }

    @Test("the connections of an address are its users' too")
    func perAddress() throws {
        let admission = admission { $0.connectionsPerAddress = 4 }
        for name in ["ann", "bob", "cyd", "dan"] {
            try admission.logIn(admission.connect(from: peer("192.0.2.1"), at: begin, chance: 0), as: name, at: begin)
        }
        #expect(admission.fill(from: ["192.0.2.1"]) == (0, .connectionsPerAddress(limit: 4)))
    }

    @Test("this machine and whoever is exempt have no limits of their own, but count")
    func exempt() throws {
        let admission = admission {
            $0.startupsPerAddress = 1
            $0.exempt = IPNetworkSet([IPNetwork(of: IPAddress("192.0.2.0")!, length: 24)])
        }
        #expect(admission.fill(from: ["192.0.2.1"], most: 100) == (100, nil))
        #expect(admission.fill(from: ["127.0.0.1"]) == (1, .startupsPerAddress(limit: 1)), "unless it is not listed")
        let local = self.admission { $0.startupsPerAddress = 1 }
        #expect(local.fill(from: ["127.0.0.1", "::1"], most: 100) == (100, nil))
        #expect(local.report(at: begin).connections == 100)
        let id = try #require(local.connections.keys.first)
        #expect(local.charge(id, for: .crash, at: begin) == nil)
    }

    @Test("an office of a hundred, with four devices of five connections each, gets in after an outage")
    func office() throws {
        let admission = admission()
        var waiting: [Admission.ID] = []
        for person in 0..<100 {
            for _ in 0..<20 {
                // Logins are slower than connections; nobody is refused as long as some 200 wait.
                if waiting.count >= 199 {
                    try admission.logIn(waiting.removeFirst(), as: "user\(person)", at: begin)
                }
                waiting.append(try admission.connect(from: peer("192.0.2.1"), at: begin, chance: 0))
            }
        }
        #expect(admission.connections.count == 2000)
    }

    // MARK: - Start-ups

    @Test("chance refuses more and more, and all in the end")
    func earlyDrop() {
        let startups = AdmissionLimits.Startups(begin: 10, rate: 30, full: 20)
        for present in 0..<30 {
            let refused = (0..<100).filter { startups.refuses(present, chance: $0) }.count
            #expect(refused == (present < 10 ? 0 : present >= 20 ? 100 : 30 + 7 * (present - 10)), "\(present)")
        }
        for rate in [0, 100] {
            let startups = AdmissionLimits.Startups(begin: 5, rate: rate, full: 5)
            #expect(!startups.refuses(4, chance: 0) && startups.refuses(5, chance: 99))
        }
    }

    @Test("whoever has logged in makes room")
    func startups() throws {
        let admission = admission { $0.startups = .init(begin: 2, rate: 100, full: 2) }
        let first = try admission.connect(from: peer("192.0.2.1"), at: begin, chance: 99)
        _ = try admission.connect(from: peer("192.0.2.2"), at: begin, chance: 99)
        #expect(admission.fill(from: ["192.0.2.3"]) == (0, .startups(limit: 2)))
        try admission.logIn(first, as: "ann", at: begin)
        #expect(admission.fill(from: ["192.0.2.3"]) == (1, .startups(limit: 2)))
    }

    // MARK: - Users

    @Test func perUser() throws {
        let admission = admission { $0.connectionsPerUser = 2 }
        let ids = try (0..<3).map { try admission.connect(from: peer("192.0.2.\($0)"), at: begin, chance: 0) }
        try admission.logIn(ids[0], as: "ann", at: begin)
        try admission.logIn(ids[1], as: "ann", at: begin)
        #expect(throws: AdmissionRefusal.connectionsPerUser(limit: 2)) { try admission.logIn(ids[2], as: "ann", at: begin) }
        try admission.logIn(ids[2], as: "bob", at: begin)
        admission.end(ids[0])
        let next = try admission.connect(from: peer("192.0.2.4"), at: begin, chance: 0)
        try admission.logIn(next, as: "ann", at: begin)
        #expect(admission.users == ["ann": 2, "bob": 1])
        // Who has no limits of the address's has none of the user's.
        let exempt = try admission.connect(from: peer("127.0.0.1"), at: begin, chance: 0)
        try admission.logIn(exempt, as: "ann", at: begin)
    }

    @Test("one that gives way is not counted, and not counted twice")
    func givingWay() throws {
        let admission = admission { $0.connectionsPerUser = 1 }
        let ids = try (0..<3).map { try admission.connect(from: peer("192.0.2.\($0)"), at: begin, chance: 0) }
        #expect(!admission.lacksRoom(ids[0], for: "ann"))
        try admission.logIn(ids[0], as: "ann", at: begin)
        #expect(admission.lacksRoom(ids[1], for: "ann") && !admission.lacksRoom(ids[1], for: "bob"))
        let exempt = try admission.connect(from: peer("127.0.0.1"), at: begin, chance: 0)
        #expect(!admission.lacksRoom(exempt, for: "ann"))
        admission.giveWay(ids[0])
        admission.giveWay(ids[0])
        admission.giveWay(ids[2])
        try admission.logIn(ids[1], as: "ann", at: begin)
        #expect(admission.users == ["ann": 1])
        admission.end(ids[0])
        #expect(admission.users == ["ann": 1])
        admission.end(ids[1])
        #expect(admission.users == [:])
    }

    // MARK: - Penalties

    @Test("whoever has guessed too often does not get in, nor do connections that waited for it")
    func guesser() throws {
        let admission = admission()
        let ids = try (0..<3).map { _ in try admission.connect(from: peer("2001:db8::1"), at: begin, chance: 0) }
        for guess in 0..<5 { #expect(admission.charge(ids[0], for: .failure(mark: UInt16(guess)), at: begin) == nil) }
        let network = try IPNetwork("2001:db8::/64")
        #expect(admission.charge(ids[0], for: .failure(mark: 9), at: begin) == .source(network))
        #expect(throws: AdmissionRefusal.penalty(60)) { try admission.logIn(ids[1], as: "ann", at: begin) }
        #expect(admission.fill(from: ["2001:db8::2"]) == (0, .penalty(60)))
        #expect(admission.fill(from: ["2001:db8:0:1::2"], most: 1) == (1, nil))
        let report = admission.report(at: begin)
        #expect(report.sources.first == .init(network: network, count: .init(connections: 3, startups: 3), owed: 60, isRefused: true))
        _ = try admission.connect(from: peer("2001:db8::2"), at: begin + .seconds(61), chance: 0)
    }

    @Test("a crash after login is the user's, not the office's")
    func crashes() throws {
        let admission = admission()
        let id = try admission.connect(from: peer("192.0.2.1"), at: begin, chance: 0)
        try admission.logIn(id, as: "ann", at: begin)
        #expect(admission.charge(id, for: .crash, at: begin) == .user("ann"))
        admission.end(id)
        let ids = try (0..<2).map { _ in try admission.connect(from: peer("192.0.2.1"), at: begin, chance: 0) }
        #expect(throws: AdmissionRefusal.userPenalty(120)) { try admission.logIn(ids[0], as: "ann", at: begin) }
        try admission.logIn(ids[0], as: "bob", at: begin)
        // Before login it is the source's.
        #expect(admission.charge(ids[1], for: .crash, at: begin) == .source(try IPNetwork("192.0.2.1")))
        #expect(admission.fill(from: ["192.0.2.1"]) == (0, .penalty(120)))
        #expect(admission.report(at: begin).users.first == .init(name: "ann", connections: 0, owed: 120, isRefused: true))
    }

    @Test func denied() throws {
        let admission = admission { $0.access = AccessList(denied: [IPNetwork(of: IPAddress("192.0.2.0")!, length: 24)]) }
        #expect(admission.fill(from: ["192.0.2.1"]) == (0, .denied))
        #expect(admission.fill(from: ["192.0.3.1"], most: 1) == (1, nil))
    }

    // MARK: - Proxies

    @Test("a proxy is not those whom it brings")
    func proxies() throws {
        let admission = admission {
            $0.proxies = IPNetworkSet([IPNetwork(of: IPAddress("198.51.100.1")!, length: 32)])
            $0.startupsPerAddress = 1
            $0.access = AccessList(denied: [IPNetwork(of: IPAddress("192.0.2.66")!, length: 32)])
        }
        #expect(admission.isProxy(peer("198.51.100.1")) && !admission.isProxy(peer("198.51.100.2")))
        let ids = try (0..<4).map { _ in try admission.connect(from: peer("198.51.100.1"), at: begin, chance: 0) }
        try admission.reveal(ids[0], as: peer("192.0.2.1"), at: begin)
        #expect(throws: AdmissionRefusal.startupsPerAddress(limit: 1)) {
            try admission.reveal(ids[1], as: peer("192.0.2.1"), at: begin)
        }
        #expect(throws: AdmissionRefusal.denied) { try admission.reveal(ids[2], as: peer("192.0.2.66"), at: begin) }
        // What is wrong costs whoever it was, not the proxy.
        #expect(admission.charge(ids[0], for: .crash, at: begin) == .source(try IPNetwork("192.0.2.1")))
        #expect(admission.charge(ids[3], for: .crash, at: begin) == nil)
        #expect(throws: AdmissionRefusal.penalty(120)) { try admission.reveal(ids[3], as: peer("192.0.2.1"), at: begin) }
        // Nobody is two people.
        try admission.reveal(ids[0], as: peer("192.0.2.2"), at: begin)
        #expect(admission.connections[ids[0]]?.peer == peer("192.0.2.1"))
    }

    // MARK: - Whatever happens

    @Test("whatever comes and goes, the counts are those of the connections", arguments: 0..<20)
    func counts(_: Int) throws {
        let admission = admission {
            $0.connections = 60
            $0.connectionsPerAddress = 25
            $0.connectionsPerUser = 10
            $0.startups = .init(begin: 20, rate: 20, full: 40)
            $0.startupsPerAddress = 12
            $0.proxies = IPNetworkSet([IPNetwork(of: IPAddress("198.51.100.1")!, length: 32)])
        }
        let addresses = ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "127.0.0.1", "198.51.100.1"]
        var now = begin
        for _ in 0..<2000 {
            now += .milliseconds(.random(in: 0...500))
            let id = admission.connections.keys.randomElement()
            switch Int.random(in: 0..<9) {
            case 0...3:
                _ = try? admission.connect(from: peer(addresses.randomElement()!), at: now, chance: .random(in: 0..<100))
            case 4: if let id { try? admission.logIn(id, as: "user\(Int.random(in: 0..<4))", at: now) }
            case 5: if let id { try? admission.reveal(id, as: peer(addresses.randomElement()!), at: now) }
            case 6: if let id { _ = admission.charge(id, for: .failure(mark: .random(in: 0..<20)), at: now) }
            default: if let id { admission.end(id) }
            }
            let all = admission.connections.values
            #expect(admission.startups == all.filter { $0.user == nil }.count)
            #expect(admission.users == Dictionary(grouping: all.compactMap(\.user)) { $0 }.mapValues(\.count))
            #expect(admission.sources == Dictionary(grouping: all.filter { $0.source != nil }) { $0.source! }.mapValues {
                .init(connections: $0.count, startups: $0.filter { $0.user == nil }.count)
            })
            #expect(all.count <= 60 && admission.startups <= 40)
            let counted = Dictionary(grouping: all.filter { $0.source != nil }.compactMap(\.user)) { $0 }
            #expect(counted.values.allSatisfy { $0.count <= 10 })
            #expect(admission.sources.values.allSatisfy { $0.connections <= 25 && $0.startups <= 12 })
        }
        for id in admission.connections.keys { admission.end(id) }
        #expect(admission.connections.isEmpty && admission.sources.isEmpty && admission.users.isEmpty && admission.startups == 0)
    }

    // MARK: - What is said of it

    @Test("a refusal names its limit, in one line", arguments: [
        AdmissionRefusal.denied, .penalty(61), .connections(limit: 1), .connectionsPerAddress(limit: 2), .startups(limit: 3),
        .startupsPerAddress(limit: 4), .connectionsPerUser(limit: 5), .userPenalty(6),
    ])
    func refusals(refusal: AdmissionRefusal) {
        #expect(refusal.text.utf8.count < 200 && refusal.text.utf8.allSatisfy { (0x20...0x7E).contains($0) })
        #expect(refusal.notice == Notice(refusal.code, refusal.text))
        if refusal.code == .limit { #expect(refusal.text.contains("(limit ") && refusal.text.contains(refusal.reason)) }
    }

    @Test("a flood is one line in ten seconds, which counts it")
    func refusalLog() {
        var log = RefusalLog()
        let counts = ([0] + Array(0..<10) + [10, 20]).map { log.note("penalty", at: begin + .seconds($0)) }
        #expect(counts == [1] + [Int?](repeating: nil, count: 10) + [11, 1])
        let other = log.note("max-connections", at: begin + .seconds(20))
        #expect(other == 1)
    }
}
