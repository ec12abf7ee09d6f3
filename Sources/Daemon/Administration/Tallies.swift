import Gate
import IMAPSession

/// What has happened since the daemon started, as the listener knows of it.
struct Tallies: Equatable {
    /// A login's end, and how it was tried.
    struct Login: Hashable {
        var result: String
        var mechanism: String
    }

    var accepted: UInt64 = 0
    private(set) var logins: [Login: UInt64] = [:]
    private(set) var refusals: [String: UInt64] = [:]
    private(set) var crashes: [String: UInt64] = [:]
    var timeouts: UInt64 = 0
    var penalties: UInt64 = 0
    var kicks: UInt64 = 0
    var reloads: UInt64 = 0
    var failedReloads: UInt64 = 0
    /// Sessions that have ended, and what they did.
    var ended: UInt64 = 0
    var totals = SessionTotals()

    /// All that can be, so that a counter is there before it first counts.
    init() {
        for mechanism in LoginAttempt.Mechanism.allCases {
            for result in ["accepted", "rejected", "expired", "disabled", "unavailable"] {
                logins[Login(result: result, mechanism: mechanism.name)] = 0
            }
        }
        for reason in AdmissionRefusal.reasons { refusals[reason] = 0 }
        for role in ["gate", "keeper", "monitor", "session", "spawner"] { crashes[role] = 0 }
    }

    /// Numbers that have no name, in an order that stays.
    var counts: [UInt64] {
        get { Self.unnamed.map { self[keyPath: $0] } }
        set { for (path, count) in zip(Self.unnamed, newValue) { self[keyPath: path] = count } }
    }

    private static var unnamed: [WritableKeyPath<Tallies, UInt64>] {
        [\.accepted, \.timeouts, \.penalties, \.kicks, \.reloads, \.failedReloads, \.ended]
    }

    /// What others have counted; what nobody has counted stays zero.
    mutating func adopt(logins: [(Login, UInt64)], refusals: [(String, UInt64)], crashes: [(String, UInt64)]) {
        self.logins.merge(logins) { $1 }
        self.refusals.merge(refusals) { $1 }
        self.crashes.merge(crashes) { $1 }
    }

    mutating func login(_ result: Answer.Outcome, _ mechanism: LoginAttempt.Mechanism) {
        logins[Login(result: "\(result)", mechanism: mechanism.name), default: 0] += 1
    }

    mutating func refuse(_ refusal: AdmissionRefusal) { refusals[refusal.reason, default: 0] += 1 }

    mutating func crash(_ role: String) { crashes[role, default: 0] += 1 }
}
