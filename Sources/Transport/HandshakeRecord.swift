import COpenSSL

/// Writes down the messages of one handshake in which the client is asked for a certificate: see `CertificateProof`.
final class HandshakeRecord {
    private var messages: [UInt8] = []
    private let challenge: UnsafeMutableBufferPointer<UInt8>
    private enum State { case begun, complete, tooLong }
    private var state = State.begun

    init(challenge: [UInt8]) {
        self.challenge = .allocate(capacity: challenge.count)
        _ = self.challenge.initialize(from: challenge)
    }

    deinit { challenge.deallocate() }

    /// All of them; `nil` if the client has shown no certificate, or none of which it has the key.
    var proof: [UInt8]? { state == .complete ? messages : nil }

    /// For all connections of a context: the place for a challenge, and no short cuts. A connection that goes on with the secrets
    /// of another one shows no certificate.
    static func prepare(_ context: OpaquePointer) {
        SSL_CTX_add_custom_ext(
            context, CertificateProof.challengeExtension, UInt32(SSL_EXT_TLS1_3_CERTIFICATE_REQUEST),
            { ssl, _, _, bytes, count, _, _, _, _ in
                guard let record = ssl.flatMap({ SSL_get_ex_data($0, 0) }), let bytes, let count else { return 0 }
                let challenge = Unmanaged<HandshakeRecord>.fromOpaque(record).takeUnretainedValue().challenge
                bytes.pointee = UnsafePointer(challenge.baseAddress)
                count.pointee = challenge.count
                return 1
            }, nil, nil, nil, nil)
        SSL_CTX_set_session_ticket_cb(context, nil, { _, _, _, _, _, _ in SSL_TICKET_RETURN_IGNORE }, nil)
    }

    /// Begins to write. Both must live until `end`.
    func begin(_ ssl: OpaquePointer) {
        let this = Unmanaged.passUnretained(self).toOpaque()
        SSL_set_ex_data(ssl, 0, this)
        SSL_set_msg_callback(ssl) { isSent, _, kind, bytes, count, _, record in
            guard kind == SSL3_RT_HANDSHAKE, let bytes, let record else { return }
            Unmanaged<HandshakeRecord>.fromOpaque(record).takeUnretainedValue()
                .note(UnsafeRawBufferPointer(start: bytes, count: count), isSent: isSent == 1)
        }
        SSL_ctrl(ssl, SSL_CTRL_SET_MSG_CALLBACK_ARG, 0, this)
    }

    func end(_ ssl: OpaquePointer) {
        SSL_set_msg_callback(ssl, nil)
        SSL_ctrl(ssl, SSL_CTRL_SET_MSG_CALLBACK_ARG, 0, nil)
        SSL_set_ex_data(ssl, 0, nil)
    }

    private func note(_ message: UnsafeRawBufferPointer, isSent: Bool) {
        guard state == .begun else { return }
        guard messages.count + message.count <= CertificateProof.longest else {
            messages = []
            state = .tooLong
            return
        }
        messages += message
        // CertificateVerify, which comes of a client that has sent a certificate.
        if !isSent, message.first == 15 { state = .complete }
    }
}
