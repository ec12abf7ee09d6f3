import Transport

extension Admission {
    /// What an administrator asks for when somebody cannot get in.
    struct Report: Sendable, Equatable {
        struct Source: Sendable, Equatable {
            let network: IPNetwork
            var count = SourceCount()
            /// In seconds, rounded up.
            var owed = 0
            /// Until nothing is owed.
            var isRefused = false
        }

        struct User: Sendable, Equatable {
            let name: String
            var connections = 0
            var owed = 0
            var isRefused = false
        }

        let connections: Int
        let startups: Int
        /// Those who have connections or owe something: whoever is refused first, then by number of connections.
        let sources: [Source]
        let users: [User]
    }

    func report(at now: Instant) -> Report {
        var sources = sources.reduce(into: [IPNetwork: Report.Source]()) {
            $0[$1.key] = Report.Source(network: $1.key, count: $1.value)
        }
        for debt in sourcePenalties.debts(at: now) {
            sources[debt.subject, default: Report.Source(network: debt.subject)].owed = debt.owed.secondsRoundedUp
            sources[debt.subject]?.isRefused = debt.isRefused
        }
        var users = users.reduce(into: [String: Report.User]()) {
            $0[$1.key] = Report.User(name: $1.key, connections: $1.value)
        }
        for debt in userPenalties.debts(at: now) {
            users[debt.subject, default: Report.User(name: debt.subject)].owed = debt.owed.secondsRoundedUp
            users[debt.subject]?.isRefused = debt.isRefused
        }
        return Report(
            connections: connections.count, startups: startups,
            sources: sources.values.sorted {
                Self.isWorse(($0.isRefused, $0.count.connections, $0.owed), ($1.isRefused, $1.count.connections, $1.owed))
                    ?? ("\($0.network)" < "\($1.network)")
            },
            users: users.values.sorted {
                Self.isWorse(($0.isRefused, $0.connections, $0.owed), ($1.isRefused, $1.connections, $1.owed))
                    ?? ($0.name < $1.name)
            })
    }

    /// `nil` if both are the same.
    private static func isWorse(_ one: (Bool, Int, Int), _ other: (Bool, Int, Int)) -> Bool? {
        if one.0 != other.0 { return one.0 }
        if one.1 != other.1 { return one.1 > other.1 }
        return one.2 == other.2 ? nil : one.2 > other.2
    }
}
