import Authentication
import Gate
import Glibc
import Transport

/// What an authenticator is asked, in one message of a monitor's, with the end of a pipe for the answer.
enum AuthenticatorQuestion {
    case password(Credentials)
    /// What to say to a client that begins SCRAM.
    case opening(SCRAMAttempt)
    /// Whether it has the password.
    case clientFinal([UInt8], SCRAMAttempt, challenge: [UInt8])
    /// Whether there is an account for somebody whom a certificate names.
    case certified(user: String)

    /// Bytes of an address as text.
    private static let longestHost = 64
    private static let longestAttempt = GateMessage.opening.longest
    private static let longestFinal = GateMessage.clientFinal.longest
    /// Bytes of a message; that of SCRAM's end is the longest.
    static let longest = 1 + 4 + longestHost + 4 + longestAttempt + 4 + Answer.longestMessage + 4 + longestFinal

    /// To be wiped.
    ///
    /// - Parameter host: the client's address.
    func wire(from host: String) -> [UInt8] {
        var writer = WireWriter(capacity: Self.longest)
        switch self {
        case .password(let credentials):
            writer.byte(0)
            writer.string(host.utf8)
            writer.string(credentials.user.utf8)
            credentials.password.withBytes { writer.string($0) }
        case .opening(let attempt):
            writer.byte(1)
            writer.string(host.utf8)
            writer.string(attempt.wire)
        case .clientFinal(let message, let attempt, let challenge):
            writer.byte(2)
            writer.string(host.utf8)
            writer.string(attempt.wire)
            writer.string(challenge)
            writer.string(message)
        case .certified(let user):
            writer.byte(3)
            writer.string(host.utf8)
            writer.string(user.utf8)
        }
        return writer.bytes
    }

    /// The question, and the client's address.
    static func parse(_ wire: [UInt8]) -> (question: AuthenticatorQuestion, host: String)? {
        var reader = WireReader(wire)
        guard let kind = reader.byte(), let host = reader.text(atMost: longestHost), let question = Self(kind, &reader),
              reader.isAtEnd
        else { return nil }
        return (question, host)
    }

    private init?(_ kind: UInt8, _ reader: inout WireReader) {
        switch kind {
        case 0:
            guard let user = reader.string(atMost: Credentials.longestUser),
                  let password = reader.string(atMost: Credentials.longestPassword),
                  let credentials = Credentials(user: user, password: Secret(password))
            else { return nil }
            self = .password(credentials)
        case 1:
            guard let attempt = Self.attempt(&reader) else { return nil }
            self = .opening(attempt)
        case 2:
            guard let attempt = Self.attempt(&reader), let challenge = reader.string(atMost: Answer.longestMessage),
                  let message = reader.string(atMost: Self.longestFinal)
            else { return nil }
            self = .clientFinal(Array(message), attempt, challenge: Array(challenge))
        case 3:
            guard let user = reader.text(atMost: Credentials.longestUser) else { return nil }
            self = .certified(user: user)
        default: return nil
        }
    }

    private static func attempt(_ reader: inout WireReader) -> SCRAMAttempt? {
        reader.string(atMost: longestAttempt).flatMap { SCRAMAttempt(wire: Array($0)) }
    }
}
