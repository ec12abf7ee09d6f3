import CLinux
import Glibc
import IMAPSession
import Testing

@testable import Daemon

@Suite struct SessionPagesTests {
    private func isMapped(_ page: SessionPages.Page) -> Bool { msync(page, 4096, MS_ASYNC) == 0 }

    @Test("a child has its own page, and no other")
    func keep() throws {
        var pages = SessionPages(count: 3)
        let taken = (0..<3).compactMap { _ in pages.take() }
        try #require(taken.count == 3)
        #expect(taken.allSatisfy(isMapped))
        pages.keep(only: taken[1])
        #expect(taken.map(isMapped) == [false, true, false])
        taken[1].storeBytes(of: 7, as: UInt64.self)
        SessionPages.drop(taken[1])
        #expect(!isMapped(taken[1]))
    }

    @Test("there are more pages than were thought of, and what was given back is zero")
    func more() throws {
        var pages = SessionPages(count: 1)
        let (one, two) = (pages.take(), pages.take())
        let first = try #require(one), second = try #require(two)
        #expect(first != second)
        memset(first, 0xFF, SessionRecord.byteCount)
        pages.giveBack(first)
        let taken = pages.take()
        let again = try #require(taken)
        #expect(again == first)
        #expect(UnsafeRawBufferPointer(start: again, count: SessionRecord.byteCount).allSatisfy { $0 == 0 })
        pages.keep(only: nil)
        #expect(!isMapped(first) && !isMapped(second))
    }

    @Test("a page stays as it is while somebody may look at it who came before")
    func retired() throws {
        let set = clinux_watch_set()
        defer { close(set) }
        var pages = SessionPages(count: 4), desk = Desk([], watchSet: set)
        let taken = (0..<3).compactMap { _ in pages.take() }
        func answerer(_ process: pid_t) throws {
            let (ours, theirs) = try Line.pair()
            close(theirs.descriptor)
            desk.add(process, .control, ours)
        }
        desk.retire(taken[0])
        var free = desk.takeRetired()
        #expect(free == [taken[0]])
        try answerer(1)
        desk.retire(taken[1])
        try answerer(2)
        desk.retire(taken[2])
        free = desk.takeRetired()
        #expect(free.isEmpty)
        desk.remove(2)
        free = desk.takeRetired()
        #expect(free.isEmpty)
        try answerer(3)
        desk.remove(1)
        free = desk.takeRetired()
        #expect(free == [taken[1], taken[2]])
        desk.remove(3)
        pages.keep(only: nil)
    }

    @Test("an answerer wants one thing, and one for metrics nothing")
    func wishes() throws {
        let set = clinux_watch_set()
        defer { close(set) }
        var desk = Desk([], watchSet: set)
        for (process, kind): (pid_t, Door.Kind) in [(1, .control), (2, .metrics)] {
            let (ours, theirs) = try Line.pair()
            defer { close(theirs.descriptor) }
            desk.add(process, kind, ours)
            var heard = desk.hear(process)
            #expect(heard == .nothing)
            #expect(theirs.say(Wish.reload) && theirs.say(Wish.stop))
            heard = desk.hear(process)
            #expect(heard == (kind == .control ? .message(.reload, passed: nil) : .nonsense))
            heard = desk.hear(process)
            #expect(heard == .nonsense)
            #expect(desk.answerers[process]?.wantsStop == false)
            desk.remove(process)
        }
        #expect(desk.answerers.isEmpty)
    }

    @Test("only so many are answered at a time")
    func room() throws {
        let set = clinux_watch_set()
        defer { close(set) }
        var desk = Desk([], watchSet: set)
        var count: pid_t = 0
        while desk.hasRoom(for: .control), count < 100 {
            count += 1
            let (ours, theirs) = try Line.pair()
            close(theirs.descriptor)
            desk.add(count, .control, ours)
        }
        #expect(count == 4)
        let isForMetrics = desk.hasRoom(for: .metrics)
        #expect(isForMetrics)
        for process in 1...count { desk.remove(process) }
        var allowed = 0
        while desk.hasRoom(for: .metrics), allowed < 1000 { allowed += 1 }
        #expect((19...100).contains(allowed))
    }
}
