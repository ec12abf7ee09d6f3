import Glibc
import Logging
import MailStore
import SystemPackage

/// Opens the Maildir of whoever has logged in.
public struct MaildirProvider: MailStoreProvider {
    /// Where a user's Maildir is: `~/` at the beginning and `%h` are the home directory, `%u` the user's name, `%%` a percent
    /// sign.
    public let path: String
    /// Between the levels of a mailbox name: "." or "/".
    public let separator: Character
    public let logger: Logger

    public init(path: String = "~/Maildir", separator: Character = ".", logger: Logger) {
        precondition(separator == "." || separator == "/", "a separator is . or /")
        self.path = path
        self.separator = separator
        self.logger = logger
    }

    public func openStore(user: String, home: String?) throws(StoreError) -> any MailStore {
        let path = try expand(user: user, home: home)
        var logger = logger
        logger[metadataKey: "user"] = "\(user)"
        return try MaildirStore(path: path, separator: separator, logger: logger)
    }

    /// The path for one user. Throws `.notPermitted` for a name that could lead elsewhere.
    public func expand(user: String, home: String?) throws(StoreError) -> String {
        guard Self.isSafe(user) else { throw .notPermitted(reason: "the user name cannot be part of a path") }
        var result = ""
        var rest = path[...]
        func homeDirectory() throws(StoreError) -> String {
            guard let home, home.hasPrefix("/") else { throw .notPermitted(reason: "the user has no home directory") }
            return home
        }
        if rest == "~" || rest.hasPrefix("~/") {
            result = try homeDirectory()
            rest = rest.dropFirst()
        }
        while let character = rest.popFirst() {
            guard character == "%" else {
                result.append(character)
                continue
            }
            switch rest.popFirst() {
            case "u": result += user
            case "h": result += try homeDirectory()
            case "%": result.append("%")
            default: throw .notPermitted(reason: "the Maildir path has a % that is none of %u, %h, %%")
            }
        }
        return result
    }

    /// Whether a name can be a path's component: not empty, not hidden, without slash and control characters.
    static func isSafe(_ user: String) -> Bool {
        !user.isEmpty && user.utf8.count <= 255 && user.utf8.first != UInt8(ascii: ".")
            && !user.utf8.contains { $0 < 0x20 || $0 == 0x7F || $0 == UInt8(ascii: "/") }
    }
}
