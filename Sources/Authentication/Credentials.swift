/// Who a client says it is, and how it proves that.
public struct Credentials {
    /// UTF-8 without NUL, 1 to 255 bytes.
    public let user: String
    /// Without NUL, up to 1024 bytes.
    public let password: Secret

    public static let longestUser = 255
    public static let longestPassword = 1024

    /// `nil` if one of them cannot be a user's name or a password here: whoever sent them is told no more than that
    /// they are wrong.
    public init?(user: some Collection<UInt8>, password: Secret) {
        guard (1...Self.longestUser).contains(user.count), password.count <= Self.longestPassword,
              user.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }),
              password.withBytes({ !$0.contains(0) }),
              let name = String(validating: user, as: UTF8.self)
        else { return nil }
        self.user = name
        self.password = password
    }
}
