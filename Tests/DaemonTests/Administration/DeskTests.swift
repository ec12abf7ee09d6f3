import CLinux
import Glibc
import Testing

@testable import Daemon

@Suite struct DeskTests {
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
