import IMAPGrammar

extension Authenticated {
    /// CAPABILITY (RFC 9051 §6.1.1).
    func capability() -> Completion {
        wire.out.capability(capabilities)
        return .ok("CAPABILITY completed")
    }

    var capabilities: [String] { Capability.afterLogin.filter { !settings.hiddenCapabilities.contains($0) } }
}
