import COpenSSL

/// A server's side of SCRAM-SHA-256 (RFC 5802, RFC 7677) with channel bindings (RFC 9266).
///
/// Each step is a function of what was said before, so that steps can be taken by different processes.
public enum SCRAM {
    /// Bytes of what a client may say in one message.
    public static let longestMessage = 1024

    /// The one channel binding that we know (RFC 9266).
    public static let bindingType = "tls-exporter"

    /// What is new in each exchange: printable, without a comma.
    public static func freshNonce() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 18)
        precondition(RAND_bytes(&bytes, Int32(bytes.count)) == 1, "there is no randomness")
        return Base64.encode(bytes)
    }

    /// What the server says to the client's first message.
    ///
    /// server-first-message = [reserved-mext ","] nonce "," salt "," iteration-count ["," extensions]
    public static func challenge(
        to opening: SCRAMOpening, _ verifier: SCRAMVerifier, nonce: [UInt8] = freshNonce()
    ) -> [UInt8] {
        Array("r=".utf8) + opening.nonce + nonce + Array(",s=".utf8) + Base64.encode(verifier.salt)
            + Array(",i=\(verifier.iterations)".utf8)
    }

    /// What the server says at last, if the client has the password; else `nil`.
    ///
    ///     client-final-message = client-final-message-without-proof "," proof
    ///     client-final-message-without-proof = channel-binding "," nonce ["," extensions]
    ///
    /// - Parameters:
    ///   - challenge: what `challenge(to:_:)` said.
    ///   - binding: what both ends of the TLS connection know of it, if `opening` is bound to it.
    public static func serverFinal(
        _ opening: SCRAMOpening, challenge: [UInt8], clientFinal: [UInt8], binding: [UInt8], _ verifier: SCRAMVerifier
    ) -> [UInt8]? {
        guard clientFinal.count <= longestMessage,
              let proofStart = clientFinal.lastIndex(of: UInt8(ascii: ",")),
              let proof = attribute("p", clientFinal[(proofStart + 1)...]).flatMap({ Base64.decode($0) }),
              proof.count == Digest.length
        else { return nil }
        let withoutProof = Array(clientFinal[..<proofStart])
        let parts = withoutProof.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        // Extensions that we do not know would not change what we check, unless they are mandatory: "m=".
        guard parts.count >= 2, let bound = attribute("c", parts[0]).flatMap({ Base64.decode($0) }),
              bound == opening.gs2Header + (opening.isBound ? binding : []),
              let nonce = attribute("r", parts[1]), challenge.starts(with: Array("r=".utf8) + nonce + Array(",s=".utf8)),
              !parts.dropFirst(2).contains(where: { attribute("m", $0) != nil })
        else { return nil }

        let comma = [UInt8(ascii: ",")]
        let message = opening.bare + comma + challenge + comma + withoutProof
        let clientKey = Digest.xor(proof, Digest.hmac(key: verifier.storedKey, message))
        defer { clientKey.wipe() }
        guard Digest.areSame(Digest.sha256(clientKey), verifier.storedKey) else { return nil }
        return Array("v=".utf8) + Base64.encode(Digest.hmac(key: verifier.serverKey, message))
    }

    /// The value of an attribute: `name`, "=", and the rest.
    static func attribute(_ name: Unicode.Scalar, _ part: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        part.starts(with: [UInt8(ascii: name), UInt8(ascii: "=")]) ? part.dropFirst(2) : nil
    }
}

/// A client's first message.
///
///     client-first-message = gs2-header client-first-message-bare
///     gs2-header      = gs2-cbind-flag "," [ authzid ] ","
///     gs2-cbind-flag  = ("p=" cb-name) / "n" / "y"
///     client-first-message-bare = [reserved-mext ","] username "," nonce ["," extensions]
public struct SCRAMOpening: Equatable, Sendable {
    /// Who wants in, as the client spells it.
    public let user: String
    let gs2Header: [UInt8]
    let bare: [UInt8]
    let nonce: ArraySlice<UInt8>
    /// Whether the exchange is bound to the TLS connection.
    public let isBound: Bool

    /// `nil` for what is no such message, or one that this connection must not see.
    ///
    /// - Parameters:
    ///   - isPlus: whether the client has chosen the mechanism whose name ends in "-PLUS", and so binds the channel.
    ///   - offersPlus: whether it was offered that. Then a client that can, but says it has not seen it, has been lied to
    ///     by somebody in between (RFC 5802 §6).
    public init?(_ message: [UInt8], isPlus: Bool, offersPlus: Bool) {
        guard message.count <= SCRAM.longestMessage else { return nil }
        let parts = message.split(separator: UInt8(ascii: ","), maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3 else { return nil }
        switch parts[0] {
        case let flag where flag.elementsEqual("n".utf8): guard !isPlus else { return nil }
        case let flag where flag.elementsEqual("y".utf8): guard !isPlus, !offersPlus else { return nil }
        case let flag where flag.elementsEqual("p=\(SCRAM.bindingType)".utf8): guard isPlus, offersPlus else { return nil }
        default: return nil
        }
        isBound = isPlus
        gs2Header = Array(message[..<parts[2].startIndex])
        bare = Array(parts[2])

        let attributes = parts[2].split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        // An extension in front ("m=") is one that we would have to know.
        guard attributes.count >= 2, let name = SCRAM.attribute("n", attributes[0]),
              let user = Self.saslname(name), let nonce = SCRAM.attribute("r", attributes[1]), nonce.count >= 8,
              nonce.allSatisfy({ (0x21...0x7E).contains($0) })
        else { return nil }
        // Nobody here acts for others. GNU SASL says whom it acts for even if that is nobody.
        if !parts[1].isEmpty, !parts[1].elementsEqual("a=".utf8) {
            guard let authzid = SCRAM.attribute("a", parts[1]).flatMap(Self.saslname), authzid == user else { return nil }
        }
        self.user = user
        self.nonce = nonce
    }

    /// saslname = 1*(value-safe-char / "=2C" / "=3D")
    private static func saslname(_ bytes: ArraySlice<UInt8>) -> String? {
        var name: [UInt8] = []
        var rest = bytes
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "=") else {
                name.append(byte)
                continue
            }
            switch rest.prefix(2) {
            case let code where code.elementsEqual("2C".utf8): name.append(UInt8(ascii: ","))
            case let code where code.elementsEqual("3D".utf8): name.append(UInt8(ascii: "="))
            default: return nil
            }
            rest = rest.dropFirst(2)
        }
        // The same bounds as everybody's.
        return Credentials(user: name, password: Secret([]))?.user
    }
}
