import COpenSSL

/// The messages of a handshake of TLS 1.3 (RFC 8446 §4) in which the server has asked for a certificate, up to and including
/// the client's CertificateVerify. Whoever says that it was so is not believed: all lengths are checked.
struct TLSHandshake {
    /// What the server has put into its CertificateRequest.
    let challenge: ArraySlice<UInt8>
    let serverCertificate: ArraySlice<UInt8>
    /// The client's own first; at least one.
    let clientCertificates: [ArraySlice<UInt8>]
    /// What the client has signed: RFC 8446 §4.4.3.
    private let content: [UInt8]
    private let scheme: UInt16
    private let signature: ArraySlice<UInt8>

    private static let longestChain = 10

    private enum Kind: UInt8 {
        case clientHello = 1, serverHello = 2, encryptedExtensions = 8, certificate = 11, certificateRequest = 13
        case certificateVerify = 15, finished = 20
    }

    private static let plain: [Kind] = [
        .clientHello, .serverHello, .encryptedExtensions, .certificateRequest, .certificate, .certificateVerify, .finished,
        .certificate, .certificateVerify,
    ]
    /// With a HelloRetryRequest, which is a ServerHello with a certain random (§4.1.3).
    private static let retried: [Kind] = [.clientHello, .serverHello] + plain
    private static let retry: [UInt8] = [
        0xCF, 0x21, 0xAD, 0x74, 0xE5, 0x9A, 0x61, 0x11, 0xBE, 0x1D, 0x8C, 0x02, 0x1E, 0x65, 0xB8, 0x91,
        0xC2, 0xA2, 0x11, 0x16, 0x7A, 0xBB, 0x8C, 0x5E, 0x07, 0x9E, 0x09, 0xE2, 0xC8, 0xA8, 0x33, 0x9C,
    ]

    init?(_ bytes: [UInt8]) {
        var messages: [(kind: Kind, whole: ArraySlice<UInt8>)] = []
        var rest = Vector(bytes[...])
        while !rest.isEmpty {
            let start = rest.bytes.startIndex
            guard messages.count < Self.retried.count, let kind = rest.number(1).flatMap({ Kind(rawValue: UInt8($0)) }),
                  rest.vector(3) != nil
            else { return nil }
            messages.append((kind, bytes[start..<rest.bytes.startIndex]))
        }
        let kinds = messages.map(\.kind)
        guard kinds == Self.plain || kinds == Self.retried else { return nil }
        let hellos = messages.filter { $0.kind == .serverHello }.compactMap { Hello($0.whole) }
        guard hellos.count == (kinds == Self.plain ? 1 : 2), let hello = hellos.last, hello.random != Self.retry,
              hellos.count == 1 || hellos[0].random == Self.retry && hellos[0].digest == hello.digest, let digest = hello.digest
        else { return nil }

        // §4.4.1: of the first ClientHello only a digest counts, if it was followed by a HelloRetryRequest.
        var transcript: [UInt8] = []
        for (index, message) in messages.dropLast().enumerated() {
            if index == 0, hellos.count == 2 {
                let sum = Self.sum(Array(message.whole), digest)
                transcript += [254, 0, 0, UInt8(sum.count)] + sum
            } else {
                transcript += message.whole
            }
        }
        content = [UInt8](repeating: 0x20, count: 64) + Array("TLS 1.3, client CertificateVerify".utf8) + [0]
            + Self.sum(transcript, digest)

        let last = messages.count - 1
        guard let challenge = Self.challenge(in: messages[last - 5].whole),
              let server = Self.certificates(in: messages[last - 4].whole)?.first,
              let client = Self.certificates(in: messages[last - 1].whole), !client.isEmpty
        else { return nil }
        self.challenge = challenge
        serverCertificate = server
        clientCertificates = client

        var verify = Vector(messages[last].whole.dropFirst(4))
        guard let scheme = verify.number(2), let signature = verify.vector(2), verify.isEmpty else { return nil }
        self.scheme = UInt16(scheme)
        self.signature = signature.bytes
    }

    // MARK: - Messages

    /// Of ServerHello: what matters here.
    private struct Hello {
        let random: [UInt8]
        /// The hash of the cipher suite (appendix B.4).
        let digest: OpaquePointer?

        init?(_ message: ArraySlice<UInt8>) {
            var body = Vector(message.dropFirst(4))
            guard body.number(2) != nil, let random = body.take(32), body.vector(1) != nil, let suite = body.number(2) else {
                return nil
            }
            self.random = Array(random)
            digest = switch suite {
            case 0x1301, 0x1303: EVP_sha256()
            case 0x1302: EVP_sha384()
            default: nil
            }
        }
    }

    private static func challenge(in message: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        var body = Vector(message.dropFirst(4))
        guard body.vector(1)?.isEmpty == true, var extensions = body.vector(2), body.isEmpty else { return nil }
        while !extensions.isEmpty {
            guard let kind = extensions.number(2), let value = extensions.vector(2) else { return nil }
            if kind == Int(CertificateProof.challengeExtension) { return value.bytes }
        }
        return nil
    }

    private static func certificates(in message: ArraySlice<UInt8>) -> [ArraySlice<UInt8>]? {
        var body = Vector(message.dropFirst(4))
        guard body.vector(1)?.isEmpty == true, var list = body.vector(3), body.isEmpty else { return nil }
        var certificates: [ArraySlice<UInt8>] = []
        while !list.isEmpty {
            guard certificates.count < longestChain, let certificate = list.vector(3), list.vector(2) != nil else { return nil }
            certificates.append(certificate.bytes)
        }
        return certificates
    }

    private static func sum(_ bytes: [UInt8], _ digest: OpaquePointer) -> [UInt8] {
        var sum = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var count: UInt32 = 0
        EVP_Digest(bytes, bytes.count, &sum, &count, digest, nil)
        return Array(sum.prefix(Int(count)))
    }

    // MARK: - The signature

    /// - Parameter key: EVP_PKEY, the public one of the client's certificate.
    func isSigned(by key: OpaquePointer) -> Bool {
        let (kinds, digest): ([Int32], OpaquePointer?)
        switch scheme {
        case 0x0403: (kinds, digest) = ([EVP_PKEY_EC], EVP_sha256())
        case 0x0503: (kinds, digest) = ([EVP_PKEY_EC], EVP_sha384())
        case 0x0603: (kinds, digest) = ([EVP_PKEY_EC], EVP_sha512())
        case 0x0804: (kinds, digest) = ([EVP_PKEY_RSA], EVP_sha256())
        case 0x0805: (kinds, digest) = ([EVP_PKEY_RSA], EVP_sha384())
        case 0x0806: (kinds, digest) = ([EVP_PKEY_RSA], EVP_sha512())
        case 0x0809: (kinds, digest) = ([EVP_PKEY_RSA_PSS], EVP_sha256())
        case 0x080A: (kinds, digest) = ([EVP_PKEY_RSA_PSS], EVP_sha384())
        case 0x080B: (kinds, digest) = ([EVP_PKEY_RSA_PSS], EVP_sha512())
        case 0x0807: (kinds, digest) = ([EVP_PKEY_ED25519], nil)
        case 0x0808: (kinds, digest) = ([EVP_PKEY_ED448], nil)
        default: return false
        }
        guard kinds.contains(EVP_PKEY_get_base_id(key)), let context = EVP_MD_CTX_new() else { return false }
        defer {
            EVP_MD_CTX_free(context)
            ERR_clear_error()
        }
        var settings: OpaquePointer?
        guard EVP_DigestVerifyInit(context, &settings, digest, nil, key) == 1 else { return false }
        if kinds != [EVP_PKEY_EC], digest != nil {
            guard EVP_PKEY_CTX_set_rsa_padding(settings, RSA_PKCS1_PSS_PADDING) == 1,
                  EVP_PKEY_CTX_set_rsa_pss_saltlen(settings, RSA_PSS_SALTLEN_DIGEST) == 1
            else { return false }
        }
        return EVP_DigestVerify(context, Array(signature), signature.count, content, content.count) == 1
    }
}

/// RFC 8446 §3.4: numbers with the highest byte first, and bytes with their length before them.
private struct Vector {
    private(set) var bytes: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }

    var isEmpty: Bool { bytes.isEmpty }

    mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
        guard count <= bytes.count else { return nil }
        defer { bytes = bytes.dropFirst(count) }
        return bytes.prefix(count)
    }

    /// - Parameter size: bytes of it, 1 to 3.
    mutating func number(_ size: Int) -> Int? { take(size).map { $0.reduce(0) { $0 << 8 | Int($1) } } }

    mutating func vector(_ size: Int) -> Vector? {
        guard let count = number(size), let content = take(count) else { return nil }
        return Vector(content)
    }
}
