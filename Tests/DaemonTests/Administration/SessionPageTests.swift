import CLinux
import Glibc
import IMAPSession
import Testing

@testable import Daemon

@Suite struct SessionPageTests {
    private static let count = SessionRecord.byteCount

    private func isReadable(_ address: UnsafeMutableRawPointer) -> Bool {
        var ends: [Int32] = [-1, -1]
        #expect(clinux_pipe(&ends) == 0)
        defer { ends.forEach { close($0) } }
        return write(ends[1], address, 1) == 1
    }

    @Test("the listener reads what a child writes, until both are done with it")
    func sharing() throws {
        let page = try #require(SessionPage.make())
        let memory = try #require(page.map())
        #expect(UnsafeRawBufferPointer(start: memory, count: Self.count).allSatisfy { $0 == 0 })
        SessionRecord(at: memory)[.sent] = 7
        #expect(page.read { $0[.sent] } == 7)
        page.close()
        SessionRecord(at: memory)[.sent] = 8
        SessionPage.drop(memory)
        #expect(!isReadable(memory))
    }

    @Test("a page leads to no other, nor is there a way to make it shorter under who reads it")
    func bounds() throws {
        let (first, second) = (try #require(SessionPage.make()), try #require(SessionPage.make()))
        defer { for page in [first, second] { page.close() } }
        #expect(ftruncate(first.descriptor, 0) == -1 && ftruncate(first.descriptor, off_t(2 * Self.count)) == -1)
        let memory = try #require(first.map())
        typealias Remap = @convention(c) (UnsafeMutableRawPointer, Int, Int, Int32) -> UnsafeMutableRawPointer
        // Which Glibc's module hides.
        let remap = unsafeBitCast(try #require(dlsym(nil, "mremap")), to: Remap.self)
        let longer = remap(memory, Self.count, 2 * Self.count, 1)
        try #require(longer != MAP_FAILED)
        #expect(isReadable(longer) && !isReadable(longer + Self.count))
        munmap(longer, 2 * Self.count)
    }
}
