import IMAPGrammar

extension Authenticated {
    /// ENABLE (RFC 9051 §6.3.1, RFC 5161). ENABLED names what of it is on now: also what was before, as a client may have made
    /// us assume that it knows CONDSTORE, and goes by the answer.
    func enable(_ names: [[UInt8]]) -> Completion {
        let wanted = Set(names)
        var named: [String] = []
        var enabled = features
        for (name, capability, feature) in Features.byName
        where wanted.contains(Array(name.utf8)) && capabilities.contains(capability) {
            enabled.insert(feature)
            // RFC 7162 §3.2.3: who knows QRESYNC knows CONDSTORE.
            if feature == .qresync { enabled.insert(.condstore) }
            named.append(capability)
        }
        // Names and strings take their new form after this response.
        wire.out.enabled(named)
        features = enabled
        return .ok("ENABLE completed")
    }
}
