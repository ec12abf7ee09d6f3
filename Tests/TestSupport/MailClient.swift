import COpenSSL
import Foundation
import Glibc

/// A client that says what a test wants it to say, byte for byte, in clear text or through TLS.
///
/// Plain blocking code: a server that is silent for a minute is taken for hung.
public final class MailClient {
    private let descriptor: Int32
    private var tls: OpaquePointer?
    private var received: [UInt8] = []
    private var tags = 0

    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    /// - Parameters:
    ///   - tls: whether TLS begins with the first byte.
    ///   - identity: what the client shows if it is asked for a certificate.
    public init(
        port: Int, host: String = "127.0.0.1", tls: Bool = false, identity: CertificateAuthority.Identity? = nil
    ) throws {
        // OpenSSL writes to whoever has hung up; so does a server that runs in this process.
        signal(SIGPIPE, SIG_IGN)
        descriptor = try Self.connect(host, port)
        if tls { try startTLS(identity) }
    }

    deinit { close() }

    private var isClosed = false

    /// Hangs up, without a word.
    public func close() {
        guard !isClosed else { return }
        isClosed = true
        SSL_free(tls)
        Glibc.close(descriptor)
    }

    /// Makes the handshake; the server's certificate is not looked at.
    public func startTLS(_ identity: CertificateAuthority.Identity? = nil) throws {
        guard let context = SSL_CTX_new(TLS_client_method()) else { throw Failure(description: "no TLS context") }
        defer { SSL_CTX_free(context) }
        if let identity {
            guard SSL_CTX_use_certificate_file(context, identity.certificate, SSL_FILETYPE_PEM) == 1,
                  SSL_CTX_use_PrivateKey_file(context, identity.key, SSL_FILETYPE_PEM) == 1
            else { throw Failure(description: "the client has no such certificate") }
        }
        guard let ssl = SSL_new(context) else { throw Failure(description: "no TLS") }
        tls = ssl
        guard SSL_set_fd(ssl, descriptor) == 1, SSL_connect(ssl) == 1 else {
            let reason = ERR_reason_error_string(ERR_peek_last_error()).map { String(cString: $0) }
            throw Failure(description: "the TLS handshake failed: \(reason ?? "the server has closed")")
        }
    }

    /// The server's certificate, in DER.
    public var serverCertificate: [UInt8]? {
        guard let tls, let certificate = SSL_get1_peer_certificate(tls) else { return nil }
        defer { X509_free(certificate) }
        var bytes: UnsafeMutablePointer<UInt8>?
        let count = i2d_X509(certificate, &bytes)
        defer { CRYPTO_free(bytes, nil, 0) }
        return count > 0 ? Array(UnsafeBufferPointer(start: bytes, count: Int(count))) : nil
    }

    // MARK: - Saying

    public func send(_ text: String) throws {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { bytes in
                tls.map { Int(SSL_write($0, bytes.baseAddress, Int32(bytes.count))) }
                    ?? Glibc.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Failure(description: "the server has closed the connection") }
            rest = rest.dropFirst(count)
        }
    }

    /// Sends a command with a tag of its own, and returns all lines up to the one with that tag.
    @discardableResult
    public func command(_ text: String) throws -> [String] {
        tags += 1
        let tag = "t\(tags)"
        try send("\(tag) \(text)\r\n")
        return try lines(through: tag)
    }

    /// Lines up to the one that begins with `tag` and a space.
    public func lines(through tag: String) throws -> [String] {
        var lines: [String] = []
        while let line = try line() {
            lines.append(line)
            if line.hasPrefix("\(tag) ") { return lines }
        }
        throw Failure(description: "the server ended before answering \(tag): \(lines)")
    }

    /// Says no more, but goes on listening. Without TLS only.
    public func endSending() {
        shutdown(descriptor, Int32(SHUT_WR))
    }

    // MARK: - Hearing

    /// The next line, without its end; `nil` when the server has closed.
    public func line() throws -> String? {
        while true {
            if let end = received.firstIndex(of: UInt8(ascii: "\n")) {
                let line = String(decoding: received[..<end].filter { $0 != UInt8(ascii: "\r") }, as: UTF8.self)
                received.removeSubrange(...end)
                return line
            }
            guard try fill() else {
                guard received.isEmpty else { throw Failure(description: "half a line: \(received)") }
                return nil
            }
        }
    }

    /// All lines until the server closes.
    public func rest() throws -> [String] {
        var lines: [String] = []
        while let line = try line() { lines.append(line) }
        return lines
    }

    private func fill() throws -> Bool {
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        let count = tls.map { Int(SSL_read($0, &buffer, Int32(buffer.count))) } ?? recv(descriptor, &buffer, buffer.count, 0)
        if count < 0, tls == nil, errno == EAGAIN { throw Failure(description: "the server is silent") }
        guard count > 0 else { return false }
        received += buffer[..<count]
        return true
    }

    // MARK: - Connecting

    private static func connect(_ host: String, _ port: Int) throws -> Int32 {
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &found) == 0, let found else {
            throw Failure(description: "\(host) is no address")
        }
        defer { freeaddrinfo(found) }
        let descriptor = socket(found.pointee.ai_family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var patience = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        guard Glibc.connect(descriptor, found.pointee.ai_addr, found.pointee.ai_addrlen) == 0 else {
            let reason = String(cString: strerror(errno))
            Glibc.close(descriptor)
            throw Failure(description: "cannot connect to \(host):\(port): \(reason)")
        }
        return descriptor
    }
}
