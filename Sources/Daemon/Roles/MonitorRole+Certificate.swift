import Authentication
import Gate
import Glibc
import Transport

/// A certificate is believed if it shows itself to be good to a process that no stranger talks to (`runVerifier`).
extension MonitorRole {
    mutating func hearCertificate(_ message: GateChannel.Announced) throws(GateChannel.Failure) -> Admission? {
        guard let attempt = CertificateAttempt(wire: try channel.body(of: message)), let challenge
        else { throw message.violation }
        if try isRefused() { return nil }
        let started = ContinuousClock.now
        switch verify(attempt.proof, challenge) {
        case nil:
            return try conclude(.refused(.unavailable, reason: "the verifier does not answer"), .external, user: nil, started)
        case .refused(let reason):
            return try conclude(.refused(.rejected, reason: reason), .external, user: nil, started)
        case .certificate(let certificate):
            logger.info("certificate", metadata: ["subject": "\(certificate.subject)"])
            guard let user = Self.user(attempt.identity, certificate) else {
                return try conclude(.refused(.rejected, reason: "the certificate is another's"), .external, user: nil, started)
            }
            return try conclude(ask(.certified(user: user)), .external, user: user, started)
        }
    }

    /// As whom a client with this certificate comes in: whom it asks for, if that is one of those that the certificate names,
    /// or else the first of them. `nil` if there is nobody.
    static func user(_ identity: [UInt8], _ certificate: ClientCertificate) -> String? {
        let names = certificate.names.filter { Credentials(user: Array($0.utf8), password: Secret([])) != nil }
        return identity.isEmpty ? names.first : names.first { $0.utf8.elementsEqual(identity) }
    }

    private func verify(_ proof: [UInt8], _ challenge: [UInt8]) -> VerifierResult? {
        guard let (reading, writing) = try? Descriptor.pipe().release() else { return nil }
        let child = fork()
        if child == 0 {
            SessionPage.drop(page)
            runVerifier(proof, challenge, answer: writing, household)
        }
        close(writing)
        defer { close(reading) }
        guard child > 0 else { return nil }

        let bytes = try? AuthenticatorResult.bytes(from: reading, orUntil: household.signals.end)
        if bytes == nil { kill(child, SIGKILL) }
        if case .killed(let signal) = ProcessEnd(waitingFor: child), bytes != nil {
            logger.critical("verifier crashed", metadata: ["signal": "\(ProcessEnd.name(of: signal))"])
            _ = line.say(Report.crashed(signal: signal))
        }
        return bytes.flatMap { VerifierResult(wire: $0) }
    }
}
