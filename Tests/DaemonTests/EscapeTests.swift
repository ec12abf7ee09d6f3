import CLinux
import Foundation
import Glibc
import TestSupport
import Testing

/// What somebody who has taken over a gate or a session can do: `escape` enters the role as imapd does, and tries.
@Suite(.enabled(if: isRoot, needsRoot))
struct EscapeTests {
    /// What becomes of an attempt.
    private struct Row {
        var attempt: String
        var gate: String
        /// Without filters of system calls, by what is behind them; `nil` where nothing need be.
        var gateBehind: String?
        var session: String
        var sessionBehind: String?
        /// The version of Landlock that it takes to stop a session without filters.
        var landlock: Int32

        init(_ attempt: String, _ gate: String, _ gateBehind: String?, _ session: String, _ sessionBehind: String?, landlock: Int32 = 2) {
            (self.attempt, self.gate, self.gateBehind) = (attempt, gate, gateBehind)
            (self.session, self.sessionBehind, self.landlock) = (session, sessionBehind, landlock)
        }
    }

    private static let table = [
        // A gate's root directory is empty, and not its own. Landlock shows a session its mail and charsets.
        Row("read /etc/passwd", "SIGSYS", "EACCES", "EACCES", "EACCES"),
        Row("read /etc/shadow", "SIGSYS", "EACCES", "EACCES", "EACCES"),
        Row("read the private key", "SIGSYS", "EACCES", "EACCES", "EACCES"),
        Row("read another's mail", "SIGSYS", "EACCES", "EACCES", "EACCES"),
        Row("read its own memory as a file", "SIGSYS", "EACCES", "EACCES", "EACCES"),
        Row("read root's memory", "SIGSYS", "EACCES", "EACCES", "EACCES"),
        Row("read its fellow's memory", "SIGSYS", "EACCES", "EACCES", "EACCES"),
        Row("read its own file outside of the mail", "SIGSYS", "EACCES", "EACCES", "EACCES"),
        Row("read its own mail", "SIGSYS", "EACCES", "done", "done"),
        Row("read the code of charsets", "SIGSYS", "EACCES", "done", "done"),
        Row("list the root directory", "SIGSYS", "EACCES", "EACCES", "EACCES"),
        Row("list /proc", "SIGSYS", "EACCES", "EACCES", "EACCES"),
        Row("list its home", "SIGSYS", "EACCES", "EACCES", "EACCES"),
        Row("list the directory above", "SIGSYS", "EACCES", "EACCES", "EACCES"),
        Row("write its own file outside of the mail", "SIGSYS", "EACCES", "EACCES", "EACCES"),
        Row("make a file in its home", "SIGSYS", "EACCES", "EACCES", "EACCES"),
        Row("make a file in /tmp", "SIGSYS", "EACCES", "EACCES", "EACCES"),
        Row("make a file in its mail", "SIGSYS", "EACCES", "done", "done"),
        Row("make a file where charsets are", "SIGSYS", "EACCES", "EACCES", "EACCES"),
        Row("truncate its own file outside of the mail", "SIGSYS", "EACCES", "SIGSYS", "EACCES", landlock: 3),
        Row("move a file from its mail to its home", "SIGSYS", "EACCES", "EACCES", "EACCES"),
        Row("move a file from its home to its mail", "SIGSYS", "EACCES", "EACCES", "EACCES"),
        Row("link a file of its home into its mail", "SIGSYS", "EACCES", "EXDEV", "EXDEV"),
        Row("make a symbolic link in its mail", "SIGSYS", "EACCES", "SIGSYS", "EACCES"),
        Row("make a pipe in its mail", "SIGSYS", "EACCES", "SIGSYS", "EACCES"),
        Row("remove a file from its home", "SIGSYS", "EACCES", "EACCES", "EACCES"),
        Row("change a file's mode", "SIGSYS", "EACCES", "SIGSYS", nil),
        Row("go to another directory", "SIGSYS", "EACCES", "SIGSYS", nil),
        Row("open a file by its handle", "SIGSYS", "EPERM", "SIGSYS", "EPERM"),

        // Nobody is dumpable; a gate may signal other gates only as long as there is no filter.
        Row("signal root's process", "SIGSYS", "EPERM", "SIGSYS", "EPERM"),
        Row("signal its fellow", "SIGSYS", nil, "SIGSYS", "EPERM", landlock: 6),
        Row("trace its fellow", "SIGSYS", "EPERM", "SIGSYS", "EPERM"),
        Row("read its fellow's memory by a call", "SIGSYS", "EPERM", "SIGSYS", "EPERM"),
        Row("take a descriptor of its fellow", "SIGSYS", "EPERM", "SIGSYS", "EPERM"),
        Row("fork", "SIGSYS", "EAGAIN", "SIGSYS", "EAGAIN"),
        Row("fork and share descriptors", "SIGSYS", "EAGAIN", "SIGSYS", "EAGAIN"),
        Row("fork by clone3", "SIGSYS", "EAGAIN", "ENOSYS", "EAGAIN"),
        // A session has several readers, if a filter sees to it that these are no processes.
        Row("begin a thread", "SIGSYS", "EAGAIN", "done", "EAGAIN"),
        Row("run a shell", "SIGSYS", "EACCES", "SIGSYS", "EAGAIN"),
        Row("run a program from memory", "SIGSYS", nil, "SIGSYS", "EAGAIN"),
        Row("map memory to write and run", "SIGSYS", nil, "SIGSYS", nil),
        Row("map memory, write, and make it run", "SIGSYS", nil, "SIGSYS", nil),

        Row("connect by TCP", "SIGSYS", nil, "SIGSYS", "EACCES", landlock: 4),
        Row("listen on TCP", "SIGSYS", nil, "SIGSYS", "EACCES", landlock: 4),
        Row("make a raw socket", "SIGSYS", "EPERM", "SIGSYS", "EPERM"),
        Row("ask the kernel by netlink", "SIGSYS", nil, "SIGSYS", nil),
        Row("connect to an abstract socket", "SIGSYS", nil, "SIGSYS", "EPERM", landlock: 6),

        Row("become root", "SIGSYS", "EPERM", "SIGSYS", "EPERM"),
        Row("become root by all ids", "SIGSYS", "EPERM", "SIGSYS", "EPERM"),
        Row("get root's group", "SIGSYS", "EPERM", "SIGSYS", "EPERM"),
        Row("get more groups", "SIGSYS", "EPERM", "SIGSYS", "EPERM"),
        Row("get capabilities", "SIGSYS", "EPERM", "SIGSYS", "EPERM"),
        Row("change the root directory", "SIGSYS", "EACCES", "SIGSYS", "EPERM"),
        Row("mount", "SIGSYS", "EPERM", "SIGSYS", "EPERM"),
        Row("get a name space of its own", "SIGSYS", "EPERM", "SIGSYS", nil),
        Row("have more processes", "SIGSYS", "EPERM", "SIGSYS", "EPERM"),
        Row("be debugged", "SIGSYS", nil, "SIGSYS", nil),

        Row("io_uring", "SIGSYS", nil, "SIGSYS", nil),
        Row("userfaultfd", "SIGSYS", nil, "SIGSYS", nil),
        Row("bpf", "SIGSYS", nil, "SIGSYS", nil),
        Row("perf_event_open", "SIGSYS", nil, "SIGSYS", nil),
        Row("keyrings", "SIGSYS", nil, "SIGSYS", nil),
        Row("load a module", "SIGSYS", nil, "SIGSYS", nil),
        Row("set the clock", "SIGSYS", "EPERM", "SIGSYS", "EPERM"),
        Row("reboot", "SIGSYS", "EPERM", "SIGSYS", "EPERM"),
        Row("read the kernel's log", "SIGSYS", nil, "SIGSYS", nil),
        Row("control a device", "SIGSYS", nil, "SIGSYS", nil),
    ]

    @Test("is stopped by filters and Landlock", .enabled(if: hasSandbox, needsSandbox), arguments: ["gate", "session"])
    func allWalls(role: String) async throws {
        try await expect(role, "all") { role == "gate" ? $0.gate : $0.session }
    }

    @Test("is stopped without filters too, wherever something stands behind them", arguments: ["gate", "session"])
    func secondWall(role: String) async throws {
        let version = clinux_landlock_version()
        try await expect(role, "second") {
            role == "gate" ? $0.gateBehind : version >= $0.landlock ? $0.sessionBehind : nil
        }
    }

    private func expect(_ role: String, _ walls: String, outcome: (Row) -> String?) async throws {
        let user = try await SystemUser(), other = try await SystemUser()
        for owner in [user, other] {
            try owner.makeFile("private")
            try owner.makeFile("Maildir/imapd.lock")
        }
        let certificate = try await Certificate()
        let found = try await Program.beside("escape").run([role, walls, user.name, "\(other.home)/Maildir/imapd.lock", certificate.key])
        _ = certificate
        #expect(found.status == 0)
        let outcomes = found.output.split(separator: "\n").map { $0.split(separator: ": ", maxSplits: 1).map(String.init) }
        #expect(outcomes.map(\.first) == Self.table.map(\.attempt), "\(found)")
        for (row, line) in zip(Self.table, outcomes) {
            guard let expected = outcome(row) else { continue }
            #expect(line.last == expected, "\(role), \(walls): \(row.attempt)")
        }
    }
}

let hasSandbox = clinux_seccomp_can_kill_process() == 0 && clinux_landlock_version() >= 2
let needsSandbox: Comment = "this kernel lacks seccomp or Landlock"
