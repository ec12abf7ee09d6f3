import Authentication

extension IMAPClient {
    /// Takes the best mechanism that both have. One that the server refuses is not the last word where nobody listens: many
    /// servers offer SCRAM also to users of whom they do not have what it takes.
    func logIn(_ user: String, _ password: Secret) throws(ControlFailure) {
        if isLoggedIn { return }
        do throws(ControlFailure) {
            var refusal: ControlFailure?
            if let mechanism = scramMechanism {
                refusal = try authenticate(mechanism, user, password)
                if let refusal, !isProtected { throw refusal }
            }
            if scramMechanism == nil || refusal != nil { try logInOpenly(user, password, after: refusal) }
        } catch {
            throw ControlFailure("logging in as \(Output.safe(user)): \(error.description)")
        }
        isLoggedIn = true
        try askForCapabilities()
    }

    /// The server is told the password.
    private func logInOpenly(_ user: String, _ password: Secret, after refusal: ControlFailure?) throws(ControlFailure) {
        if capabilities.contains("AUTH=PLAIN") {
            if let refusal = try authenticatePlain(user, password) { throw refusal }
        } else if capabilities.contains("LOGINDISABLED") {
            throw refusal ?? ControlFailure("the server takes no password on this connection: see --tls")
        } else {
            _ = try command([.atom("LOGIN"), .string(Array(user.utf8)), .secret(password)])
        }
    }

    // MARK: SASL

    private static let scramPlus = "SCRAM-SHA-256-PLUS"

    private var scramMechanism: String? {
        let mechanisms = [connection.channelBinding == nil ? nil : Self.scramPlus, "SCRAM-SHA-256"]
        return mechanisms.compactMap(\.self).first { capabilities.contains("AUTH=\($0)") }
    }

    /// SCRAM (RFC 5802). Returns what the server says if it refuses.
    private func authenticate(
        _ mechanism: String, _ user: String, _ password: Secret
    ) throws(ControlFailure) -> ControlFailure? {
        var scram = SCRAMClient(
            user: user, password: password, binding: connection.channelBinding, isPlus: mechanism == Self.scramPlus)
        let refusal = try exchange(mechanism, scram.opening) { scram.answer(to: $0) }
        guard refusal != nil || scram.isServerProven else { throw ControlFailure("the server does not know the password itself") }
        return refusal
    }

    /// PLAIN (RFC 4616). Returns what the server says if it refuses.
    private func authenticatePlain(_ user: String, _ password: Secret) throws(ControlFailure) -> ControlFailure? {
        var message = [0] + Array(user.utf8) + [0]
        password.withBytes { message.append(contentsOf: $0) }
        defer { message.wipe() }
        return try exchange("PLAIN", message) { _ in nil }
    }

    /// AUTHENTICATE (RFC 9051 §6.2.2). `answer` gives `nil` for what it will not go on with.
    private func exchange(
        _ mechanism: String, _ opening: [UInt8], _ answer: ([UInt8]) -> [UInt8]?
    ) throws(ControlFailure) -> ControlFailure? {
        let encoded = Base64.encode(opening)
        defer { encoded.wipe() }
        let tag = tag(), hasInitialResponse = capabilities.contains("SASL-IR")
        try send(Array("\(tag) AUTHENTICATE \(mechanism)".utf8) + (hasInitialResponse ? [0x20] + encoded : []) + [0x0D, 0x0A])
        var isOpened = hasInitialResponse
        var isGivenUp = false
        while true {
            let response = try next()
            if response.tag == "+" {
                guard isOpened else {
                    isOpened = true
                    try send(encoded + [0x0D, 0x0A])
                    continue
                }
                guard !isGivenUp else { throw ControlFailure("the server does not let \(mechanism) end") }
                let message = Base64.decode(Array(response.text.text.utf8)).flatMap(answer)
                isGivenUp = message == nil
                try send((message.map { Base64.encode($0) } ?? [UInt8(ascii: "*")]) + [0x0D, 0x0A])
            } else if response.tag == tag {
                guard !isGivenUp else { throw ControlFailure("the server does not speak \(mechanism) as it should") }
                return response.name == "OK" ? nil : refusal(response)
            }
        }
    }
}
