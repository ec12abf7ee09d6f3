/// What a server keeps of a password for SCRAM-SHA-256 (RFC 5802 §3, RFC 7677): enough to know who has the password, not
/// enough to say it to another server.
///
/// Passwords go through SASLprep; those that it refuses are used as they are, as clients do.
public struct SCRAMVerifier: Sendable, Equatable {
    public let iterations: Int
    /// 8 to 64 bytes.
    public let salt: [UInt8]
    let storedKey: [UInt8]
    let serverKey: [UInt8]

    /// RFC 7677 §4 asks for 4096 at least. What is above costs a client's time at each login, and a thief's.
    public static let allowedIterations = 4096...10_000_000
    static let allowedSalt = 8...64

    /// Derives one from a password. `iterations` and `salt` are within their bounds.
    public init(password: Secret, salt: [UInt8], iterations: Int) {
        self.init(prepared: password.prepared ?? password, salt: salt, iterations: iterations)
    }

    private init(prepared password: Secret, salt: [UInt8], iterations: Int) {
        precondition(Self.allowedIterations.contains(iterations) && Self.allowedSalt.contains(salt.count))
        let salted = Digest.salted(password, salt: salt, iterations: iterations)
        defer { salted.wipe() }
        let clientKey = Digest.hmac(key: salted, Array("Client Key".utf8))
        defer { clientKey.wipe() }
        self.iterations = iterations
        self.salt = salt
        storedKey = Digest.sha256(clientKey)
        serverKey = Digest.hmac(key: salted, Array("Server Key".utf8))
    }

    /// One that no password matches: for users who are not there, whom a client must not be able to tell from others.
    ///
    /// - Parameter key: secret, and always the same, or somebody who asks twice could tell after all.
    public init(decoyFor user: String, key: [UInt8], iterations: Int) {
        let seed = Digest.hmac(key: key, Array(user.utf8))
        self.iterations = min(max(iterations, Self.allowedIterations.lowerBound), Self.allowedIterations.upperBound)
        salt = Array(seed.prefix(16))
        storedKey = Digest.hmac(key: key, seed)
        serverKey = Digest.hmac(key: key, storedKey)
    }

    /// Whether this is made from `password`, by somebody who has prepared it or by somebody who has not.
    public func matches(_ password: Secret) -> Bool {
        if let prepared = password.prepared, !prepared.matches(password), isMade(of: prepared) { return true }
        return isMade(of: password)
    }

    private func isMade(of password: Secret) -> Bool {
        let other = SCRAMVerifier(prepared: password, salt: salt, iterations: iterations)
        return Digest.areSame(storedKey, other.storedKey)
    }
}

/// As text: `{SCRAM-SHA-256}iterations,salt,StoredKey,ServerKey`, the latter three in base64, which is how Dovecot writes it.
extension SCRAMVerifier {
    static let scheme = "{SCRAM-SHA-256}"

    public var text: String {
        let parts = [salt, storedKey, serverKey].map { String(decoding: Base64.encode($0), as: UTF8.self) }
        return Self.scheme + ([String(iterations)] + parts).joined(separator: ",")
    }

    public init?(text: some StringProtocol) {
        guard text.hasPrefix(Self.scheme) else { return nil }
        let parts = text.dropFirst(Self.scheme.count).split(separator: ",", omittingEmptySubsequences: false)
        guard parts.count == 4, let iterations = Int(parts[0]), Self.allowedIterations.contains(iterations),
              let salt = Base64.decode(Array(parts[1].utf8)), Self.allowedSalt.contains(salt.count),
              let storedKey = Base64.decode(Array(parts[2].utf8)), storedKey.count == Digest.length,
              let serverKey = Base64.decode(Array(parts[3].utf8)), serverKey.count == Digest.length
        else { return nil }
        self.iterations = iterations
        self.salt = salt
        self.storedKey = storedKey
        self.serverKey = serverKey
    }
}

extension Secret {
    /// As RFC 5802 §2.2 wants it; `nil` if it cannot be that.
    var prepared: Secret? {
        withBytes { bytes in
            guard let prepared = SASLprep.prepare(bytes), !prepared.isEmpty else { return nil }
            defer { prepared.wipe() }
            return Secret(prepared)
        }
    }
}
