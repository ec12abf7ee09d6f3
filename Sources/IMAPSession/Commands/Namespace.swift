import IMAPGrammar

extension Authenticated {
    /// NAMESPACE (RFC 9051 §6.3.10): one personal namespace with an empty prefix.
    ///
    /// Outlook ignores prefixes, and macOS shows what is below INBOX as empty, so there is none.
    func namespace() -> Completion {
        wire.out.namespace(personal: [Serializer.Namespace(prefix: "", separator: store.separator)])
        return .ok("NAMESPACE completed")
    }
}
