import COpenSSL
import Glibc
import SystemPackage

/// When a certificate is good, for whoever must renew it.
public struct CertificateValidity: Sendable, Equatable {
    /// The file that it is in.
    public var path: String
    /// In seconds since 1970; `nil` if OpenSSL cannot tell.
    public var begin: Int?
    public var end: Int?

    /// Days before its end on which an administrator is told.
    public static let warningDays = [14, 7, 3, 1]

    /// What an administrator should know of it, though it works.
    ///
    /// - Parameter now: in seconds since 1970.
    public func warning(at now: Int) -> String? {
        if let end, end <= now { return "certificate \(path) has expired; clients will refuse it until it is renewed" }
        if let begin, begin > now { return "certificate \(path) is not valid yet; look at this machine's clock" }
        guard let end, let first = Self.warningDays.max(), end - now <= first * 86_400 else { return nil }
        let days = (end - now) / 86_400
        return "certificate \(path) expires in \(days == 0 ? "less than a day" : days == 1 ? "1 day" : "\(days) days"); renew it"
    }

    /// The next time that there is something to tell, in seconds since 1970.
    public func nextWarning(after now: Int) -> Int? {
        guard let end else { return nil }
        return (Self.warningDays + [0]).map { end - $0 * 86_400 }.filter { $0 > now }.min()
    }
}

/// A host's certificate and those that vouch for it, from a PEM file, and its private key.
final class CertificateChain {
    let path: String
    private let certificate: OpaquePointer
    /// STACK_OF(X509), without the host's own.
    private let issuers: OpaquePointer
    /// Held here and not by OpenSSL's context, so that it can be freed alone. `nil` before there is one, and after `wipe()`.
    private var key: OpaquePointer?

    struct Problem: Error {
        var line: String
    }

    init(path: String) throws(Problem) {
        self.path = path
        guard let file = BIO_new_file(path, "r") else {
            throw Problem(line: "certificate \(path): \(Errno(rawValue: errno))")
        }
        defer { BIO_free(file) }
        ERR_clear_error()
        guard let certificate = PEM_read_bio_X509_AUX(file, nil, { _, _, _, _ in -1 }, nil) else {
            throw Problem(line: "certificate \(path) is not a PEM certificate: \(TLSContext.lastError())")
        }
        guard let issuers = OPENSSL_sk_new_null() else {
            X509_free(certificate)
            throw Problem(line: "certificate \(path): no memory")
        }
        self.certificate = certificate
        self.issuers = issuers
        while let issuer = PEM_read_bio_X509(file, nil, { _, _, _, _ in -1 }, nil) {
            OPENSSL_sk_push(issuers, UnsafeRawPointer(issuer))
        }
        // The end of the file is an error, too: there is no more line that begins something.
        let error = ERR_peek_last_error()
        ERR_clear_error()
        guard copenssl_is_end_of_pem(error) == 1 else {
            throw Problem(line: "certificate \(path) is damaged after its first certificate: \(TLSContext.text(of: error))")
        }
    }

    deinit {
        EVP_PKEY_free(key)
        X509_free(certificate)
        OPENSSL_sk_pop_free(issuers) { X509_free($0.map { OpaquePointer($0) }) }
    }

    /// Takes the key, if it is this certificate's.
    func take(_ key: PrivateKey) -> Bool {
        guard X509_check_private_key(certificate, key.pointer) == 1 else {
            ERR_clear_error()
            return false
        }
        guard self.key == nil else { return true }
        EVP_PKEY_up_ref(key.pointer)
        self.key = key.pointer
        return true
    }

    var hasKey: Bool { key != nil }

    /// The host's own, in DER.
    var encoded: [UInt8] {
        var start: UnsafeMutablePointer<UInt8>?
        let count = i2d_X509(certificate, &start)
        guard count > 0, let start else { return [] }
        defer { CRYPTO_free(start, #fileID, #line) }
        return Array(UnsafeBufferPointer(start: start, count: Int(count)))
    }

    /// For this process there is no more private key.
    func wipe() {
        EVP_PKEY_free(key)
        key = nil
    }

    /// Is what all connections begin with.
    func useWithoutKey(in context: OpaquePointer) {
        SSL_CTX_use_certificate(context, certificate)
        copenssl_set_issuers(context, issuers)
    }

    /// For a connection of the context that uses this certificate. `false` without a key.
    func useKey(in ssl: OpaquePointer) -> Bool { key.map { SSL_use_PrivateKey(ssl, $0) == 1 } ?? false }

    /// Is what the server shows from now on; of several kinds of key, each may have one. `false` without a key.
    func use(in ssl: OpaquePointer) -> Bool {
        guard let key else { return false }
        return SSL_use_cert_and_key(ssl, certificate, key, issuers, 0) == 1
    }

    /// Whether it is for this host.
    func matches(_ host: String, wildcards: Bool) -> Bool {
        let flags = wildcards ? 0 : UInt32(X509_CHECK_FLAG_NO_WILDCARDS)
        return X509_check_host(certificate, host, host.utf8.count, flags, nil) == 1
    }

    var validity: CertificateValidity {
        CertificateValidity(
            path: path, begin: Self.seconds(X509_get0_notBefore(certificate)), end: Self.seconds(X509_get0_notAfter(certificate)))
    }

    private static func seconds(_ time: UnsafePointer<ASN1_TIME>?) -> Int? {
        var parts = tm()
        guard let time, ASN1_TIME_to_tm(time, &parts) == 1 else { return nil }
        return timegm(&parts)
    }
}

/// A private key from a PEM file.
final class PrivateKey {
    let path: String
    let pointer: OpaquePointer

    struct Problem: Error {
        var line: String
    }

    /// Reads the file ourselves: nobody else's buffer keeps a copy of the key.
    init(path: String) throws(Problem) {
        self.path = path
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Problem(line: "private key \(path): \(Errno(rawValue: errno))") }
        defer { close(descriptor) }

        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
        defer {
            explicit_bzero(buffer.baseAddress!, buffer.count)
            buffer.deallocate()
        }
        var count = 0
        while count < buffer.count {
            let more = read(descriptor, buffer.baseAddress! + count, buffer.count - count)
            if more < 0, errno == EINTR { continue }
            guard more >= 0 else { throw Problem(line: "private key \(path): \(Errno(rawValue: errno))") }
            if more == 0 { break }
            count += more
        }
        guard count < buffer.count else { throw Problem(line: "private key \(path) is no PEM file: it is too long") }

        ERR_clear_error()
        guard let memory = BIO_new_mem_buf(buffer.baseAddress, Int32(count)) else {
            throw Problem(line: "private key \(path): no memory")
        }
        defer { BIO_free(memory) }
        // Without a callback of ours OpenSSL would ask at the terminal for the password of an encrypted key.
        guard let key = PEM_read_bio_PrivateKey(memory, nil, { _, _, _, _ in -1 }, nil) else {
            throw Problem(line: "private key \(path) is not a PEM private key without a password: \(TLSContext.lastError())")
        }
        pointer = key
    }

    deinit { EVP_PKEY_free(pointer) }
}
