import COpenSSL
import Foundation
import Glibc

/// A self-signed certificate and its private key, in files.
public final class Certificate: Sendable {
    public enum Kind: String, CaseIterable, Sendable {
        case ec, rsa
    }

    private let directory: TemporaryDirectory
    public var certificate: String { directory.path("cert.pem") }
    public var key: String { directory.path("key.pem") }

    /// - Parameters:
    ///   - days: of validity, from now on; negative for one that has expired.
    ///   - names: the hosts that it is for.
    public init(_ kind: Kind = .ec, days: Int = 30, names: [String] = ["localhost"]) async throws {
        directory = try TemporaryDirectory()
        let algorithm = switch kind {
        case .ec: ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        case .rsa: ["-newkey", "rsa:2048"]
        }
        let outcome = try await Program("openssl", package: "openssl").run(
            ["req", "-x509", "-nodes", "-subj", "/CN=\(names[0])",
             "-addext", "subjectAltName=\(names.map { "DNS:" + $0 }.joined(separator: ","))", "-days",
             String(abs(days)), "-keyout", directory.path("key.pem"),
             "-out", directory.path("cert.pem")] + algorithm)
        guard outcome.status == 0 else { throw Program.Missing(description: "\(outcome)") }
        if days < 0 { try move(days: days * 2) }
    }

    /// Puts the time of validity, which now begins now, at another time.
    private func move(days: Int) throws {
        guard let certificateFile = fopen(certificate, "r+"), let keyFile = fopen(key, "r") else { throw POSIXError(.ENOENT) }
        defer {
            fclose(certificateFile)
            fclose(keyFile)
        }
        guard let x509 = PEM_read_X509(certificateFile, nil, nil, nil), let pair = PEM_read_PrivateKey(keyFile, nil, nil, nil)
        else { throw POSIXError(.EINVAL) }
        defer {
            X509_free(x509)
            EVP_PKEY_free(pair)
        }
        let shift = days * 86_400
        X509_gmtime_adj(X509_getm_notBefore(x509), shift)
        X509_gmtime_adj(X509_getm_notAfter(x509), shift / 2)
        rewind(certificateFile)
        guard X509_sign(x509, pair, EVP_sha256()) > 0, PEM_write_X509(certificateFile, x509) == 1 else {
            throw POSIXError(.EINVAL)
        }
        ftruncate(fileno(certificateFile), ftell(certificateFile))
    }

    /// What only the key's owner may know, in the forms in which a process may hold it: numbers with either end first, and
    /// the file's text.
    public func secrets() throws -> [[UInt8]] {
        let text = try String(contentsOfFile: key, encoding: .utf8)
        guard let file = fopen(key, "r") else { throw POSIXError(.ENOENT) }
        defer { fclose(file) }
        guard let pair = PEM_read_PrivateKey(file, nil, nil, nil) else { throw POSIXError(.EINVAL) }
        defer { EVP_PKEY_free(pair) }

        var secrets: [[UInt8]] = []
        for name in ["priv", "d", "rsa-factor1"] {
            var number: OpaquePointer?
            guard EVP_PKEY_get_bn_param(pair, name, &number) == 1 else { continue }
            defer { BN_clear_free(number) }
            var bytes = [UInt8](repeating: 0, count: Int(BN_num_bits(number) + 7) / 8)
            BN_bn2bin(number, &bytes)
            // 32 bytes are enough to know it by.
            secrets += [Array(bytes.prefix(32)), Array(bytes.reversed().suffix(32))]
        }
        let lines = text.split(separator: "\n")
        secrets += lines.dropFirst().dropLast().prefix(2).map { Array($0.utf8) }
        return secrets
    }
}
