import Glibc
import IMAPSession

/// What an administrator is told: lines, each an object of JSON. The last one has a member "end", or "error" with the reason.
struct ControlAnswer {
    private(set) var bytes: [UInt8] = []
    let census: Census

    init(_ census: Census) { self.census = census }

    static func end() -> [UInt8] {
        var line = JSONLine()
        line.add("end", true)
        return line.line
    }

    static func error(_ reason: String) -> [UInt8] {
        var line = JSONLine()
        line.add("error", reason)
        return line.line
    }

    /// Everybody who is connected, in the order in which they came; `write` gets a line at a time.
    func who(_ write: ([UInt8]) -> Void) {
        for connection in census.connections.sorted(by: { ($0.since, $0.process) < ($1.since, $1.process) }) {
            let report = connection.report
            var line = JSONLine()
            line.add("process", connection.process)
            line.add("user", connection.user)
            line.add("address", connection.peer.host)
            line.add("port", connection.peer.address == nil ? nil : connection.peer.port)
            line.add("state", connection.state.rawValue)
            line.add("mailbox", report?.mailbox)
            line.add("command", report?.command?.name)
            line.add("client", report?.client)
            line.add("tls", connection.tls)
            line.add("mechanism", connection.mechanism)
            line.add("since", connection.since)
            // Who has not logged in yet has been busy with that.
            line.add("idle", connection.user == nil ? nil : (report?.duration ?? 0) / 1_000_000_000)
            line.add("commands", report?.totals.commands ?? 0)
            line.add("received", report?.totals[.received] ?? 0)
            line.add("sent", report?.totals[.sent] ?? 0)
            write(line.line)
        }
    }

    func stats(at now: Int) -> [UInt8] {
        let totals = census.totals, tallies = census.tallies
        var line = JSONLine()
        line.add("version", census.version)
        line.add("process", census.process)
        line.add("since", census.started)
        line.add("uptime", max(0, now - census.started))
        line.add("connections", census.states.map { ($0.rawValue, UInt64($1)) })
        line.add("accepted", tallies.accepted)
        line.add("logins", Self.sums(tallies.logins.map { ($0.result, $1) }))
        line.add("refusals", Self.sums(tallies.refusals.map { ($0, $1) }).filter { $0.1 > 0 })
        line.add("crashes", Self.sums(tallies.crashes.map { ($0, $1) }))
        line.add("commands", CommandName.allCases.map { ($0.name, totals.count($0)) }.filter { $0.1 > 0 })
        line.add("received", totals[.received])
        line.add("sent", totals[.sent])
        line.add("syncs", totals[.syncs])
        line.add("cachehits", totals[.cacheHits])
        line.add("cachemisses", totals[.cacheMisses])
        line.add("memory", census.memory)
        return line.line
    }

    private static func sums(_ pairs: [(String, UInt64)]) -> [(String, UInt64)] {
        pairs.reduce(into: [:]) { $0[$1.0, default: 0] += $1.1 }.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// Sources and users that are counted or owe something: whoever is refused first.
    func limits(_ write: ([UInt8]) -> Void) {
        let limits = census.admission.report(at: .now)
        for source in limits.sources {
            var line = JSONLine()
            line.add("source", "\(source.network)")
            line.add("connections", source.count.connections)
            line.add("startups", source.count.startups)
            line.add("owed", source.owed)
            line.add("refused", source.isRefused)
            write(line.line)
        }
        for user in limits.users {
            var line = JSONLine()
            line.add("user", user.name)
            line.add("connections", user.connections)
            line.add("owed", user.owed)
            line.add("refused", user.isRefused)
            write(line.line)
        }
    }
}

extension Census {
    /// How many connections are in each state.
    var states: [(State, Int)] {
        let counts = connections.reduce(into: [State: Int]()) { $0[$1.state, default: 0] += 1 }
        return State.allCases.map { ($0, counts[$0] ?? 0) }
    }
}
