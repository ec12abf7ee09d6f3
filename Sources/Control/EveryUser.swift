import ArgumentParser
import Daemon
import Glibc
import Maildir
import MailStore
import Privilege

/// Runs imapctl anew for every user who has a Maildir: a process that has become one user can become no other.
struct EveryUser {
    let options: AccountOptions

    /// Each says what it has to say. Returns the worst of their exit statuses.
    func run(_ command: String, _ arguments: [String], _ output: OutputOptions) throws -> ExitCode {
        var worst: Int32 = 0
        for (user, path) in try accounts() {
            if !output.quiet, !output.json { Output.line("\(user) (\(Output.safe(path))):") }
            worst = max(worst, Self.run(
                [command] + words(user, isQuiet: output.quiet, isJSON: output.json) + arguments))
        }
        return ExitCode(worst)
    }

    /// What each writes to standard output, as JSON.
    func collect(_ command: String) throws -> (outputs: [(user: String, text: [UInt8])], worst: ExitCode) {
        var worst: Int32 = 0
        var outputs: [(String, [UInt8])] = []
        for (user, _) in try accounts() {
            var text: [UInt8]? = []
            let status = Self.run([command] + words(user, isQuiet: true, isJSON: true), collecting: &text)
            worst = max(worst, status)
            if status == 0, let text { outputs.append((user, text)) }
        }
        return (outputs, ExitCode(worst))
    }

    private func words(_ user: String, isQuiet: Bool, isJSON: Bool) -> [String] {
        options.places + ["--user", user] + (isQuiet ? ["--quiet"] : []) + (isJSON ? ["--json"] : [])
    }

    /// Users with a Maildir, by name; root, whom nobody serves, is none of them.
    private func accounts() throws -> [(user: String, path: String)] {
        guard geteuid() == 0 else {
            Output.error("--all needs root")
            throw Outcome.failed
        }
        let settings: Settings, users: [(name: String, home: String)]
        do throws(ControlFailure) {
            settings = try options.settings().settings
            users = try UserList(settings).all()
        } catch {
            Output.error(error.description)
            throw Outcome.failed
        }
        let provider = MaildirProvider(path: settings.maildirPath, logger: quietLogger)
        return users.compactMap { user in
            guard let path = try? provider.expand(user: user.name, home: user.home) else { return nil }
            var status = stat()
            return stat(path + "/cur", &status) == 0 ? (user: user.name, path: path) : nil
        }
    }

    /// Standard streams are shared, so that lines come out in order; but for what is collected.
    private static func run(_ arguments: [String]) -> Int32 {
        var nothing: [UInt8]?
        return run(arguments, collecting: &nothing)
    }

    private static func run(_ arguments: [String], collecting text: inout [UInt8]?) -> Int32 {
        var words: [UnsafeMutablePointer<CChar>?] = (["imapctl"] + arguments).map { strdup($0) }
        words.append(nil)
        defer { for word in words { free(word) } }
        var ends: [Int32] = [-1, -1]
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if text != nil {
            guard pipe(&ends) == 0 else { return Outcome.failed.rawValue }
            for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
            posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        }
        var child: pid_t = 0
        let isStarted = posix_spawn(&child, "/proc/self/exe", &actions, nil, words, environ) == 0
        if text != nil {
            close(ends[1])
            defer { close(ends[0]) }
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            while isStarted {
                let count = read(ends[0], &buffer, buffer.count)
                if count < 0, errno == EINTR { continue }
                if count <= 0 { break }
                text?.append(contentsOf: buffer[..<count])
            }
        }
        guard isStarted else { return Outcome.failed.rawValue }
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0 { guard errno == EINTR else { return Outcome.failed.rawValue } }
        return status & 0x7F == 0 ? status >> 8 & 0xFF : Outcome.failed.rawValue
    }
}
