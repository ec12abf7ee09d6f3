import Authentication
import Foundation
import TestSupport
import Transport

@testable import Gate

/// A gate in a thread of its own, a client of it, and a monitor that says what the test wants.
final class GateHarness: @unchecked Sendable {
    let client: MailClient
    private let listener: Listener
    private let monitor: ScriptedMonitor
    private let ended = DispatchSemaphore(value: 0)
    // Written by the gate's thread before `ended` is signalled, read after.
    private var gateEnd: GateEnd?
    /// How long the connection's next owner waits for its client to read.
    private(set) var patience: Duration?

    /// - Parameters:
    ///   - answers: of the monitor, one for each attempt.
    ///   - notice: of the monitor, when it hears for whom a proxy connects.
    ///   - shutdown: of the connection.
    init(_ rules: GateRules = GateRules(plaintextLogin: .always), answers: [Answer] = [], notice: Notice? = nil,
         shutdown: Int32? = nil) throws {
        listener = try Listener.listen(host: "127.0.0.1", port: 0, implicitTLS: false)[0]
        monitor = ScriptedMonitor(answers: answers, notice: notice)
        // The kernel completes the connection before it is accepted.
        client = try MailClient(port: Int(listener.address.port))
        Thread.detachNewThread { [self] in
            guard case .connection(let socket) = listener.accept() else { fatalError("nobody has connected") }
            let connection = Connection(descriptor: socket.release(), shutdown: shutdown)
            gateEnd = Gate(connection: connection, rules: rules, monitor: monitor).run()
            patience = connection.sendTimeout
            connection.finish()
            ended.signal()
        }
    }

    /// What the monitor heard of SCRAM: both messages of the client.
    func exchanges() -> (first: [SCRAMAttempt], final: [String]) {
        ended.wait()
        ended.signal()
        return (monitor.exchanges, monitor.finals.map { String(decoding: $0, as: UTF8.self) })
    }

    /// How the gate ended, and what it had told its monitor.
    func end() -> (end: GateEnd, attempts: [ScriptedMonitor.Attempt], tls: [TLSInformation]) {
        ended.wait()
        return (gateEnd!, monitor.attempts, monitor.tls)
    }

    /// For whom a proxy has connected, once the gate has ended.
    var clients: [PeerAddress?] { monitor.clients }

    /// Sends it all at once, says no more, and returns all that the gate says.
    func say(_ text: String) throws -> [String] {
        try client.send(text)
        client.endSending()
        return try client.rest()
    }
}

/// Used by the gate's thread alone, until the gate has ended.
final class ScriptedMonitor: GateMonitor {
    struct Attempt: Equatable {
        var mechanism: LoginAttempt.Mechanism
        var user: String?
        var password: String?
    }

    private var answers: [Answer]
    private(set) var attempts: [Attempt] = []
    private(set) var tls: [TLSInformation] = []
    private(set) var clients: [PeerAddress?] = []
    private let notice: Notice?

    init(answers: [Answer], notice: Notice?) {
        self.answers = answers
        self.notice = notice
    }

    func reveal(_ client: PeerAddress?) -> Notice? {
        clients.append(client)
        return notice
    }

    func secured(_ information: TLSInformation) { tls.append(information) }

    private(set) var identities: [String] = []
    func identified(_ client: String) { identities.append(client) }

    func judge(_ attempt: LoginAttempt) -> Answer {
        attempts.append(Attempt(
            mechanism: attempt.mechanism, user: attempt.credentials?.user,
            password: attempt.credentials?.password.withBytes { String(decoding: $0, as: UTF8.self) }))
        return answers.isEmpty ? Answer(.rejected, isLast: false) : answers.removeFirst()
    }

    // MARK: - SCRAM

    private(set) var exchanges: [SCRAMAttempt] = []
    private(set) var finals: [[UInt8]] = []

    func challenge(_ attempt: SCRAMAttempt) -> Answer {
        exchanges.append(attempt)
        return answers.isEmpty ? Answer(.rejected, isLast: false) : answers.removeFirst()
    }

    func judge(clientFinal: [UInt8]) -> Answer {
        finals.append(clientFinal)
        return answers.isEmpty ? Answer(.rejected, isLast: false) : answers.removeFirst()
    }
}
