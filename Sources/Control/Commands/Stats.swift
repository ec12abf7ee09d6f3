import ArgumentParser

struct Stats: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows what the running imapd has done since it was started.",
        discussion: "The same numbers, and how long commands take, are there for Prometheus: metrics-listen in imapd.conf(5).")

    @OptionGroup var daemon: DaemonOptions

    struct Numbers: Decodable {
        var version: String
        var process: Int
        var uptime: Int
        var connections: [String: UInt64]
        var accepted: UInt64
        var logins: [String: UInt64]
        var refusals: [String: UInt64]
        var crashes: [String: UInt64]
        var commands: [String: UInt64]
        var received: UInt64
        var sent: UInt64
        var syncs: UInt64
        var cachehits: UInt64
        var cachemisses: UInt64
        var memory: UInt64
    }

    func run() throws {
        try command { () throws(ControlFailure) in
            let lines = try daemon.ask("stats")
            guard let line = lines.first else { throw ControlFailure("imapd told nothing") }
            if daemon.json { Output.line(String(decoding: line, as: UTF8.self)) } else { show(try DaemonSocket.decode(line)) }
            return Outcome.clean
        }
    }

    private func show(_ numbers: Numbers) {
        var table = Table([("", false), ("", false)])
        table.add(["imapd", "\(numbers.version), process \(numbers.process), for \(Span.text(numbers.uptime))"])
        table.add(["connections", list(numbers.connections)])
        table.add(["accepted", "\(numbers.accepted)"])
        table.add(["logins", list(numbers.logins.filter { $0.value > 0 })])
        table.add(["refused", list(numbers.refusals)])
        table.add(["crashes", list(numbers.crashes.filter { $0.value > 0 })])
        table.add(["commands", list(numbers.commands)])
        table.add(["bytes", "\(Table.bytes(numbers.received)) received, \(Table.bytes(numbers.sent)) sent"])
        table.add(["syncs", "\(numbers.syncs)"])
        table.add(["cache", "\(numbers.cachehits) answers, \(numbers.cachemisses) messages read for it"])
        table.add(["memory", "\(Table.bytes(numbers.memory)) of the listener"])
        table.lines.dropFirst().forEach(Output.line)
    }

    /// The largest first.
    private func list(_ numbers: [String: UInt64]) -> String {
        let parts = numbers.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { "\($0.value) \($0.key)" }
        return parts.isEmpty ? "none" : parts.joined(separator: ", ")
    }
}
