import COpenSSL
import Glibc
import SystemPackage

/// Everything that is wrong with a certificate and its key: one line each.
public struct TLSContextError: Error, Equatable {
    public var problems: [String]
}

/// What all TLS connections share: certificate, private key, and how we speak TLS.
///
/// TLS 1.2 and 1.3; session tickets, which every process that inherited the context can read.
///
/// `@unchecked Sendable`: OpenSSL's contexts may be used by any number of threads at once; ours is changed only by
/// `wipe()`, which a process calls that has one thread.
public final class TLSContext: @unchecked Sendable {
    private let context: OpaquePointer
    /// Held by us and not by the context, so that it can be freed alone. `nil` after `wipe()`.
    private var privateKey: OpaquePointer?
    /// What an administrator should know though it works: a certificate that has expired.
    public let warnings: [String]

    /// - Parameters:
    ///   - certificate: a PEM file: the certificate, then those that vouch for it.
    ///   - key: a PEM file with the private key, not encrypted.
    public init(certificate: String, key: String) throws(TLSContextError) {
        _ = Self.overwritesFreedMemory
        guard let context = SSL_CTX_new(TLS_server_method()) else { throw TLSContextError(problems: [Self.lastError()]) }
        Self.configure(context)

        var problems: [String] = []
        var warnings: [String] = []
        if let problem = Self.unreadable(certificate) {
            problems.append("certificate \(certificate): \(problem)")
        } else {
            ERR_clear_error()
            if SSL_CTX_use_certificate_chain_file(context, certificate) != 1 {
                problems.append("certificate \(certificate) is not a PEM certificate: \(Self.lastError())")
            } else if let leaf = SSL_CTX_get0_certificate(context) {
                if X509_cmp_current_time(X509_get0_notAfter(leaf)) < 0 {
                    warnings.append("certificate \(certificate) has expired; clients will refuse it until it is renewed")
                } else if X509_cmp_current_time(X509_get0_notBefore(leaf)) > 0 {
                    warnings.append("certificate \(certificate) is not valid yet; look at this machine's clock")
                }
            }
        }
        var privateKey: OpaquePointer?
        do throws(KeyError) {
            privateKey = try Self.readKey(key)
            if let leaf = SSL_CTX_get0_certificate(context), X509_check_private_key(leaf, privateKey) != 1 {
                problems.append("private key \(key) does not belong to certificate \(certificate)")
            }
        } catch {
            problems.append("private key \(key)\(error.reason)")
        }
        guard problems.isEmpty else {
            EVP_PKEY_free(privateKey)
            SSL_CTX_free(context)
            throw TLSContextError(problems: problems)
        }
        self.context = context
        self.privateKey = privateKey
        self.warnings = warnings
    }

    deinit {
        EVP_PKEY_free(privateKey)
        SSL_CTX_free(context)
    }

    /// Forgets what is secret, the private key and the keys of tickets: this process speaks no more TLS.
    ///
    /// What is not secret stays, in pages that forked processes go on sharing.
    public func wipe() {
        EVP_PKEY_free(privateKey)
        privateKey = nil
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

    /// `nil` if there is no memory, or after `wipe()`.
    func makeSSL() -> OpaquePointer? {
        guard let privateKey, let ssl = SSL_new(context) else { return nil }
        guard SSL_use_PrivateKey(ssl, privateKey) == 1 else {
            SSL_free(ssl)
            return nil
        }
        return ssl
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

    // MARK: - Files

    private static func unreadable(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "\(Errno(rawValue: errno))" }
        close(descriptor)
        return nil
    }

    private struct KeyError: Error {
        var reason: String
    }

    /// Reads the file ourselves: nobody else's buffer keeps a copy of the key.
    private static func readKey(_ path: String) throws(KeyError) -> OpaquePointer {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw KeyError(reason: ": \(Errno(rawValue: errno))") }
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
            guard more >= 0 else { throw KeyError(reason: ": \(Errno(rawValue: errno))") }
            if more == 0 { break }
            count += more
        }
        guard count < buffer.count else { throw KeyError(reason: " is no PEM file: it is too long") }

        ERR_clear_error()
        guard let memory = BIO_new_mem_buf(buffer.baseAddress, Int32(count)) else { throw KeyError(reason: ": no memory") }
        defer { BIO_free(memory) }
        // Without a callback of ours OpenSSL would ask at the terminal for the password of an encrypted key.
        guard let key = PEM_read_bio_PrivateKey(memory, nil, { _, _, _, _ in -1 }, nil) else {
            throw KeyError(reason: " is not a PEM private key without a password: \(lastError())")
        }
        return key
    }

    /// The reason of the last failure in this thread, in OpenSSL's words.
    static func lastError() -> String {
        let code = ERR_peek_last_error()
        return ERR_reason_error_string(code).map { String(cString: $0) } ?? "error \(code)"
    }
}
