import Authentication
import Foundation
import SystemAuthentication
import TestSupport
import Testing
import Transport

@testable import Daemon

/// AUTHENTICATE EXTERNAL (RFC 4422 appendix A) with processes of their own, real users and real PAM.
@Suite(.enabled(if: isRoot, needsRoot))
struct CertificateLoginTests {
    let authority: CertificateAuthority

    init() async throws { authority = try await CertificateAuthority() }

    private func start(
        _ state: SystemUser.State = .usual, implicitTLS: Bool = true, arguments: [String] = []
    ) async throws -> ForkedDaemon {
        try await ForkedDaemon(
            user: SystemUser(state), pam: .unix(), implicitTLS: implicitTLS,
            ["--client-ca", authority.file, "--login-domain", "example.org"] + arguments)
    }

    private func client(_ daemon: ForkedDaemon, _ identity: CertificateAuthority.Identity?, tls: Bool = true) throws -> MailClient {
        let client = try MailClient(port: daemon.port, tls: tls, identity: identity)
        _ = try client.line()
        return client
    }

    private func mechanisms(_ client: MailClient) throws -> [Substring] {
        try client.command("CAPABILITY")[0].split(separator: " ").filter { $0.hasPrefix("AUTH=") || $0 == "LOGINDISABLED" }
    }

    private func base64(_ text: String) -> String { Data(text.utf8).base64EncodedString() }

    @Test("the certificate's owner gets in without a password, into a session of his own")
    func getsIn() async throws {
        let daemon = try await start()
        let identity = try await authority.issue(emails: ["\(daemon.user.name)@example.org"])
        let client = try client(daemon, identity)
        #expect(try mechanisms(client).contains("AUTH=EXTERNAL"))
        #expect(try client.command("AUTHENTICATE EXTERNAL =").last!.contains(" OK "), "\(daemon.daemon.log)")
        let session = try daemon.process("session \(daemon.user.name)")
        #expect(session.status("Uid") == [String](repeating: "\(daemon.user.uid)", count: 4))
        // The listener's line, the signals' end, the gate, and the log: nothing is left of what judged the certificate.
        let other = try MailClient(port: daemon.port, tls: true)
        _ = try other.line()
        #expect(try daemon.logIn(other).contains(" OK "))
        let sessions = daemon.processes("session")
        #expect(sessions.count == 2 && sessions[0].descriptors.count == sessions[1].descriptors.count)
        #expect(try client.command("SELECT INBOX").last!.contains(" OK "))
        let login = try await daemon.daemon.line { $0.contains(": login ") }
        #expect(login.contains("mechanism=\"AUTHENTICATE EXTERNAL\""), "\(login)")
        _ = try await daemon.daemon.line { $0.contains(": certificate ") && $0.contains("subject=\"CN=somebody,O=Example\"") }
    }

    @Test("after STARTTLS, and with a response of its own")
    func startTLS() async throws {
        let daemon = try await start(implicitTLS: false)
        let identity = try await authority.issue(emails: ["\(daemon.user.name)@example.org"])
        let client = try client(daemon, nil, tls: false)
        #expect(try mechanisms(client) == ["LOGINDISABLED"])
        #expect(try client.command("STARTTLS").last!.contains(" OK "))
        try client.startTLS(identity)
        #expect(try mechanisms(client).contains("AUTH=EXTERNAL"))
        try client.send("a AUTHENTICATE EXTERNAL\r\n")
        #expect(try client.line() == "+ ")
        try client.send("\r\n")
        #expect(try client.lines(through: "a").last!.contains("a OK "))
    }

    @Test("whom the client names must be one of those that the certificate names")
    func identities() async throws {
        let daemon = try await start()
        let name = "\(daemon.user.name)@example.org"
        let identity = try await authority.issue(emails: ["nobody-here@example.org", name])
        for (said, accepted) in [("root", false), (daemon.user.name, false), ("", false), (name, true)] {
            let client = try client(daemon, identity)
            let answer = try client.command("AUTHENTICATE EXTERNAL \(said.isEmpty ? "=" : base64(said))").last!
            #expect(answer.contains(accepted ? " OK " : " NO [AUTHENTICATIONFAILED]"), "\(said): \(answer)\n\(daemon.daemon.log)")
        }
    }

    @Test("without a certificate that is good, EXTERNAL is not there; passwords are")
    func notOffered() async throws {
        let daemon = try await start()
        let other = try await CertificateAuthority("Else")
        let name = "\(daemon.user.name)@example.org"
        for identity in [nil, try await authority.issue(emails: [name], isExpired: true), try await other.issue(emails: [name])] {
            let client = try client(daemon, identity)
            #expect(try !mechanisms(client).contains("AUTH=EXTERNAL"))
            #expect(try client.command("AUTHENTICATE EXTERNAL =").last!.contains(" NO There is no such mechanism"))
            #expect(try daemon.logIn(client).contains(" OK "))
        }
        #expect(!daemon.daemon.log.contains("certificate subject"))
    }

    @Test("PAM has a say about the account, and root has no mail")
    func accounts() async throws {
        let daemon = try await start(.accountExpired)
        let expired = try client(daemon, try await authority.issue(emails: ["\(daemon.user.name)@example.org"]))
        #expect(try expired.command("AUTHENTICATE EXTERNAL =").last!.contains(" NO [EXPIRED]"), "\(daemon.daemon.log)")
        let root = try client(daemon, try await authority.issue(emails: ["root@example.org"]))
        #expect(try root.command("AUTHENTICATE EXTERNAL =").last!.contains(" NO [CONTACTADMIN]"), "\(daemon.daemon.log)")
        let nobody = try client(daemon, try await authority.issue(emails: ["imapd-test-nobody@example.org"]))
        #expect(try nobody.command("AUTHENTICATE EXTERNAL =").last!.contains(" NO "), "\(daemon.daemon.log)")
    }

    @Test("failures are counted, and end a connection like any")
    func failures() async throws {
        let daemon = try await start(arguments: ["--login-attempts", "2"])
        let client = try client(daemon, try await authority.issue(emails: ["imapd-test-nobody@example.org"]))
        #expect(try client.command("AUTHENTICATE EXTERNAL =").last!.contains(" NO "))
        #expect(try client.command("AUTHENTICATE EXTERNAL \(base64("root"))").last!.contains(" NO "))
        #expect(try client.rest() == ["* BYE No further attempts"])
    }

    @Test("users of the password file have certificates, too; and where EXTERNAL is all there is, no password counts")
    func passwordFile() async throws {
        let directory = try TemporaryDirectory()
        chmod(directory.url.path, 0o711)
        let file = PasswordFile(path: directory.path("users"))
        mkdir(directory.path("ann"), 0o700)
        chown(directory.path("ann"), 59_997, 59_997)
        try file.set(PasswordLine(
            user: "ann", password: .scram(Secret(Array("pencil".utf8)), iterations: 4096),
            owner: .init(uid: 59_997, gid: 59_997, home: directory.path("ann"))))
        let daemon = try await start(
            arguments: ["--password-file", file.path, "--pam=no", "--sasl", "external", "--certificate-name", "cn", "--password-use", directory.path("use")])
        let identity = try await authority.issue(cn: "ann")
        let client = try client(daemon, identity)
        #expect(try mechanisms(client) == ["LOGINDISABLED", "AUTH=EXTERNAL"])
        #expect(try client.command("LOGIN ann pencil").last!.contains(" NO "))
        #expect(try client.command("AUTHENTICATE PLAIN \(base64("\0ann\0pencil"))").last!.contains(" NO There is no such mechanism"))
        #expect(try client.command("AUTHENTICATE EXTERNAL =").last!.contains(" OK "), "\(daemon.daemon.log)")
        #expect(try daemon.process("session ann").status("Uid")[0] == "59997")
    }

    @Test("names in a certificate: the first that can be a user's, or the one asked for")
    func names() {
        let certificate = ClientCertificate(subject: "", names: ["", "a\u{7}", "b", "c"])
        #expect(MonitorRole.user([], certificate) == "b")
        #expect(MonitorRole.user(Array("c".utf8), certificate) == "c")
        #expect(MonitorRole.user(Array("a\u{7}".utf8), certificate) == nil)
        #expect(MonitorRole.user([0xFF], certificate) == nil)
        #expect(MonitorRole.user([], ClientCertificate(subject: "", names: [])) == nil)
    }
}
