import CLinux
import Glibc

/// The lines that the listener waits on, and whose they are.
struct Lines {
    private let watchSet: Int32
    private var processes: [Int32: pid_t] = [:]

    init(watchSet: Int32) { self.watchSet = watchSet }

    /// The process whose line has this descriptor.
    func process(of descriptor: Int32) -> pid_t? { processes[descriptor] }

    /// False and `errno` if the line cannot be waited on.
    mutating func add(_ line: Line, of process: pid_t) -> Bool {
        guard clinux_watch_add(watchSet, line.descriptor) == 0 else { return false }
        processes[line.descriptor] = process
        return true
    }

    /// Closes a line that was added, once: its number may soon be another's.
    mutating func close(_ line: Line) {
        processes[line.descriptor] = nil
        clinux_watch_remove(watchSet, line.descriptor)
        Glibc.close(line.descriptor)
    }
}
