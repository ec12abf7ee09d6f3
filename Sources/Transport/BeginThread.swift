import Glibc

/// Runs `work` in a thread of its own, to be waited for with pthread_join(3) unless it is detached. Signals that its maker blocks,
/// it blocks.
///
/// - Parameter stackSize: bytes of virtual memory; pages that are not used cost nothing.
/// - Returns: `nil` if there is none to be had, as where a user has as many as may be (`RLIMIT_NPROC`); `work` then never runs.
public func beginThread(
    stackSize: Int, isDetached: Bool = false, _ work: @escaping @Sendable () -> Void
) -> pthread_t? {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    if isDetached { pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED)) }
    pthread_attr_setstacksize(&attributes, stackSize)
    let box = Unmanaged.passRetained(ThreadWork(work))
    var thread = pthread_t()
    let status = pthread_create(&thread, &attributes, { argument in
        if let argument { Unmanaged<ThreadWork>.fromOpaque(argument).takeRetainedValue().run() }
        return nil
    }, box.toOpaque())
    guard status == 0 else {
        box.release()
        return nil
    }
    return thread
}

private final class ThreadWork {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}
