import COpenSSL

/// How we speak TLS to a server, whose certificate must be good for its name (RFC 9525).
public final class TLSClientContext {
    private let context: OpaquePointer
    private let name: String

    /// - Parameters:
    ///   - name: the host name or IP address that the certificate must be for; a host's is also told to the server.
    ///   - authorities: a PEM file with the certificates that are trusted, be it the server's own; without it, those that this
    ///     machine trusts.
    public init(name: String, authorities: String?) throws(TLSContextError) {
        guard let context = SSL_CTX_new(TLS_client_method()) else { throw TLSContextError(problems: [TLSContext.lastError()]) }
        self.context = context
        self.name = name
        SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, Int(TLS1_2_VERSION), nil)
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        ERR_clear_error()
        if let authorities {
            guard SSL_CTX_load_verify_locations(context, authorities, nil) == 1 else {
                throw TLSContextError(problems: ["\(authorities): \(TLSContext.lastError())"])
            }
            // A certificate of the file is trusted even if another has signed it.
            X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), UInt(X509_V_FLAG_PARTIAL_CHAIN))
        } else {
            SSL_CTX_set_default_verify_paths(context)
        }
    }

    deinit { SSL_CTX_free(context) }

    /// `nil` if there is no memory, or the name is none.
    func makeSSL() -> OpaquePointer? {
        guard let ssl = SSL_new(context) else { return nil }
        if X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1 { return ssl }
        ERR_clear_error()
        var host = Array(name.utf8CString)
        guard SSL_set1_host(ssl, name) == 1,
              SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, Int(TLSEXT_NAMETYPE_host_name), &host) == 1 else {
            SSL_free(ssl)
            return nil
        }
        return ssl
    }
}
