import COpenSSL
import Glibc
import SystemPackage

/// Everything that is wrong with a certificate and its key: one line each.
public struct TLSContextError: Error, Equatable {
    public var problems: [String]
}

/// What all TLS connections share: certificates, private keys, and how we speak TLS.
///
/// TLS 1.2 and 1.3; session tickets, which every process that inherited the context can read.
///
/// `@unchecked Sendable`: OpenSSL's contexts may be used by any number of threads at once; ours is changed only by
/// `wipe()`, which a process calls that has one thread.
public final class TLSContext: @unchecked Sendable {
    private let context: OpaquePointer
    /// The first is for clients that name no host, or none of ours.
    private let chains: [CertificateChain]
    /// `nil`: no client is asked for a certificate.
    let authorities: ClientAuthorities?

    /// - Parameters:
    ///   - certificates: PEM files, one for each host or kind of key: the certificate, then those that vouch for it. A client
    ///     that names a host (RFC 6066 §3) is shown the first that is for it.
    ///   - keys: PEM files with the private keys, not encrypted, in any order.
    ///   - clientAuthorities: a PEM file with the certificates of those who vouch for clients.
    public init(certificates: [String], keys: [String], clientAuthorities: String? = nil) throws(TLSContextError) {
        _ = Self.overwritesFreedMemory
        guard let context = SSL_CTX_new(TLS_server_method()) else { throw TLSContextError(problems: [Self.lastError()]) }
        Self.configure(context)
        self.context = context
        var problems: [String] = []
        chains = Self.chains(certificates, keys, &problems)
        authorities = Self.authorities(clientAuthorities, &problems)
        guard problems.isEmpty else { throw TLSContextError(problems: problems) }
        chains[0].useWithoutKey(in: context)
        if let authorities {
            authorities.ask(in: context)
            HandshakeRecord.prepare(context)
        }
        // Who names no host is served without any callback if there is but one certificate.
        if chains.count > 1 {
            copenssl_set_servername_callback(context, Self.selectCertificate, Unmanaged.passUnretained(self).toOpaque())
        }
    }

    public convenience init(certificate: String, key: String) throws(TLSContextError) {
        try self.init(certificates: [certificate], keys: [key])
    }

    private static func authorities(_ path: String?, _ problems: inout [String]) -> ClientAuthorities? {
        guard let path else { return nil }
        do throws(ClientAuthorities.Problem) { return try ClientAuthorities(path: path) } catch {
            problems.append(error.line)
            return nil
        }
    }

    private static func chains(_ certificates: [String], _ keys: [String], _ problems: inout [String]) -> [CertificateChain] {
        var chains: [CertificateChain] = []
        for path in certificates {
            do throws(CertificateChain.Problem) { chains.append(try CertificateChain(path: path)) } catch {
                problems.append(error.line)
            }
        }
        var keysAreRead = true
        for path in keys {
            do throws(PrivateKey.Problem) {
                let key = try PrivateKey(path: path)
                // Also to those after the first: a certificate may have been renewed, or be for another host, with the same key.
                let owners = chains.filter { $0.take(key) }
                if owners.isEmpty, !chains.isEmpty, chains.count == certificates.count {
                    let which = certificates.count == 1 ? "certificate \(certificates[0])" : "any certificate"
                    problems.append("private key \(path) does not belong to \(which)")
                }
            } catch {
                keysAreRead = false
                problems.append(error.line)
            }
        }
        if keysAreRead, problems.isEmpty {
            problems += chains.filter { !$0.hasKey }.map { "no private key belongs to certificate \($0.path)" }
        }
        return chains
    }

    deinit { SSL_CTX_free(context) }

    /// Whether clients are asked for certificates.
    public var asksForCertificates: Bool { authorities != nil }

    /// Whether this, in DER, is one of ours.
    func shows(_ certificate: ArraySlice<UInt8>) -> Bool { chains.contains { $0.encoded.elementsEqual(certificate) } }

    /// When each certificate is good.
    public var validities: [CertificateValidity] { chains.map(\.validity) }

    /// What an administrator should know though it works: a certificate that has expired, or will soon.
    public var warnings: [String] { validities.compactMap { $0.warning(at: time(nil)) } }

    /// Forgets what is secret, the private key and the keys of tickets: this process speaks no more TLS.
    ///
    /// What is not secret stays, in pages that forked processes go on sharing.
    public func wipe() {
        for chain in chains { chain.wipe() }
        ticketKeys = [UInt8](repeating: 0, count: ticketKeys.count)
    }

    /// Name, authentication and encryption.
    var ticketKeys: [UInt8] {
        get {
            var keys = [UInt8](repeating: 0, count: SSL_CTX_ctrl(context, SSL_CTRL_GET_TLSEXT_TICKET_KEYS, 0, nil))
            SSL_CTX_ctrl(context, SSL_CTRL_GET_TLSEXT_TICKET_KEYS, keys.count, &keys)
            return keys
        }
        set {
            var keys = newValue
            SSL_CTX_ctrl(context, SSL_CTRL_SET_TLSEXT_TICKET_KEYS, keys.count, &keys)
        }
    }

    /// Done once, before OpenSSL is first used: what is freed, the key's encoding in particular, leaves no trace.
    private static let overwritesFreedMemory = copenssl_overwrite_freed_memory() == 1

    /// `nil` if there is no memory, or after `wipe()`. This context must live as long.
    func makeSSL() -> OpaquePointer? {
        guard let ssl = SSL_new(context) else { return nil }
        guard chains[0].useKey(in: ssl) else {
            SSL_free(ssl)
            return nil
        }
        return ssl
    }

    /// RFC 6066 §3: the host that the client has named decides; a dot at its end does not count. The same host may have
    /// certificates with several kinds of key. Who names none of ours gets the first.
    private static let selectCertificate: @convention(c) (
        OpaquePointer?, UnsafeMutablePointer<Int32>?, UnsafeMutableRawPointer?
    ) -> Int32 = { ssl, _, argument in
        guard let ssl, let argument, let name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) else {
            return SSL_TLSEXT_ERR_NOACK
        }
        var host = String(cString: name)
        if host.last == "." { host.removeLast() }
        let context = Unmanaged<TLSContext>.fromOpaque(argument).takeUnretainedValue()
        var chosen = context.chains.filter { $0.matches(host, wildcards: false) }
        if chosen.isEmpty { chosen = context.chains.filter { $0.matches(host, wildcards: true) } }
        guard !chosen.isEmpty, !host.isEmpty else { return SSL_TLSEXT_ERR_NOACK }
        SSL_certs_clear(ssl)
        // A second one with the same kind of key has no place.
        let used = chosen.filter { $0.use(in: ssl) }
        ERR_clear_error()
        return used.isEmpty ? SSL_TLSEXT_ERR_ALERT_FATAL : SSL_TLSEXT_ERR_OK
    }

    // MARK: - How we speak TLS

    private static func configure(_ context: OpaquePointer) {
        SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, Int(TLS1_2_VERSION), nil)
        SSL_CTX_set_options(
            context,
            copenssl_no_renegotiation | copenssl_no_compression | copenssl_cipher_server_preference
                | copenssl_prioritize_chacha
                // Many clients just hang up. IMAP's commands and literals tell themselves whether they are whole.
                | copenssl_ignore_unexpected_eof)
        // For TLS 1.2: forward secrecy and authenticated encryption only. TLS 1.3 has nothing else.
        SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20")
        // No finite fields: with large ones, a client's few bytes would cost us milliseconds (CVE-2002-20001).
        var groups = Array("X25519:P-256:X448:P-384:P-521".utf8CString)
        SSL_CTX_ctrl(context, SSL_CTRL_SET_GROUPS_LIST, 0, &groups)
        SSL_CTX_ctrl(
            context, SSL_CTRL_MODE,
            Int(SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER), nil)
        // One system call for several records instead of two for each.
        SSL_CTX_ctrl(context, SSL_CTRL_SET_READ_AHEAD, 1, nil)
        // A cache would be one process's; tickets are good in all of them.
        SSL_CTX_ctrl(context, SSL_CTRL_SET_SESS_CACHE_MODE, Int(SSL_SESS_CACHE_OFF), nil)
        // With none, the client that speaks first after STARTTLS would wait 40 ms for an acknowledgement.
        SSL_CTX_set_num_tickets(context, 1)
        SSL_CTX_set_alpn_select_cb(context, selectIMAP, nil)
    }

    /// RFC 7301 §3.2: a client that names protocols, but not ours, was not looking for us.
    private static let selectIMAP: SSL_CTX_alpn_select_cb_func = { _, selected, selectedLength, offered, offeredLength, _ in
        guard let selected, let selectedLength, let offered else { return SSL_TLSEXT_ERR_ALERT_FATAL }
        let offers = UnsafeBufferPointer(start: offered, count: Int(offeredLength))
        var index = 0
        while index < offers.count {
            let length = Int(offers[index])
            guard length <= offers.count - index - 1 else { break }
            let name = UnsafeBufferPointer(rebasing: offers[(index + 1)...][..<(index + 1 + length)])
            if name.elementsEqual("imap".utf8) {
                selected.pointee = name.baseAddress
                selectedLength.pointee = UInt8(length)
                return SSL_TLSEXT_ERR_OK
            }
            index += 1 + length
        }
        return SSL_TLSEXT_ERR_ALERT_FATAL
    }

    /// Shakes hands with itself, in memory: what OpenSSL looks up at its first handshake is then looked up before the
    /// first fork, in pages that all children share, and no child needs a file for it.
    public func warmUp() {
        for version in [TLS1_2_VERSION, TLS1_3_VERSION] {
            guard let clientContext = SSL_CTX_new(TLS_client_method()) else { return }
            defer { SSL_CTX_free(clientContext) }
            SSL_CTX_ctrl(clientContext, SSL_CTRL_SET_MAX_PROTO_VERSION, Int(version), nil)
            guard let client = SSL_new(clientContext), let server = makeSSL() else { return }
            defer {
                SSL_free(client)
                SSL_free(server)
            }
            var clientEnd: OpaquePointer?
            var serverEnd: OpaquePointer?
            guard BIO_new_bio_pair(&clientEnd, 0, &serverEnd, 0) == 1 else { return }
            SSL_set_bio(client, clientEnd, clientEnd)
            SSL_set_bio(server, serverEnd, serverEnd)
            SSL_set_connect_state(client)
            SSL_set_accept_state(server)
            // More turns than any handshake takes.
            for _ in 0..<16 {
                let clientDone = SSL_do_handshake(client) == 1
                let serverDone = SSL_do_handshake(server) == 1
                if clientDone, serverDone { break }
            }
            withUnsafeTemporaryAllocation(byteCount: 16, alignment: 1) { buffer in
                buffer.initializeMemory(as: UInt8.self, repeating: 0)
                _ = SSL_write(client, buffer.baseAddress, 16)
                _ = SSL_read(server, buffer.baseAddress, 16)
                _ = SSL_write(server, buffer.baseAddress, 16)
                _ = SSL_read(client, buffer.baseAddress, 16)
            }
        }
        ERR_clear_error()
    }

    // MARK: - Errors

    /// The reason of the last failure in this thread, in OpenSSL's words.
    static func lastError() -> String { text(of: ERR_peek_last_error()) }

    static func text(of code: UInt) -> String {
        ERR_reason_error_string(code).map { String(cString: $0) } ?? "error \(code)"
    }
}
