import TestSupport
import Testing

/// Python's imaplib: what its scripts say is in Scripts/.
@Suite struct ImaplibTests {
    @Test(arguments: MailServer.Deployment.possible, MailServer.Security.allCases)
    func everyMethod(_ deployment: MailServer.Deployment, _ security: MailServer.Security) async throws {
        try await succeeds("methods.py", deployment, security)
    }

    @Test(arguments: MailServer.Deployment.possible)
    func clientsTogether(_ deployment: MailServer.Deployment) async throws {
        try await succeeds("together.py", deployment, .tls)
    }

    @Test(arguments: MailServer.Deployment.possible)
    func clientsAgree(_ deployment: MailServer.Deployment) async throws {
        try await succeeds("agree.py", deployment, .tls)
    }

    /// A client that waits hears of what an MDA delivers, of other clients, and of programs that rename in cur/.
    @Test(arguments: MailServer.Deployment.possible)
    func waitingClient(_ deployment: MailServer.Deployment) async throws {
        try await succeeds("idle.py", deployment, .starttls)
    }

    private func succeeds(_ script: String, _ deployment: MailServer.Deployment, _ security: MailServer.Security) async throws {
        let server = try await MailServer.start(deployment)
        let outcome = try await server.python(script, over: security, [server.maildir])
        #expect(outcome.status == 0, "\(outcome)\n\(server.log)")
    }
}
