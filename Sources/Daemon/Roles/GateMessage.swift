import Authentication
import CLinux
import Gate
import Glibc
import IMAPGrammar
import Transport

/// What a gate may say to its monitor. A message is its kind (1 byte), the length of its body (2 bytes, the higher one
/// first), and its body.
enum GateMessage: UInt8, CaseIterable {
    /// The TLS handshake is made: what it settled.
    case secured = 1
    /// A user and a password.
    case credentials = 2
    /// The client has heard that it is logged in: what was read beyond its last command.
    case handover = 3
    /// It is over, and why: one byte, `GateEnd`, and words if it was a failure.
    case ended = 4
    /// What a client says first in SCRAM.
    case opening = 5
    /// What it says to the challenge.
    case clientFinal = 6
    /// For whom a proxy has said to connect: `PeerAddress`, or nothing if for itself.
    case proxied = 7
    /// What shows that the client has the key of its certificate, and as whom it wants in.
    case certificate = 8
    /// What the client calls itself.
    case identified = 9

    static let headerLength = 3

    /// The longest body, in bytes.
    var longest: Int {
        switch self {
        case .secured: 512
        case .credentials: 9 + Credentials.longestUser + Credentials.longestPassword
        case .handover: Int(UInt16.max)
        case .ended: 1 + GateEnd.longestReason
        case .identified: IDField.longestSummary
        case .opening: 1 + 4 + SCRAMAttempt.longestBinding + 4 + SCRAM.longestMessage
        // One more than it may be: that is how much of one that is too long gets here.
        case .clientFinal: SCRAM.longestMessage + 1
        case .proxied: PeerAddress.longestWire
        case .certificate: 4 + CertificateAttempt.longestIdentity + 4 + CertificateProof.longest
        }
    }

    func frame(_ body: some Collection<UInt8>) -> [UInt8] {
        precondition(body.count <= longest)
        return [rawValue, UInt8(body.count >> 8), UInt8(body.count & 0xFF)] + body
    }
}

/// Which messages a monitor will hear, and how often. Anything else is fatal: assume that the gate is the attacker's.
struct DueMessages {
    /// How often each is, by its number.
    private typealias Counts = SIMD16<UInt16>
    private var left: Counts
    /// What is due when a proxy has told for whom it connects.
    private let afterProxied: Counts?

    /// Before login.
    ///
    /// - Parameter isProxied: whether the peer is a proxy that is believed; then nothing else comes before it has spoken.
    init(
        tlsIsPossible: Bool, scramIsPossible: Bool, certificatesArePossible: Bool = false, attempts: Int, isProxied: Bool = false
    ) {
        let messages = Self.counts([
            (.secured, tlsIsPossible ? 1 : 0), (.identified, 1), (.credentials, attempts),
            (.opening, scramIsPossible ? attempts : 0), (.certificate, certificatesArePossible ? attempts : 0), (.ended, 1),
        ])
        left = isProxied ? Self.counts([(.proxied, 1), (.ended, 1)]) : messages
        afterProxied = isProxied ? messages : nil
    }

    /// After login.
    static let afterLogin = DueMessages(left: counts([(.handover, 1)]))

    private init(left: Counts) {
        self.left = left
        afterProxied = nil
    }

    private static func counts(_ messages: [(GateMessage, Int)]) -> Counts {
        messages.reduce(into: Counts()) { $0[$1.0] = UInt16(clamping: $1.1) }
    }

    /// A challenge is out: there will be one answer, before anything else.
    mutating func expectClientFinal() { left[.clientFinal] = 1 }

    /// Whether a message of this kind and length may be read; it is then no longer due.
    mutating func accept(kind: UInt8, length: Int) -> GateMessage? {
        guard let message = GateMessage(rawValue: kind), length <= message.longest, left[message] > 0 else { return nil }
        guard message == .clientFinal || message == .ended || left[.clientFinal] != 1 else { return nil }
        left[message] -= 1
        if message == .proxied, let afterProxied {
            let ended = left[.ended]
            left = afterProxied
            left[.ended] = ended
        }
        return message
    }
}

extension SIMD16<UInt16> {
    fileprivate subscript(message: GateMessage) -> UInt16 {
        get { self[Int(message.rawValue)] }
        set { self[Int(message.rawValue)] = newValue }
    }
}

/// A monitor's end of the channel: reads what is due, and nothing beyond.
struct GateChannel {
    enum Failure: Error, Equatable {
        case end(ConnectionEnd)
        /// The gate said what it must not say.
        case notDue(kind: UInt8, length: Int)
    }

    /// A message whose body is still to be read.
    struct Announced {
        var kind: GateMessage
        var length: Int

        /// For a body that is not what it must be.
        var violation: Failure { .notDue(kind: kind.rawValue, length: length) }
    }

    let connection: Connection
    var due: DueMessages
    /// When a gate that is still not done is given up.
    let deadline: Deadline

    mutating func next() throws(Failure) -> Announced {
        let header = try read(GateMessage.headerLength)
        let length = Int(header[1]) << 8 | Int(header[2])
        guard let kind = due.accept(kind: header[0], length: length) else {
            throw .notDue(kind: header[0], length: length)
        }
        return Announced(kind: kind, length: length)
    }

    func body(of message: Announced) throws(Failure) -> [UInt8] { try read(message.length) }

    func answer(_ answer: Answer) throws(Failure) {
        do throws(ConnectionEnd) {
            try connection.send(answer.wire)
        } catch { throw .end(error) }
    }

    private func read(_ count: Int) throws(Failure) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            do throws(ConnectionEnd) {
                filled += try bytes.withUnsafeMutableBufferPointer { (buffer) throws(ConnectionEnd) in
                    let space = UnsafeMutableBufferPointer(rebasing: buffer[filled...])
                    return try connection.receive(into: UnsafeMutableRawBufferPointer(space), atMost: deadline.remaining)
                }
            } catch { throw .end(error) }
        }
        return bytes
    }
}

/// What a gate waits for: the first thing that it hears from its monitor, 1 byte, a challenge if certificates are asked for, and
/// a descriptor.
struct GateClient {
    /// Non-blocking.
    let socket: Int32
    let usesImplicitTLS: Bool
    /// Whether it is a proxy, which must tell for whom it connects.
    let isProxy: Bool
    /// See `CertificateProof`.
    let challenge: [UInt8]?

    init(socket: Int32, usesImplicitTLS: Bool, isProxy: Bool, challenge: [UInt8]? = nil) {
        self.socket = socket
        self.usesImplicitTLS = usesImplicitTLS
        self.isProxy = isProxy
        self.challenge = challenge
    }

    /// What a gate goes by, for this client.
    @inline(never)
    func rules(_ prepared: GateRules) -> GateRules {
        var rules = prepared
        rules.usesImplicitTLS = usesImplicitTLS
        rules.expectsProxyHeader = isProxy
        rules.certificateChallenge = challenge
        return rules
    }

    /// Waits; `nil` if the monitor ends first.
    init?(from channel: Int32) {
        var bytes = [UInt8](repeating: 0, count: 1 + CertificateProof.challengeLength)
        var socket: Int32 = -1
        var count: Int
        repeat { count = clinux_receive_message(channel, &bytes, bytes.count, &socket, 0) } while count < 0 && errno == EINTR
        guard count == 1 || count == bytes.count, socket >= 0, bytes[0] <= 3 else { return nil }
        self.init(
            socket: socket, usesImplicitTLS: bytes[0] & 1 != 0, isProxy: bytes[0] & 2 != 0,
            challenge: count > 1 ? Array(bytes[1...]) : nil)
    }

    /// - Returns: whether it is on its way.
    func send(to channel: Int32) -> Bool {
        let bytes = [(usesImplicitTLS ? 1 : 0) | (isProxy ? 2 : 0)] + (challenge ?? [])
        return clinux_send_message(channel, bytes, bytes.count, socket, 0) == bytes.count
    }
}

/// What the monitor answers: the outcome, whether it is the last (1 byte each), the length of a message (2 bytes, the higher
/// one first), and the message.
extension Answer {
    static let headerLength = 4

    var wire: [UInt8] {
        [outcome.rawValue, isLast ? 1 : 0, UInt8(message.count >> 8), UInt8(message.count & 0xFF)] + message
    }

    /// Bytes of the message that comes after this header.
    static func messageLength(header: [UInt8]) -> Int? {
        guard header.count == headerLength else { return nil }
        let length = Int(header[2]) << 8 | Int(header[3])
        return length <= longestMessage ? length : nil
    }

    init?(wire: [UInt8]) {
        let header = Array(wire.prefix(Self.headerLength))
        guard let length = Self.messageLength(header: header), wire.count == Self.headerLength + length,
              let outcome = Outcome(rawValue: wire[0]), wire[1] <= 1
        else { return nil }
        self.init(outcome, isLast: wire[1] == 1, message: Array(wire.dropFirst(Self.headerLength)))
    }
}

/// The body of `GateMessage.opening`.
extension SCRAMAttempt {
    var wire: [UInt8] {
        var writer = WireWriter()
        writer.byte((isPlus ? 1 : 0) | (binding != nil ? 2 : 0))
        writer.string(binding ?? [])
        writer.string(clientFirst)
        return writer.bytes
    }

    init?(wire: [UInt8]) {
        var reader = WireReader(wire)
        guard let flags = reader.byte(), flags <= 3, let binding = reader.string(atMost: Self.longestBinding),
              let clientFirst = reader.string(atMost: SCRAM.longestMessage), reader.isAtEnd
        else { return nil }
        self.init(clientFirst: Array(clientFirst), isPlus: flags & 1 != 0, binding: flags & 2 != 0 ? Array(binding) : nil)
    }
}

/// The body of `GateMessage.certificate`.
extension CertificateAttempt {
    var wire: [UInt8] {
        var writer = WireWriter(capacity: identity.count + proof.count + 8)
        writer.string(identity)
        writer.string(proof)
        return writer.bytes
    }

    init?(wire: [UInt8]) {
        var reader = WireReader(wire)
        guard let identity = reader.string(atMost: Self.longestIdentity),
              let proof = reader.string(atMost: CertificateProof.longest), reader.isAtEnd
        else { return nil }
        self.init(identity: Array(identity), proof: Array(proof))
    }
}

/// The body of `GateMessage.proxied`: the port and the address.
extension PeerAddress {
    static let longestWire = 2 + 16

    var wire: [UInt8] { [UInt8(port >> 8), UInt8(port & 0xFF)] + (address?.bytes ?? []) }

    init?(wire: [UInt8]) {
        guard wire.count >= 2, let address = IPAddress(wire.dropFirst(2)) else { return nil }
        self.init(address, port: UInt16(wire[0]) << 8 | UInt16(wire[1]))
    }
}

/// The body of `GateMessage.credentials`.
extension LoginAttempt {
    /// To be wiped.
    var wire: [UInt8] {
        var writer = WireWriter(capacity: GateMessage.credentials.longest)
        writer.byte(mechanism.rawValue)
        if let credentials {
            writer.string(Array(credentials.user.utf8))
            credentials.password.withBytes { writer.string($0) }
        }
        return writer.bytes
    }

    init?(wire: [UInt8]) {
        var reader = WireReader(wire)
        guard let mechanism = reader.byte().flatMap({ Mechanism(rawValue: $0) }) else { return nil }
        if reader.isAtEnd {
            self.init(mechanism: mechanism, credentials: nil)
            return
        }
        guard let user = reader.string(atMost: Credentials.longestUser),
              let password = reader.string(atMost: Credentials.longestPassword), reader.isAtEnd,
              let credentials = Credentials(user: user, password: Secret(password))
        else { return nil }
        self.init(mechanism: mechanism, credentials: credentials)
    }
}
