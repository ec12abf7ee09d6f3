/// A client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), with channel bindings where both have them (RFC 9266).
public struct SCRAMClient {
    private let password: Secret
    private let binding: [UInt8]
    private let gs2Header: [UInt8]
    private let bare: [UInt8]
    private let nonce: [UInt8]
    /// What the server must say at last.
    private var serverFinal: [UInt8]?
    /// The server has shown that it knows the password, or what was made of it.
    public private(set) var isServerProven = false

    /// - Parameters:
    ///   - binding: what both ends of the TLS connection know of it, if there is that.
    ///   - isPlus: the mechanism is the one whose name ends in "-PLUS"; then there must be a binding.
    public init(user: String, password: Secret, binding: [UInt8]?, isPlus: Bool, nonce: [UInt8] = SCRAM.freshNonce()) {
        precondition(!isPlus || binding != nil, "there is nothing to bind to")
        self.password = password.prepared ?? password
        self.binding = isPlus ? binding ?? [] : []
        self.nonce = nonce
        // "y": we could, and have not seen the server offer it.
        gs2Header = Array((isPlus ? "p=\(SCRAM.bindingType),," : binding != nil ? "y,," : "n,,").utf8)
        var name: [UInt8] = []
        for byte in user.utf8 {
            switch byte {
            case UInt8(ascii: ","): name += "=2C".utf8
            case UInt8(ascii: "="): name += "=3D".utf8
            default: name.append(byte)
            }
        }
        bare = Array("n=".utf8) + name + Array(",r=".utf8) + nonce
    }

    /// client-first-message
    public var opening: [UInt8] { gs2Header + bare }

    /// Hears the server's first message, then its last. `nil` for what makes no sense, or is not from who knows the password.
    public mutating func answer(to message: [UInt8]) -> [UInt8]? {
        guard let serverFinal else { return clientFinal(message) }
        guard !isServerProven, Digest.areSame(message, serverFinal) else { return nil }
        isServerProven = true
        return []
    }

    /// client-final-message = channel-binding "," nonce "," proof
    private mutating func clientFinal(_ challenge: [UInt8]) -> [UInt8]? {
        let parts = challenge.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        guard challenge.count <= SCRAM.longestMessage, parts.count >= 3,
              let both = SCRAM.attribute("r", parts[0]), both.starts(with: nonce), both.count > nonce.count,
              let salt = SCRAM.attribute("s", parts[1]).flatMap({ Base64.decode($0) }), !salt.isEmpty,
              let iterations = SCRAM.attribute("i", parts[2]).flatMap({ Int(String(decoding: $0, as: UTF8.self)) }),
              SCRAMVerifier.allowedIterations.contains(iterations)
        else { return nil }
        let withoutProof = Array("c=".utf8) + Base64.encode(gs2Header + binding) + Array(",r=".utf8) + both
        let comma = [UInt8(ascii: ",")]
        let message = bare + comma + challenge + comma + withoutProof
        let salted = Digest.salted(password, salt: salt, iterations: iterations)
        defer { salted.wipe() }
        let clientKey = Digest.hmac(key: salted, Array("Client Key".utf8))
        defer { clientKey.wipe() }
        let proof = Digest.xor(clientKey, Digest.hmac(key: Digest.sha256(clientKey), message))
        let serverKey = Digest.hmac(key: salted, Array("Server Key".utf8))
        serverFinal = Array("v=".utf8) + Base64.encode(Digest.hmac(key: serverKey, message))
        return withoutProof + Array(",p=".utf8) + Base64.encode(proof)
    }
}
