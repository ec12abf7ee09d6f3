import Gate
import IMAPSession
import Transport

/// What the settings mean to the two halves of a conversation.
extension Settings {
    func gateRules(tls: TLSContext?, plaintextLogin: GateRules.PlaintextLogin) -> GateRules {
        var rules = GateRules(tls: tls, plaintextLogin: plaintextLogin)
        rules.timeLimit = loginTimeout
        rules.commandLimit = loginCommands
        rules.greeting = greeting
        rules.hiddenCapabilities = hiddenCapabilities
        rules.tellsCapabilitiesAtLogin = hiddenForUsers.isEmpty
        return rules
    }

    func session(of user: String) -> SessionSettings {
        var session = SessionSettings()
        session.autologout = idleTimeout
        session.largestMessage = largestMessage
        session.namespacePrefix = namespacePrefix
        session.specialMailboxes = specialMailboxes
        session.hiddenCapabilities = hiddenCapabilities(for: user)
        var fields = [IdentityField(name: "name", value: "imapd"), IdentityField(name: "version", value: Daemon.version)]
        for field in identity {
            fields.removeAll { $0.name.lowercased() == field.name.lowercased() }
            fields.append(field)
        }
        session.identity = fields.compactMap { field in field.value.map { (field.name, $0) } }
        return session
    }
}
