import COpenSSL
import Glibc
import SystemPackage

/// Those who vouch for clients' certificates: what an administrator has put into a file.
///
/// `@unchecked Sendable`: OpenSSL's stores may be read by any number of threads at once, and ours is not changed.
public final class ClientAuthorities: @unchecked Sendable {
    /// X509_STORE.
    let store: OpaquePointer
    private let certificates: [OpaquePointer]
    let path: String

    struct Problem: Error {
        var line: String
    }

    /// - Parameter path: a PEM file with certificates, and with their lists of those that were revoked. Where there is such a
    ///   list, there must be one for each certificate on the way to a client's.
    init(path: String) throws(Problem) {
        self.path = path
        guard let file = BIO_new_file(path, "r") else { throw Problem(line: "client-ca \(path): \(Errno(rawValue: errno))") }
        defer { BIO_free(file) }
        ERR_clear_error()
        // STACK_OF(X509_INFO): one for each thing in the file.
        guard let things = PEM_X509_INFO_read_bio(file, nil, { _, _, _, _ in -1 }, nil) else {
            throw Problem(line: "client-ca \(path) is not a PEM file of certificates: \(TLSContext.lastError())")
        }
        defer { OPENSSL_sk_pop_free(things) { X509_INFO_free($0?.assumingMemoryBound(to: X509_INFO.self)) } }
        guard let store = X509_STORE_new() else { throw Problem(line: "client-ca \(path): no memory") }
        var certificates: [OpaquePointer] = []
        var flags = UInt(X509_V_FLAG_PARTIAL_CHAIN)
        for index in 0..<max(0, OPENSSL_sk_num(things)) {
            guard let thing = OPENSSL_sk_value(things, index)?.assumingMemoryBound(to: X509_INFO.self).pointee else { continue }
            if let certificate = thing.x509, X509_STORE_add_cert(store, certificate) == 1 {
                X509_up_ref(certificate)
                certificates.append(certificate)
            }
            if let list = thing.crl, X509_STORE_add_crl(store, list) == 1 {
                flags |= UInt(X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL)
            }
        }
        X509_STORE_set_flags(store, flags)
        ERR_clear_error()
        self.store = store
        self.certificates = certificates
        guard !certificates.isEmpty else { throw Problem(line: "client-ca \(path) has no certificate in it") }
    }

    deinit {
        X509_STORE_free(store)
        for certificate in certificates { X509_free(certificate) }
    }

    /// Has all connections of a context ask for a certificate. Who has none, or one that is nothing to us, is served too.
    func ask(in context: OpaquePointer) {
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER) { _, _ in 1 }
        SSL_CTX_ctrl(context, SSL_CTRL_SET_VERIFY_CERT_STORE, 1, UnsafeMutableRawPointer(store))
        for certificate in certificates { SSL_CTX_add_client_CA(context, certificate) }
    }

    /// Whether `certificate` is that of a client that these vouch for, now. `nil` if so; else what is wrong, in OpenSSL's words.
    ///
    /// - Parameter others: STACK_OF(X509): certificates that may stand between.
    func objection(to certificate: OpaquePointer, others: OpaquePointer?) -> String? {
        guard let context = X509_STORE_CTX_new() else { return "no memory" }
        defer {
            X509_STORE_CTX_free(context)
            ERR_clear_error()
        }
        guard X509_STORE_CTX_init(context, store, certificate, others) == 1,
              X509_STORE_CTX_set_default(context, "ssl_client") == 1
        else { return "no memory" }
        // At least 112 bits, as all that TLS uses.
        X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(context), 2)
        if X509_verify_cert(context) == 1 { return nil }
        return String(cString: X509_verify_cert_error_string(Int(X509_STORE_CTX_get_error(context))))
    }
}
