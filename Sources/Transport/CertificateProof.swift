import COpenSSL

/// That a client has the key of a certificate, so that somebody can see it who did not make the handshake, and does not
/// believe whoever has.
///
/// In TLS 1.3 a client signs all that was said so far (RFC 8446 §4.4.3). Into what it is asked for goes a challenge that
/// whoever will judge has made, as an extension that clients pass over (§4.3.2). So a gate that shows the handshake can have
/// it from its client only, and from this connection only; and it is for us only, since our certificate is in it.
public enum CertificateProof {
    /// Bytes of a challenge.
    public static let challengeLength = 32
    /// Bytes of a handshake.
    public static let longest = 48 << 10

    /// A new one.
    public static func freshChallenge() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: challengeLength)
        precondition(RAND_bytes(&bytes, Int32(bytes.count)) == 1, "there is no randomness")
        return bytes
    }

    /// The extension's number: one of those for private use (RFC 8447 §7).
    static let challengeExtension: UInt32 = 0xFFC9

    /// What shows nothing, and why: for the log.
    public struct Refused: Error, Equatable {
        public var reason: String
    }

    /// - Parameters:
    ///   - handshake: all messages from ClientHello to the client's CertificateVerify, as they were before encryption.
    ///   - challenge: the one that the server was given for this connection.
    public static func verify(
        _ handshake: [UInt8], challenge: [UInt8], server: TLSContext, name: CertificateName
    ) throws(Refused) -> ClientCertificate {
        guard let authorities = server.authorities else { throw Refused(reason: "nobody vouches for clients") }
        guard let proof = TLSHandshake(handshake) else {
            throw Refused(reason: "it is no handshake of TLS 1.3 with a certificate")
        }
        guard challenge.count == challengeLength, proof.challenge.elementsEqual(challenge) else {
            throw Refused(reason: "it is of another connection")
        }
        guard server.shows(proof.serverCertificate) else { throw Refused(reason: "it is of another server") }
        guard let certificates = CertificateStack(proof.clientCertificates) else {
            throw Refused(reason: "a certificate makes no sense")
        }
        guard let key = X509_get0_pubkey(certificates.first), proof.isSigned(by: key) else {
            throw Refused(reason: "the key is not the certificate's")
        }
        if let objection = authorities.objection(to: certificates.first, others: certificates.others) {
            throw Refused(reason: objection)
        }
        return ClientCertificate(
            subject: CertificateStack.subject(of: certificates.first), names: name.all(in: certificates.first))
    }
}

/// A client's, which is good.
public struct ClientCertificate: Equatable, Sendable {
    /// For the log.
    public var subject: String
    /// Of users, as the certificate spells them.
    public var names: [String]

    public init(subject: String, names: [String]) {
        self.subject = subject
        self.names = names
    }
}

/// Certificates as they come over the wire, the client's own first.
private final class CertificateStack {
    let first: OpaquePointer
    /// STACK_OF(X509)
    let others: OpaquePointer

    init?(_ encoded: [ArraySlice<UInt8>]) {
        guard let others = OPENSSL_sk_new_null() else { return nil }
        var certificates: [OpaquePointer] = []
        for bytes in encoded {
            let certificate = bytes.withUnsafeBufferPointer { buffer -> OpaquePointer? in
                var at = buffer.baseAddress
                guard let certificate = d2i_X509(nil, &at, buffer.count) else { return nil }
                guard at == buffer.baseAddress.map({ $0 + buffer.count }) else {
                    X509_free(certificate)
                    return nil
                }
                return certificate
            }
            if let certificate { certificates.append(certificate) }
        }
        guard certificates.count == encoded.count, let first = certificates.first else {
            for certificate in certificates { X509_free(certificate) }
            OPENSSL_sk_free(others)
            return nil
        }
        for certificate in certificates.dropFirst() { OPENSSL_sk_push(others, UnsafeRawPointer(certificate)) }
        self.first = first
        self.others = others
    }

    deinit {
        X509_free(first)
        OPENSSL_sk_pop_free(others) { X509_free($0.map { OpaquePointer($0) }) }
    }

    /// RFC 2253, cut off where it gets long.
    static func subject(of certificate: OpaquePointer) -> String {
        guard let memory = BIO_new(BIO_s_mem()) else { return "" }
        defer { BIO_free(memory) }
        X509_NAME_print_ex(memory, X509_get_subject_name(certificate), 0, copenssl_name_flags)
        var bytes = [UInt8](repeating: 0, count: 256)
        let count = BIO_read(memory, &bytes, Int32(bytes.count))
        return String(decoding: bytes.prefix(Int(max(0, count))), as: UTF8.self)
    }
}
