import Daemon
import Glibc

/// An older kernel: these calls are not there.
func runWithout(_ calls: [Int32], _ command: [String]) -> Never {
    SystemCallFilter(
        rules: calls.map { SystemCallFilter.Rule(call: $0, verdict: .refuse(ENOSYS), reason: "not there yet") },
        otherwise: .allow
    ).install()
    var arguments = command.map { strdup($0) } + [nil]
    execv(command[0], &arguments)
    exit(71)
}
