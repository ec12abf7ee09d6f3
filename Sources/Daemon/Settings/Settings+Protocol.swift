import CLinux
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

    /// Threads of a session that read messages. Beyond a few, handing them out takes as long as reading them.
    /// Found out by whoever first asks, which is the listener: a session may not.
    private static let readers = min(Int(clinux_processors()), 4)

    func session(of user: String) -> SessionSettings {
        var session = SessionSettings()
        session.autologout = idleTimeout
        session.largestMessage = largestMessage
        session.namespacePrefix = namespacePrefix
        session.specialMailboxes = specialMailboxes
        session.hiddenCapabilities = hiddenCapabilities(for: user)
        session.readers = Self.readers
        var fields = [IdentityField(name: "name", value: "imapd"), IdentityField(name: "version", value: Daemon.version)]
        for field in identity {
            fields.removeAll { $0.name.lowercased() == field.name.lowercased() }
            fields.append(field)
        }
        session.identity = fields.compactMap { field in field.value.map { (field.name, $0) } }
        return session
    }
}
