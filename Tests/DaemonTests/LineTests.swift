import CLinux
import Gate
import Glibc
import Testing
import Transport

@testable import Daemon

/// What the listener hears from a child, which may be a session that somebody has taken over.
@Suite struct LineTests {
    /// Both ends, closed with the test.
    private final class Pair {
        let listener: Line
        let child: Line

        init() throws { (listener, child) = try Line.pair() }

        deinit {
            close(listener.descriptor)
            close(child.descriptor)
        }

        func childSays(_ bytes: [UInt8], passing passed: Int32 = -1) {
            #expect(clinux_send_message(child.descriptor, bytes, bytes.count, passed, 0) == bytes.count)
        }
    }

    private static let reports: [Report] = [
        .ready(gate: 1), .ready(gate: pid_t.max), .loginFailed(.rejected, mark: 0, .plain),
        .loginFailed(.unavailable, mark: .max, .loginCommand),
        .crashed(signal: SIGSEGV), .timedOut, .proxied(PeerAddress(IPAddress("192.0.2.1"), port: 993)),
        .proxied(PeerAddress(IPAddress("2001:db8::1"), port: 0)),
        .login(user: "ada", uid: 1000, .scramPlus, tls: nil),
        .login(user: String(repeating: "é", count: 127), uid: .max, .scramPlus, tls: nil),
        .login(user: "", uid: 0, .loginCommand, tls: "TLSv1.3"),
    ]
    private static let orders: [Order] = [.serve(usesImplicitTLS: false), .serve(usesImplicitTLS: true), .admit,
                                           .refuse(Notice(.limit, "Too many")), .refuse(Notice(.contactAdmin, "")),
                                           .leave(.kicked), .leave(.replaced)]

    @Test(arguments: reports)
    func report(report: Report) throws {
        let pair = try Pair()
        #expect(report.wire.count <= Report.longest)
        #expect(pair.child.say(report))
        #expect(pair.listener.hear(Report.self) == .message(report, passed: nil))
        #expect(pair.listener.hear(Report.self) == .nothing)
    }

    @Test("any prefix of a report, and anything appended, is nonsense", arguments: reports)
    func malformed(report: Report) throws {
        let pair = try Pair()
        for bytes in report.wire.indices.dropFirst().map({ Array(report.wire.prefix($0)) }) + [report.wire + [0]] {
            pair.childSays(bytes)
            #expect(pair.listener.hear(Report.self) == .nonsense, "\(bytes)")
        }
    }

    @Test("of several descriptors with one message none is left open")
    func severalDescriptors() throws {
        let pair = try Pair()
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        defer { close(ends[0]) }
        // struct cmsghdr: length 8, level 4, type 4; then the descriptors.
        var control: [UInt64] = [24, UInt64(SOL_SOCKET) | UInt64(SCM_RIGHTS) << 32, 0]
        withUnsafeMutableBytes(of: &control[2]) {
            $0.storeBytes(of: ends[1], as: Int32.self)
            $0.storeBytes(of: ends[1], toByteOffset: 4, as: Int32.self)
        }
        var bytes = Report.timedOut.wire
        let count = control.count * 8
        let sent = bytes.withUnsafeMutableBytes { bytes in
            control.withUnsafeMutableBytes { control in
                var part = iovec(iov_base: bytes.baseAddress, iov_len: bytes.count)
                return withUnsafeMutablePointer(to: &part) { part in
                    var message = msghdr()
                    message.msg_iov = part
                    message.msg_iovlen = 1
                    message.msg_control = control.baseAddress
                    message.msg_controllen = count
                    return sendmsg(pair.child.descriptor, &message, 0)
                }
            }
        }
        close(ends[1])
        #expect(sent == Report.timedOut.wire.count)
        #expect(pair.listener.hear(Report.self) == .nonsense)
        // Whoever reads sees the end of the pipe when nobody can write to it.
        var polled = pollfd(fd: ends[0], events: Int16(POLLIN), revents: 0)
        #expect(poll(&polled, 1, 0) == 1 && Int32(polled.revents) & POLLHUP != 0)
    }

    @Test("one byte", arguments: UInt8.min...UInt8.max)
    func oneByte(byte: UInt8) {
        #expect(Report(wire: [byte]) == (byte == 4 ? .timedOut : nil))
        #expect(Order(wire: [byte]) == (byte == 1 ? .admit : nil))
        #expect(Order(wire: [3, byte]) == (byte == 0 ? .leave(.kicked) : byte == 1 ? .leave(.replaced) : nil))
    }

    @Test("numbers that cannot be", arguments: [
        [0, 0, 0, 0, 0], [0, 0x80, 0, 0, 0], [1, 0], [1, 200], [1, 0, 0, 0, 0, 1], [1, 1, 0, 1, 0, 0, 0], [1, 1, 0, 0, 0, 0, 6],
        [5, 0, 0, 0, 0], [5, 0, 0, 0, 3, 1, 1, 1], [2, 0, 0, 0, 0], [2, 0, 0, 0, 65], [3, 0xFF, 0xFF, 0xFF, 0xFF],
        [3, 0, 0, 0, 1, 0xFF, 0, 0, 0, 1],
    ] as [[UInt8]])
    func impossible(bytes: [UInt8]) { #expect(Report(wire: bytes) == nil) }

    @Test("a report that is too long is not read on into the next")
    func tooLong() throws {
        let pair = try Pair()
        pair.childSays([UInt8](repeating: 1, count: 100_000))
        #expect(pair.child.say(Report.crashed(signal: 11)))
        #expect(pair.listener.hear(Report.self) == .nonsense)
        #expect(pair.listener.hear(Report.self) == .message(.crashed(signal: 11), passed: nil))
    }

    @Test("descriptors that nobody asked for are closed")
    func uncalledDescriptors() throws {
        let pair = try Pair(), ends = try Descriptor.pipe()
        pair.childSays(Report.crashed(signal: 11).wire, passing: ends.second.number)
        #expect(pair.listener.hear(Report.self) == .nonsense)
        // Ours is the only writing end again.
        let (reading, writing) = ends.release()
        close(writing)
        var byte: UInt8 = 0
        #expect(read(reading, &byte, 1) == 0)
        close(reading)
    }

    @Test(arguments: orders)
    func order(order: Order) throws {
        let pair = try Pair(), ends = try Descriptor.streamPair()
        #expect(order.wire.count <= Order.longest)
        let passed = order.passesDescriptor ? ends.first.number : -1
        #expect(pair.listener.say(order, passing: passed))
        guard case .message(let heard, let descriptor) = pair.child.hear(Order.self) else {
            Issue.record("not heard")
            return
        }
        #expect(heard == order)
        #expect((descriptor != nil) == order.passesDescriptor)
        if let descriptor {
            #expect(fcntl(descriptor, F_GETFD) & FD_CLOEXEC != 0)
            close(descriptor)
        }
    }

    @Test("a client without a socket is none")
    func serveNobody() throws {
        let pair = try Pair()
        #expect(pair.listener.say(Order.serve(usesImplicitTLS: true)))
        #expect(pair.child.hear(Order.self) == .nonsense)
    }

    @Test func end() throws {
        let (listener, child) = try Line.pair()
        #expect(child.say(Report.crashed(signal: 9)))
        close(child.descriptor)
        #expect(listener.hear(Report.self) == .message(.crashed(signal: 9), passed: nil))
        #expect(listener.hear(Report.self) == .end)
        #expect(!listener.say(Order.admit))
        close(listener.descriptor)
    }

    @Test("nobody waits for a child that does not listen")
    func fullLine() throws {
        let pair = try Pair()
        var said = 0
        while pair.listener.say(Order.admit), said < 100_000 { said += 1 }
        #expect(said < 100_000)
    }

    // MARK: - What is due

    private func expectDue(_ due: inout DueReports, _ report: Report, _ expected: Bool = true) {
        let isDue = due.accept(report)
        #expect(isDue == expected, "\(report)")
    }

    @Test("a monitor's life")
    func due() {
        var due = DueReports()
        expectDue(&due, .ready(gate: 5))
        due.serve()
        for report in [Report.loginFailed(.rejected, mark: 1, .plain), .crashed(signal: 11),
                       .loginFailed(.expired, mark: 1, .plain), .timedOut, .login(user: "a", uid: 1, .scramPlus, tls: nil)] {
            expectDue(&due, report)
        }
    }

    @Test("the client may be on its way before the monitor is ready")
    func servedEarly() {
        var due = DueReports()
        due.serve()
        expectDue(&due, .ready(gate: 5))
        expectDue(&due, .login(user: "a", uid: 1, .scramPlus, tls: nil))
    }

    @Test("only a proxy tells for whom it connects, and once")
    func proxies() {
        let report = Report.proxied(PeerAddress(IPAddress("192.0.2.1"), port: 993))
        for isProxy in [false, true] {
            var due = DueReports()
            expectDue(&due, .ready(gate: 5))
            expectDue(&due, report, false)
            due.serve(isProxy: isProxy)
            expectDue(&due, report, isProxy)
            expectDue(&due, report, false)
        }
    }

    @Test("a user has nothing to report", arguments: reports)
    func afterLogin(report: Report) {
        var due = DueReports()
        _ = due.accept(.ready(gate: 5))
        due.serve()
        _ = due.accept(.login(user: "a", uid: 1, .scramPlus, tls: nil))
        expectDue(&due, report, false)
    }

    @Test("before there is a client, nobody fails or logs in", arguments: reports)
    func beforeClient(report: Report) {
        var due = DueReports()
        if case .ready = report { expectDue(&due, report) } else { expectDue(&due, report, false) }
        due = DueReports()
        _ = due.accept(.ready(gate: 5))
        if case .crashed = report { expectDue(&due, report) } else { expectDue(&due, report, false) }
    }
}
