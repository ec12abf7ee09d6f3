import COpenSSL
import Foundation

/// Somebody who vouches for clients, and what clients have of it.
public final class CertificateAuthority: Sendable {
    private let directory: TemporaryDirectory
    /// The file for a server.
    public var file: String { directory.path("ca.pem") }
    private var key: String { directory.path("ca-key.pem") }

    public init(_ name: String = "Vouching") async throws {
        directory = try TemporaryDirectory()
        // Servers read it as root; sessions and gates need not.
        try await openssl(
            ["req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=\(name)",
             "-keyout", key, "-out", file])
    }

    /// A certificate and its key.
    public struct Identity: Sendable {
        public let certificate: String
        public let key: String
    }

    /// - Parameters:
    ///   - algorithm: as `openssl req -newkey` knows it.
    ///   - usage: extended key usage; `nil` for any.
    ///   - isExpired: since yesterday.
    public func issue(
        cn: String = "somebody", emails: [String] = [], algorithm: [String] = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
        usage: String? = "clientAuth", isExpired: Bool = false
    ) async throws -> Identity {
        let name = UUID().uuidString
        let identity = Identity(certificate: directory.path("\(name).pem"), key: directory.path("\(name)-key.pem"))
        var extensions = ["-addext", "basicConstraints=critical,CA:FALSE"]
        if let usage { extensions += ["-addext", "extendedKeyUsage=\(usage)"] }
        if !emails.isEmpty {
            extensions += ["-addext", "subjectAltName=" + (["DNS:client.example.org"] + emails.map { "email:\($0)" }).joined(separator: ",")]
        }
        try await openssl(
            ["req", "-x509", "-nodes", "-utf8", "-subj", "/O=Example/CN=\(cn)", "-days", "30", "-CA", file, "-CAkey", key,
             "-keyout", identity.key, "-out", identity.certificate, "-newkey"] + algorithm + extensions)
        if isExpired { try expire(identity.certificate) }
        return identity
    }

    private func expire(_ path: String) throws {
        try edit(path) { certificate, key in
            X509_gmtime_adj(X509_getm_notBefore(certificate), -3 * 86_400)
            X509_gmtime_adj(X509_getm_notAfter(certificate), -86_400)
            return X509_sign(certificate, key, EVP_sha256()) > 0
        }
    }

    private func edit(_ path: String, _ body: (OpaquePointer, OpaquePointer) -> Bool) throws {
        guard let keyFile = fopen(key, "r"), let certificateFile = fopen(path, "r+") else { throw POSIXError(.ENOENT) }
        defer {
            fclose(keyFile)
            fclose(certificateFile)
        }
        guard let key = PEM_read_PrivateKey(keyFile, nil, nil, nil), let certificate = PEM_read_X509(certificateFile, nil, nil, nil)
        else { throw POSIXError(.EINVAL) }
        defer {
            EVP_PKEY_free(key)
            X509_free(certificate)
        }
        rewind(certificateFile)
        guard body(certificate, key), PEM_write_X509(certificateFile, certificate) == 1 else { throw POSIXError(.EINVAL) }
        ftruncate(fileno(certificateFile), ftell(certificateFile))
    }

    /// A file with this authority and its list of certificates that were revoked.
    public func revoking(_ identities: [Identity]) throws -> String {
        let path = directory.path("\(UUID().uuidString)-crl.pem")
        guard let list = X509_CRL_new(), let keyFile = fopen(key, "r"), let ownFile = fopen(file, "r"),
              let key = PEM_read_PrivateKey(keyFile, nil, nil, nil), let own = PEM_read_X509(ownFile, nil, nil, nil),
              let now = X509_gmtime_adj(nil, -60), let later = X509_gmtime_adj(nil, 86_400), let output = fopen(path, "w")
        else { throw POSIXError(.EINVAL) }
        defer {
            for file in [keyFile, ownFile, output] { fclose(file) }
            X509_CRL_free(list)
            EVP_PKEY_free(key)
            X509_free(own)
        }
        X509_CRL_set_version(list, 1)
        X509_CRL_set_issuer_name(list, X509_get_subject_name(own))
        X509_CRL_set1_lastUpdate(list, now)
        X509_CRL_set1_nextUpdate(list, later)
        for identity in identities {
            guard let certificateFile = fopen(identity.certificate, "r"),
                  let certificate = PEM_read_X509(certificateFile, nil, nil, nil), let entry = X509_REVOKED_new()
            else { throw POSIXError(.EINVAL) }
            X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(certificate))
            X509_REVOKED_set_revocationDate(entry, now)
            X509_CRL_add0_revoked(list, entry)
            X509_free(certificate)
            fclose(certificateFile)
        }
        ASN1_TIME_free(now)
        ASN1_TIME_free(later)
        guard X509_CRL_sign(list, key, EVP_sha256()) > 0, PEM_write_X509(output, own) == 1, PEM_write_X509_CRL(output, list) == 1
        else { throw POSIXError(.EINVAL) }
        return path
    }
}

private func openssl(_ arguments: [String]) async throws {
    let outcome = try await Program("openssl", package: "openssl").run(arguments)
    guard outcome.status == 0 else { throw Program.Missing(description: "\(outcome)") }
}
