import COpenSSL
import Foundation
import TestSupport
import Testing

@testable import Transport

@Suite("A TLS context")
struct TLSContextTests {
    private func problems(certificate: String, key: String) -> [String] {
        do throws(TLSContextError) {
            _ = try TLSContext(certificate: certificate, key: key)
            return []
        } catch { return error.problems }
    }

    @Test("is made of either kind of key", arguments: Certificate.Kind.allCases)
    func kinds(kind: Certificate.Kind) async throws {
        let certificate = try await Certificate(kind)
        let context = try TLSContext(certificate: certificate.certificate, key: certificate.key)
        #expect(context.warnings == [])
    }

    @Test("tells all that is missing")
    func missing() {
        #expect(problems(certificate: "/nonexistent/cert", key: "/nonexistent/key") == [
            "certificate /nonexistent/cert: No such file or directory", "private key /nonexistent/key: No such file or directory",
        ])
    }

    @Test("is not made of what is no certificate or key")
    func garbage() throws {
        let directory = try TemporaryDirectory()
        let file = directory.path("garbage")
        try Data("no PEM here".utf8).write(to: URL(fileURLWithPath: file))
        let found = problems(certificate: file, key: file)
        #expect(found.count == 2)
        #expect(found.first?.hasPrefix("certificate \(file) is not a PEM certificate: ") == true)
        #expect(found.last?.hasPrefix("private key \(file) is not a PEM private key without a password: ") == true)
    }

    @Test("wants the certificate's own key")
    func mismatch() async throws {
        let (one, other) = (try await Certificate(), try await Certificate())
        #expect(problems(certificate: one.certificate, key: other.key)
            == ["private key \(other.key) does not belong to certificate \(one.certificate)"])
    }

    @Test("asks nobody for the password of a key")
    func encrypted() async throws {
        let certificate = try await Certificate()
        let directory = try TemporaryDirectory()
        let file = directory.path("encrypted.pem")
        let outcome = try await Program("openssl", package: "openssl").run(
            ["pkey", "-in", certificate.key, "-aes128", "-passout", "pass:x", "-out", file])
        #expect(outcome.status == 0)
        #expect(problems(certificate: certificate.certificate, key: file).first?.contains("without a password") == true)
    }

    @Test("warns of a certificate that has expired, and works")
    func expired() async throws {
        let certificate = try await Certificate(days: -1)
        let context = try TLSContext(certificate: certificate.certificate, key: certificate.key)
        #expect(context.warnings == ["certificate \(certificate.certificate) has expired; clients will refuse it until it is renewed"])
    }

    @Test("warns of a certificate's end ahead", arguments: [
        (15, nil), (14, "expires in 14 days"), (8, "expires in 8 days"), (1, "expires in 1 day;"),
        (0, "expires in less than a day"),
        (-1, "has expired"),
    ] as [(Int, String?)])
    func warning(days: Int, text: String?) {
        let now = 1_800_000_000
        let validity = CertificateValidity(path: "c", begin: now - 86_400, end: now + days * 86_400 + (days < 0 ? 0 : 3600))
        let told = validity.warning(at: now + (days == 14 ? 3600 : 0))
        #expect((told == nil) == (text == nil))
        if let text { #expect(told?.contains(text) == true, "\(told ?? "")") }
    }

    @Test("tells when there is something to tell again")
    func nextWarning() {
        let day = 86_400, end = 1_800_000_000
        let validity = CertificateValidity(path: "c", begin: nil, end: end)
        var times: [Int] = []
        var now = end - 100 * day
        while let next = validity.nextWarning(after: now) {
            times.append((end - next) / day)
            now = next
        }
        #expect(times == [14, 7, 3, 1, 0])
    }

    @Test("knows when its certificates are good")
    func validities() async throws {
        let certificate = try await Certificate(days: 10)
        let context = try TLSContext(certificate: certificate.certificate, key: certificate.key)
        let validity = try #require(context.validities.first)
        #expect(abs((validity.begin ?? 0) - time(nil)) < 3600)
        #expect((validity.end ?? 0) - (validity.begin ?? 0) == 10 * 86_400)
        #expect(context.warnings.count == 1)
    }

    @Test("finds the key of each certificate, whatever their order")
    func severalKeys() async throws {
        let pairs = [try await Certificate(), try await Certificate(.rsa), try await Certificate()]
        let certificates = pairs.map(\.certificate)
        _ = try TLSContext(certificates: certificates, keys: pairs.reversed().map(\.key))
        do {
            _ = try TLSContext(certificates: certificates, keys: [pairs[0].key, pairs[2].key])
            Issue.record("there is a certificate without a key")
        } catch { #expect(error.problems == ["no private key belongs to certificate \(certificates[1])"]) }
        do {
            _ = try TLSContext(certificates: Array(certificates.dropLast()), keys: pairs.map(\.key))
            Issue.record("there is a key without a certificate")
        } catch { #expect(error.problems == ["private key \(pairs[2].key) does not belong to any certificate"]) }
    }

    @Test("is not made of a chain that is cut off")
    func cutChain() async throws {
        let (one, other) = (try await Certificate(), try await Certificate())
        let directory = try TemporaryDirectory()
        let file = directory.path("chain.pem")
        let chain = try String(contentsOfFile: one.certificate, encoding: .utf8)
            + String(contentsOfFile: other.certificate, encoding: .utf8)
        try chain.write(toFile: file, atomically: false, encoding: .utf8)
        #expect(problems(certificate: file, key: one.key) == [])
        try String(chain.dropLast(60)).write(toFile: file, atomically: false, encoding: .utf8)
        #expect(problems(certificate: file, key: one.key).first?.contains("damaged after its first certificate") == true)
    }

    @Test("has no secret left after it is wiped")
    func wiped() async throws {
        let certificate = try await Certificate()
        let context = try TLSContext(certificate: certificate.certificate, key: certificate.key)
        context.warmUp()
        #expect(context.ticketKeys.contains { $0 != 0 })
        context.wipe()
        #expect(context.makeSSL() == nil)
        #expect(context.ticketKeys.allSatisfy { $0 == 0 })
        context.wipe()
    }
}

/// A client's side of TLS in the test's own hands, against a connection in a thread.
struct Handshake {
    var version: String
    var cipher: String
    var alpn: String

    /// - Returns: what was settled and what the server knows of it; `nil` if there was no agreement.
    static func make(
        _ context: TLSContext, _ configure: (OpaquePointer, OpaquePointer) -> Void
    ) throws -> (Handshake, TLSInformation)? {
        let (server, client) = try Descriptor.streamPair().release()
        let (told, tell) = (DispatchSemaphore(value: 0), Box<TLSInformation?>(nil))
        Thread.detachNewThread {
            let connection = Connection(descriptor: server)
            if (try? connection.startTLS(context, atMost: .seconds(60))) != nil { tell.value = connection.tlsInformation }
            told.signal()
        }
        defer { close(client) }
        guard let clientContext = SSL_CTX_new(TLS_client_method()), let ssl = SSL_new(clientContext) else { return nil }
        defer {
            SSL_free(ssl)
            SSL_CTX_free(clientContext)
        }
        configure(clientContext, ssl)
        SSL_set_fd(ssl, client)
        let agreed = SSL_connect(ssl) == 1
        if !agreed { shutdown(client, Int32(SHUT_RDWR)) }
        told.wait()
        guard agreed, let information = tell.value else { return nil }
        var name: UnsafePointer<UInt8>?
        var length: UInt32 = 0
        SSL_get0_alpn_selected(ssl, &name, &length)
        let handshake = Handshake(
            version: String(cString: SSL_get_version(ssl)),
            cipher: String(cString: SSL_CIPHER_get_name(SSL_get_current_cipher(ssl))),
            alpn: String(decoding: UnsafeBufferPointer(start: name, count: Int(length)), as: UTF8.self))
        return (handshake, information)
    }
}

/// What one thread writes before another is told to read it.
final class Box<Value>: @unchecked Sendable {
    var value: Value
    init(_ value: Value) { self.value = value }
}

@Suite("A TLS handshake")
struct HandshakeTests {
    let context: TLSContext

    init() async throws {
        let certificate = try await Certificate(.rsa)
        context = try TLSContext(certificate: certificate.certificate, key: certificate.key)
        context.warmUp()
    }

    @Test("is that of TLS 1.3, or 1.2 with forward secrecy, and no older one", arguments: [
        (TLS1_3_VERSION, "TLSv1.3"), (TLS1_2_VERSION, "TLSv1.2"), (TLS1_1_VERSION, nil), (TLS1_VERSION, nil),
    ])
    func versions(highest: Int32, settled: String?) throws {
        let result = try Handshake.make(context) { _, ssl in
            // Clients that are this old allow anything.
            SSL_set_security_level(ssl, 0)
            SSL_set_cipher_list(ssl, "ALL:@SECLEVEL=0")
            SSL_ctrl(ssl, SSL_CTRL_SET_MAX_PROTO_VERSION, Int(highest), nil)
        }
        #expect(result?.0.version == settled)
        #expect(result?.1.version == settled)
        if settled == "TLSv1.2" { #expect(result?.0.cipher.hasPrefix("ECDHE-") == true) }
    }

    @Test("without forward secrecy or authenticated encryption does not happen",
          arguments: ["AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA"])
    func weakCiphers(cipher: String) throws {
        let result = try Handshake.make(context) { _, ssl in
            SSL_set_cipher_list(ssl, cipher)
            SSL_ctrl(ssl, SSL_CTRL_SET_MAX_PROTO_VERSION, Int(TLS1_2_VERSION), nil)
        }
        #expect(result == nil)
    }

    @Test("agrees on keys by elliptic curves only", arguments: [
        ("X25519", true), ("P-256", true), ("ffdhe8192:P-384", true), ("ffdhe2048", false), ("ffdhe8192", false),
    ])
    func groups(list: String, agreed: Bool) throws {
        let result = try Handshake.make(context) { _, ssl in
            var list = Array(list.utf8CString)
            #expect(SSL_ctrl(ssl, SSL_CTRL_SET_GROUPS_LIST, 0, &list) == 1)
        }
        #expect((result != nil) == agreed)
    }

    @Test("settles on imap when protocols are named, or fails", arguments: [
        ([], "", true), (["imap"], "imap", true), (["h2", "imap"], "imap", true), (["http/1.1"], "", false),
        (["imap4"], "", false),
    ])
    func alpn(offered: [String], settled: String, agreed: Bool) throws {
        let result = try Handshake.make(context) { _, ssl in
            let list = offered.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
            if !list.isEmpty { SSL_set_alpn_protos(ssl, list, UInt32(list.count)) }
        }
        #expect((result != nil) == agreed)
        #expect(result?.0.alpn ?? "" == settled)
        #expect(result?.1.usesALPN ?? false == !settled.isEmpty)
    }

    @Test("knows which host was meant",
          arguments: [("mail.example.org", "mail.example.org"), ("mail.example.org.", "mail.example.org")])
    func serverName(asked: String, told: String) throws {
        let result = try Handshake.make(context) { _, ssl in
            _ = asked.withCString {
                SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, Int(TLSEXT_NAMETYPE_host_name), UnsafeMutableRawPointer(mutating: $0))
            }
        }
        #expect(result?.1.serverName == told)
    }
}

@Suite("A TLS context with several certificates")
struct ServerNameTests {
    /// Which of them a client that asks for `name` is shown.
    private func shown(_ certificates: [Certificate], to name: String?, cipher: String? = nil) throws -> Int? {
        let context = try TLSContext(certificates: certificates.map(\.certificate), keys: certificates.map(\.key))
        context.warmUp()
        let box = Box<OpaquePointer?>(nil)
        _ = try Handshake.make(context) { _, ssl in
            // Ours until its peer's certificate is compared.
            SSL_up_ref(ssl)
            box.value = ssl
            if let cipher {
                SSL_ctrl(ssl, SSL_CTRL_SET_MAX_PROTO_VERSION, Int(TLS1_2_VERSION), nil)
                SSL_set_cipher_list(ssl, cipher)
            }
            _ = name?.withCString {
                SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, Int(TLSEXT_NAMETYPE_host_name), UnsafeMutableRawPointer(mutating: $0))
            }
        }
        let ssl = try #require(box.value)
        defer { SSL_free(ssl) }
        let peer = try #require(SSL_get1_peer_certificate(ssl))
        defer { X509_free(peer) }
        return certificates.firstIndex { certificate in
            guard let file = fopen(certificate.certificate, "r") else { return false }
            defer { fclose(file) }
            guard let own = PEM_read_X509(file, nil, nil, nil) else { return false }
            defer { X509_free(own) }
            return X509_cmp(own, peer) == 0
        }
    }

    @Test("shows the one for the host that the client names")
    func hosts() async throws {
        let certificates = [
            try await Certificate(names: ["one.example"]), try await Certificate(names: ["two.example", "also-two.example"]),
            try await Certificate(names: ["*.three.example"]), try await Certificate(names: ["special.three.example"]),
        ]
        let expected: [(String?, Int)] = [
            (nil, 0), ("one.example", 0), ("two.example", 1), ("two.example.", 1), ("TWO.example", 1), ("also-two.example", 1),
            ("any.three.example", 2), ("special.three.example", 3), ("a.b.three.example", 0), ("elsewhere.example", 0),
        ]
        for (name, index) in expected {
            #expect(try shown(certificates, to: name) == index, "\(name ?? "no name")")
        }
    }

    @Test("has two kinds of key for one host", arguments: [
        ("ECDHE-RSA-AES128-GCM-SHA256", 1), ("ECDHE-ECDSA-AES128-GCM-SHA256", 2),
    ])
    func kinds(cipher: String, expected: Int) async throws {
        let certificates = [
            try await Certificate(names: ["one.example"]), try await Certificate(.rsa, names: ["two.example"]),
            try await Certificate(.ec, names: ["two.example"]),
        ]
        #expect(try shown(certificates, to: "two.example", cipher: cipher) == expected)
    }
}
