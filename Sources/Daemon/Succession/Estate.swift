import Gate
import Glibc
import Transport

/// What a listener leaves to the program that takes its place in the same process: sockets, children, and what was counted and is
/// owed.
///
/// Both are imapd, though not of one version: a program that does not know this version of it says so before it is needed.
struct Estate: Equatable {
    struct Socket: Equatable {
        var descriptor: Int32
        var implicitTLS: Bool
    }

    /// `place` is `nil` for sockets of the service manager.
    struct Bound: Equatable {
        var place: Settings.Place?
        var sockets: [Socket]
    }

    /// Where administrators or collectors of metrics come in.
    struct Entrance: Equatable {
        var kind: Door.Kind
        var place: String
        var descriptor: Int32
    }

    /// A monitor or session that has a client.
    struct Heir: Equatable {
        var process: pid_t
        var line: Int32?
        var page: Int32?
        var gate: pid_t?
        var due: DueReports
        var peer: PeerAddress
        var user: String?
        var mechanism: LoginAttempt.Mechanism?
        var tls: String?
        /// Of its connection, in seconds.
        var age: UInt32
        /// In seconds since 1970.
        var since: Int
        var isKicked: Bool
    }

    /// A process that answers an administrator.
    struct Clerk: Equatable {
        var process: pid_t
        var kind: Door.Kind
        var line: Int32?
        var hasWished: Bool
        /// Whether it waits to hear that we have taken over.
        var wantsSuccession: Bool
    }

    /// A process that forks authenticators, and where monitors ask for them.
    struct Keeper: Equatable {
        var process: pid_t?
        var listening: Int32
    }

    var bound: [Bound] = []
    var entrances: [Entrance] = []
    var heirs: [Heir] = []
    var clerks: [Clerk] = []
    var keepers: [Keeper] = []
    /// Descriptors that a process may have, as the first of us was started.
    var descriptorLimit: UInt = 0
    /// In seconds since 1970.
    var started = 0
    var tallies = Tallies()
    var sourceDebts: [IPNetwork: Debt] = [:]
    var userDebts: [String: Debt] = [:]
    var pidFile: String?

    /// All that it tells of.
    var descriptors: [Int32] {
        bound.flatMap { $0.sockets.map(\.descriptor) } + entrances.map(\.descriptor) + heirs.compactMap(\.line)
            + heirs.compactMap(\.page) + clerks.compactMap(\.line) + keepers.map(\.listening)
    }

    // MARK: - Taking it

    /// What the settings name, if they do.
    static func read(_ settings: Settings, _ errors: inout [StartError]) -> Estate? {
        guard let descriptor = settings.estate.map({ Int32($0) }) else { return nil }
        guard settings.fork else {
            errors.append(.usage("--succeed is for --fork"))
            return nil
        }
        var wire: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        // Others who have it open may have read it already.
        while case let count = pread(descriptor, &buffer, buffer.count, off_t(wire.count)), count > 0 {
            wire += buffer.prefix(count)
        }
        close(descriptor)
        guard let estate = Estate(wire: wire) else {
            errors.append(.usage("this imapd cannot go on with the connections of the one that runs: start it anew"))
            return nil
        }
        // Not for what anybody starts from here on.
        for descriptor in estate.descriptors { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        return estate
    }
}

/// An estate, and the sockets in it, which are ours from now on.
struct Inheritance {
    let estate: Estate
    let bound: [BoundPlace]
    let doors: [Door]

    init(_ estate: Estate) {
        self.estate = estate
        bound = estate.bound.map { bound in
            BoundPlace(place: bound.place, listeners: bound.sockets.compactMap { socket in
                Listener(adopting: socket.descriptor) { _ in socket.implicitTLS }
            })
        }
        doors = estate.entrances.compactMap { Door($0.kind, $0.place, adopting: $0.descriptor) }
    }

    var listeners: [Listener] { bound.flatMap(\.listeners) }
}
