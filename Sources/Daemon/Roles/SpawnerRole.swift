import CLinux
import Glibc

/// The process that forks monitors. It is root, has all that they need, and does nothing else: what the listener writes to its
/// memory while it serves would cost each child that was forked before a page, and this one writes nothing.
///
/// Its children are the listener's, which hands it a line and a page for each. It ends when the listener closes its end.
func runSpawner(_ orders: Int32, _ household: Household) -> Never {
    ProcessTitle.set("spawner")
    limit(RLIMIT_NOFILE, soft: household.descriptorLimit, hard: .max)
    let kept = [orders, household.signals.end, household.emptyDirectory.descriptor, household.keeper.descriptor]
    closeAll(but: kept + household.logDescriptors)
    clinux_seal_heap()
    spawn(orders) { line, page in
        let page = page.map { SessionPage(descriptor: $0) }
        let memory = page?.map()
        page?.close()
        runMonitor(line: Line(descriptor: line), memory, household)
    }
}

/// Forks a child for each order, in which `body` runs.
///
/// Swift's runtime has each thread remember its number (gettid(2)), by which a lock of the runtime's knows who holds it. After
/// fork(2) the child's thread goes on with the number that its parent's had. Nobody notices as long as it is alone; a second
/// thread that waits for such a lock waits for the wrong one, for ever. A thread that has run nothing of Swift yet remembers
/// nothing; so those of the children are copies of one that is made for them here.
package func spawn(_ orders: Int32, _ body: @escaping (_ line: Int32, _ page: Int32?) -> Never) -> Never {
    final class Work {
        let body: (Int32, Int32?) -> Never
        init(_ body: @escaping (Int32, Int32?) -> Never) { self.body = body }
    }
    clinux_spawn(
        orders, { work, line, page in Unmanaged<Work>.fromOpaque(work!).takeUnretainedValue().body(line, page < 0 ? nil : page) },
        Unmanaged.passRetained(Work(body)).toOpaque())
}
