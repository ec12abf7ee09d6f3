import ArgumentParser
import Glibc
import Maildir
import MailStore
import Privilege

/// Runs imapctl anew for every user of the system who has a Maildir: a process that has become one user can become no other.
struct EveryUser {
    let maildirPath: String

    /// Returns the worst of their exit statuses.
    func run(arguments: [String], isQuiet: Bool) throws -> ExitCode {
        guard geteuid() == 0 else {
            Output.error("--all needs root")
            throw Outcome.failed
        }
        var worst: Int32 = 0
        for (user, path) in accounts() {
            if !isQuiet, !arguments.contains("--json") { Output.line("\(user) (\(Output.safe(path))):") }
            worst = max(worst, Self.run(arguments + ["--user", user]))
        }
        return ExitCode(worst)
    }

    /// Users with a Maildir, by name; root, whom nobody serves, is none of them.
    private func accounts() -> [(user: String, path: String)] {
        let provider = MaildirProvider(path: maildirPath, logger: quietLogger)
        var found: [(String, String)] = []
        setpwent()
        defer { endpwent() }
        while let entry = getpwent()?.pointee {
            let name = String(cString: entry.pw_name)
            guard entry.pw_uid != 0,
                  let path = try? provider.expand(user: name, home: String(cString: entry.pw_dir)) else { continue }
            var status = stat()
            if stat(path + "/cur", &status) == 0, !found.contains(where: { $0.0 == name }) { found.append((name, path)) }
        }
        return found.sorted { $0.0 < $1.0 }
    }

    /// Standard streams are shared, so that lines come out in order.
    private static func run(_ arguments: [String]) -> Int32 {
        var words: [UnsafeMutablePointer<CChar>?] = (["imapctl"] + arguments).map { strdup($0) }
        words.append(nil)
        defer { for word in words { free(word) } }
        var child: pid_t = 0
        guard posix_spawn(&child, "/proc/self/exe", nil, nil, words, environ) == 0 else { return Outcome.failed.rawValue }
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0 { guard errno == EINTR else { return Outcome.failed.rawValue } }
        return status & 0x7F == 0 ? status >> 8 & 0xFF : Outcome.failed.rawValue
    }
}
