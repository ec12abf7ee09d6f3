import CEscape
import Daemon
import Glibc
import Privilege

/// A role to be entered, and who and what is around it.
struct Scene {
    let household: Household
    let account: Account
    let isGate: Bool
    /// Another user's message, and the private key.
    let mail: String
    let key: String
    /// Processes to be harmed: root's, and one of the same account as the role.
    let root: pid_t
    let fellow: pid_t

    init?(_ role: String, walls: String, user: String, mail: String, key: String) {
        guard role == "gate" || role == "session", walls == "all" || walls == "second" else { return nil }
        var settings = Settings()
        settings.controlSocket = "none"
        settings.fork = true
        settings.hosts = ["127.0.0.1"]
        settings.port = 0
        settings.sandbox = .best
        do throws(StartErrors) {
            let preparation = try Preparation(settings)
            guard let gateAccount = preparation.gateAccount, let user = try? Account(named: user) else { return nil }
            let household = try Household(preparation, gateAccount: gateAccount)
            if walls == "second" { household.sandbox = Sandbox(.best, canFilter: false) }
            self.household = household
            account = role == "gate" ? gateAccount : user
        } catch {
            for error in error.errors { print(error.line) }
            return nil
        }
        (isGate, self.mail, self.key) = (role == "gate", mail, key)
        root = Self.bystander(nil)
        fellow = Self.bystander(account)
    }

    private static func bystander(_ account: Account?) -> pid_t {
        var ready: [Int32] = [-1, -1]
        guard pipe(&ready) == 0 else { exit(71) }
        let child = fork()
        if child == 0 {
            if let account { becomeForGood(account) } else { AbstractSocket.listen() }
            close(ready[1])
            while true { pause() }
        }
        // Its end of the pipe is closed when it is who it is to be.
        close(ready[1])
        var byte: UInt8 = 0
        _ = read(ready[0], &byte, 1)
        close(ready[0])
        return child
    }

    func play() {
        for attempt in Attempt.all(for: self) {
            let child = fork()
            if child == 0 {
                enter()
                errno = 0
                let result = attempt.make()
                _exit(result < 0 ? errno : 0)
            }
            var status: Int32 = 0
            waitpid(child, &status, 0)
            show(attempt.name, ProcessEnd(status: status))
            if kill(root, 0) != 0 || kill(fellow, 0) != 0 { show("a bystander is dead", .exited(0)) }
        }
        kill(root, SIGKILL)
        kill(fellow, SIGKILL)
    }

    /// As the role itself does.
    private func enter() {
        if isGate {
            enterGate(keeping: channel(), monitor: getppid(), household)
        } else {
            guard (try? enterSession(account, line: channel(), household)) != nil else { _exit(255) }
        }
    }

    private func channel() -> Int32 {
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else { _exit(255) }
        return ends[0]
    }

    private func show(_ name: String, _ end: ProcessEnd) {
        let outcome = switch end {
        case .exited(0): "done"
        case .exited(let error): cescape_error_name(error).map { String(cString: $0) } ?? "\(error)"
        case .killed(let signal): ProcessEnd.name(of: signal)
        }
        var line = Array("\(name): \(outcome)\n".utf8)
        _ = line.withUnsafeMutableBytes { write(1, $0.baseAddress, $0.count) }
    }
}

/// A Unix socket with a name outside of the file system, made from its owner's process id.
enum AbstractSocket {
    static func listen() {
        let socket = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard withAddress(of: getpid(), { Glibc.bind(socket, $0, $1) }) == 0, Glibc.listen(socket, 100) == 0 else { exit(71) }
    }

    static func withAddress(of process: pid_t, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let name = Array("\0imapd-escape-\(process)".utf8)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        return withUnsafeBytes(of: &address) {
            body($0.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t(2 + name.count))
        }
    }
}
