import Authentication
import Transport

/// Whom a gate asks: it can decide nothing itself.
public protocol GateMonitor: AnyObject {
    /// The proxy that is our peer has told for whom it connects; `nil` if for itself. Asked once, and first of all.
    /// - Returns: why that client is not served, if it is not.
    func reveal(_ client: PeerAddress?) throws(ConnectionEnd) -> Notice?

    /// TLS has begun.
    func secured(_ information: TLSInformation) throws(ConnectionEnd)

    /// What the client calls itself (RFC 2971), as `IDField.summary(of:)` has it. Told once.
    func identified(_ client: String) throws(ConnectionEnd)

    /// Somebody wants in. Returns when the client may hear the answer: a failure is delayed.
    func judge(_ attempt: LoginAttempt) throws(ConnectionEnd) -> Answer

    /// Somebody wants in by SCRAM. The answer is a challenge, or that of a failed attempt, delayed as any.
    func challenge(_ attempt: SCRAMAttempt) throws(ConnectionEnd) -> Answer

    /// What the client has said to the challenge; empty if it has given up, which is a failed attempt.
    func judge(clientFinal: [UInt8]) throws(ConnectionEnd) -> Answer

    /// Somebody wants in by a certificate. Asked only if the gate's rules have a challenge.
    func judge(_ attempt: CertificateAttempt) throws(ConnectionEnd) -> Answer
}

extension GateMonitor {
    public func judge(_ attempt: CertificateAttempt) throws(ConnectionEnd) -> Answer { Answer(.unavailable, isLast: true) }
}

/// Somebody who wants in.
public struct LoginAttempt {
    public enum Mechanism: UInt8, CaseIterable, Sendable {
        case loginCommand, plain, login, scram, scramPlus, external

        /// For the log.
        public var name: String {
            switch self {
            case .loginCommand: "LOGIN"
            case .plain: "AUTHENTICATE PLAIN"
            case .login: "AUTHENTICATE LOGIN"
            case .scram: "AUTHENTICATE SCRAM-SHA-256"
            case .scramPlus: "AUTHENTICATE SCRAM-SHA-256-PLUS"
            case .external: "AUTHENTICATE EXTERNAL"
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

/// Somebody who wants in by a certificate.
public struct CertificateAttempt: Equatable, Sendable {
    /// As whom; empty: as whom the certificate says (RFC 4422 appendix A.1).
    public var identity: [UInt8]
    /// That the client has the certificate's key (`CertificateProof`).
    public var proof: [UInt8]

    /// Bytes of an identity.
    public static let longestIdentity = Credentials.longestUser

    public init(identity: [UInt8], proof: [UInt8]) {
        self.identity = identity
        self.proof = proof
    }
}

/// What a monitor says to an attempt.
public struct Answer: Sendable, Equatable {
    public enum Outcome: UInt8, Sendable, CaseIterable {
        case accepted, rejected, expired, disabled, unavailable
        /// For no fault in the password; `message` is the notice.
        case turnedAway
        /// The client is to hear `message`, and to answer it.
        case challenge
    }

    public var outcome: Outcome
    /// Whether no further attempt will be heard.
    public var isLast: Bool
    /// For the client: the challenge, or the notice; or with `accepted`, what SCRAM says at last.
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

/// What a client is told that is turned away for no fault in what it said.
public struct Notice: Sendable, Equatable {
    /// RFC 5530 §3, RFC 9051 §7.1.
    public enum Code: UInt8, Sendable, CaseIterable {
        case limit, unavailable, contactAdmin

        /// As it is written.
        public var name: String {
            switch self {
            case .limit: "LIMIT"
            case .unavailable: "UNAVAILABLE"
            case .contactAdmin: "CONTACTADMIN"
            }
        }
    }

    public var code: Code
    public var text: String

    public init(_ code: Code, _ text: String) {
        self.code = code
        self.text = text
    }
}

extension Notice {
    /// Bytes of `wire`.
    public static let longestWire = 1 + 255

    /// The number of the code, and the text.
    public var wire: [UInt8] { [code.rawValue] + text.utf8.prefix(Self.longestWire - 1) }

    public init?(wire: [UInt8]) {
        guard let code = wire.first.flatMap({ Code(rawValue: $0) }), wire.count <= Self.longestWire,
              let text = String(validating: wire.dropFirst(), as: UTF8.self)
        else { return nil }
        self.init(code, text)
    }
}

extension Answer {
    /// No further attempt will be heard.
    public init(_ notice: Notice) { self.init(.turnedAway, isLast: true, message: notice.wire) }

    /// What the client is told, with `turnedAway`.
    public var notice: Notice? { outcome == .turnedAway ? Notice(wire: message) : nil }
}

/// How a client's time at the gate ended.
public enum GateEnd: Equatable, Sendable {
    /// It is in. `readAhead` are bytes that came after its last command.
    case loggedIn(readAhead: [UInt8])
    case loggedOut
    case tooManyFailures
    case tooManyCommands
    /// There was none where one must be, or it made no sense.
    case badProxyHeader
    /// By the monitor, when it heard for whom a proxy connects.
    case turnedAway
    case connection(ConnectionEnd)
}
