import Glibc
import Logging
import MailStore
import SystemPackage

/// Opens the Maildir of whoever has logged in.
public struct MaildirProvider: MailStoreProvider {
    /// Where a user's Maildir is: `~/` at the beginning and `%h` are the home directory, `%u` the user's name, `%d` what
    /// follows its last @, `%%` a percent sign.
    public let path: String
    /// Between the levels of a mailbox name: "." or "/".
    public let separator: Character
    /// How long expunged messages are kept, in seconds; 0 for not at all.
    public let expungeDelay: Int64
    /// As `MaildirStore` wants it.
    public let networkPoll: Int32
    public let logger: Logger

    public init(
        path: String = "~/Maildir", separator: Character = ".", expungeDelay: Int64 = 0, networkPoll: Int32 = 15, logger: Logger
    ) {
        precondition(separator == "." || separator == "/", "a separator is . or /")
        self.path = path
        self.separator = separator
        self.expungeDelay = expungeDelay
        self.networkPoll = networkPoll
        self.logger = logger
    }

    public func openStore(user: String, home: String?) throws(StoreError) -> any MailStore {
        let path = try expand(user: user, home: home)
        var logger = logger
        logger[metadataKey: "user"] = "\(user)"
        return try MaildirStore(
            path: path, separator: separator, expungeDelay: expungeDelay, networkPoll: networkPoll, logger: logger)
    }

    /// The Maildir, and mailboxes that are elsewhere because what the Maildir has is a symbolic link to them. Those that are
    /// linked to later count from the next login on.
    public func directories(user: String, home: String?) throws(StoreError) -> [FileDescriptor] {
        let maildir = try MaildirStore.openMaildir(expand(user: user, home: home))
        var links: [[UInt8]] = []
        let isRead = forEachName(in: maildir, hidden: true) { name, type in
            // A symbolic link, or of unknown kind.
            if type == 10 || type == 0 { links.append(Array(name)) }
        }
        guard isRead else { throw failure("reading the Maildir") }
        var directories: [FileDescriptor] = []
        for name in links {
            guard maildir.status(name)?.isSymbolicLink == true,
                  // A link to a home or to / is no mailbox, and would open too much.
                  Self.ownDirectories.contains(name) || maildir.hasDirectory(name + Array("/cur".utf8)),
                  let target = maildir.open(name, O_RDONLY | O_DIRECTORY)
            else { continue }
            directories.append(FileDescriptor(rawValue: target.release()))
        }
        return [FileDescriptor(rawValue: maildir.release())] + directories
    }

    /// INBOX's own.
    private static let ownDirectories = ["cur", "new", "tmp"].map { Array($0.utf8) }

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
            case "d":
                guard let at = user.lastIndex(of: "@"), case let domain = String(user[user.index(after: at)...]),
                      Self.isSafe(domain) else {
                    throw .notPermitted(reason: "the user's name has no domain, which the Maildir path asks for")
                }
                result += domain
            case "%": result.append("%")
            default: throw .notPermitted(reason: "the Maildir path has a % that is none of %u, %h, %d, %%")
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
