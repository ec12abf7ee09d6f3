import Glibc
import Transport

/// Sockets that the service manager has opened for us, and keeps while we are restarted (sd_listen_fds(3)).
enum SocketActivation {
    /// The first descriptor that is handed over.
    private static let first: Int32 = 3

    /// The listeners that we were handed, if any. Their names tell whether TLS begins with the first byte: "imap" or "imaps".
    static func takeFromEnvironment(_ errors: inout [StartError]) -> [Listener] {
        defer { for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] { unsetenv(name) } }
        // They may be meant for somebody who started us.
        guard let process = value("LISTEN_PID"), pid_t(process) == getpid(),
              let count = value("LISTEN_FDS").flatMap({ Int32($0) }), count > 0, count <= 1000
        else { return [] }
        let names = (value("LISTEN_FDNAMES") ?? "").split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        var listeners: [Listener] = []
        for number in 0..<count {
            let name = Int(number) < names.count ? names[Int(number)] : ""
            guard let listener = Listener(adopting: first + number, implicitTLS: { usesTLS(name, port: $0) }) else {
                errors.append(.unavailable("the socket \"\(name)\" of the service manager is none that listens for connections"))
                continue
            }
            listeners.append(listener)
        }
        return listeners
    }

    /// A socket without a name of ours is what its port says.
    private static func usesTLS(_ name: String, port: UInt16) -> Bool {
        switch name {
        case "imaps": true
        case "imap": false
        default: port == 993
        }
    }

    private static func value(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}
