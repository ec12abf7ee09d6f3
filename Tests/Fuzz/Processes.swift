import Authentication
@testable import Daemon
import Gate
import Glibc
@testable import Transport

/// A gate that says anything, to a monitor that hears what is due.
func fuzzMonitor(_ input: UnsafeRawBufferPointer) {
    let (choices, bytes) = split(input, choices: 1)
    guard bytes.count < 1 << 16, let ends = try? Descriptor.streamPair().release() else { return }
    let gate = Descriptor(owning: ends.first)
    if !bytes.isEmpty, send(gate.number, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL)) != bytes.count { return }
    shutdown(gate.number, Int32(SHUT_WR))
    let attempts = Int(choices[0] >> 2 & 3)
    let due: DueMessages = choices[0] & 1 == 0
        ? DueMessages(tlsIsPossible: choices[0] & 2 == 0, scramIsPossible: choices[0] & 16 == 0,
                       certificatesArePossible: choices[0] & 32 == 0, attempts: attempts)
        : .afterLogin
    var channel = GateChannel(connection: Connection(descriptor: ends.second), due: due, deadline: Deadline(after: .seconds(10)))
    var heard: [GateMessage: Int] = [:]
    do throws(GateChannel.Failure) {
        while true {
            let message = try channel.next()
            let body = try channel.body(of: message)
            precondition(body.count <= message.kind.longest, "a message is too long")
            heard[message.kind, default: 0] += 1
            if message.kind == .certificate, let attempt = CertificateAttempt(wire: body) {
                precondition(attempt.wire == body, "an attempt is not what it was")
                _ = TLSHandshake(attempt.proof)
            }
            if message.kind == .opening { _ = SCRAMAttempt(wire: body)?.opening }
            if message.kind == .credentials, let attempt = LoginAttempt(wire: body) {
                precondition(attempt.wire == body, "an attempt is not what it was")
            }
        }
    } catch {}
    precondition(heard[.credentials, default: 0] <= attempts && heard[.ended, default: 0] <= 1, "more was heard than was due")
}

/// What authenticators and the lines between processes say.
func fuzzResults(_ input: UnsafeRawBufferPointer) {
    let bytes = Array(input)
    if let result = AuthenticatorResult(wire: bytes) { precondition(AuthenticatorResult(wire: result.wire) == result) }
    if let result = VerifierResult(wire: bytes) { precondition(VerifierResult(wire: result.wire) == result) }
    if let order = Order(wire: bytes) { precondition(order.wire == bytes) }
    if let report = Report(wire: bytes) { precondition(Report(wire: report.wire) == report) }
    if let answer = Answer(wire: bytes) { precondition(answer.wire == bytes) }
}
