import Authentication
import IMAPGrammar
import Transport

/// SCRAM-SHA-256 (RFC 5802 §5): the gate carries the messages between the client and those who know.
extension Gate {
    func authenticateSCRAM(_ tag: Tag, isPlus: Bool, _ initialResponse: [UInt8]?) throws(ConnectionEnd) -> Step {
        var clientFirst = initialResponse
        if clientFirst == nil { clientFirst = try ask(tag, []) }
        guard let clientFirst else { return .goOn }
        try flush()
        let attempt = SCRAMAttempt(clientFirst: clientFirst, isPlus: isPlus, binding: channelBinding)
        guard attempt.opening != nil else {
            return refuse(tag, try monitor.judge(LoginAttempt(mechanism: attempt.mechanism, credentials: nil)))
        }
        let challenge = try monitor.challenge(attempt)
        guard challenge.outcome == .challenge else { return refuse(tag, challenge) }

        guard let clientFinal = try ask(tag, challenge.message) else {
            // `tag` has been answered. Somebody has a challenge now, and has tried what it took to get it.
            return afterFailure(try monitor.judge(clientFinal: []))
        }
        try flush()
        let answer = try monitor.judge(clientFinal: Array(clientFinal.prefix(SCRAM.longestMessage + 1)))
        guard answer.outcome == .accepted else { return refuse(tag, answer) }
        // IMAP's OK has no room for what the server says at last: it is one more challenge, and the response is empty.
        guard try ask(tag, answer.message) != nil else {
            out.bye(nil, "Authentication cancelled")
            return .end(.loggedOut)
        }
        return welcome(tag)
    }
}
