import Authentication
import CCrypt
import Glibc

/// What a password file keeps of a password.
public enum StoredPassword: Sendable, Equatable {
    /// crypt(5): `$y$…` (yescrypt) and whatever else crypt(3) understands.
    case crypt(String)
    /// Good for SCRAM too.
    case scram(SCRAMVerifier)
    /// `!` or `*`: nobody has it.
    case locked

    /// `nil` for what is none of them, a password in clear above all.
    public init?(text: String) {
        if text == "!" || text == "*" {
            self = .locked
        } else if let verifier = SCRAMVerifier(text: text) {
            self = .scram(verifier)
        } else if text.hasPrefix("$"), Self.isKnown(setting: text) {
            self = .crypt(text)
        } else {
            return nil
        }
    }

    public var text: String {
        switch self {
        case .crypt(let text): text
        case .scram(let verifier): verifier.text
        case .locked: "!"
        }
    }

    /// `nil` if it cannot be loaded.
    private static let library: ccrypt? = {
        withUnsafeTemporaryAllocation(of: ccrypt.self, capacity: 1) { functions in
            ccrypt_load(functions.baseAddress!) == 0 ? functions[0] : nil
        }
    }()

    /// Whether crypt(3) of this machine can say who has the password.
    private static func isKnown(setting: String) -> Bool {
        guard let status = library?.check(setting) else { return false }
        return status == CRYPT_SALT_OK || status == CRYPT_SALT_METHOD_LEGACY || status == CRYPT_SALT_TOO_CHEAP
    }

    /// Takes as long as whoever made the hash wanted it to.
    public func matches(_ password: Secret) -> Bool {
        switch self {
        case .crypt(let setting):
            Self.hash(password, setting: setting).map { Secret($0).matches(Secret(Array(setting.utf8))) } ?? false
        case .scram(let verifier): verifier.matches(password)
        case .locked: false
        }
    }

    /// crypt(3); `nil` if it fails.
    private static func hash(_ password: Secret, setting: String) -> [UInt8]? {
        // Its memory has held the password.
        var memory: UnsafeMutableRawPointer?
        var size: Int32 = 0
        defer {
            if let memory {
                explicit_bzero(memory, Int(size))
                free(memory)
            }
        }
        guard let library else { return nil }
        return password.withCString { text in
            library.hash(text, setting, &memory, &size).map { Array(String(cString: $0).utf8) }
        }
    }

    // MARK: - New ones

    /// yescrypt, at the cost that this machine's crypt(3) recommends. `nil` if the password is longer than crypt(3) takes.
    public static func yescrypt(_ password: Secret) -> StoredPassword? {
        guard let salt = library?.salt("$y$", 0, nil, 0) else { return nil }
        defer { free(salt) }
        return hash(password, setting: String(cString: salt)).map { .crypt(String(decoding: $0, as: UTF8.self)) }
    }

    /// For SCRAM-SHA-256.
    public static func scram(_ password: Secret, iterations: Int) -> StoredPassword {
        var random = SystemRandomNumberGenerator()
        let salt = (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        return .scram(SCRAMVerifier(password: password, salt: salt, iterations: iterations))
    }
}
