import Authentication
import Transport

/// Whom a gate asks: it can decide nothing itself.
public protocol GateMonitor: AnyObject {
    /// TLS has begun.
    func secured(_ information: TLSInformation) throws(ConnectionEnd)

    /// Somebody wants in. Returns when the client may hear the answer: a failure is delayed.
    func judge(_ attempt: LoginAttempt) throws(ConnectionEnd) -> Answer
}

/// Somebody who wants in.
public struct LoginAttempt {
    public enum Mechanism: UInt8, CaseIterable, Sendable {
        case loginCommand, plain, login

        /// For the log.
        public var name: String {
            switch self {
            case .loginCommand: "LOGIN"
            case .plain: "AUTHENTICATE PLAIN"
            case .login: "AUTHENTICATE LOGIN"
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

/// What a monitor says to an attempt.
public struct Answer: Sendable, Equatable {
    public enum Outcome: UInt8, Sendable, CaseIterable { case accepted, rejected, expired, disabled, unavailable, overLimit }

    public var outcome: Outcome
    /// Whether no further attempt will be heard.
    public var isLast: Bool

    public init(_ outcome: Outcome, isLast: Bool) {
        self.outcome = outcome
        self.isLast = isLast
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
