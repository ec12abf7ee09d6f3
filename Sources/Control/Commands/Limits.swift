import ArgumentParser

struct Limits: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows how many connections addresses and users have, and who is refused for what they did.",
        discussion: """
            OWED is how long it takes until nothing is owed for failed logins, time-outs and crashes; whoever is refused is \
            refused until then.
            """)

    @OptionGroup var daemon: DaemonOptions

    @Option(help: ArgumentHelp("Forgive what this address, network or user owes.", valueName: "address|user"))
    var clear: String?

    struct Entry: Decodable {
        var source: String?
        var user: String?
        var connections: Int
        var startups: Int?
        var owed: Int
        var refused: Bool
    }

    func validate() throws {
        if let clear, clear.isEmpty || clear.utf8.contains(0x0A) { throw ValidationError("That is no name.") }
    }

    func run() throws {
        try command { () throws(ControlFailure) in
            if let clear { return try forgive(clear) }
            let lines = try daemon.ask("limits")
            if daemon.json {
                Output.array("limits", lines)
            } else {
                show(try lines.map { (line) throws(ControlFailure) in try DaemonSocket.decode(line) })
            }
            return Outcome.clean
        }
    }

    /// What looks like an address is one: names of users have neither colons nor only digits and dots.
    private func forgive(_ whom: String) throws(ControlFailure) -> ExitCode {
        let isAddress = whom.contains(":") || whom.allSatisfy { $0.isNumber || $0 == "." || $0 == "/" }
        let count = try daemon.count("forgive \(isAddress ? "network" : "user") \(whom)")
        daemon.show(count, count == 0 ? "\(whom) owes nothing" : "what \(whom) owes is forgiven")
        return count == 0 ? Outcome.problems : Outcome.clean
    }

    private func show(_ entries: [Entry]) {
        var table = Table([
            ("ADDRESS OR USER", false), ("CONNECTIONS", true), ("BEFORE LOGIN", true), ("OWED", true), ("REFUSED", false),
        ])
        for entry in entries {
            table.add([
                entry.source ?? entry.user ?? "-", "\(entry.connections)", entry.startups.map { "\($0)" } ?? "-",
                entry.owed == 0 ? "-" : Span.text(entry.owed), entry.refused ? "yes" : "no",
            ])
        }
        table.lines.forEach(Output.line)
    }
}
