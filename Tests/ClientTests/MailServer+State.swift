import Foundation
import TestSupport
import Testing

/// What imaplib puts into a server and finds there.
extension MailServer {
    /// Runs a script of Scripts/ with the server's address and the account, and then `arguments`.
    func python(_ script: String, over security: Security, _ arguments: [String] = []) async throws -> Program.Outcome {
        let scripts = Bundle.module.bundleURL.appendingPathComponent("Scripts")
        return try await Program("python3", package: "python3").run(
            ["-B", scripts.appendingPathComponent(script).path, security.rawValue, String(port(security)), authority,
             user, password] + arguments)
    }

    func mailboxes() async throws -> Mailboxes {
        let outcome = try await python("state.py", over: .tls)
        try #require(outcome.status == 0, "\(outcome)\n\(log)")
        return try JSONDecoder().decode(Mailboxes.self, from: outcome.standardOutput)
    }

    /// Does something to messages by their UIDs: `+FLAGS (\Seen)`, `delete`.
    func change(_ mailbox: String, _ what: String, uids: [UInt32]) async throws {
        let set = uids.map(String.init).joined(separator: ",")
        let outcome = try await python("change.py", over: .tls, [mailbox, what, set])
        try #require(outcome.status == 0, "\(outcome)\n\(log)")
    }

    func append(_ mailboxes: Mailboxes) async throws {
        let file = directory.path("append.json")
        try JSONEncoder().encode(mailboxes).write(to: URL(fileURLWithPath: file))
        let outcome = try await python("fill.py", over: .tls, [file])
        try #require(outcome.status == 0, "\(outcome)\n\(log)")
    }
}
