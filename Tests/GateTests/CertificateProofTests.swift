import COpenSSL
import Foundation
import TestSupport
import Testing

@testable import Transport

/// What a client's certificate shows to somebody who did not see the handshake.
@Suite struct CertificateProofTests {
    let authority: CertificateAuthority
    let server: Certificate
    let context: TLSContext
    let challenge = [UInt8](1...32)

    init() async throws {
        authority = try await CertificateAuthority()
        server = try await Certificate()
        context = try TLSContext(
            certificates: [server.certificate], keys: [server.key], clientAuthorities: authority.file)
    }

    /// What a server has of a handshake; `.some(nil)` if the client has shown nothing.
    private func proof(
        _ identity: CertificateAuthority.Identity?, _ context: TLSContext? = nil,
        _ configure: @escaping (OpaquePointer) -> Void = { _ in }
    ) throws -> [UInt8]? {
        let (server, client) = try Descriptor.streamPair().release()
        let context = context ?? self.context
        let (told, tell, challenge) = (DispatchSemaphore(value: 0), Box<[UInt8]?>(nil), challenge)
        Thread.detachNewThread {
            let connection = Connection(descriptor: server)
            if (try? connection.startTLS(context, atMost: .seconds(60), challenge: challenge)) != nil {
                tell.value = connection.certificateProof
                try? connection.send(Array("* OK\r\n".utf8))
            } else {
                tell.value = []
            }
            told.signal()
        }
        defer { close(client) }
        let clientContext = try #require(SSL_CTX_new(TLS_client_method()))
        defer { SSL_CTX_free(clientContext) }
        if let identity {
            #expect(SSL_CTX_use_certificate_file(clientContext, identity.certificate, SSL_FILETYPE_PEM) == 1)
            #expect(SSL_CTX_use_PrivateKey_file(clientContext, identity.key, SSL_FILETYPE_PEM) == 1)
        }
        let ssl = try #require(SSL_new(clientContext))
        defer { SSL_free(ssl) }
        configure(ssl)
        SSL_set_fd(ssl, client)
        #expect(SSL_connect(ssl) == 1)
        var byte: UInt8 = 0
        #expect(SSL_read(ssl, &byte, 1) == 1)
        told.wait()
        #expect(tell.value != [], "the server has not agreed")
        return tell.value
    }

    private func verify(
        _ proof: [UInt8], _ context: TLSContext? = nil, challenge: [UInt8]? = nil, name: CertificateName = .email
    ) -> Result<ClientCertificate, CertificateProof.Refused> {
        Result { () throws(CertificateProof.Refused) in
            try CertificateProof.verify(proof, challenge: challenge ?? self.challenge, server: context ?? self.context, name: name)
        }
    }

    private func reason(_ result: Result<ClientCertificate, CertificateProof.Refused>) -> String? {
        if case .failure(let refused) = result { return refused.reason }
        return nil
    }

    @Test("is good for every kind of key", arguments: [
        ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], ["ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
        ["ec", "-pkeyopt", "ec_paramgen_curve:P-521"], ["rsa:2048"], ["rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048"], ["ed25519"],
        ["ed448"],
    ])
    func kinds(algorithm: [String]) async throws {
        let identity = try await authority.issue(cn: "Änne", emails: ["a@example.org", "b@example.org"], algorithm: algorithm)
        let shown = try #require(try proof(identity))
        #expect(try verify(shown).get() == ClientCertificate(subject: "CN=Änne,O=Example", names: ["a@example.org", "b@example.org"]))
        #expect(try verify(shown, name: .cn).get().names == ["Änne"])
    }

    @Test("is good after a HelloRetryRequest")
    func retried() async throws {
        let identity = try await authority.issue(emails: ["a@example.org"])
        let shown = try #require(try proof(identity) { ssl in
            // The first is what the client guesses, and the server does not want.
            var groups = Array("ffdhe2048:P-256".utf8CString)
            SSL_ctrl(ssl, SSL_CTRL_SET_GROUPS_LIST, 0, &groups)
        })
        #expect(try verify(shown).get().names == ["a@example.org"])
        #expect(reason(verify(shown, challenge: [UInt8](2...33))) == "it is of another connection")
    }

    @Test("is not there without a certificate, before TLS 1.3, or where none is asked for")
    func nothing() async throws {
        #expect(try proof(nil) == nil)
        let identity = try await authority.issue()
        #expect(try proof(identity) { SSL_ctrl($0, SSL_CTRL_SET_MAX_PROTO_VERSION, Int(TLS1_2_VERSION), nil) } == nil)
        #expect(try proof(identity, TLSContext(certificate: server.certificate, key: server.key)) == nil)
    }

    @Test("is for one connection and one server only")
    func otherConnection() async throws {
        let shown = try #require(try await proof(authority.issue(emails: ["a@example.org"])))
        #expect(reason(verify(shown, challenge: [UInt8](2...33))) == "it is of another connection")
        #expect(reason(verify(shown, challenge: [])) == "it is of another connection")
        let other = try await Certificate()
        let otherContext = try TLSContext(
            certificates: [other.certificate], keys: [other.key], clientAuthorities: authority.file)
        #expect(reason(verify(shown, otherContext)) == "it is of another server")
        #expect(reason(verify(shown, try TLSContext(certificate: server.certificate, key: server.key))) == "nobody vouches for clients")
    }

    @Test("none of its bytes can be another, or be missing")
    func everyByte() async throws {
        let shown = try #require(try await proof(authority.issue(emails: ["a@example.org"])))
        for index in shown.indices {
            var changed = shown
            changed[index] ^= 1 << UInt8(index % 8)
            #expect(reason(verify(changed)) != nil, "byte \(index) of \(shown.count)")
            #expect(reason(verify(Array(shown.prefix(index)))) != nil, "\(index) bytes")
        }
        #expect(reason(verify(shown + [0])) != nil)
        #expect(reason(verify(shown + shown)) != nil)
    }

    @Test("others vouch for others")
    func otherAuthority() async throws {
        let other = try await CertificateAuthority("Else")
        let identity = try await other.issue(emails: ["a@example.org"])
        #expect(try proof(identity) == nil)
        let otherContext = try TLSContext(certificates: [server.certificate], keys: [server.key], clientAuthorities: other.file)
        let shown = try #require(try proof(identity, otherContext))
        #expect(reason(verify(shown)) == "unable to get local issuer certificate")
        #expect(reason(verify(shown, otherContext)) == nil)
    }

    @Test("an expired certificate shows nothing, nor does one for something else")
    func notForThis() async throws {
        #expect(try await proof(authority.issue(isExpired: true)) == nil)
        #expect(try await proof(authority.issue(usage: "serverAuth")) == nil)
        #expect(try await proof(authority.issue(usage: nil)) != nil)
    }

    @Test("a certificate that was revoked shows nothing")
    func revoked() async throws {
        let (lost, kept) = (try await authority.issue(), try await authority.issue())
        let revoking = try TLSContext(
            certificates: [server.certificate], keys: [server.key], clientAuthorities: authority.revoking([lost]))
        #expect(try proof(lost, revoking) == nil)
        let shown = try #require(try proof(kept, revoking))
        #expect(reason(verify(shown, revoking)) == nil)
        // Whoever saw it before the list was there.
        #expect(reason(verify(try #require(try proof(lost)), revoking)) == "certificate revoked")
    }

    @Test("who comes again shows the certificate again")
    func resumption() async throws {
        let identity = try await authority.issue()
        let session = Box<OpaquePointer?>(nil)
        _ = try proof(identity) { ssl in
            SSL_set_ex_data(ssl, 0, Unmanaged.passUnretained(session).toOpaque())
            SSL_CTX_ctrl(SSL_get_SSL_CTX(ssl), SSL_CTRL_SET_SESS_CACHE_MODE, Int(SSL_SESS_CACHE_CLIENT), nil)
            SSL_CTX_sess_set_new_cb(SSL_get_SSL_CTX(ssl)) { ssl, session in
                Unmanaged<Box<OpaquePointer?>>.fromOpaque(SSL_get_ex_data(ssl, 0)).takeUnretainedValue().value = session
                return 1
            }
        }
        let kept = try #require(session.value)
        defer { SSL_SESSION_free(kept) }
        #expect(try proof(identity) { SSL_set_session($0, kept) } != nil)
    }

    @Test("a file of authorities says what is wrong with it")
    func problems() async throws {
        let directory = try TemporaryDirectory()
        func problem(_ text: String) throws -> String? {
            try text.write(toFile: directory.path("ca"), atomically: false, encoding: .utf8)
            do throws(TLSContextError) {
                _ = try TLSContext(certificates: [server.certificate], keys: [server.key], clientAuthorities: directory.path("ca"))
                return nil
            } catch {
                return error.problems.first
            }
        }
        let own = try String(contentsOfFile: authority.file, encoding: .utf8)
        #expect(try problem(own) == nil)
        #expect(try problem(own + own) == nil)
        #expect(try problem("") == "client-ca \(directory.path("ca")) has no certificate in it")
        #expect(try problem(String(own.dropLast(60)))?.hasPrefix("client-ca \(directory.path("ca")) is not a PEM file") == true)
        #expect(throws: TLSContextError(problems: ["client-ca /nowhere: No such file or directory"])) {
            try TLSContext(certificates: [server.certificate], keys: [server.key], clientAuthorities: "/nowhere")
        }
    }
}
