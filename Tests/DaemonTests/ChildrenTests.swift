import CLinux
import Glibc
import Testing
import Transport

@testable import Daemon

/// Whom the listener listens to.
@Suite struct ChildrenTests {
    @Test("a line that takes the number of one that has ended is nobody else's")
    func numbersAreUsedAgain() throws {
        let set = clinux_watch_set()
        defer { close(set) }
        var children = Children(watchSet: set)
        // Mostly at once; other tests may take the number first.
        for old: pid_t in 1...1000 {
            let new = old + 1000
            let (first, firstChild) = try Line.pair()
            try children.addSpare(old, first)
            close(firstChild.descriptor)
            #expect(children.hear(old) == .end)
            children.dismiss(old)
            let (second, secondChild) = try Line.pair()
            try children.addSpare(new, second)
            // It is reaped only now.
            #expect(children.remove(old) != nil)
            #expect(children.process(ofLine: second.descriptor) == new)
            #expect(secondChild.say(Report.ready(gate: 5)))
            #expect(children.hear(new) == .message(.ready(gate: 5), passed: nil))
            _ = children.remove(new)
            close(secondChild.descriptor)
            if second == first { return }
        }
        Issue.record("no number was used again")
    }

    @Test("who is counted, and who waits")
    func counts() throws {
        let set = clinux_watch_set(), client = try Descriptor.pipe()
        defer { close(set) }
        var children = Children(watchSet: set)
        var ends: [Line] = []
        for process: pid_t in 1...3 {
            let (line, child) = try Line.pair()
            try children.addSpare(process, line)
            ends.append(child)
        }
        #expect(children.spareCount == 3 && children.servingCount == 0)
        // One that has ended is passed over.
        close(ends[0].descriptor)
        let peer = PeerAddress(peerOf: -1)
        var admission = Admission(AdmissionLimits())
        let connection = NewConnection(
            peer: peer, admission: try admission.connect(from: peer, at: .now, chance: 0), usesImplicitTLS: true, isProxy: false)
        #expect(children.serve(client.first.number, connection) == 2)
        #expect(children.spareCount == 1 && children.servingCount == 1)
        children.dismissSpares()
        #expect(children.spareCount == 0 && children[3]?.isDismissed == true)
        #expect(children.serve(client.first.number, connection) == nil)
        for process: pid_t in 1...3 { #expect(children.remove(process) != nil) }
        #expect(children.isEmpty && children.servingCount == 0)
        for end in ends.dropFirst() { close(end.descriptor) }
    }
}
