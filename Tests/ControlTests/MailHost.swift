import Foundation
import Glibc
import TestSupport
import Testing

/// One Maildir, and those who serve it in turn: another server of the machine, and imapd.
final class MailHost: Sendable {
    enum Other: String, CaseIterable, Sendable {
        case dovecot = "Dovecot", courier = "Courier"

        var name: String { rawValue.lowercased() }
    }

    /// How a client reaches a server.
    struct Access: Encodable {
        var command: String?
        var port: Int?
        var user: String?
        var password: String?
        /// Under which mailboxes are shown.
        var prefix = ""
    }

    let other: Other
    let directory: TemporaryDirectory
    private let program: String
    private let libraries: String
    var maildir: String { directory.path("Maildir") }
    var near: String { directory.path("near") }

    /// A server that this machine cannot get now.
    struct Unavailable: Error { let description: String }

    static let nobody: uid_t = 65534

    init(_ other: Other) async throws {
        self.other = other
        directory = try TemporaryDirectory()
        switch other {
        case .dovecot:
            program = "/usr/lib/dovecot/imap"
            libraries = ""
            guard FileManager.default.isExecutableFile(atPath: program) else {
                throw Program.Missing(
                    description: "Dovecot is not installed: apt-get install dovecot-imapd, or the test line of README.md")
            }
        case .courier:
            let root = try await Courier.shared.root()
            program = root + "/usr/bin/imapd"
            let places = try FileManager.default.contentsOfDirectory(atPath: root + "/usr/lib")
                .filter { $0.hasSuffix("-linux-gnu") }
            libraries = (["/usr/lib"] + places.map { "/usr/lib/" + $0 }).map { root + $0 }.joined(separator: ":")
        }
        for part in ["Maildir/cur", "Maildir/new", "Maildir/tmp", "near"] {
            try FileManager.default.createDirectory(atPath: directory.path(part), withIntermediateDirectories: true)
        }
        if other == .dovecot {
            var lines = [
                "base_dir = \(directory.path("run"))", "mail_location = maildir:\(maildir)", "protocols = imap", "ssl = no",
                "first_valid_uid = 1", "first_valid_gid = 1",
            ]
            // It does not serve root.
            if getuid() == 0 { lines += ["mail_uid = \(Self.nobody)", "mail_gid = \(Self.nobody)"] }
            try Data((lines.joined(separator: "\n") + "\n").utf8)
                .write(to: URL(fileURLWithPath: directory.path("dovecot.conf")))
        }
        if getuid() == 0 { chown(directory.url.path, Self.nobody, Self.nobody) }
        own()
    }

    /// Gives everything in the Maildir to whom the other server runs as.
    func own() {
        guard getuid() == 0, other == .dovecot else { return }
        for path in [""] + ((try? FileManager.default.subpathsOfDirectory(atPath: maildir)) ?? []) {
            lchown(maildir + "/" + path, Self.nobody, Self.nobody)
        }
    }

    /// The other server, as a process that knows its user.
    var access: Access {
        switch other {
        case .dovecot:
            // With a socket for its output it believes that inetd has started it.
            Access(command: "env -i USER=me PATH=/usr/bin:/bin "
                   + "\(program) -c \(directory.path("dovecot.conf")) 2>/dev/null | cat")
        case .courier:
            Access(command: "cd \(directory.url.path) && exec env -i "
                   + "PATH=/usr/bin:/bin HOME=\(directory.url.path) MAILDIR=Maildir "
                   + "LD_LIBRARY_PATH=\(libraries) AUTHENTICATED=me AUTHADDR=me IMAP_KEYWORDS=1 "
                   + "IMAP_CAPABILITY='IMAP4rev1 UIDPLUS CHILDREN NAMESPACE' \(program) Maildir 2>/dev/null", prefix: "INBOX.")
        }
    }

    /// Serves the same with imapd under the same names, as long as `body` runs.
    func withImapd<R>(_ body: (Access) async throws -> R) async throws -> R {
        let daemon = try RunningDaemon([
            "-s", "maildir", "--maildir-path", maildir, "-h", "127.0.0.1", "-p", "0", "--user", "me:secret",
            "--allow-plaintext-login",
        ] + (access.prefix.isEmpty ? [] : ["--namespace-prefix", access.prefix]))
        let result = try await body(Access(port: daemon.port(), user: "me", password: "secret", prefix: access.prefix))
        await daemon.stop()
        own()
        return result
    }

    // MARK: Clients

    @discardableResult
    func client(_ access: Access, _ action: String, _ file: String? = nil) async throws -> Data {
        let script = Bundle.module.bundleURL.appendingPathComponent("Scripts/client.py").path
        let server = String(decoding: try JSONEncoder().encode(access), as: UTF8.self)
        let outcome = try await Program("python3", package: "python3").run(
            ["-B", script, server, action] + (file.map { [$0] } ?? []), in: directory.url)
        guard outcome.status == 0 else { throw Failed(outcome: outcome) }
        return outcome.standardOutput
    }

    struct Failed: Error { let outcome: Program.Outcome }

    /// Everything that a client keeps of an account.
    struct View: Codable, Equatable {
        struct Mailbox: Codable, Equatable {
            let uidvalidity: UInt32, uidnext: UInt32
            let messages: [Message]
        }

        /// UID, flags and keywords, INTERNALDATE, RFC822.SIZE.
        struct Message: Codable, Equatable {
            let uid: UInt32, flags: String, date: Int64, size: UInt64

            init(from decoder: any Decoder) throws {
                var values = try decoder.unkeyedContainer()
                uid = try values.decode(UInt32.self)
                flags = try values.decode(String.self)
                date = try values.decode(Int64.self)
                size = try values.decode(UInt64.self)
            }

            func encode(to encoder: any Encoder) throws {
                var values = encoder.unkeyedContainer()
                try values.encode(uid)
                try values.encode(flags)
                try values.encode(date)
                try values.encode(size)
            }
        }

        let mailboxes: [String: Mailbox]
        let subscribed: [String]
        /// HIGHESTMODSEQ, which may be others' affair.
        let modseqs: [String: UInt64]
    }

    func view(_ access: Access) async throws -> View {
        try JSONDecoder().decode(View.self, from: try await client(access, "view"))
    }

    /// What a client with QRESYNC is told that has `view` from before: nothing, if all is well.
    func news(_ access: Access, since view: View) async throws -> String {
        let file = directory.path("known.json")
        try JSONEncoder().encode(view).write(to: URL(fileURLWithPath: file))
        return String(decoding: try await client(access, "resynchronise", file), as: UTF8.self)
    }

    /// Synchronises with mbsync, which keeps its state from one time to the next, and tells what it then has: names of files,
    /// which never change but for their flags, with what they hold.
    func synchronise(_ access: Access) async throws -> [String: Data] {
        let reach = access.command.map { "Tunnel \"\($0)\"" }
            ?? "Host 127.0.0.1\nPort \(access.port ?? 0)\nUser me\nPass secret\nSSLType None\nAuthMechs LOGIN"
        let configuration = """
            IMAPStore far
            \(reach)

            MaildirStore near
            Path \(near)/
            Inbox \(near)/INBOX
            SubFolders Verbatim

            Channel all
            Far :far:
            Near :near:
            Patterns *
            Create Near
            CopyArrivalDate yes
            SyncState *

            """
        try Data(configuration.utf8).write(to: URL(fileURLWithPath: directory.path("mbsyncrc")))
        let outcome = try await Program("mbsync", package: "isync").run(
            ["-V", "-c", directory.path("mbsyncrc"), "-a"], in: directory.url)
        guard outcome.status == 0 else { throw Failed(outcome: outcome) }
        var files: [String: Data] = [:]
        for path in try FileManager.default.subpathsOfDirectory(atPath: near)
        where path.contains("/cur/") || path.contains("/new/") {
            files[path] = try Data(contentsOf: URL(fileURLWithPath: near + "/" + path))
        }
        return files
    }

    func imapctl(_ arguments: String...) async throws -> Program.Outcome {
        own()
        let outcome = try await Program.imapctl.run(arguments + ["--maildir", maildir], in: directory.url)
        own()
        return outcome
    }

    // MARK: The disk

    func deliver(_ name: String, _ text: String, to folder: String = "") throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: maildir + "/\(folder)/new/\(name)"))
        own()
    }

    /// The files of the other server, and where messages are: names and bytes.
    func theirFiles() throws -> [String: Data] {
        var files: [String: Data] = [:]
        for path in try FileManager.default.subpathsOfDirectory(atPath: maildir) {
            let isOurs = path.split(separator: "/").contains { $0.hasPrefix("imapd.") }
            var status = stat()
            guard !isOurs, lstat(maildir + "/" + path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
            files[path] = try Data(contentsOf: URL(fileURLWithPath: maildir + "/" + path))
        }
        return files
    }
}

/// Courier-IMAP, unpacked once for all tests of this run.
private actor Courier {
    static let shared = Courier()
    private var task: Task<TemporaryDirectory, any Error>?

    func root() async throws -> String {
        if task == nil {
            task = Task {
                let directory = try TemporaryDirectory()
                chmod(directory.url.path, 0o755)
                let script = Bundle.module.bundleURL.appendingPathComponent("Scripts/fetch-courier").path
                let outcome = try await Program("sh", package: "dash").run([script, directory.url.path], in: directory.url)
                guard outcome.status == 0 else {
                    throw MailHost.Unavailable(description: "Courier cannot be had from Debian's archive: \(outcome)")
                }
                return directory
            }
        }
        guard let directory = try await task?.value else { throw MailHost.Unavailable(description: "Courier is not there") }
        return directory.url.path
    }
}
