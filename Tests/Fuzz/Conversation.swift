import Authentication
import CLinux
import Gate
import Glibc
import IMAPSession
import Logging
import MailStore
import MemoryStore
import Transport

/// A whole session, over an account in memory: any commands after login. Whatever a client says, there is an end.
func fuzzSession(_ input: UnsafeRawBufferPointer) {
    guard let connection = connection(saying: input),
          let store = try? MemoryProvider(separator: "/").openStore(user: "me", home: nil)
    else { return }
    let logger = Logger(label: "fuzz") { _ in SwiftLogNoOpLogHandler() }
    let session = Session(
        connection: connection, store: store, user: "me", readAhead: Array("0 SELECT INBOX\r\n".utf8), logger: logger)
    session.run()
}

/// The Not Authenticated state, with a monitor that lets somebody in now and then.
func fuzzGate(_ input: UnsafeRawBufferPointer) {
    let (choices, bytes) = split(input, choices: 1)
    guard let connection = connection(saying: bytes) else { return }
    var rules = GateRules(plaintextLogin: .always)
    rules.mechanisms = SASL.allCases
    rules.expectsProxyHeader = choices[0] & 1 == 0
    _ = Gate(connection: connection, rules: rules, monitor: Chance(choices[0] >> 1)).run()
}

/// A connection on which a client has said all this, and nothing more. It reads nothing: who says too much to it gives it up.
private func connection(saying bytes: UnsafeRawBufferPointer) -> Connection? {
    guard bytes.count < 1 << 16, let ends = try? Descriptor.streamPair() else { return nil }
    let (client, server) = ends.release()
    clients = Descriptor(owning: client)
    let connection = Connection(descriptor: server)
    connection.sendTimeout = .zero
    guard bytes.isEmpty || send(client, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else { return nil }
    shutdown(client, Int32(SHUT_WR))
    return connection
}

/// The end of the one client that there is, until the next.
nonisolated(unsafe) private var clients = Descriptor(owning: -1)

private final class Chance: GateMonitor {
    private var bits: UInt8

    init(_ bits: UInt8) { self.bits = bits }

    private func next(_ accepted: Answer.Outcome) -> Answer {
        defer { bits >>= 1 }
        let message = [UInt8](repeating: 0x41, count: Int(bits))
        return Answer(bits & 1 == 0 ? .rejected : accepted, isLast: bits == 0, message: message)
    }

    func reveal(_ client: PeerAddress?) -> Notice? { nil }
    func secured(_ information: TLSInformation) {}
    func identified(_ client: String) {}
    func judge(_ attempt: LoginAttempt) -> Answer { next(.accepted) }
    func challenge(_ attempt: SCRAMAttempt) -> Answer { next(.challenge) }
    func judge(clientFinal: [UInt8]) -> Answer { next(.accepted) }
}
