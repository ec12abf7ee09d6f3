import Gate

/// Why a connection or a login is refused.
enum AdmissionRefusal: Error, Equatable {
    /// By the access lists.
    case denied
    /// For so many seconds more.
    case penalty(Int)
    case connections(limit: Int)
    case connectionsPerAddress(limit: Int)
    case startups(limit: Int)
    case startupsPerAddress(limit: Int)
    case connectionsPerUser(limit: Int)
    /// A process of this user's has crashed, so many seconds ago too few.
    case userPenalty(Int)

    var code: Notice.Code {
        switch self {
        case .denied: .contactAdmin
        case .penalty, .startups, .userPenalty: .unavailable
        case .connections, .connectionsPerAddress, .startupsPerAddress, .connectionsPerUser: .limit
        }
    }

    /// For whoever sits at the client: what holds them up, and which setting an administrator would change.
    var text: String {
        switch self {
        case .denied: "Connections from your address are not accepted"
        case .penalty(let seconds): "Too many failed logins from your network; try again in \(seconds) seconds"
        case .connections(let limit): "Too many connections (limit \(limit), max-connections)"
        case .connectionsPerAddress(let limit):
            "Too many connections from your network (limit \(limit), max-connections-per-address)"
        case .startups(let limit): "Too many connections before login (limit \(limit), max-startups); try again"
        case .startupsPerAddress(let limit):
            "Too many connections before login from your network (limit \(limit), max-startups-per-address)"
        case .connectionsPerUser(let limit): "Too many connections for this user (limit \(limit), max-connections-per-user)"
        case .userPenalty(let seconds): "The server failed on this user's mailbox; try again in \(seconds) seconds"
        }
    }

    /// For the log: the name of the setting.
    var reason: String {
        switch self {
        case .denied: "access list"
        case .penalty, .userPenalty: "penalty"
        case .connections: "max-connections"
        case .connectionsPerAddress: "max-connections-per-address"
        case .startups: "max-startups"
        case .startupsPerAddress: "max-startups-per-address"
        case .connectionsPerUser: "max-connections-per-user"
        }
    }

    /// All that there are.
    static let reasons = [
        "access list", "penalty", "max-connections", "max-connections-per-address", "max-startups",
        "max-startups-per-address", "max-connections-per-user",
    ]

    var notice: Notice { Notice(code, text) }
}
