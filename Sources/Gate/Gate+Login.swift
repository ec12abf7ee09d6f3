import Authentication
import IMAPGrammar
import Transport

extension Gate {
    /// LOGIN (RFC 9051 §6.2.3).
    func logIn(_ tag: Tag, user: [UInt8], password: [UInt8]) throws(ConnectionEnd) -> Step {
        let secret = Secret(password)
        password.wipe()
        guard mayLogIn else { return refusePlaintext(tag) }
        guard rules.mechanisms.contains(where: { $0 != .external }) else {
            out.tagged(tag, .no, nil, "Passwords are not accepted here")
            return .goOn
        }
        return try attempt(tag, .loginCommand, Credentials(user: user, password: secret))
    }

    /// AUTHENTICATE (RFC 9051 §6.2.2, RFC 4959).
    func authenticate(_ tag: Tag, mechanism name: [UInt8], initialResponse: [UInt8]?) throws(ConnectionEnd) -> Step {
        guard mayLogIn else { return refusePlaintext(tag) }
        guard let mechanism = SASL(name: name), mechanisms.contains(mechanism) else {
            out.tagged(tag, .no, nil, "There is no such mechanism here")
            return .goOn
        }
        var response: [UInt8]?
        if let initialResponse {
            defer { initialResponse.wipe() }
            guard let decoded = Base64.decode(initialResponse) else {
                out.tagged(tag, .bad, nil, "The initial response is not base64")
                return .goOn
            }
            response = decoded
        }
        switch mechanism {
        case .external: return try authenticateExternal(tag, response)
        case .plain: return try authenticate(tag, PlainMechanism(), .plain, response)
        case .login: return try authenticate(tag, LoginMechanism(), .login, response)
        case .scram: return try authenticateSCRAM(tag, isPlus: false, response)
        case .scramPlus: return try authenticateSCRAM(tag, isPlus: true, response)
        }
    }

    private func authenticate(
        _ tag: Tag, _ mechanism: some SASLMechanism, _ kind: LoginAttempt.Mechanism, _ initialResponse: [UInt8]?
    ) throws(ConnectionEnd) -> Step {
        var mechanism = mechanism
        var response = initialResponse
        while true {
            switch mechanism.respond(response) {
            case .challenge(let challenge):
                guard let next = try ask(tag, challenge) else { return .goOn }
                response = next
            case .credentials(let credentials): return try attempt(tag, kind, credentials)
            case .refused: return try attempt(tag, kind, nil)
            case .malformed:
                out.tagged(tag, .bad, nil, "The response is not what the mechanism asks for")
                return .goOn
            }
        }
    }

    /// The client's response to a challenge, decoded; `nil` if there is none, and `tag` has been answered.
    func ask(_ tag: Tag, _ challenge: [UInt8]) throws(ConnectionEnd) -> [UInt8]? {
        out.continuation(base64: Base64.encode(challenge))
        return try nextResponse(tag)
    }

    /// The client's response, decoded; `nil` if there is none, and `tag` has been answered.
    private func nextResponse(_ tag: Tag) throws(ConnectionEnd) -> [UInt8]? {
        while true {
            switch reader.nextLine() {
            case .incomplete:
                try flush()
                try fill()
            case .tooLong:
                out.tagged(tag, .bad, nil, "The response is too long")
                return nil
            case .line(let line):
                defer { line.wipe() }
                if line == [UInt8(ascii: "*")] {
                    out.tagged(tag, .bad, nil, "Authentication cancelled")
                    return nil
                }
                if let decoded = Base64.decode(line) { return decoded }
                out.tagged(tag, .bad, nil, "The response is not base64")
                return nil
            }
        }
    }

    private func refusePlaintext(_ tag: Tag) -> Step {
        out.tagged(tag, .no, .privacyRequired, rules.tls == nil ? "Passwords are not accepted here" : "Begin TLS first")
        return .goOn
    }

    /// Asks the monitor, and tells the client what it said.
    private func attempt(
        _ tag: Tag, _ mechanism: LoginAttempt.Mechanism, _ credentials: Credentials?
    ) throws(ConnectionEnd) -> Step {
        try flush()
        let answer = try monitor.judge(LoginAttempt(mechanism: mechanism, credentials: credentials))
        return answer.outcome == .accepted ? welcome(tag) : refuse(tag, answer)
    }

    func welcome(_ tag: Tag) -> Step {
        let capabilities = Capability.afterLogin.filter { !rules.hiddenCapabilities.contains($0) }
        out.tagged(tag, .ok, rules.tellsCapabilitiesAtLogin ? .capability(capabilities) : nil, "Logged in")
        return .end(.loggedIn(readAhead: reader.takeRemainder()))
    }

    /// RFC 5530.
    func refuse(_ tag: Tag, _ answer: Answer) -> Step {
        switch answer.outcome {
        case .accepted, .challenge: preconditionFailure("this is no refusal")
        case .rejected: out.tagged(tag, .no, .authenticationFailed, "Wrong user or password")
        case .expired: out.tagged(tag, .no, .expired, "The password or the account has expired")
        case .disabled: out.tagged(tag, .no, .contactAdmin, "The account may not log in; ask the administrator")
        case .unavailable, .turnedAway:
            let notice = answer.notice ?? Notice(.unavailable, "Cannot log anybody in at the moment")
            out.tagged(tag, .no, .init(notice.code), RespText(replacingIn: notice.text))
        }
        return afterFailure(answer)
    }

    /// What comes after a failed attempt that the client has been told of.
    func afterFailure(_ answer: Answer) -> Step {
        guard answer.isLast else { return .goOn }
        out.bye(nil, "No further attempts")
        return .end(.tooManyFailures)
    }
}
