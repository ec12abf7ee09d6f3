import Glibc

/// A thread that is waited for: it begins and ends within one command.
///
/// Nothing may be forked meanwhile. Signals that its maker blocks, it blocks.
final class ReaderThread {
    private let thread: pthread_t

    /// Virtual memory. Parsing is bounded (`Limits`); most of this is for iconv(3), which loads the code of charsets.
    private static let stackSize = 1 << 20

    private final class Work {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    private init(_ thread: pthread_t) { self.thread = thread }

    /// `nil` if there is none to be had, as where a user has as many as may be (`RLIMIT_NPROC`); `work` then never runs.
    static func start(_ work: @escaping @Sendable () -> Void) -> ReaderThread? {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, stackSize)
        let box = Unmanaged.passRetained(Work(work))
        var thread = pthread_t()
        let status = pthread_create(&thread, &attributes, { argument in
            if let argument { Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().run() }
            return nil
        }, box.toOpaque())
        guard status == 0 else {
            box.release()
            return nil
        }
        return ReaderThread(thread)
    }

    /// Waits for its end; to be called once.
    func join() { pthread_join(thread, nil) }
}
