import CLinux
import Glibc
import SystemPackage
import Transport

/// The listener's view of the process that forks monitors (`runSpawner`): it has one order at a time.
struct Spawner {
    /// A monitor, as the listener gets it.
    struct Monitor {
        let process: pid_t
        let line: Line
        let page: SessionPage?
    }

    private let watchSet: Int32
    /// Those that are not reaped: the present one, if there is one, and earlier ones.
    private var processes: Set<pid_t> = []
    /// The present one and where it takes orders; its end is the process's end. `nil` until one is needed.
    private var present: (process: pid_t, orders: Int32)?
    /// What was ordered, and is not there yet: our ends.
    private var ordered: (line: Line, page: SessionPage?)?

    /// How long one that is alive may take for a child.
    private static let patience: Duration = .seconds(5)

    init(watchSet: Int32) { self.watchSet = watchSet }

    var isBusy: Bool { ordered != nil }
    var isThere: Bool { present != nil }

    func hears(at descriptor: Int32) -> Bool { descriptor == present?.orders }

    /// Has a monitor forked, while others go on. One order at a time.
    mutating func order(_ household: Household) throws(Errno) {
        let orders = if let present { present.orders } else { try hire(household) }
        let (line, child) = try Line.pair()
        defer { close(child.descriptor) }
        let page = SessionPage.make()
        guard clinux_order_child(orders, child.descriptor, page?.descriptor ?? -1) == 0 else {
            let error = Errno(rawValue: errno)
            Self.drop(line, page)
            dismiss()
            throw error
        }
        ordered = (line, page)
    }

    /// What was ordered; `nil` if nothing was, or if it is still to come.
    ///
    /// - Parameter waits: until it is there.
    mutating func take(waits: Bool = false) throws(Errno) -> Monitor? {
        guard let (process, orders) = present else { return nil }
        var polled = pollfd(fd: orders, events: Int16(POLLIN), revents: 0)
        let deadline = Deadline(after: waits ? Self.patience : .zero)
        var ready: Int32
        repeat { ready = poll(&polled, 1, deadline.milliseconds) } while ready < 0 && errno == EINTR
        if ready == 0, !waits { return nil }
        var answer: Int32 = 0
        let isAnswered = ready > 0 && recv(orders, &answer, 4, Int32(MSG_DONTWAIT)) == 4
        guard isAnswered, let (line, page) = ordered else {
            // One that has ended is told of when it is reaped.
            let wasBusy = isBusy
            if ready == 0 { kill(process, SIGKILL) }
            dismiss()
            if wasBusy { throw ready == 0 ? .timedOut : .brokenPipe }
            return nil
        }
        ordered = nil
        if answer > 0 { return Monitor(process: answer, line: line, page: page) }
        Self.drop(line, page)
        throw Errno(rawValue: -answer)
    }

    /// Monitors to come are forked from what is so now; one that was ordered finds nobody at the other end of its line.
    mutating func dismiss() {
        if let (line, page) = ordered { Self.drop(line, page) }
        ordered = nil
        guard let orders = present?.orders else { return }
        present = nil
        clinux_watch_remove(watchSet, orders)
        close(orders)
    }

    /// A process has ended. Returns whether it was one of these.
    mutating func remove(_ ended: pid_t) -> Bool {
        if present?.process == ended { dismiss() }
        return processes.remove(ended) != nil
    }

    /// The last one ends when nobody can give it orders.
    mutating func end() {
        dismiss()
        for process in processes where ProcessEnd(waitingFor: process, atMost: .seconds(2)) == nil {
            kill(process, SIGKILL)
            _ = ProcessEnd(waitingFor: process)
        }
        processes = []
    }

    private mutating func hire(_ household: Household) throws(Errno) -> Int32 {
        let (ours, theirs) = try Line.pair()
        defer { close(theirs.descriptor) }
        guard clinux_watch_add(watchSet, ours.descriptor) == 0 else {
            let error = Errno(rawValue: errno)
            close(ours.descriptor)
            throw error
        }
        let child = clinux_fork()
        if child == 0 { runSpawner(theirs.descriptor, household) }
        let error = Errno(rawValue: errno)
        guard child > 0 else {
            clinux_watch_remove(watchSet, ours.descriptor)
            close(ours.descriptor)
            throw error
        }
        processes.insert(child)
        present = (child, ours.descriptor)
        return ours.descriptor
    }

    /// A monitor without its line ends.
    static func drop(_ line: Line, _ page: SessionPage?) {
        close(line.descriptor)
        page?.close()
    }
}
