import CLinux
import Glibc
import SystemPackage

/// How much a process must be held to: what `--sandbox` says.
public enum SandboxPolicy: String, Sendable, CaseIterable {
    /// All of it, or imapd does not start.
    case required
    /// As much as the kernel can, and a warning for what it cannot.
    case best
    case off
}

/// What holds gates and sessions to their business even when somebody else has taken them over: system-call filters and
/// Landlock, as far as this kernel has them. Found out once, at start.
package struct Sandbox: Sendable {
    let filtersSystemCalls: Bool
    let landlock: Landlock?
    /// What this kernel lacks, and what that means.
    let missing: [String]
    /// The directory that glibc loads the code of charsets from, beside the library itself.
    nonisolated(unsafe) private static let charsets = findCharsets()
    /// Made once, for all: see `SystemCallFilter.StandIn`. As the path before, they are no objects of Swift's, to which each
    /// process would count a reference.
    nonisolated(unsafe) private static let gateProgram = SystemCallFilter.gate(process: SystemCallFilter.StandIn.process).lasting
    nonisolated(unsafe) private static let sessionProgram = SystemCallFilter.session(
        process: SystemCallFilter.StandIn.process, line: SystemCallFilter.StandIn.line, log: SystemCallFilter.StandIn.log
    ).lasting

    package init(
        _ policy: SandboxPolicy, canFilter: Bool = clinux_seccomp_can_kill_process() == 0, landlock: Landlock? = Landlock()
    ) {
        guard policy != .off else {
            (filtersSystemCalls, self.landlock, missing) = (false, nil, [])
            return
        }
        filtersSystemCalls = canFilter
        self.landlock = landlock
        var missing: [String] = []
        if !canFilter { missing.append("no filters of system calls (seccomp, Linux 4.14): gates and sessions can make any call") }
        if landlock == nil { missing.append("no Landlock (Linux 5.19): sessions can read all that their users can") }
        self.missing = missing
    }

    /// Makes what the roles will hold themselves to, and lets it go: see `rehearse(_:)`.
    func rehearse(_ directory: FileDescriptor) {
        precondition(!Self.gateProgram.isEmpty && !Self.sessionProgram.isEmpty)
        if let landlock { _ = ruleset(landlock, for: [directory]) }
    }

    /// For a gate that has given up all else.
    func confineGate() {
        if filtersSystemCalls { SystemCallFilter.install(Self.gateProgram) }
    }

    /// For the user's process, before it looks at mail.
    /// - Parameters:
    ///   - directories: where the mail is, open; they are closed.
    ///   - line: the socket to the listener.
    ///   - log: the socket of the log, if it is one.
    func confineSession(to directories: [FileDescriptor], line: Int32, log: Int32?) {
        if let landlock { ruleset(landlock, for: directories).enforce() }
        for directory in directories { close(directory.rawValue) }
        if filtersSystemCalls { SystemCallFilter.install(Self.sessionProgram, line: line, log: log ?? -1) }
    }

    /// What a session may do beneath which directories.
    private func ruleset(_ landlock: Landlock, for directories: [FileDescriptor]) -> Landlock.Ruleset {
        let ruleset = landlock.ruleset()
        for directory in directories { ruleset.allow(.mail, beneath: directory.rawValue) }
        guard let charsets = Self.charsets else { return ruleset }
        let descriptor = open(charsets, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return ruleset }
        ruleset.allow(.read, beneath: descriptor)
        close(descriptor)
        return ruleset
    }

    private static func findCharsets() -> UnsafePointer<CChar>? {
        guard let library = clinux_c_library() else { return nil }
        let path = String(cString: library)
        return path.lastIndex(of: "/").map { UnsafePointer(strdup(path[...$0] + "gconv")) }
    }
}
