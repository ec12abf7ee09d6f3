import Authentication
import IMAPGrammar
import Transport

/// EXTERNAL (RFC 4422 appendix A): the client's certificate tells who it is, and those who judge look at it themselves.
extension Gate {
    func authenticateExternal(_ tag: Tag, _ initialResponse: [UInt8]?) throws(ConnectionEnd) -> Step {
        var identity = initialResponse
        if identity == nil { identity = try ask(tag, []) }
        guard let identity else { return .goOn }
        try flush()
        guard let proof = connection.certificateProof, identity.count <= CertificateAttempt.longestIdentity else {
            return refuse(tag, try monitor.judge(LoginAttempt(mechanism: .external, credentials: nil)))
        }
        let answer = try monitor.judge(CertificateAttempt(identity: identity, proof: proof))
        return answer.outcome == .accepted ? welcome(tag) : refuse(tag, answer)
    }
}
