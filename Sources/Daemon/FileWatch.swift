import Glibc
import Transport

/// Notices that files have been changed or replaced, by looking at them when it is asked, at most once a second.
struct FileWatch {
    private struct State: Equatable {
        var device: UInt
        var inode: UInt
        var size: Int
        /// In nanoseconds since 1970.
        var changed: Int64
    }

    private let paths: [String]
    /// `nil` for a file that is not there.
    private var known: [State?]
    private var pause = Deadline(after: .zero)

    /// Whoever writes several files, or one in several steps, is given this time, in nanoseconds.
    private static let settled: Int64 = 2_000_000_000

    init(_ paths: [String]) {
        self.paths = paths
        known = paths.map(Self.state)
    }

    /// Whether something has changed, and is not being written any more; the next answer is about what changes from now on.
    mutating func hasChanged() -> Bool {
        guard !paths.isEmpty, pause.milliseconds == 0 else { return false }
        pause = Deadline(after: .seconds(1))
        let states = paths.map(Self.state)
        guard states != known else { return false }
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let time = Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
        let isSettled = states.allSatisfy { state in
            guard let state else { return true }
            // A time that is to come, by another clock, is none to wait for.
            return time - state.changed >= Self.settled || state.changed > time
        }
        guard isSettled else { return false }
        known = states
        return true
    }

    private static func state(_ path: String) -> State? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return State(
            device: UInt(status.st_dev), inode: UInt(status.st_ino), size: Int(status.st_size),
            changed: Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec))
    }
}
