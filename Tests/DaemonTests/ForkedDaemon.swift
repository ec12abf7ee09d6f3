import Foundation
import Glibc
import TestSupport
import Testing

/// Whether this machine lets us be root, as `imapd --fork` must be.
let isRoot = geteuid() == 0
let needsRoot: Comment = "needs root: imapd --fork becomes the users whose mail it serves"
let needsNameSpaces: Comment = "needs root that may have mounts and a network of its own"

/// `imapd --fork` with a real user and real PAM, for a test that looks at its processes.
final class ForkedDaemon: Sendable {
    let user: SystemUser
    let certificate: Certificate
    let daemon: RunningDaemon
    let port: Int
    private let configuration: PAMConfiguration

    /// - Parameters:
    ///   - tls: `nil` for none; else whether it begins with the first byte.
    init(user: SystemUser, pam configuration: PAMConfiguration, key: Certificate.Kind = .ec, implicitTLS: Bool? = nil,
         _ arguments: [String] = [], launcher: [String] = []) async throws {
        self.user = user
        self.configuration = configuration
        let certificate = try await Certificate(key)
        self.certificate = certificate
        let tls = implicitTLS.map { ["--cert", certificate.certificate, "--key", certificate.key] + ($0 ? ["--tls"] : []) } ?? []
        daemon = try RunningDaemon(
            ["--fork", "-h", "127.0.0.1", "-p", "0", "--pam-confdir", configuration.path, "--log-level", "trace",
             "--first-valid-uid", "1", "--failure-delay", "0"] + tls + arguments, launcher: launcher)
        port = try await daemon.port()
    }

    /// With a user of its own.
    convenience init(key: Certificate.Kind = .ec, implicitTLS: Bool? = nil, _ arguments: [String] = [],
                     launcher: [String] = []) async throws {
        try await self.init(user: SystemUser(), pam: .unix(), key: key, implicitTLS: implicitTLS, arguments, launcher: launcher)
    }

    func client(tls: Bool = false) throws -> MailClient {
        let client = try MailClient(port: port, tls: tls)
        let greeting = try client.line() ?? "nothing"
        try #require(greeting.hasPrefix("* OK"), "\(greeting)")
        return client
    }

    func logIn(_ client: MailClient, password: String? = nil) throws -> String {
        try client.command("LOGIN \(user.name) \"\(password ?? user.password)\"").last!
    }

    // MARK: - Processes

    var listener: ProcessView { ProcessView(daemon.child.pid) }

    /// What it has forked, but for those that wait for a client, and for what they are forked from.
    var busy: [ProcessView] {
        // Between fork(2) and its first line, a child still has the title of its parent.
        listener.descendants.filter {
            !$0.title.hasPrefix("imapd: spare") && ![listener.title, "imapd: keeper", "imapd: spawner"].contains($0.title)
        }
    }

    /// Monitors and gates that wait for a client.
    var spares: [ProcessView] {
        listener.descendants.filter { ["imapd: spare monitor", "imapd: spare gate"].contains($0.title) }
    }

    /// Where monitors ask: the one socket that the listener shares with them.
    func questionSockets() -> Set<String> {
        processes("spare monitor").reduce(into: []) { $0.formUnion(listener.sockets.intersection($1.sockets)) }
    }

    func processes(_ role: String) -> [ProcessView] {
        listener.descendants.filter { $0.title.hasPrefix("imapd: \(role)") && !$0.isZombie }
    }

    /// The one process of this role.
    func process(_ role: String, _ location: SourceLocation = #_sourceLocation) throws -> ProcessView {
        let found = processes(role)
        try #require(found.count == 1, "\(role): \(listener.descendants.map(\.title))\n\(daemon.log)", sourceLocation: location)
        return found[0]
    }
}

extension ProcessView {
    var sockets: Set<String> { Set(descriptors.values.filter { $0.hasPrefix("socket:") }) }

    /// Sockets of its network that listen for TCP connections (proc(5)).
    var listeningSockets: Set<String> {
        let tables = ["net/tcp", "net/tcp6"].map { whole($0) ?? "" }
        return tables.reduce(into: []) { found, table in
            for line in table.split(separator: "\n").dropFirst() {
                let words = line.split(separator: " ")
                if words.count > 9, words[3] == "0A" { found.insert("socket:[\(words[9])]") }
            }
        }
    }
}

/// Waits until `condition` holds: for what nobody tells us of, such as the end of somebody else's child.
func eventually(_ what: Comment, _ condition: () -> Bool, _ location: SourceLocation = #_sourceLocation) async throws {
    let deadline = ContinuousClock.now + .seconds(60)
    while !condition() {
        try #require(ContinuousClock.now < deadline, what, sourceLocation: location)
        try await Task.sleep(for: .milliseconds(5))
    }
}
