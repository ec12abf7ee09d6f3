import IMAPGrammar

extension Authenticated {
    /// CAPABILITY (RFC 9051 §6.1.1).
    func capability() -> Completion {
        wire.out.capability(Capability.afterLogin)
        return .ok("CAPABILITY completed")
    }
}
