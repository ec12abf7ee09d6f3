import ArgumentParser

struct Who: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows who is connected to the running imapd, and what they do.",
        discussion: """
            IDLE is how long a client has been silent, or has waited with the command IDLE. IN and OUT are bytes since login. \
            What a client calls itself is what it said with the command ID.
            """)

    @OptionGroup var daemon: DaemonOptions

    @Argument(help: ArgumentHelp("Only this user, or this address.", valueName: "user|address"))
    var whom: String?

    struct Connection: Decodable {
        var process: Int
        var user: String?
        var address: String
        var port: Int?
        var state: String
        var mailbox: String?
        var command: String?
        var client: String?
        var tls: String?
        var mechanism: String?
        var since: Int
        var idle: UInt64?
        var commands: UInt64
        var received: UInt64
        var sent: UInt64
    }

    func run() throws {
        try command { () throws(ControlFailure) in
            let lines = try daemon.ask("who")
            var shown: [(line: [UInt8], connection: Connection)] = []
            for line in lines {
                let connection: Connection = try DaemonSocket.decode(line)
                guard whom == nil || connection.user == whom || connection.address == whom else { continue }
                shown.append((line, connection))
            }
            if daemon.json { Output.array("connections", shown.map(\.line)) } else { show(shown.map(\.connection)) }
            return Outcome.clean
        }
    }

    private func show(_ connections: [Connection]) {
        var table = Table([
            ("USER", false), ("ADDRESS", false), ("STATE", false), ("MAILBOX", false), ("COMMAND", false), ("IDLE", true),
            ("IN", true), ("OUT", true), ("TLS", false), ("PID", true), ("CLIENT", false),
        ])
        for connection in connections {
            let idle = connection.idle.map { Span.text(Int(clamping: $0)) } ?? "-"
            table.add([
                connection.user ?? "-", connection.address, connection.state, connection.mailbox ?? "-",
                connection.command ?? "-", idle, Table.bytes(connection.received), Table.bytes(connection.sent),
                connection.tls ?? "-", "\(connection.process)", connection.client ?? "-",
            ])
        }
        table.lines.forEach(Output.line)
    }
}
