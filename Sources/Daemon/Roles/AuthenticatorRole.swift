import Authentication
import Gate
import Glibc
import Privilege
import SystemAuthentication
import Transport

/// What an authenticator is asked.
enum AuthenticatorQuestion {
    case password(Credentials)
    /// What to say to a client that begins SCRAM.
    case opening(SCRAMOpening)
    /// Whether it has the password.
    case clientFinal([UInt8], SCRAMOpening, challenge: [UInt8], binding: [UInt8])
    /// Whether there is an account for somebody whom a certificate names.
    case certified(user: String)
}

/// The process that asks PAM and reads the password file: root, and gone after one question, with all that modules have read
/// and loaded.
func runAuthenticator(_ question: AuthenticatorQuestion, answer: Int32, peer: PeerAddress, _ household: Household) -> Never {
    ProcessTitle.set("authenticator")
    closeAll(but: [answer] + household.logDescriptors)
    // Modules expect a process as others are: one that a signal can end.
    var none = sigset_t()
    sigemptyset(&none)
    pthread_sigmask(SIG_SETMASK, &none, nil)

    let bytes = reply(to: question, peer: peer, household.accounts.directory).wire
    var sent = 0
    while sent < bytes.count {
        let count = bytes.withUnsafeBytes { write(answer, $0.baseAddress! + sent, $0.count - sent) }
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { _exit(1) }
        sent += count
    }
    _exit(0)
}

private func reply(to question: AuthenticatorQuestion, peer: PeerAddress, _ accounts: AccountDirectory) -> AuthenticatorResult {
    do throws(AccountDirectory.Refused) {
        switch question {
        case .password(let credentials):
            return .accepted(try accounts.logIn(credentials, peer: peer.host))
        case .opening(let opening):
            return .challenge(try accounts.challenge(opening))
        case .clientFinal(let clientFinal, let opening, let challenge, let binding):
            return .accepted(try accounts.finish(opening, challenge: challenge, clientFinal: clientFinal, binding: binding))
        case .certified(let user):
            return .accepted(try accounts.logIn(certifiedAs: user, peer: peer.host))
        }
    } catch {
        return .refused(error.verdict, reason: error.reason)
    }
}

/// What an authenticator tells its monitor.
enum AuthenticatorResult: Equatable {
    case accepted(AccountDirectory.Accepted)
    /// What to say to the client.
    case challenge([UInt8])
    /// `reason` is for the log.
    case refused(Verdict, reason: String)

    /// PAM asks directories and other machines, and these may be slow.
    private static let patience: Duration = .seconds(60)
    /// Bytes: room for 65,536 groups, the most that Linux allows.
    private static let longest = 300_000

    var wire: [UInt8] {
        var writer = WireWriter()
        switch self {
        case .accepted(let accepted):
            let account = accepted.account
            writer.byte(0)
            writer.number(account.uid)
            writer.number(account.gid)
            writer.number(UInt32(account.groups.count))
            for group in account.groups { writer.number(group) }
            writer.string(Array(account.name.utf8))
            writer.string(Array(account.home.utf8))
            writer.string(Array((accepted.label ?? "").utf8))
            writer.string(accepted.serverFinal)
        case .challenge(let challenge):
            writer.byte(5)
            writer.string(challenge)
        case .refused(let verdict, let reason):
            switch verdict {
            case .rejected: writer.byte(1)
            case .expired: writer.byte(2)
            case .disabled: writer.byte(3)
            case .accepted, .unavailable: writer.byte(4)
            }
            writer.string(Array(reason.utf8.prefix(1000)))
        }
        return writer.bytes
    }

    init?(wire: [UInt8]) {
        var reader = WireReader(wire)
        switch reader.byte() {
        case 0:
            guard let uid = reader.number(), let gid = reader.number(), let count = reader.number(), count <= 65_536 else { return nil }
            var groups: [gid_t] = []
            for _ in 0..<count {
                guard let group = reader.number() else { return nil }
                groups.append(group)
            }
            guard let name = reader.text(atMost: 255), let home = reader.text(atMost: 4096), let label = reader.text(atMost: 64),
                  let serverFinal = reader.string(atMost: Answer.longestMessage)
            else { return nil }
            self = .accepted(AccountDirectory.Accepted(
                account: Account(name: name, uid: uid, gid: gid, groups: groups, home: home), label: label.isEmpty ? nil : label,
                serverFinal: Array(serverFinal)))
        case let code? where (1...4).contains(code):
            guard let reason = reader.text(atMost: 1000) else { return nil }
            self = .refused([.rejected, .expired, .disabled, .unavailable][Int(code) - 1], reason: reason)
        case 5:
            guard let challenge = reader.string(atMost: Answer.longestMessage) else { return nil }
            self = .challenge(Array(challenge))
        default: return nil
        }
        guard reader.isAtEnd else { return nil }
    }

    /// All that is written to a pipe until it is closed; `nil` if that takes too long, or `end` becomes readable before.
    static func receive(from pipe: Int32, orUntil end: Int32) -> [UInt8]? {
        let deadline = Deadline(after: patience)
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            var polled = [pollfd(fd: pipe, events: Int16(POLLIN), revents: 0), pollfd(fd: end, events: Int16(POLLIN), revents: 0)]
            let ready = poll(&polled, 2, deadline.milliseconds)
            if ready < 0, errno == EINTR { continue }
            guard ready > 0, polled[1].revents == 0 else { return nil }
            let count = read(pipe, &buffer, buffer.count)
            if count == 0 { return bytes }
            guard count > 0, bytes.count + count <= longest else { return nil }
            bytes += buffer[..<count]
        }
    }
}
