import Glibc
import IMAPSession
import Transport

/// All that the listener knows, as it was when an answerer was forked, and what sessions told of themselves shortly after that.
struct Census {
    struct Connection {
        var process: pid_t
        var peer: PeerAddress
        /// Who has logged in.
        var user: String?
        var mechanism: String?
        /// TLS's version; empty while nobody knows more than that there is TLS.
        var tls: String?
        /// In seconds since 1970.
        var since: Int
        var page: SessionPage?
        /// What it told; only of who has logged in.
        var report: SessionReport?

        var state: State {
            guard user != nil else { return .connected }
            guard let report else { return .authenticated }
            return report.mailbox == nil ? .authenticated : .selected
        }
    }

    /// As RFC 9051 §3 has them; who waits with IDLE is in one of the others.
    enum State: String, CaseIterable {
        case connected = "not authenticated", authenticated, selected
    }

    var version: String
    var process: pid_t
    /// In seconds since 1970.
    var started: Int
    var connections: [Connection]
    var spares: Int
    var tallies: Tallies
    var admission: Admission
    /// Of each certificate its file and its end, in seconds since 1970.
    var certificates: [(path: String, end: Int)]
    /// Memory of the listener that is in use, in bytes.
    var memory: UInt64

    /// What all sessions have done, those that live among them.
    var totals: SessionTotals {
        var totals = tallies.totals
        for connection in connections { if let report = connection.report { totals.add(report.totals) } }
        return totals
    }

    /// The same, with what sessions tell now.
    ///
    /// The pages of those that end meanwhile stay as long as somebody has them open: who counted a session among the living finds
    /// there what it did. A counter that goes down would be taken for a restart.
    var withReports: Census {
        var census = self
        for index in connections.indices where connections[index].user != nil {
            census.connections[index].report = connections[index].page?.read { SessionReport($0) }
        }
        return census
    }
}

/// Memory of a process, in bytes (proc(5), /proc/PID/statm).
func residentMemory(of process: pid_t) -> UInt64 {
    let descriptor = open("/proc/\(process)/statm", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return 0 }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 128)
    let count = max(0, read(descriptor, &bytes, bytes.count))
    let fields = bytes[..<count].split(separator: 0x20)
    guard fields.count > 1, let pages = UInt64(String(decoding: fields[1], as: UTF8.self)) else { return 0 }
    return pages &* UInt64(sysconf(Int32(_SC_PAGESIZE)))
}
