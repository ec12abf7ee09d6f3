import Authentication
import CLinux
import Gate
import Glibc
import Privilege
import SystemAuthentication
import Transport

/// The process that talks to strangers.
func runGate(channel: Int32, monitor: pid_t, _ household: Household) -> Never {
    ProcessTitle.set("spare gate", command: "gate")
    let rules = household.gateRules
    enterGate(keeping: channel, monitor: monitor, household)
    let client = awaitClient(channel: 0)        // which is 1
    serve(client, channel: 0, rules)            // and only now, a byte from the network
}

/// Becomes a gate for good, before there is anybody to talk to. Each line gives something up.
package func enterGate(keeping channel: Int32, monitor: pid_t, _ household: Household) {
    ignoreEndingSignals()                       // the monitor hears them
    must(fchdir(household.emptyDirectory.descriptor), "fchdir")
    must(chroot("."), "chroot")                 // the file system
    must(chdir("/"), "chdir")
    becomeForGood(household.gateAccount)        // root
    dieWith(monitor)                            // a change of ids would undo this
    keepOnly([channel])                         // every descriptor but the monitor's, which is 0 now
    limitGate(memory: household.gateMemory)     // new descriptors but one, processes, files, cores, memory, time
    household.sandbox.confineGate()             // every system call but those listed
}

/// The client's socket, and whether it begins with TLS.
private func awaitClient(channel: Int32) -> GateClient {
    guard let client = GateClient(from: channel) else { _exit(0) }  // the monitor has ended
    ProcessTitle.change("gate")
    return client
}

/// A gate without its monitor has nobody to ask, and nothing to do.
private func dieWith(_ monitor: pid_t) {
    must(clinux_signal_at_parents_end(SIGKILL), "PR_SET_PDEATHSIG")
    // It may have died before that.
    if getppid() != monitor { _exit(0) }
}

private func ignoreEndingSignals() {
    signal(SIGTERM, SIG_IGN)
    signal(SIGINT, SIG_IGN)
}

private func limitGate(memory: UInt) {
    limit(RLIMIT_NOFILE, to: 2)                 // poll(2) fails beyond
    limit(__RLIMIT_NPROC, to: 0)
    limit(RLIMIT_FSIZE, to: 0)
    limit(RLIMIT_CORE, to: 0)
    limit(RLIMIT_AS, to: memory)
    limit(RLIMIT_CPU, soft: 30, hard: .max)     // seconds, until login: a relay may live for weeks
}

private func serve(_ client: GateClient, channel descriptor: Int32, _ prepared: GateRules) -> Never {
    let rules = client.rules(prepared)
    let connection = Connection(descriptor: client.socket, shutdown: descriptor)
    let channel = MonitorChannel(descriptor: descriptor)
    let end = Gate(connection: connection, rules: rules, monitor: channel).run()
    channel.tell(end)
    guard case .loggedIn = end else {
        connection.finish()
        _exit(0)
    }
    // Without TLS the session has the client's socket, and goes on alone.
    if connection.tlsInformation != nil {
        // Whoever has taken over a gate can do this, too; but before login the monitor's patience is short.
        limit(RLIMIT_CPU, soft: .max, hard: .max)
        Relay(client: connection, session: Descriptor(owning: descriptor)).run()
    }
    _exit(0)
}

/// A gate's end of the channel to its monitor.
final class MonitorChannel: GateMonitor {
    private let descriptor: Int32

    init(descriptor: Int32) { self.descriptor = descriptor }

    func reveal(_ client: PeerAddress?) throws(ConnectionEnd) -> Notice? {
        try send(.proxied, client?.wire ?? [])
        return try answer().notice
    }

    func secured(_ information: TLSInformation) throws(ConnectionEnd) {
        var body = WireWriter()
        body.string(information.version.utf8.prefix(32))
        body.string(information.cipher.utf8.prefix(64))
        body.byte(information.usesALPN ? 1 : 0)
        body.string((information.serverName ?? "").utf8.prefix(255))
        try send(.secured, body.bytes)
    }

    func identified(_ client: String) throws(ConnectionEnd) {
        try send(.identified, Array(client.utf8.prefix(GateMessage.identified.longest)))
    }

    func judge(_ attempt: LoginAttempt) throws(ConnectionEnd) -> Answer {
        let body = attempt.wire
        defer { body.wipe() }
        try send(.credentials, body)
        return try answer()
    }

    func challenge(_ attempt: SCRAMAttempt) throws(ConnectionEnd) -> Answer {
        try send(.opening, attempt.wire)
        return try answer()
    }

    func judge(clientFinal: [UInt8]) throws(ConnectionEnd) -> Answer {
        try send(.clientFinal, clientFinal)
        return try answer()
    }

    func judge(_ attempt: CertificateAttempt) throws(ConnectionEnd) -> Answer {
        try send(.certificate, attempt.wire)
        return try answer()
    }

    private func answer() throws(ConnectionEnd) -> Answer {
        var header = [UInt8](repeating: 0, count: Answer.headerLength)
        try receive(&header)
        var message = [UInt8](repeating: 0, count: Answer.messageLength(header: header) ?? 0)
        try receive(&message)
        guard let answer = Answer(wire: header + message) else { throw .failed("the monitor does not make sense") }
        return answer
    }

    func tell(_ end: GateEnd) {
        if case .loggedIn(let readAhead) = end {
            try? send(.handover, readAhead)
        } else {
            try? send(.ended, end.wire)
        }
    }

    private func send(_ message: GateMessage, _ body: [UInt8]) throws(ConnectionEnd) {
        let frame = message.frame(body)
        defer { frame.wipe() }
        var sent = 0
        while sent < frame.count {
            let count = frame.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw .shutdown }
            sent += count
        }
    }

    private func receive(_ bytes: inout [UInt8]) throws(ConnectionEnd) {
        var filled = 0
        while filled < bytes.count {
            let count = bytes.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress! + filled, $0.count - filled, 0) }
            if count < 0, errno == EINTR { continue }
            // The monitor ends when the daemon does.
            guard count > 0 else { throw .shutdown }
            filled += count
        }
    }
}

/// The body of `GateMessage.ended`: a number, and of a failure what has failed.
extension GateEnd {
    /// Bytes.
    static let longestReason = 200

    var wire: [UInt8] {
        guard case .connection(.failed(let reason)) = self else { return [code] }
        return [code] + reason.utf8.prefix(Self.longestReason).map { $0 < 0x80 ? $0 : UInt8(ascii: "?") }
    }

    private var code: UInt8 {
        switch self {
        case .loggedIn, .loggedOut: 0
        case .tooManyFailures: 1
        case .tooManyCommands: 2
        case .connection(.closed): 3
        case .connection(.timedOut): 4
        case .connection(.shutdown), .connection(.dismissed), .connection(.replaced): 5
        case .connection(.failed): 6
        case .badProxyHeader: 7
        case .turnedAway: 8
        }
    }

    init?(wire: [UInt8]) {
        guard wire.count == 1 || wire.first == 6 else { return nil }
        switch wire[0] {
        case 0: self = .loggedOut
        case 1: self = .tooManyFailures
        case 2: self = .tooManyCommands
        case 3: self = .connection(.closed)
        case 4: self = .connection(.timedOut)
        case 5: self = .connection(.shutdown)
        case 6:
            guard wire.allSatisfy({ $0 < 0x80 }) else { return nil }
            self = .connection(.failed(String(decoding: wire.dropFirst(), as: UTF8.self)))
        case 7: self = .badProxyHeader
        case 8: self = .turnedAway
        default: return nil
        }
    }
}
