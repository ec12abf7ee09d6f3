import CLinux
import Glibc
import IMAPSession

/// The page in which a session tells what it does (`SessionRecord`): one for each child of the listener, shared with it.
///
/// It is a file of its own that has no name and stays as long as it is. A child maps its page and closes the descriptor before
/// it does anything else. So it has nothing of others to read or to write to, whoever may take hold of it later: it cannot map
/// another's page, and its own leads to no other. (Were all pages in one file, or in one piece of shared memory, mremap(2) would
/// make a child's mapping longer, and show it the pages that follow; and realloc(3) needs mremap.)
///
/// The listener maps a page only to read it. It keeps the descriptor, with which its successor can do the same.
struct SessionPage: Equatable {
    /// Mapped.
    typealias Memory = UnsafeMutableRawPointer

    let descriptor: Int32

    /// Zero, every byte; it costs memory once it is written to. `nil` if there are no resources.
    static func make() -> SessionPage? {
        let page = SessionPage(descriptor: clinux_memory_file("imapd: session"))
        guard page.descriptor >= 0 else { return nil }
        guard ftruncate(page.descriptor, off_t(SessionRecord.byteCount)) == 0, clinux_seal_length(page.descriptor) == 0 else {
            page.close()
            return nil
        }
        return page
    }

    /// For as long as the process lives, or until `drop`.
    func map() -> Memory? { map(PROT_READ | PROT_WRITE) }

    /// Has `body` look at it; `nil` if there are no resources for that.
    func read<Result>(_ body: (SessionRecord) -> Result) -> Result? {
        guard let memory = map(PROT_READ) else { return nil }
        defer { Self.drop(memory) }
        return body(SessionRecord(at: memory))
    }

    func close() { Glibc.close(descriptor) }

    private func map(_ protection: Int32) -> Memory? {
        let memory = mmap(nil, SessionRecord.byteCount, protection, MAP_SHARED, descriptor, 0)
        return memory == MAP_FAILED ? nil : memory
    }

    /// A child of a child has no use for its parent's page.
    static func drop(_ memory: Memory?) {
        if let memory { munmap(memory, SessionRecord.byteCount) }
    }
}
