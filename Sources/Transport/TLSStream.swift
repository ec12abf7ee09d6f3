import COpenSSL
import Glibc
import SystemPackage

/// What a handshake settled, for the log.
public struct TLSInformation: Sendable, Equatable {
    /// "TLSv1.3".
    public var version: String
    /// OpenSSL's name of the cipher suite.
    public var cipher: String
    /// Whether the client asked for "imap" (RFC 7301).
    public var usesALPN: Bool
    /// The host name that the client asked for (RFC 6066 §3), without the dot that some add.
    public var serverName: String?

    public init(version: String, cipher: String, usesALPN: Bool, serverName: String?) {
        self.version = version
        self.cipher = cipher
        self.usesALPN = usesALPN
        self.serverName = serverName
    }
}

/// TLS on one socket, the server's side of it or a client's.
final class TLSStream {
    private let ssl: OpaquePointer
    /// Must live as long: a server's is asked for a certificate.
    private let context: AnyObject
    /// Whether OpenSSL has read bytes that it has not given out: `poll(2)` cannot know of them.
    private(set) var holdsInput = false
    /// Of the handshake, if the client is asked for a certificate.
    private var record: HandshakeRecord?

    /// - Parameter challenge: see `CertificateProof`.
    init(context: TLSContext, descriptor: Int32, challenge: [UInt8]?) throws(ConnectionEnd) {
        guard let ssl = context.makeSSL() else { throw .failed(TLSContext.lastError()) }
        self.ssl = ssl
        self.context = context
        guard SSL_set_fd(ssl, descriptor) == 1 else { throw .failed(TLSContext.lastError()) }
        SSL_set_accept_state(ssl)
        if let challenge, context.asksForCertificates {
            let record = HandshakeRecord(challenge: challenge)
            record.begin(ssl)
            self.record = record
        }
    }

    init(client context: TLSClientContext, descriptor: Int32) throws(ConnectionEnd) {
        guard let ssl = context.makeSSL() else { throw .failed(TLSContext.lastError()) }
        self.ssl = ssl
        self.context = context
        guard SSL_set_fd(ssl, descriptor) == 1 else { throw .failed(TLSContext.lastError()) }
        SSL_set_connect_state(ssl)
    }

    deinit { SSL_free(ssl) }

    func handshake() -> Connection.Attempt {
        ERR_clear_error()
        let result = SSL_do_handshake(ssl)
        guard result == 1 else { return failure(result) }
        record?.end(ssl)
        return .moved(0)
    }

    /// That the client has the key of its certificate, which is good; `nil` if it has shown none, or before TLS 1.3.
    var certificateProof: [UInt8]? {
        SSL_version(ssl) >= TLS1_3_VERSION && SSL_get_verify_result(ssl) == Int(X509_V_OK) ? record?.proof : nil
    }

    /// What was written down is no longer needed.
    func forgetProof() { record = nil }

    /// `moved(0)` when the client has closed.
    func receive(into buffer: UnsafeMutableRawBufferPointer) -> Connection.Attempt {
        ERR_clear_error()
        let count = SSL_read(ssl, buffer.baseAddress, Int32(clamping: buffer.count))
        guard count <= 0 else {
            holdsInput = SSL_has_pending(ssl) == 1
            return .moved(Int(count))
        }
        // What is left, if anything, is part of a record: the rest will wake the socket.
        holdsInput = false
        return failure(count)
    }

    /// Whether there is something to receive, or the end; `blocked` if not yet.
    func peek() -> Connection.Attempt {
        if SSL_pending(ssl) > 0 { return .moved(1) }
        var byte: UInt8 = 0
        ERR_clear_error()
        let count = SSL_peek(ssl, &byte, 1)
        if count <= 0 { return failure(count) }
        holdsInput = true
        return .moved(1)
    }

    /// Sends up to one record, 16 KiB.
    func send(_ bytes: UnsafeRawBufferPointer) -> Connection.Attempt {
        if bytes.isEmpty { return .moved(0) }
        ERR_clear_error()
        let count = SSL_write(ssl, bytes.baseAddress, Int32(clamping: bytes.count))
        return count > 0 ? .moved(Int(count)) : failure(count)
    }

    /// Tells the client that this is the end and nothing was cut off.
    func close() {
        ERR_clear_error()
        SSL_shutdown(ssl)
    }

    private func failure(_ result: Int32) -> Connection.Attempt {
        let number = errno
        switch SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ: return .blocked(Int16(POLLIN))
        case SSL_ERROR_WANT_WRITE: return .blocked(Int16(POLLOUT))
        case SSL_ERROR_ZERO_RETURN: return .ended(.closed)
        case SSL_ERROR_SYSCALL:
            switch number {
            case 0, ECONNRESET, EPIPE: return .ended(.closed)
            default: return .ended(.failed(Errno(rawValue: number).description))
            }
        default:
            // Of a server's certificate: what is wrong with it.
            let verdict = SSL_get_verify_result(ssl)
            let reason = verdict == X509_V_OK ? "" : ": " + String(cString: X509_verify_cert_error_string(verdict))
            return .ended(.failed("TLS: " + TLSContext.lastError() + reason))
        }
    }

    /// What both ends know of this connection, and nobody in between (RFC 9266 §2): 32 bytes. `nil` before TLS 1.3: there
    /// both ends might share it with a third.
    var channelBinding: [UInt8]? {
        guard SSL_version(ssl) >= TLS1_3_VERSION else { return nil }
        let label = Array("EXPORTER-Channel-Binding".utf8).map { CChar(bitPattern: $0) }
        var binding = [UInt8](repeating: 0, count: 32)
        return SSL_export_keying_material(ssl, &binding, binding.count, label, label.count, nil, 0, 0) == 1 ? binding : nil
    }

    var information: TLSInformation {
        var protocolName: UnsafePointer<UInt8>?
        var length: UInt32 = 0
        SSL_get0_alpn_selected(ssl, &protocolName, &length)
        var serverName = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name).map { String(cString: $0) }
        if serverName?.last == "." { serverName?.removeLast() }
        return TLSInformation(
            version: String(cString: SSL_get_version(ssl)),
            cipher: SSL_get_current_cipher(ssl).map { String(cString: SSL_CIPHER_get_name($0)) } ?? "none",
            usesALPN: length > 0,
            serverName: serverName)
    }
}
