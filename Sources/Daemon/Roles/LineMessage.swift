import Gate
import Glibc
import Transport

/// What is said over a `Line`: its kind (1 byte), and what belongs to it.
protocol LineMessage: Equatable {
    /// Bytes, the kind among them.
    static var longest: Int { get }
    var wire: [UInt8] { get }
    init?(wire: [UInt8])
    /// Whether a descriptor comes with it.
    var passesDescriptor: Bool { get }
}

/// What the listener says to a child.
enum Order: LineMessage {
    /// Serve the client whose socket comes with this. To a monitor, once.
    case serve(usesImplicitTLS: Bool)
    /// The user of `Report.login`, or the client of `Report.proxied`, may come in.
    case admit
    /// They may not; or, unasked, nobody may log in here any more.
    case refuse(Notice)
    /// The connection is over. SIGTERM comes with it.
    case leave(Departure)

    enum Departure: UInt8, CaseIterable {
        /// As an administrator wants it.
        case kicked
        /// For another one of the same user.
        case replaced
    }

    static let longest = 1 + Notice.longestWire

    var passesDescriptor: Bool {
        if case .serve = self { true } else { false }
    }

    var wire: [UInt8] {
        switch self {
        case .serve(let usesImplicitTLS): [0, usesImplicitTLS ? 1 : 0]
        case .admit: [1]
        case .refuse(let notice): [2] + notice.wire
        case .leave(let departure): [3, departure.rawValue]
        }
    }

    init?(wire: [UInt8]) {
        switch wire {
        case [0, 0]: self = .serve(usesImplicitTLS: false)
        case [0, 1]: self = .serve(usesImplicitTLS: true)
        case [1]: self = .admit
        default:
            if wire.count == 2, wire[0] == 3, let departure = Departure(rawValue: wire[1]) {
                self = .leave(departure)
                return
            }
            guard wire.first == 2, let notice = Notice(wire: Array(wire.dropFirst())) else { return nil }
            self = .refuse(notice)
        }
    }
}

/// What a child says to the listener.
///
/// A monitor is root's and is believed. From `login` on the child is the user's, with whatever may have got hold of it: then
/// nothing more is due (`DueReports`).
enum Report: LineMessage {
    /// Forked, with this gate, and ready for a client.
    case ready(gate: pid_t)
    /// Somebody was not let in. `mark`, see `Penalties.Offence`.
    case loginFailed(Answer.Outcome, mark: UInt16, LoginAttempt.Mechanism)
    /// Nobody has logged in in time.
    case timedOut
    /// The client, which is a proxy, has told for whom it connects. It waits for `Order.admit`.
    case proxied(PeerAddress)
    /// The gate, or an authenticator, was ended by this signal.
    case crashed(signal: Int32)
    /// Somebody has shown to be this user, whom the child is about to become. It waits for `Order.admit`.
    /// `tls` is TLS's version.
    case login(user: String, uid: uid_t, LoginAttempt.Mechanism, tls: String?)

    /// As long as `AuthenticatorResult` lets a name be.
    private static let longestName = 255
    static let longestVersion = 32
    static let longest = 1 + 4 + longestName + 4 + 1 + 4 + longestVersion

    var passesDescriptor: Bool { false }

    var wire: [UInt8] {
        var writer = WireWriter()
        switch self {
        case .ready(let gate):
            writer.byte(0)
            writer.number(UInt32(bitPattern: gate))
        case .loginFailed(let outcome, let mark, let mechanism):
            writer.byte(1)
            writer.byte(outcome.rawValue)
            writer.number(UInt32(mark))
            writer.byte(mechanism.rawValue)
        case .crashed(let signal):
            writer.byte(2)
            writer.number(UInt32(bitPattern: signal))
        case .login(let user, let uid, let mechanism, let tls):
            writer.byte(3)
            writer.string(user.utf8.prefix(Self.longestName))
            writer.number(uid)
            writer.byte(mechanism.rawValue)
            writer.string((tls ?? "").utf8.prefix(Self.longestVersion))
        case .timedOut: writer.byte(4)
        case .proxied(let peer):
            writer.byte(5)
            writer.string(peer.wire)
        }
        return writer.bytes
    }

    init?(wire: [UInt8]) {
        var reader = WireReader(wire)
        switch reader.byte() {
        case 0:
            guard let gate = reader.number(), gate > 0, gate <= pid_t.max else { return nil }
            self = .ready(gate: pid_t(gate))
        case 1:
            guard let outcome = reader.byte().flatMap({ Answer.Outcome(rawValue: $0) }), outcome != .accepted,
                  outcome != .challenge,
                  let mark = reader.number(), let mark = UInt16(exactly: mark),
                  let mechanism = reader.byte().flatMap({ LoginAttempt.Mechanism(rawValue: $0) })
            else { return nil }
            self = .loginFailed(outcome, mark: mark, mechanism)
        case 2:
            guard let signal = reader.number(), (1...64).contains(signal) else { return nil }
            self = .crashed(signal: Int32(signal))
        case 3:
            guard let user = reader.text(atMost: Self.longestName), let uid = reader.number(),
                  let mechanism = reader.byte().flatMap({ LoginAttempt.Mechanism(rawValue: $0) }),
                  let tls = reader.text(atMost: Self.longestVersion)
            else { return nil }
            self = .login(user: user, uid: uid, mechanism, tls: tls.isEmpty ? nil : tls)
        case 4: self = .timedOut
        case 5:
            guard let peer = reader.string(atMost: PeerAddress.longestWire).flatMap({ PeerAddress(wire: Array($0)) })
            else { return nil }
            self = .proxied(peer)
        default: return nil
        }
        guard reader.isAtEnd else { return nil }
    }
}

/// Which reports the listener will hear from a child. Whoever says anything else is killed.
struct DueReports: Equatable {
    private enum Stage: UInt8 { case forked, serving, loggedIn }
    private var stage = Stage.forked
    private var isServing = false
    /// Whether the client is a proxy that has not said yet for whom it connects.
    private var isProxy = false

    init() {}

    /// As `byte` of one of before tells.
    init?(byte: UInt8) {
        guard byte < 16, let stage = Stage(rawValue: byte & 3) else { return nil }
        self.stage = stage
        isServing = byte & 4 != 0
        isProxy = byte & 8 != 0
    }

    var byte: UInt8 { stage.rawValue | (isServing ? 4 : 0) | (isProxy ? 8 : 0) }
    /// Whether it is not known yet for whom it is.
    var awaitsProxy: Bool { isProxy }

    /// A client has been handed over.
    mutating func serve(isProxy: Bool = false) {
        isServing = true
        self.isProxy = isProxy
    }

    /// Whether this report is due.
    mutating func accept(_ report: Report) -> Bool {
        switch (stage, report) {
        case (.forked, .ready):
            stage = .serving
            return true
        case (.serving, .crashed): return true
        case (.serving, .proxied):
            defer { isProxy = false }
            return isServing && isProxy
        case (.serving, .loginFailed), (.serving, .timedOut): return isServing
        case (.serving, .login):
            guard isServing else { return false }
            stage = .loggedIn
            return true
        case (.forked, _), (.serving, .ready), (.loggedIn, _): return false
        }
    }
}
