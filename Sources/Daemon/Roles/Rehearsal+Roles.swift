import Authentication
import Gate
import Glibc
import Logging
import Privilege
import SystemAuthentication
import SystemPackage
import Transport

/// Says to nobody what the processes of a connection say to each other, in the listener, before there are any: see
/// `rehearse`.
func rehearseRoles(_ household: Household) {
    let delay = household.policy.delay
    household.policy.delay = .zero
    defer { household.policy.delay = delay }
    household.sandbox.rehearse(FileDescriptor(rawValue: household.emptyDirectory.descriptor))
    guard let (listener, child) = try? Line.pair(), let ends = try? Descriptor.streamPair().release() else { return }
    defer {
        close(listener.descriptor)
        close(child.descriptor)
        close(ends.second)
    }
    // As in a monitor, the logger is a copy of one that stays.
    let common = Logger(label: "rehearsal") { _ in EventLogHandler(sink: Nowhere(), level: .trace) }
    defer { common.trace("end") }
    var logger = common
    let peer = PeerAddress(peerOf: ends.first)
    logger[metadataKey: "peer"] = "\(peer)"
    logger.info("connect")
    rehearseLine(listener, child)
    rehearseChannel(household, child, logger, peer, monitor: ends.first, gate: ends.second)
}

private func rehearseLine(_ listener: Line, _ child: Line) {
    var due = DueReports()
    due.serve()
    for report in [Report.ready(gate: 1), .loginFailed(.rejected, mark: 0, .plain), .login(user: "a", uid: 1, .plain, tls: nil)] {
        guard child.say(report), case .message(let heard, _) = listener.hear(Report.self), due.accept(heard) else { return }
    }
    guard listener.say(Order.serve(usesImplicitTLS: true), passing: child.descriptor) else { return }
    if case .message(_, let passed?) = child.hear(Order.self) { close(passed) }
    for order in [Order.admit, .refuse(Line.noAnswer)] {
        guard listener.say(order) else { return }
        _ = child.awaitAdmission()
    }
    _ = child.hear(Order.self)
}

/// A login that fails, and one that succeeds.
private func rehearseChannel(
    _ household: Household, _ line: Line, _ logger: Logger, _ peer: PeerAddress, monitor: Int32, gate: Int32
) {
    let process = GateProcess(pid: getpid(), channel: Connection(descriptor: monitor, shutdown: household.signals.end))
    let channel = MonitorChannel(descriptor: gate)
    let nobody = GateClient(socket: -1, usesImplicitTLS: true, isProxy: false)
    var role = MonitorRole(household: household, line: line, page: nil, gate: process, client: nobody, peer: peer, logger: logger)
    // Nobody waits: whatever is read was written before.
    let early = GateChannel(connection: process.channel, due: .afterLogin, deadline: Deadline(after: .seconds(1)))
    do {
        if household.tls != nil {
            try channel.secured(TLSInformation(version: "", cipher: "", usesALPN: false, serverName: nil))
            _ = try role.step()
        }
        try early.answer(Answer(.rejected, isLast: false))
        _ = try channel.judge(LoginAttempt(mechanism: .plain, credentials: nil))
        _ = try role.step()
        guard let credentials = Credentials(user: Array("a".utf8), password: Secret(Array("b".utf8))) else { return }
        _ = LoginAttempt(wire: LoginAttempt(mechanism: .plain, credentials: credentials).wire)
        let account = Account(name: "a", uid: 1, gid: 1, groups: [1], home: "/")
        let result = AuthenticatorResult.accepted(AccountDirectory.Accepted(account: account))
        guard case .accepted(let accepted)? = AuthenticatorResult(wire: result.wire) else { return }
        channel.tell(.loggedIn(readAhead: []))
        let login = Login(
            accepted: accepted, mechanism: .plain, peer: peer, client: nil, gate: process, line: line, page: nil, tls: nil,
            shutdown: household.signals.end)
        _ = takeOver(login, logger)
    } catch {}
}

/// Where a rehearsal's log goes.
private struct Nowhere: LogSink {
    func write(_ record: LogRecord) {
        // Looked at, or it would not be made.
        let length = record.journal(facility: 2).count + record.json(at: LogTime.utc(), process: getpid()).utf8.count
        precondition(length > LogTime.syslog().utf8.count)
    }
}
