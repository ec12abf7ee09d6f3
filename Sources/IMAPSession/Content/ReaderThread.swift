import Glibc
import Transport

/// A thread that is waited for: it begins and ends within one command. Nothing may be forked meanwhile.
struct ReaderThread {
    private let thread: pthread_t

    /// Virtual memory. Parsing is bounded (`Limits`); most of this is for iconv(3), which loads the code of charsets.
    private static let stackSize = 1 << 20

    /// `nil` if there is none to be had; `work` then never runs.
    static func start(_ work: @escaping @Sendable () -> Void) -> ReaderThread? {
        beginThread(stackSize: stackSize, work).map { ReaderThread(thread: $0) }
    }

    /// Waits for its end; to be called once.
    func join() { pthread_join(thread, nil) }
}
