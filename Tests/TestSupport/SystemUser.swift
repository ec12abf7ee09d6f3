import Foundation
import Glibc

/// A real user of this machine, made for a test and removed after it. Needs root.
public final class SystemUser: Sendable {
    public enum State: Sendable {
        case usual
        /// The account's last day was long ago.
        case accountExpired
        /// The password must be changed before anything else.
        case passwordExpired
    }

    public let name: String
    public let password = "correct horse battery"
    public let uid: uid_t
    public let gid: gid_t
    /// Beside the user's own group.
    public let group: gid_t
    private let directory: TemporaryDirectory
    public var home: String { directory.path("home") }

    public init(_ state: State = .usual) async throws {
        directory = try TemporaryDirectory()
        // Others may pass, to a home of their own.
        chmod(directory.url.path, 0o711)
        name = "imapd-test-" + String(UInt32.random(in: .min ... .max), radix: 36)

        let hash = try await Program("openssl", package: "openssl").run(["passwd", "-6", password]).output
        var arguments = ["--create-home", "--home-dir", directory.path("home"), "--shell", "/usr/sbin/nologin",
                         "--user-group", "--groups", "mail", "--password", hash.trimmingCharacters(in: .newlines)]
        if state == .accountExpired { arguments += ["--expiredate", "2001-01-01"] }
        try await Self.edit("useradd", arguments + [name])
        if state == .passwordExpired { try await Self.edit("chage", ["--lastday", "0", name]) }

        guard let entry = getpwnam(name)?.pointee, let mail = getgrnam("mail")?.pointee else {
            throw Program.Missing(description: "useradd has made no user \(name)")
        }
        (uid, gid, group) = (entry.pw_uid, entry.pw_gid, mail.gr_gid)
    }

    deinit {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/sbin/userdel")
        process.arguments = [name]
        process.standardError = FileHandle.nullDevice
        try? process.run()
        process.waitUntilExit()
    }

    /// A file of the user's own in the home directory, made with the directories that it is in.
    @discardableResult
    public func makeFile(_ path: String, _ content: String = "") throws -> String {
        var directory = home
        for name in path.split(separator: "/").dropLast() {
            directory += "/\(name)"
            if mkdir(directory, 0o700) == 0 { chown(directory, uid, gid) }
        }
        try content.write(toFile: "\(home)/\(path)", atomically: false, encoding: .isoLatin1)
        chown("\(home)/\(path)", uid, gid)
        chmod("\(home)/\(path)", 0o600)
        return "\(home)/\(path)"
    }

    private static func edit(_ program: String, _ arguments: [String]) async throws {
        let outcome = try await edits.next { try await Program(program, package: "passwd").run(arguments) }
        guard outcome.status == 0 else { throw Program.Missing(description: "\(outcome)") }
    }

    /// One after the other: all but one would find /etc/passwd locked, and sleep.
    private static let edits = Queue()

    private actor Queue {
        private var last: Task<Program.Outcome, any Error>?

        func next(_ work: @escaping @Sendable () async throws -> Program.Outcome) async throws -> Program.Outcome {
            let task = Task { [last] in
                _ = await last?.result
                return try await work()
            }
            last = task
            return try await task.value
        }
    }
}

/// A directory of PAM's configuration in which there is one service, `imapd`.
public final class PAMConfiguration: Sendable {
    private let directory: TemporaryDirectory
    public var path: String { directory.url.path }

    /// - Parameter lines: of the service's file.
    public init(_ lines: [String]) throws {
        directory = try TemporaryDirectory()
        try (lines.joined(separator: "\n") + "\n").write(toFile: directory.path("imapd"), atomically: true, encoding: .utf8)
    }

    /// System users with their own passwords, as in /etc/pam.d of a plain Debian.
    public static func unix(first: [String] = []) throws -> PAMConfiguration {
        try PAMConfiguration(first + ["auth required pam_unix.so", "account required pam_unix.so", "session required pam_unix.so"])
    }

    /// Users and passwords from a list, whatever their passwords on this machine are.
    public static func list(_ accounts: [(user: String, password: String)]) throws -> PAMConfiguration {
        guard let module = try find("/usr/lib/*/pam_wrapper/pam_matrix.so") else {
            throw Program.Missing(description: "pam_matrix.so is not installed: apt-get install libpam-wrapper")
        }
        let configuration = try PAMConfiguration([])
        let passwords = configuration.directory.path("passwords")
        try accounts.map { "\($0.user):\($0.password):imapd\n" }.joined()
            .write(toFile: passwords, atomically: true, encoding: .utf8)
        try ["auth", "account"].map { "\($0) required \(module) passdb=\(passwords)\n" }.joined()
            .appending("session required pam_permit.so\n")
            .write(toFile: configuration.directory.path("imapd"), atomically: true, encoding: .utf8)
        return configuration
    }

    private static func find(_ pattern: String) throws -> String? {
        var found = glob_t()
        defer { globfree(&found) }
        guard glob(pattern, 0, nil, &found) == 0, found.gl_pathc > 0 else { return nil }
        return found.gl_pathv[0].map { String(cString: $0) }
    }
}
