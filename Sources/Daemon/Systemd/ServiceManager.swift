import Glibc
import Transport

/// Who started us and wants to know how we are: the protocol of sd_notify(3) and of its watchdog, over a datagram socket.
///
/// Without such a manager nothing is said.
package struct ServiceManager {
    private let socket: Int32?
    /// How often it wants to hear of us; `nil` if it does not. Half of the time after which it takes us for dead.
    let watchdogInterval: Duration?
    /// What was in the environment, for another program in this process.
    let variables: [String]

    /// Takes what concerns it out of the environment: children, and what PAM's modules start, are not meant.
    package static func takeFromEnvironment() -> ServiceManager {
        let names: [String] = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "JOURNAL_STREAM"]
        let variables = names.compactMap { name -> String? in getenv(name).map { "\(name)=" + String(cString: $0) } }
        let path = take("NOTIFY_SOCKET")
        let microseconds = take("WATCHDOG_USEC").flatMap { Int64($0) } ?? 0
        let process = take("WATCHDOG_PID").flatMap { pid_t($0) }
        let socket = path.flatMap { connect($0) }
        let isWatched = socket != nil && microseconds > 0 && (process == nil || process == getpid())
        return ServiceManager(socket: socket, watchdogInterval: isWatched ? .microseconds(microseconds / 2) : nil,
                              variables: variables)
    }

    /// We serve, from now on or again.
    func ready(status: String) {
        say("READY=1\nMAINPID=\(getpid())\nSTATUS=\(status)")
    }

    /// Settings are being read again; `ready` tells that this is over.
    func reloading(status: String = "Reading settings") {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        say("RELOADING=1\nMONOTONIC_USEC=\(Int64(now.tv_sec) * 1_000_000 + Int64(now.tv_nsec) / 1000)\nSTATUS=\(status)")
    }

    func stopping() {
        say("STOPPING=1\nSTATUS=Saying goodbye to clients")
    }

    func alive(status: String) {
        say("WATCHDOG=1\nSTATUS=\(status)")
    }

    private func say(_ message: String) {
        guard let socket else { return }
        let bytes = Array(message.utf8)
        // A manager that does not listen now will ask again, or not: nothing here depends on it.
        _ = send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
    }

    private static func take(_ name: String) -> String? {
        guard let value = getenv(name) else { return nil }
        defer { unsetenv(name) }
        return String(cString: value)
    }

    /// A path, or, after "@", a name in the kernel's abstract namespace.
    private static func connect(_ path: String) -> Int32? {
        guard path.utf8.count > 1, path.hasPrefix("/") || path.hasPrefix("@"), let address = UnixAddress(path) else { return nil }
        let descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        guard address.connect(descriptor) else {
            close(descriptor)
            return nil
        }
        return descriptor
    }
}
