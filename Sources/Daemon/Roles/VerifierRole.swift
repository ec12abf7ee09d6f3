import Glibc
import Transport

/// The process that looks at a client's certificate, which anybody may have made: with the rights of a gate, but no gate's. It
/// hears nothing, says one thing, and has no connection.
func runVerifier(_ proof: [UInt8], _ challenge: [UInt8], answer: Int32, _ household: Household) -> Never {
    ProcessTitle.set("verifier")
    guard let tls = household.tls else { _exit(1) }
    enterGate(keeping: answer, monitor: getppid(), household)
    let result: VerifierResult
    do throws(CertificateProof.Refused) {
        result = .certificate(
            try CertificateProof.verify(proof, challenge: challenge, server: tls, name: household.settings.certificateName))
    } catch {
        result = .refused(reason: error.reason)
    }
    let bytes = result.wire
    // All of it fits into a pipe that is empty.
    _exit(bytes.withUnsafeBytes { write(0, $0.baseAddress, $0.count) } == bytes.count ? 0 : 1)
}

/// What a verifier tells its monitor.
enum VerifierResult: Equatable {
    case certificate(ClientCertificate)
    /// For the log.
    case refused(reason: String)

    private static let mostNames = 16
    private static let longestName = 255
    private static let longestText = 1024

    var wire: [UInt8] {
        var writer = WireWriter()
        switch self {
        case .certificate(let certificate):
            writer.byte(0)
            writer.string(certificate.subject.utf8.prefix(Self.longestText))
            for name in certificate.names.lazy.filter({ $0.utf8.count <= Self.longestName }).prefix(Self.mostNames) {
                writer.string(name.utf8)
            }
        case .refused(let reason):
            writer.byte(1)
            writer.string(reason.utf8.prefix(Self.longestText))
        }
        return writer.bytes
    }

    init?(wire: [UInt8]) {
        var reader = WireReader(wire)
        switch reader.byte() {
        case 0:
            guard let subject = reader.text(atMost: Self.longestText) else { return nil }
            var certificate = ClientCertificate(subject: subject, names: [])
            while !reader.isAtEnd {
                guard certificate.names.count < Self.mostNames, let name = reader.text(atMost: Self.longestName)
                else { return nil }
                certificate.names.append(name)
            }
            self = .certificate(certificate)
        case 1:
            guard let reason = reader.text(atMost: Self.longestText), reader.isAtEnd else { return nil }
            self = .refused(reason: reason)
        default: return nil
        }
    }
}
