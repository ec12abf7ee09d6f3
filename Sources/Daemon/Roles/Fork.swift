import CLinux
import Glibc

/// fork(2), for a child that may have several threads later: there `body` runs, on a stack of its own.
///
/// Swift's runtime has each thread remember its number (gettid(2)), by which a lock of the runtime's knows who holds it. After
/// fork(2) the child's thread goes on with the number that its parent's had. Nobody notices as long as it is alone; a second
/// thread that waits for such a lock waits for the wrong one, for ever. A thread that has run nothing of Swift yet remembers
/// nothing.
///
/// - Returns: the child's process, or -1 with errno.
package func forkAfresh(_ body: @escaping () -> Never) -> pid_t {
    final class Work {
        let body: () -> Never
        init(_ body: @escaping () -> Never) { self.body = body }
    }
    let work = Work(body)
    return withExtendedLifetime(work) {
        clinux_fork_afresh({ Unmanaged<Work>.fromOpaque($0!).takeUnretainedValue().body() },
                           Unmanaged.passUnretained(work).toOpaque())
    }
}
