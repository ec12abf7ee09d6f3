import IMAPSession

/// What the daemon has counted, for a collector of metrics.
struct MetricsPage {
    /// Both tell the same; the older one names the samples of counters where the newer one names their family.
    enum Format {
        /// OpenMetrics 1.0.
        case openMetrics
        /// Prometheus's text format 0.0.4.
        case text

        var type: String {
            switch self {
            case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
            case .text: "text/plain; version=0.0.4; charset=utf-8"
            }
        }
    }

    private(set) var bytes: [UInt8] = []
    private let format: Format

    typealias Labels = [(name: String, value: String)]

    init(_ census: Census, _ format: Format) {
        self.format = format
        write(census)
        if format == .openMetrics { line("# EOF") }
    }

    private mutating func write(_ census: Census) {
        let tallies = census.tallies, totals = census.totals
        switch format {
        case .openMetrics: family("imapd_build", "info", "The program.")
        case .text: family("imapd_build_info", "gauge", "The program.")
        }
        sample("imapd_build_info", [("version", census.version)], 1)
        gauge("imapd_start_time_seconds", "When the daemon was started, since 1970.", [([], UInt64(clamping: census.started))])
        gauge("imapd_connections", "Connections, by the client's state.",
              census.states.map { ([("state", $0.rawValue)], UInt64($1)) })
        gauge("imapd_idle_connections", "Connections that wait with IDLE.",
              [([], UInt64(census.connections.count { $0.user != nil && $0.report?.command == .idle }))])
        gauge("imapd_spare_processes", "Processes that wait for a client.", [([], UInt64(census.spares))])
        counter("imapd_connections_accepted", "Connections that were handed to a process.", [([], tallies.accepted)])
        counter("imapd_logins", "Attempts to log in, by what became of them and how they were made.",
                tallies.logins.map { ([("result", $0.result), ("mechanism", $0.mechanism)], $1) })
        counter("imapd_login_timeouts", "Connections on which nobody logged in in time.", [([], tallies.timeouts)])
        counter("imapd_refusals", "Connections and logins that were refused, by the limit that they went beyond.",
                tallies.refusals.map { ([("reason", $0)], $1) })
        counter("imapd_penalties", "Times that an address or a user came to be refused for what it did.",
                [([], tallies.penalties)])
        let limits = census.admission.report(at: .now)
        gauge("imapd_refused_sources", "Addresses that are refused for what they did.",
              [([], UInt64(limits.sources.count { $0.isRefused }))])
        gauge("imapd_refused_users", "Users that are refused because their sessions crashed.",
              [([], UInt64(limits.users.count { $0.isRefused }))])
        counter("imapd_crashes", "Processes that a signal ended which should not have come; authenticators count as gates.",
                tallies.crashes.map { ([("role", $0)], $1) })
        counter("imapd_kicks", "Connections that an administrator has ended.", [([], tallies.kicks)])
        counter("imapd_reloads", "Times that settings were read again.",
                [([("result", "done")], tallies.reloads), ([("result", "failed")], tallies.failedReloads)])
        counter("imapd_sessions_ended", "Sessions that are over.", [([], tallies.ended)])
        counter("imapd_commands", "Commands after login that were completed.",
                CommandName.allCases.map { ([("command", $0.name)], totals.count($0)) })
        histogram("imapd_command_duration_seconds",
                  "Time from when a command had been read to its answer. IDLE is left out, as it takes as long as clients like.",
                  CommandName.allCases.filter { $0 != .idle }, totals)
        counter("imapd_received_bytes", "What clients have sent after login, without TLS.", [([], totals[.received])])
        counter("imapd_sent_bytes", "What clients were sent after login, without TLS.", [([], totals[.sent])])
        counter("imapd_syncs", "Files and directories that were synced to the disk.", [([], totals[.syncs])])
        counter("imapd_cache_hits", "What was asked about messages and known without reading them.", [([], totals[.cacheHits])])
        counter("imapd_cache_misses", "Messages that had to be read for what is now known.", [([], totals[.cacheMisses])])
        gauge("imapd_listener_resident_memory_bytes", "Memory of the listener that is in use.", [([], census.memory)])
        gauge("imapd_certificate_expiry_time_seconds", "When a certificate ends, since 1970.",
              census.certificates.map { ([("path", $0.path)], UInt64(clamping: $0.end)) })
    }

    // MARK: - Families

    private mutating func gauge(_ name: String, _ help: String, _ samples: [(Labels, UInt64)]) {
        family(name, "gauge", help)
        for (labels, value) in samples { sample(name, labels, value) }
    }

    private mutating func counter(_ name: String, _ help: String, _ samples: [(Labels, UInt64)]) {
        family(format == .openMetrics ? name : name + "_total", "counter", help)
        for (labels, value) in samples.sorted(by: { "\($0.0)" < "\($1.0)" }) { sample(name + "_total", labels, value) }
    }

    private mutating func histogram(_ name: String, _ help: String, _ commands: [CommandName], _ totals: SessionTotals) {
        family(name, "histogram", help)
        let bounds = SessionRecord.latencyBounds.map { Self.seconds($0 * 1000) } + ["+Inf"]
        for command in commands {
            let labels: Labels = [("command", command.name)]
            var sum: UInt64 = 0
            for (bound, count) in zip(bounds, totals.buckets(command)) {
                sum = sum.addingReportingOverflow(count).overflow ? .max : sum + count
                sample(name + "_bucket", labels + [("le", bound)], sum)
            }
            sample(name + "_sum", labels, Self.seconds(totals.duration(command)))
            sample(name + "_count", labels, sum)
        }
    }

    /// Of nanoseconds, with as many decimals as it takes.
    static func seconds(_ nanoseconds: UInt64) -> String {
        var decimals = String(nanoseconds % 1_000_000_000)
        decimals = String(repeating: "0", count: 9 - decimals.count) + decimals
        while decimals.count > 1, decimals.last == "0" { decimals.removeLast() }
        return "\(nanoseconds / 1_000_000_000).\(decimals)"
    }

    // MARK: - Lines

    private mutating func family(_ name: String, _ type: String, _ help: String) {
        line("# HELP \(name) \(help)")
        line("# TYPE \(name) \(type)")
    }

    private mutating func sample(_ name: String, _ labels: Labels, _ value: UInt64) { sample(name, labels, "\(value)") }

    private mutating func sample(_ name: String, _ labels: Labels, _ value: String) {
        let shown = labels.map { "\($0.name)=\"\(Self.escaped($0.value))\"" }.joined(separator: ",")
        line("\(name)\(shown.isEmpty ? "" : "{\(shown)}") \(value)")
    }

    private static func escaped(_ value: String) -> String {
        value.reduce(into: "") { result, character in
            switch character {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.append(character)
            }
        }
    }

    private mutating func line(_ text: String) { bytes += Array((text + "\n").utf8) }
}
