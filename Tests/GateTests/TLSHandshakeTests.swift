import COpenSSL
import Foundation
import TestSupport
import Testing

@testable import Transport

/// Handshakes that no client of the tests makes.
@Suite struct TLSHandshakeTests {
    private static func message(_ kind: UInt8, _ body: [UInt8]) -> [UInt8] { [kind] + length(body.count, 3) + body }

    private static func length(_ count: Int, _ size: Int) -> [UInt8] {
        (0..<size).reversed().map { UInt8(truncatingIfNeeded: count >> (8 * $0)) }
    }

    private static func serverHello(_ random: [UInt8], suite: [UInt8]) -> [UInt8] {
        message(2, [3, 3] + random + [0] + suite + [0, 0, 0])
    }

    private static func certificate(_ encoded: [UInt8]) -> [UInt8] {
        let list = length(encoded.count, 3) + encoded + [0, 0]
        return message(11, [0] + length(list.count, 3) + list)
    }

    private static let retry: [UInt8] = [
        0xCF, 0x21, 0xAD, 0x74, 0xE5, 0x9A, 0x61, 0x11, 0xBE, 0x1D, 0x8C, 0x02, 0x1E, 0x65, 0xB8, 0x91,
        0xC2, 0xA2, 0x11, 0x16, 0x7A, 0xBB, 0x8C, 0x5E, 0x07, 0x9E, 0x09, 0xE2, 0xC8, 0xA8, 0x33, 0x9C,
    ]

    /// - Parameters:
    ///   - random: of the first ServerHello, if there are two.
    ///   - suites: of each ServerHello.
    private static func handshake(
        retriedWith random: [UInt8]?, suites: [[UInt8]], digest: OpaquePointer?, key: OpaquePointer
    ) -> [UInt8] {
        var hellos = [message(1, [1, 2, 3])]
        if let random { hellos += [serverHello(random, suite: suites[0]), message(1, [4, 5, 6])] }
        let rest = [
            serverHello([UInt8](repeating: 9, count: 32), suite: suites.last!), message(8, [0, 0]),
            // What clients pass over before the challenge, and after it.
            message(13, [0, 0, 17, 0, 13, 0, 2, 4, 3, 0xFF, 0xC9, 0, 3, 7, 8, 9, 0, 47, 0, 0]),
            certificate([1]), message(15, [0]), message(20, [1]), certificate([2, 3]),
        ].flatMap { $0 }
        var transcript = hellos.flatMap { $0 } + rest
        if random != nil {
            let first = sum(hellos[0], digest)
            transcript = [254, 0, 0, UInt8(first.count)] + first + hellos.dropFirst().flatMap { $0 } + rest
        }
        let content = [UInt8](repeating: 0x20, count: 64) + Array("TLS 1.3, client CertificateVerify".utf8) + [0]
            + sum(transcript, digest)
        let signature = sign(content, key)
        return hellos.flatMap { $0 } + rest + message(15, [4, 3] + length(signature.count, 2) + signature)
    }

    private static func sum(_ bytes: [UInt8], _ digest: OpaquePointer?) -> [UInt8] {
        var sum = [UInt8](repeating: 0, count: 64)
        var count: UInt32 = 0
        EVP_Digest(bytes, bytes.count, &sum, &count, digest, nil)
        return Array(sum.prefix(Int(count)))
    }

    private static func sign(_ content: [UInt8], _ key: OpaquePointer) -> [UInt8] {
        let context = EVP_MD_CTX_new()
        defer { EVP_MD_CTX_free(context) }
        var signature = [UInt8](repeating: 0, count: 256)
        var count = signature.count
        EVP_DigestSignInit(context, nil, EVP_sha256(), nil, key)
        EVP_DigestSign(context, &signature, &count, content, content.count)
        return Array(signature.prefix(count))
    }

    private let key: OpaquePointer? = {
        let context = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, nil)
        defer { EVP_PKEY_CTX_free(context) }
        var key: OpaquePointer?
        guard EVP_PKEY_keygen_init(context) == 1, EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, NID_X9_62_prime256v1) == 1,
              EVP_PKEY_keygen(context, &key) == 1
        else { return nil }
        return key
    }()

    @Test("a ClientHello that was answered with HelloRetryRequest counts by its digest", arguments: [
        ([0x13, 0x01], false), ([0x13, 0x02], true), ([0x13, 0x03], false),
    ] as [([UInt8], Bool)])
    func retried(suite: [UInt8], isLong: Bool) throws {
        defer { EVP_PKEY_free(key) }
        let key = try #require(key)
        for random in [nil, Self.retry] {
            let suites = [suite, suite].suffix(random == nil ? 1 : 2)
            let bytes = Self.handshake(
                retriedWith: random, suites: Array(suites), digest: isLong ? EVP_sha384() : EVP_sha256(), key: key)
            let handshake = try #require(TLSHandshake(bytes))
            #expect(handshake.isSigned(by: key))
            #expect(Array(handshake.challenge) == [7, 8, 9])
            #expect(Array(handshake.serverCertificate) == [1])
            #expect(handshake.clientCertificates.map { Array($0) } == [[2, 3]])
            let wrong = Self.handshake(
                retriedWith: random, suites: Array(suites), digest: isLong ? EVP_sha256() : EVP_sha384(), key: key)
            #expect(TLSHandshake(wrong)?.isSigned(by: key) == false)
        }
    }

    @Test("two ServerHellos of which the first asks for nothing, or that do not go together, are none")
    func oddRetries() throws {
        defer { EVP_PKEY_free(key) }
        let key = try #require(key)
        func made(_ random: [UInt8], _ suites: [[UInt8]]) -> TLSHandshake? {
            TLSHandshake(Self.handshake(retriedWith: random, suites: suites, digest: EVP_sha256(), key: key))
        }
        #expect(made(Self.retry, [[0x13, 1], [0x13, 1]]) != nil)
        #expect(made([UInt8](repeating: 1, count: 32), [[0x13, 1], [0x13, 1]]) == nil)
        #expect(made(Self.retry, [[0x13, 2], [0x13, 1]]) == nil)
        #expect(made(Self.retry, [[0xC0, 0x2B], [0xC0, 0x2B]]) == nil)
    }

    @Test("anything at all is read without harm", arguments: 0..<20)
    func garbage(_: Int) throws {
        defer { EVP_PKEY_free(key) }
        let whole = Self.handshake(retriedWith: nil, suites: [[0x13, 1]], digest: EVP_sha256(), key: try #require(key))
        for _ in 0..<500 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...4) { bytes[.random(in: bytes.indices)] = .random(in: 0...255) }
            _ = TLSHandshake(bytes)
            _ = TLSHandshake((0..<Int.random(in: 0...64)).map { _ in .random(in: 0...255) })
        }
    }
}
