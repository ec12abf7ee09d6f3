import COpenSSL
import Glibc

/// Where the name of a user stands in a client's certificate.
public enum CertificateName: String, Sendable, CaseIterable {
    /// In the subject's alternative names, as an address of mail (RFC 5280 §4.2.1.6).
    case email
    /// In the subject, as its common name.
    case cn

    /// All that are there, in their order: valid UTF-8, without NUL. Names that are nothing of the kind are passed over.
    func all(in certificate: OpaquePointer) -> [String] {
        switch self {
        case .email: addresses(certificate)
        case .cn: commonNames(certificate)
        }
    }

    private func addresses(_ certificate: OpaquePointer) -> [String] {
        guard let names = X509_get_ext_d2i(certificate, NID_subject_alt_name, nil, nil) else { return [] }
        // STACK_OF(GENERAL_NAME)
        let stack = OpaquePointer(names)
        defer { OPENSSL_sk_pop_free(stack) { GENERAL_NAME_free($0?.assumingMemoryBound(to: GENERAL_NAME.self)) } }
        return (0..<max(0, OPENSSL_sk_num(stack))).compactMap { index in
            guard let name = OPENSSL_sk_value(stack, index)?.assumingMemoryBound(to: GENERAL_NAME.self) else { return nil }
            var kind: Int32 = 0
            guard let value = GENERAL_NAME_get0_value(name, &kind), kind == GEN_EMAIL else { return nil }
            return Self.text(value.assumingMemoryBound(to: ASN1_STRING.self))
        }
    }

    private func commonNames(_ certificate: OpaquePointer) -> [String] {
        let subject = X509_get_subject_name(certificate)
        var names: [String] = []
        var index: Int32 = -1
        while true {
            index = X509_NAME_get_index_by_NID(subject, NID_commonName, index)
            guard index >= 0, let entry = X509_NAME_get_entry(subject, index) else { return names }
            if let name = X509_NAME_ENTRY_get_data(entry).flatMap({ Self.text($0) }) { names.append(name) }
        }
    }

    private static func text(_ string: UnsafePointer<ASN1_STRING>) -> String? {
        var bytes: UnsafeMutablePointer<UInt8>?
        let count = ASN1_STRING_to_UTF8(&bytes, string)
        guard count >= 0, let bytes else { return nil }
        defer { CRYPTO_free(bytes, #fileID, #line) }
        let buffer = UnsafeBufferPointer(start: bytes, count: Int(count))
        return buffer.contains(0) ? nil : String(validating: buffer, as: UTF8.self)
    }
}
