import IMAPGrammar

extension Authenticated {
    /// NAMESPACE (RFC 9051 §6.3.10): one personal namespace.
    ///
    /// Its prefix is empty unless somebody needs another: Outlook ignores prefixes, and macOS shows what is below INBOX as empty.
    func namespace() -> Completion {
        wire.out.namespace(personal: [Serializer.Namespace(prefix: naming.prefix, separator: store.separator)])
        return .ok("NAMESPACE completed")
    }
}
