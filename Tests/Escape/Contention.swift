import CLinux
import Daemon
import Glibc
import Transport

/// Two threads of a forked process meet at a lock of Swift's runtime. Ends with status 0 if both get past it.
func runContention() -> Never {
    _ = Lazy.inParent                           // from now on this thread is known to the runtime
    guard let (ours, theirs) = try? Descriptor.streamPair().release() else { exit(71) }
    if clinux_fork() == 0 {
        close(ours)
        spawn(theirs) { _, _ in meet() }
    }
    var child: pid_t = 0
    guard clinux_order_child(ours, ours, -1) == 0, recv(ours, &child, 4, 0) == 4, child > 0 else { exit(71) }
    var status: Int32 = 0
    // It is our child, not the spawner's.
    guard waitpid(child, &status, 0) == child else { exit(71) }
    exit(status == 0 ? 0 : 1)
}

private func meet() -> Never {
    alarm(60)                                   // seconds, after which nobody will
    var thread = pthread_t()
    let status = pthread_create(&thread, nil, { _ in
        waitUntil { Lazy.isBeingMade }
        Lazy.other = realpath("/proc/thread-self/syscall", nil)
        _ = Lazy.value
        return nil
    }, nil)
    guard status == 0 else { _exit(71) }
    _ = Lazy.value
    pthread_join(thread, nil)
    _exit(0)
}

private enum Lazy {
    static let inParent = getpid()
    /// Read and written by one thread each, in an order that the other waits for.
    nonisolated(unsafe) static var isBeingMade = false
    /// Where the kernel tells in which system call the other thread is.
    nonisolated(unsafe) static var other: UnsafeMutablePointer<CChar>?

    /// Is being made until another thread waits for it.
    static let value: Int = {
        isBeingMade = true
        waitUntil { other.map(waitsForLock) ?? false }
        return 1
    }()

    private static func waitsForLock(_ path: UnsafeMutablePointer<CChar>) -> Bool {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 4)
        guard read(descriptor, &bytes, bytes.count) == bytes.count else { return false }
        return bytes.elementsEqual("202 ".utf8)         // futex(2)
    }
}

private func waitUntil(_ condition: () -> Bool) {
    while !condition() { usleep(100) }
}
