import COpenSSL

/// SHA-256 and what SCRAM makes of it (RFC 5802 §2.2). OpenSSL does the work.
enum Digest {
    /// Bytes of a digest.
    static let length = 32

    static func sha256(_ bytes: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: length)
        EVP_Digest(bytes, bytes.count, &digest, nil, EVP_sha256(), nil)
        return digest
    }

    /// HMAC(key, bytes)
    static func hmac(key: [UInt8], _ bytes: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: length)
        HMAC(EVP_sha256(), key, Int32(key.count), bytes, bytes.count, &digest, nil)
        return digest
    }

    /// Hi(password, salt, iterations), which is PBKDF2 with one block. The caller wipes it.
    static func salted(_ password: Secret, salt: [UInt8], iterations: Int) -> [UInt8] {
        var key = [UInt8](repeating: 0, count: length)
        password.withCString { text in
            _ = PKCS5_PBKDF2_HMAC(
                text, Int32(password.count), salt, Int32(salt.count), Int32(clamping: iterations), EVP_sha256(),
                Int32(length), &key)
        }
        return key
    }

    /// In a time that does not tell where they differ.
    static func areSame(_ first: [UInt8], _ second: [UInt8]) -> Bool {
        first.count == second.count && CRYPTO_memcmp(first, second, first.count) == 0
    }

    static func xor(_ first: [UInt8], _ second: [UInt8]) -> [UInt8] {
        zip(first, second).map { $0 ^ $1 }
    }
}
