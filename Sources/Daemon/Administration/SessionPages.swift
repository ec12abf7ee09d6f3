import CLinux
import Glibc
import IMAPSession

/// The pages in which sessions tell what they do (`SessionRecord`): one for each child of the listener, shared with it.
///
/// All are mapped before the first fork, and a child unmaps every page but its own as the first thing that it does. So it has
/// nothing of others to write to, whoever may take hold of it later: what is unmapped has no descriptor, and cannot be mapped
/// again.
struct SessionPages {
    typealias Page = UnsafeMutableRawPointer

    private struct Region {
        let start: Page
        let byteCount: Int
    }

    private var regions: [Region] = []
    /// Zero, every byte.
    private var free: [Page] = []

    /// - Parameter count: pages that are most likely enough. They cost memory only once they are written to.
    init(count: Int) { _ = grow(count) }

    /// A page for a child to come; `nil` if there is no memory.
    mutating func take() -> Page? {
        if free.isEmpty, !grow(1024) { return nil }
        return free.popLast()
    }

    /// The child has ended, and nobody looks at its page any more.
    mutating func giveBack(_ page: Page) {
        // Its memory goes back to the system, and is zero when it is touched again.
        if madvise(page, SessionRecord.byteCount, MADV_REMOVE) != 0 { memset(page, 0, SessionRecord.byteCount) }
        free.append(page)
    }

    private mutating func grow(_ count: Int) -> Bool {
        let byteCount = count * SessionRecord.byteCount
        let flags = MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE
        guard let start = mmap(nil, byteCount, PROT_READ | PROT_WRITE, flags, -1, 0), start != MAP_FAILED else { return false }
        regions.append(Region(start: start, byteCount: byteCount))
        // The first ones first.
        for number in (0..<count).reversed() { free.append(start + number * SessionRecord.byteCount) }
        return true
    }

    /// In a child: nothing is left but this page.
    func keep(only page: Page?) {
        for region in regions {
            guard let page, page >= region.start, page < region.start + region.byteCount else {
                munmap(region.start, region.byteCount)
                continue
            }
            let before = page - region.start, after = region.byteCount - before - SessionRecord.byteCount
            if before > 0 { munmap(region.start, before) }
            if after > 0 { munmap(page + SessionRecord.byteCount, after) }
        }
    }

    /// In a child that looks at all of them: it writes to none.
    func makeReadOnly() {
        for region in regions { mprotect(region.start, region.byteCount, PROT_READ) }
    }

    /// A child of a child has no use for its parent's page.
    static func drop(_ page: Page?) {
        if let page { munmap(page, SessionRecord.byteCount) }
    }
}
