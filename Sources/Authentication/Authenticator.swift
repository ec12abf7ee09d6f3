/// What came of an attempt to log in.
public enum Verdict: Sendable, Equatable {
    /// `user` is the account's own name, which may be spelt otherwise than what the client sent.
    case accepted(user: String)
    /// Wrong user or password; which of them is nobody's business.
    case rejected
    /// The password or the account is too old: only the user or the administrator can help.
    case expired
    /// The account is closed, or may not log in here or now.
    case disabled
    /// Nobody could say: the next attempt may fare better.
    case unavailable
}

/// Decides who may log in.
public protocol Authenticator: Sendable {
    /// Takes as long as it needs. `peer` is the client's address, without its port.
    func authenticate(_ credentials: Credentials, peer: String) -> Verdict

    /// What is kept of a user's password for SCRAM-SHA-256; `nil` for a user without. Asked for only if SCRAM is among the
    /// mechanisms that the gate's rules offer.
    func scramVerifier(of user: String) -> SCRAMVerifier?
}

extension Authenticator {
    public func scramVerifier(of user: String) -> SCRAMVerifier? { nil }
}

/// One password for everybody, or for one user: for a server on a laptop.
public struct StaticPassword: Authenticator {
    /// `nil`: any name will do.
    private let user: String?
    private let password: [UInt8]
    private let verifier: SCRAMVerifier

    public init(user: String?, password: String) {
        self.user = user
        self.password = Array(password.utf8)
        verifier = SCRAMVerifier(
            password: Secret(self.password), salt: SCRAM.freshNonce(), iterations: SCRAMVerifier.allowedIterations.lowerBound)
    }

    public func authenticate(_ credentials: Credentials, peer: String) -> Verdict {
        let isRight = credentials.password.matches(Secret(password))
        return isRight && (user == nil || user == credentials.user) ? .accepted(user: credentials.user) : .rejected
    }

    public func scramVerifier(of user: String) -> SCRAMVerifier? {
        self.user == nil || self.user == user ? verifier : nil
    }
}
