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

    package init(_ policy: SandboxPolicy, canFilter: Bool = clinux_seccomp_can_kill_process() == 0, landlock: Landlock? = Landlock()) {
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

    /// Makes what the roles will hold themselves to, and lets it go: see `rehearse()`.
    func rehearse() {
        _ = Self.rules(for: [])
        if filtersSystemCalls {
            for filter in [SystemCallFilter.gate(), .session(line: 0, log: nil)] { _ = filter.program }
        }
    }

    /// For a gate that has given up all else.
    func confineGate() {
        if filtersSystemCalls { SystemCallFilter.gate().install() }
    }

    /// For the user's process, before it looks at mail.
    /// - Parameters:
    ///   - directories: where the mail is, open; they are closed.
    ///   - line: the socket to the listener.
    ///   - log: the socket of the log, if it is one.
    func confineSession(to directories: [FileDescriptor], line: Int32, log: Int32?) {
        if let landlock {
            var allowed = Self.rules(for: directories)
            let charsets = Self.openCharsets()
            if charsets >= 0 { allowed.append((charsets, .read)) }
            landlock.enforce(allowed)
            if charsets >= 0 { close(charsets) }
        }
        for directory in directories { close(directory.rawValue) }
        if filtersSystemCalls { SystemCallFilter.session(line: line, log: log).install() }
    }

    private static func rules(for directories: [FileDescriptor]) -> [(directory: Int32, access: Landlock.Access)] {
        directories.map { (directory: $0.rawValue, access: Landlock.Access.mail) }
    }

    /// The directory that glibc loads the code of charsets from, beside the library itself; -1 if there is none.
    private static func openCharsets() -> Int32 {
        guard let library = clinux_c_library() else { return -1 }
        let path = String(cString: library)
        guard let slash = path.lastIndex(of: "/") else { return -1 }
        return open(path[...slash] + "gconv", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    }
}
