/// Exit statuses: those of sysexits.h, so that others' tools know what they mean.
public enum ExitStatus: Int32, CaseIterable, Sendable {
    case ended = 0
    case usage = 64
    case unavailable = 69
    case system = 71
    case noPermission = 77
    case configuration = 78

    var meaning: String {
        switch self {
        case .ended: "ended as asked: by SIGTERM or SIGINT, or after --help and the like; the settings are right"
        case .usage: "the command line is wrong"
        case .unavailable: "an address cannot be listened on"
        case .system: "the system refused something that should not fail"
        case .noPermission: "a right is missing: --fork and ports below 1024 need root"
        case .configuration: "the file with settings, or a file or an account that they name, is missing or wrong"
        }
    }
}

/// Why imapd does not start: one line that says what to do.
package struct StartError: Error, Equatable {
    var status: ExitStatus
    package var line: String

    static func usage(_ line: String) -> StartError { StartError(status: .usage, line: line) }
    static func configuration(_ line: String) -> StartError { StartError(status: .configuration, line: line) }
    static func noPermission(_ line: String) -> StartError { StartError(status: .noPermission, line: line) }
    static func unavailable(_ line: String) -> StartError { StartError(status: .unavailable, line: line) }
    static func system(_ line: String) -> StartError { StartError(status: .system, line: line) }
}
