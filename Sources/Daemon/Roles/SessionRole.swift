import CLinux
import Gate
import Glibc
import IMAPServer
import IMAPSession
import Logging
import MailStore
import Privilege
import SystemAuthentication
import SystemPackage
import Transport

/// Whom a monitor has let in.
struct Login {
    let accepted: AccountDirectory.Accepted
    var account: Account { accepted.account }
    let mechanism: LoginAttempt.Mechanism
    let peer: PeerAddress
    /// The client's socket; `nil` if it is the gate that speaks TLS with the client.
    let client: Int32?
    let gate: GateProcess
    let line: Line
    /// Where the session tells what it does; `nil` if there was no memory for that.
    let page: SessionPage.Memory?
    /// TLS's version.
    let tls: String?
    /// Readable when the daemon is to end.
    let shutdown: Int32

    var gateChannel: GateChannel {
        GateChannel(connection: gate.channel, due: .afterLogin, deadline: Deadline(after: .seconds(60)))
    }
}

/// What was root's monitor is the user's session from here on. Each line gives something up.
func runSession(_ login: Login, _ household: Household, _ monitorLogger: Logger) -> Never {
    ProcessTitle.set("session \(login.account.name)")
    var logger = monitorLogger
    logger[metadataKey: "user"] = "\(login.account.name)"

    // The listener decides while we go on; as the user we could tell it anything.
    let report = Report.login(user: login.account.name, uid: login.account.uid, login.mechanism, tls: login.tls)
    guard login.line.say(report) else { endWithGate(login, logger) }
    let trace = household.tracesAnybody
        ? TraceFile.open(for: login.account.name, peer: login.peer, household.settings, logger) : nil
    let store = withStore(login, logger) { () throws(StoreError) in
        try enterSession(login.account, line: login.line.descriptor, household)
        return try household.store.openStore(user: login.account.name, home: login.account.home)
    }
    awaitAdmission(login, logger)
    let readAhead = takeOver(login, logger)
    serve(login, store, readAhead, trace, household, logger)
}

/// A session may begin a thread if its user has fewer processes and threads than these. It does without one else.
private let mostThreads: UInt = 256

/// Becomes the user for good, and no more than mail needs. Throws if there can be no mail.
package func enterSession(_ account: Account, line: Int32, _ household: Household) throws(StoreError) {
    umask(0o077)
    limit(RLIMIT_CORE, to: 0)
    // The filter lets it have threads and no processes; without one, it has neither.
    limit(__RLIMIT_NPROC, to: household.sandbox.filtersSystemCalls ? mostThreads : 0)
    limit(RLIMIT_DATA, to: household.sessionMemory)
    clinux_exit_without_memory(ProcessEnd.withoutMemory)
    becomeForGood(account)                      // root
    enterHome(account.home)
    let directories = try household.store.directories(user: account.name, home: account.home)
    // Every file but the mail, every system call but those listed.
    household.sandbox.confineSession(to: directories, line: line, log: household.logDescriptors.first)
}

private func enterHome(_ home: String) {
    // A Maildir may be elsewhere; whether it is, opening the store will tell.
    if home.withCString({ chdir($0) }) != 0 { must(chdir("/"), "chdir") }
}

/// What `body` returns; if there is no mail to be had, there is no session.
private func withStore<Result>(_ login: Login, _ logger: Logger, _ body: () throws(StoreError) -> Result) -> Result {
    do throws(StoreError) {
        return try body()
    } catch {
        logger.error("store cannot be opened", metadata: ["error": "\(error)"])
        try? login.gateChannel.answer(Answer(.unavailable, isLast: true))
        // The gate tells the client, and that it has; then it is over.
        endWithGate(login, logger)
    }
}

/// Returns if the listener lets this user in.
func awaitAdmission(_ login: Login, _ logger: Logger) {
    guard let refusal = login.line.awaitAdmission() else { return }
    logger.notice("login refused", metadata: ["reason": "\(refusal.text)"])
    try? login.gateChannel.answer(Answer(refusal))
    endWithGate(login, logger)
}

/// Tells the gate that the client is in, and takes what it had read beyond that.
func takeOver(_ login: Login, _ logger: Logger) -> [UInt8] {
    var channel = login.gateChannel
    do throws(GateChannel.Failure) {
        try channel.answer(Answer(.accepted, isLast: true, message: login.accepted.serverFinal))
        let readAhead = try channel.body(of: channel.next())
        var metadata: Logger.Metadata = ["mechanism": "\(login.mechanism.name)", "tls": "\(login.tls ?? "none")"]
        if let label = login.accepted.label { metadata["password"] = "\(label)" }
        logger.info("login", metadata: metadata)
        return readAhead
    } catch {
        logger.notice("gate did not hand over", metadata: ["reason": "\(error)"])
        endWithGate(login, logger)
    }
}

private func serve(
    _ login: Login, _ store: any MailStore, _ readAhead: [UInt8], _ trace: ProtocolTrace?, _ household: Household,
    _ logger: Logger
) -> Never {
    let connection: Connection
    if let client = login.client {
        // A gate that has handed over reads no more, and ends while we go on.
        close(login.gate.channel.descriptor)
        connection = Connection(descriptor: client, shutdown: login.shutdown)
    } else {
        connection = login.gate.channel
    }
    let (receivedBefore, sentBefore) = (connection.received, connection.sent)
    let session = Session(
        connection: connection, store: store, user: login.account.name, readAhead: readAhead,
        record: login.page.map { SessionRecord(at: $0) } ?? SessionRecord(), logger: logger)
    session.settings = household.sessionSettings(of: login.account.name)
    session.trace = trace
    connection.reasonOfShutdown = {
        switch login.line.hear(Order.self).departure {
        case .kicked: .dismissed
        case .replaced: .replaced
        case nil: .shutdown
        }
    }
    connection.whenSilent = { restAWhile(login, logger) }
    connection.lastWord = "* BYE [LIMIT] The session needs more memory than it may have\r\n"
    let started = ContinuousClock.now
    let end = session.run()
    connection.finish()
    trace?.note("end: \(end.reason)")
    logger.info("session end", metadata: session.counters.metadata(
        end, after: ContinuousClock.now - started, received: connection.received - receivedBefore + UInt64(readAhead.count),
        sent: connection.sent - sentBefore))
    if login.client == nil { endWithGate(login, logger) }
    _exit(0)
}

/// A session spends most of its life waiting: what it does not need then, others may have.
private func restAWhile(_ login: Login, _ logger: Logger) {
    if login.client != nil, login.gate.lingers {
        // The listener ends it when we have ended.
        logger.critical("gate does not end", metadata: ["process": "\(login.gate.pid)"])
        _exit(1)
    }
    clinux_release_free_memory()
    clinux_release_free_stack()
}

/// Lets the gate send what is left to send, to a client that may be slow: its own patience ends before ours.
private func endWithGate(_ login: Login, _ logger: Logger) -> Never {
    shutdown(login.gate.channel.descriptor, Int32(SHUT_WR))
    switch ProcessEnd(waitingFor: login.gate.pid, atMost: .seconds(360)) {
    case .exited: _exit(0)
    case .killed(let signal):
        logger.critical("gate crashed", metadata: ["process": "\(login.gate.pid)", "signal": "\(ProcessEnd.name(of: signal))"])
        _exit(ProcessEnd.withCrashedGate)
    case nil:
        logger.critical("gate does not end", metadata: ["process": "\(login.gate.pid)"])
        _exit(1)
    }
}
