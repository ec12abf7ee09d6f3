/// A server's side of one SASL exchange (RFC 4422) that ends with a password: challenges out, responses in.
public protocol SASLMechanism {
    init()
    /// Takes the next response, decoded. The first may come with AUTHENTICATE (RFC 4959); `nil` if it has not.
    mutating func respond(_ response: [UInt8]?) -> SASLStep
}

public enum SASLStep {
    /// What the server says next, not yet encoded.
    case challenge([UInt8])
    case credentials(Credentials)
    /// Well-formed, but nobody can log in so. It counts as a failed attempt.
    case refused
    /// Not what the mechanism allows.
    case malformed
}

/// The mechanisms that we know, the best first.
public enum SASL: String, Sendable, CaseIterable {
    /// RFC 4422 appendix A: what the client has shown in TLS, its certificate, tells who it is.
    case external = "EXTERNAL"
    /// RFC 7677, bound to the TLS connection: nobody in between can pass it on.
    case scramPlus = "SCRAM-SHA-256-PLUS"
    case scram = "SCRAM-SHA-256"
    case plain = "PLAIN"
    case login = "LOGIN"

    /// Those that anybody with a password can use, however it is kept.
    public static let ofPasswords: [SASL] = [.plain, .login]

    /// By its name, in any case.
    public init?(name: [UInt8]) {
        self.init(rawValue: String(decoding: name, as: UTF8.self).uppercased())
    }
}

/// RFC 4616.
///
/// message   = [authzid] UTF8NUL authcid UTF8NUL passwd
public struct PlainMechanism: SASLMechanism {
    public init() {}

    public mutating func respond(_ response: [UInt8]?) -> SASLStep {
        guard let response else { return .challenge([]) }
        defer { response.wipe() }
        let parts = response.split(separator: 0, omittingEmptySubsequences: false)
        guard parts.count == 3 else { return .malformed }
        // Nobody here acts for others.
        guard parts[0].isEmpty || parts[0] == parts[1] else { return .refused }
        return Credentials(user: parts[1], password: Secret(parts[2])).map { .credentials($0) } ?? .refused
    }
}

/// draft-murchison-sasl-login: for old clients. Two questions whose text means nothing.
///
/// The draft knows no initial response. curl sends the user's name as one, and so do other clients where SASL-IR is offered.
public struct LoginMechanism: SASLMechanism {
    private var user: [UInt8]?

    public init() {}

    public mutating func respond(_ response: [UInt8]?) -> SASLStep {
        guard let response else { return .challenge(Array("Username:".utf8)) }
        guard let user else {
            self.user = response
            return .challenge(Array("Password:".utf8))
        }
        defer { response.wipe() }
        return Credentials(user: user, password: Secret(response)).map { .credentials($0) } ?? .refused
    }
}
