import Authentication
import Transport

/// Whom a gate asks: it can decide nothing itself.
public protocol GateMonitor: AnyObject {
    /// TLS has begun.
    func secured(_ information: TLSInformation) throws(ConnectionEnd)

    /// Somebody wants in. Returns when the client may hear the answer: a failure is delayed.
    func judge(_ attempt: LoginAttempt) throws(ConnectionEnd) -> Answer

    /// Somebody wants in by SCRAM. The answer is a challenge, or that of a failed attempt, delayed as any.
    func challenge(_ attempt: SCRAMAttempt) throws(ConnectionEnd) -> Answer

    /// What the client has said to the challenge; empty if it has given up, which is a failed attempt.
    func judge(clientFinal: [UInt8]) throws(ConnectionEnd) -> Answer
}

/// Somebody who wants in.
public struct LoginAttempt {
    public enum Mechanism: UInt8, CaseIterable, Sendable {
        case loginCommand, plain, login, scram, scramPlus

        /// For the log.
        public var name: String {
            switch self {
            case .loginCommand: "LOGIN"
            case .plain: "AUTHENTICATE PLAIN"
            case .login: "AUTHENTICATE LOGIN"
            case .scram: "AUTHENTICATE SCRAM-SHA-256"
            case .scramPlus: "AUTHENTICATE SCRAM-SHA-256-PLUS"
            }
        }
    }

    public var mechanism: Mechanism
    /// `nil` is an attempt that cannot succeed; it is answered like any that fails.
    public var credentials: Credentials?

    public init(mechanism: Mechanism, credentials: Credentials?) {
        self.mechanism = mechanism
        self.credentials = credentials
    }
}

/// Somebody who wants in by SCRAM (RFC 5802): what the client said first, and what only this end of its connection knows.
///
/// The gate never learns what is kept of a password: it carries messages. So whoever takes over a gate can try passwords,
/// but not collect what would help to guess them.
public struct SCRAMAttempt: Equatable, Sendable {
    /// The client's first message, up to `SCRAM.longestMessage` bytes.
    public var clientFirst: [UInt8]
    /// Whether the client has chosen SCRAM-SHA-256-PLUS.
    public var isPlus: Bool
    /// The TLS connection's, if it has one: then SCRAM-SHA-256-PLUS was offered.
    public var binding: [UInt8]?

    /// Bytes of a binding.
    public static let longestBinding = 64

    public init(clientFirst: [UInt8], isPlus: Bool, binding: [UInt8]?) {
        self.clientFirst = clientFirst
        self.isPlus = isPlus
        self.binding = binding
    }

    public var mechanism: LoginAttempt.Mechanism { isPlus ? .scramPlus : .scram }

    /// What is in it; `nil` if that makes no sense, or must not come over this connection.
    public var opening: SCRAMOpening? { SCRAMOpening(clientFirst, isPlus: isPlus, offersPlus: binding != nil) }
}

/// What a monitor says to an attempt.
public struct Answer: Sendable, Equatable {
    public enum Outcome: UInt8, Sendable, CaseIterable {
        case accepted, rejected, expired, disabled, unavailable, overLimit
        /// The client is to hear `message`, and to answer it.
        case challenge
    }

    public var outcome: Outcome
    /// Whether no further attempt will be heard.
    public var isLast: Bool
    /// For the client: the challenge; or with `accepted`, what SCRAM says at last.
    public var message: [UInt8]

    /// Bytes of a message.
    public static let longestMessage = 2048

    public init(_ outcome: Outcome, isLast: Bool, message: [UInt8] = []) {
        self.outcome = outcome
        self.isLast = isLast
        self.message = message
    }
}

extension Answer.Outcome {
    public init(_ verdict: Verdict) {
        switch verdict {
        case .accepted: self = .accepted
        case .rejected: self = .rejected
        case .expired: self = .expired
        case .disabled: self = .disabled
        case .unavailable: self = .unavailable
        }
    }
}

/// How a client's time at the gate ended.
public enum GateEnd: Equatable, Sendable {
    /// It is in. `readAhead` are bytes that came after its last command.
    case loggedIn(readAhead: [UInt8])
    case loggedOut
    case tooManyFailures
    case tooManyCommands
    case connection(ConnectionEnd)
}
