import Foundation
import Gate
import TestSupport
import Testing
import Transport

@testable import Daemon
@testable import IMAPSession

@Suite struct MetricsTests {
    /// Two sessions and one who has not logged in; one session is over.
    static func census() -> Census {
        var tallies = Tallies()
        tallies.login(.accepted, .plain)
        tallies.login(.accepted, .plain)
        tallies.login(.rejected, .scramPlus)
        tallies.refuse(.penalty(3))
        tallies.crash("gate")
        tallies.accepted = 4
        let over = SessionRecord(), idle = SessionRecord(), busy = SessionRecord()
        for _ in 0..<5 { over.end(.fetch, from: 0, to: 300_000) }
        over[.sent] = 1000
        idle.end(.fetch, from: 0, to: 4_000_000_000)
        idle.begin(.idle, at: 1)
        idle[.sent] = 234
        idle.setMailbox("INBOX")
        tallies.totals.add(over)
        tallies.ended = 1
        let peer = PeerAddress(IPAddress("192.0.2.1"), port: 1)
        return Census(
            version: "1.0 \"x\"", process: 7, started: 1_700_000_000,
            connections: [
                .init(process: 1, peer: peer, user: "a", since: 5, report: SessionReport(idle)),
                .init(process: 2, peer: peer, user: "b", since: 5, report: SessionReport(busy)),
                .init(process: 3, peer: peer, since: 4),
            ], spares: 2, tallies: tallies, admission: Admission(AdmissionLimits()),
            certificates: [(path: "/etc/a\\b.pem", end: 1_800_000_000)], memory: 4096)
    }

    private func page(_ format: MetricsPage.Format) -> [String] {
        String(decoding: MetricsPage(Self.census(), format).bytes, as: UTF8.self).components(separatedBy: "\n")
    }

    @Test("what was counted is told", arguments: [
        "imapd_build_info{version=\"1.0 \\\"x\\\"\"} 1", "imapd_start_time_seconds 1700000000",
        "imapd_connections{state=\"not authenticated\"} 1", "imapd_connections{state=\"authenticated\"} 1",
        "imapd_connections{state=\"selected\"} 1", "imapd_idle_connections 1", "imapd_connections_accepted_total 4",
        "imapd_logins_total{result=\"accepted\",mechanism=\"AUTHENTICATE PLAIN\"} 2",
        "imapd_logins_total{result=\"rejected\",mechanism=\"AUTHENTICATE SCRAM-SHA-256-PLUS\"} 1",
        "imapd_logins_total{result=\"rejected\",mechanism=\"LOGIN\"} 0", "imapd_refusals_total{reason=\"penalty\"} 1",
        "imapd_refusals_total{reason=\"max-connections\"} 0", "imapd_crashes_total{role=\"gate\"} 1",
        "imapd_commands_total{command=\"FETCH\"} 6",
        "imapd_command_duration_seconds_bucket{command=\"FETCH\",le=\"0.0002\"} 0",
        "imapd_command_duration_seconds_bucket{command=\"FETCH\",le=\"0.001\"} 5",
        "imapd_command_duration_seconds_bucket{command=\"FETCH\",le=\"2.5\"} 5",
        "imapd_command_duration_seconds_bucket{command=\"FETCH\",le=\"+Inf\"} 6",
        "imapd_command_duration_seconds_count{command=\"FETCH\"} 6",
        "imapd_command_duration_seconds_sum{command=\"FETCH\"} 4.0015", "imapd_sent_bytes_total 1234",
        "imapd_certificate_expiry_time_seconds{path=\"/etc/a\\\\b.pem\"} 1800000000",
        "imapd_listener_resident_memory_bytes 4096",
    ])
    func samples(line: String) {
        #expect(page(.openMetrics).contains(line))
        #expect(page(.text).contains(line))
    }

    @Test("every sample belongs to the family above it, and every family is there once", arguments: [true, false])
    func families(isOpenMetrics: Bool) throws {
        let lines = page(isOpenMetrics ? .openMetrics : .text)
        #expect(lines.last == "")
        #expect((lines.dropLast().last == "# EOF") == isOpenMetrics)
        var family = "", type = "", known: Set<String> = []
        for line in lines.dropLast(isOpenMetrics ? 2 : 1) {
            if let help = line.firstMatch(of: /^# HELP (imapd_[a-z_]+) .+$/) {
                family = String(help.1)
                #expect(known.insert(family).inserted, "\(family)")
            } else if let kind = line.firstMatch(of: /^# TYPE (imapd_[a-z_]+) (counter|gauge|histogram|info)$/) {
                #expect(kind.1 == family)
                type = String(kind.2)
            } else {
                let name = try #require(line.firstMatch(of: /^([a-z_]+)(\{[^}]+\})? [0-9.]+$/), "\(line)").1
                let suffixes = switch type {
                case "counter": isOpenMetrics ? ["_total"] : [""]
                case "info": ["_info"]
                case "histogram": ["_bucket", "_sum", "_count"]
                default: [""]
                }
                #expect(suffixes.contains { family + $0 == name }, "\(line) in \(family), a \(type)")
            }
        }
    }

    @Test("Prometheus's own tool has nothing to say against it")
    func promtool() async throws {
        guard let promtool = try? Program("promtool", package: "prometheus") else {
            try Test.cancel("promtool is not installed: apt-get install prometheus")
        }
        let outcome = try await promtool.run(["check", "metrics"], input: Data(MetricsPage(Self.census(), .text).bytes))
        #expect(outcome.status == 0 && outcome.output.isEmpty && outcome.errors.isEmpty, "\(outcome)")
    }

    @Test(arguments: [(0, "0.0"), (1, "0.000000001"), (1_500_000_000, "1.5"), (UInt64.max, "18446744073.709551615")])
    func seconds(nanoseconds: UInt64, text: String) { #expect(MetricsPage.seconds(nanoseconds) == text) }

    // MARK: - HTTP

    private func response(_ request: String) -> String {
        String(decoding: MetricsAnswerer.response(to: Array(request.utf8)) { Array("\($0)\n".utf8) }, as: UTF8.self)
    }

    @Test(arguments: [
        ("GET /metrics HTTP/1.1\r\nHost: x", "200 OK", "text\n"), ("GET /metrics?x=1 HTTP/1.0", "200 OK", "text\n"),
        ("GET /metrics HTTP/1.1\r\nACCEPT: text/plain;q=0.1, application/openmetrics-text;version=1", "200 OK", "openMetrics\n"),
        ("HEAD /metrics HTTP/1.1", "200 OK", ""), ("GET / HTTP/1.1", "404 Not Found", nil),
        ("POST /metrics HTTP/1.1", "405 Method Not Allowed", nil), ("GET /metrics", "400 Bad Request", nil),
        ("GET /metrics FTP/1.1", "400 Bad Request", nil), ("", "400 Bad Request", nil), ("a1 CAPABILITY", "400 Bad Request", nil),
        ("GET /metrics HTTP/1.1\r\nX: " + String(repeating: "x", count: 8192), "400 Bad Request", nil),
    ])
    func requests(request: String, status: String, body: String?) throws {
        let answer = response(request)
        #expect(answer.hasPrefix("HTTP/1.1 \(status)\r\n"))
        let parts = answer.components(separatedBy: "\r\n\r\n")
        try #require(parts.count == 2)
        if let body { #expect(parts[1] == body) }
        let length = try #require(parts[0].firstMatch(of: /Content-Length: (\d+)/)).1
        if !request.hasPrefix("HEAD") { #expect(Int(length) == parts[1].utf8.count) }
    }
}
