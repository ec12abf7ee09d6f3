import Authentication
import IMAPGrammar
import Transport

/// The Not Authenticated state (RFC 9051 §3.1) of one connection: the part of the server that talks to strangers.
public final class Gate {
    let connection: Connection
    let rules: GateRules
    let monitor: any GateMonitor
    var reader = CommandReader(.beforeLogin)
    var out = Serializer()
    private let deadline: Deadline
    /// The client that a proxy has brought.
    var proxied: PeerAddress?
    private var commands = 0
    private var isIdentified = false
    /// Of the TLS connection (RFC 9266), if it has one.
    private(set) var channelBinding: [UInt8]?
    /// Whether the client has shown a certificate that is good, as far as we can tell: others will look at it again.
    private var isCertified = false

    public init(connection: Connection, rules: GateRules, monitor: any GateMonitor) {
        self.connection = connection
        self.rules = rules
        self.monitor = monitor
        deadline = Deadline(after: rules.timeLimit)
    }

    /// What may come next.
    enum Step {
        case goOn
        case end(GateEnd)
    }

    /// Talks with the client until it is in, or it is over and the client has been told.
    public func run() -> GateEnd {
        // Somebody who is not in yet is not waited for.
        let patience = connection.sendTimeout
        connection.sendTimeout = .seconds(30)
        defer { connection.sendTimeout = patience }
        do throws(ConnectionEnd) {
            if rules.expectsProxyHeader, let end = try hearProxy() { return end }
            if rules.usesImplicitTLS { try beginTLS() }
            out.untagged(.ok, .capability(capabilities), RespText(replacingIn: rules.greeting))
            while true {
                if case .end(let end) = try step() {
                    try flush()
                    return end
                }
            }
        } catch {
            sayGoodbye(error)
            return .connection(error)
        }
    }

    // MARK: - Commands

    private func step() throws(ConnectionEnd) -> Step {
        switch reader.next() {
        case .incomplete:
            try flush()
            try fill()
            return .goOn
        case .continuation:
            out.continuation("Go on")
            return .goOn
        case .command(let text):
            defer { text.wipe() }
            if let end = count() { return end }
            switch Result(catching: { () throws(CommandError) in try Parser.preAuthCommand(text) }) {
            case .success(let (tag, command)):
                return try perform(tag, command)
            case .failure(let error):
                out.answer(error.tag, .bad, nil, error.text)
                return .goOn
            }
        case .rejected(let rejection):
            out.answer(rejection.tag, rejection.condition, rejection.code, rejection.text)
            return count() ?? .goOn
        case .append, .appendEnd:
            preconditionFailure("messages do not pass through a gate")
        }
    }

    /// Counts a command; the end, if it is one too many.
    private func count() -> Step? {
        commands += 1
        guard commands > rules.commandLimit else { return nil }
        out.bye(.limit, "Too many commands before login")
        return .end(.tooManyCommands)
    }

    private func perform(_ tag: Tag, _ command: PreAuthCommand) throws(ConnectionEnd) -> Step {
        switch command {
        case .any(.capability):
            out.capability(capabilities)
            out.tagged(tag, .ok, nil, "CAPABILITY completed")
        case .any(.noop):
            out.tagged(tag, .ok, nil, "NOOP completed")
        case .any(.id(let fields)):
            if let fields, !fields.isEmpty, !isIdentified {
                isIdentified = true
                try monitor.identified(IDField.summary(of: fields))
            }
            // RFC 2971 §3.3: what we are is no secret; which version we are, strangers need not know.
            out.id([IDField(name: Array("name".utf8), value: Array("imapd".utf8))])
            out.tagged(tag, .ok, nil, "ID completed")
        case .any(.logout):
            out.bye(nil, "Logging out")
            out.tagged(tag, .ok, nil, "LOGOUT completed")
            return .end(.loggedOut)
        case .notAuthenticated(.startTLS):
            try startTLS(tag)
        case .notAuthenticated(.login(let user, let password)):
            return try logIn(tag, user: user, password: password)
        case .notAuthenticated(.authenticate(let mechanism, let initialResponse)):
            return try authenticate(tag, mechanism: mechanism, initialResponse: initialResponse)
        }
        return .goOn
    }

    // MARK: - STARTTLS

    var isSecure: Bool { connection.tlsInformation != nil }

    /// Passwords may pass.
    var mayLogIn: Bool {
        switch rules.plaintextLogin {
        case .never: isSecure
        case .fromLoopback: isSecure || (proxied ?? PeerAddress(peerOf: connection.descriptor)).isLoopback
        case .always: true
        }
    }

    var capabilities: [String] {
        let mechanisms = mechanisms
        return Capability.beforeLogin(
            startTLS: rules.tls != nil && !isSecure, mechanisms: mechanisms.map(\.rawValue),
            acceptsPasswords: mechanisms.contains { $0 != .external })
            .filter { !rules.hiddenCapabilities.contains($0) }
    }

    /// What may be chosen here and now.
    var mechanisms: [SASL] {
        guard mayLogIn else { return [] }
        return rules.mechanisms.filter { mechanism in
            switch mechanism {
            case .external: isCertified
            case .scramPlus: channelBinding != nil
            case .scram, .plain, .login: true
            }
        }
    }

    /// RFC 9051 §6.2.1.
    private func startTLS(_ tag: Tag) throws(ConnectionEnd) {
        guard !isSecure else { return out.tagged(tag, .bad, nil, "TLS is active already") }
        guard rules.tls != nil else { return out.tagged(tag, .bad, nil, "There is no TLS here") }
        out.tagged(tag, .ok, nil, "Begin TLS negotiation now")
        try flush()
        try beginTLS()
    }

    private func beginTLS() throws(ConnectionEnd) {
        guard let context = rules.tls else { preconditionFailure("TLS without a context") }
        // What somebody in between may have slipped in before TLS must not be taken for the client's.
        reader = CommandReader(.beforeLogin)
        try connection.startTLS(
            context, atMost: deadline.remaining ?? rules.timeLimit, challenge: rules.certificateChallenge)
        channelBinding = connection.channelBinding
        isCertified = connection.certificateProof != nil
        if let information = connection.tlsInformation { try monitor.secured(information) }
    }

    // MARK: - Bytes

    func flush() throws(ConnectionEnd) {
        guard !out.isEmpty else { return }
        defer { out.removeAll() }
        try connection.send(out.bytes)
    }

    func fill() throws(ConnectionEnd) {
        try reader.fill(atMost: 4096) { (buffer) throws(ConnectionEnd) in
            try connection.receive(into: buffer, atMost: deadline.remaining)
        }
    }

    private func sayGoodbye(_ end: ConnectionEnd) {
        switch end {
        case .timedOut: out.bye(nil, "Took too long to log in")
        case .shutdown, .dismissed, .replaced: out.bye(.unavailable, "Server is shutting down")
        case .closed, .failed: return
        }
        // Before TLS from the first byte there is nobody who would understand.
        if rules.usesImplicitTLS, !isSecure { return }
        try? flush()
    }
}
