import IMAPGrammar

/// What the client has enabled (RFC 5161), or made us assume by using it (RFC 7162 §3.1).
struct Features: OptionSet {
    let rawValue: UInt8

    static let imap4rev2 = Features(rawValue: 1)
    static let utf8Accept = Features(rawValue: 2)
    static let condstore = Features(rawValue: 4)
    static let qresync = Features(rawValue: 8)

    /// What ENABLE knows, by name in upper case, with the capability, in the order in which ENABLED lists them.
    static let byName: [(name: String, capability: String, feature: Features)] = [
        ("IMAP4REV2", "IMAP4rev2", .imap4rev2), ("UTF8=ACCEPT", "UTF8=ACCEPT", .utf8Accept),
        ("CONDSTORE", "CONDSTORE", .condstore), ("QRESYNC", "QRESYNC", .qresync),
    ]

    var wireMode: WireMode {
        var mode: WireMode = []
        if contains(.imap4rev2) { mode.insert(.imap4rev2) }
        if contains(.utf8Accept) { mode.insert(.utf8Accept) }
        return mode
    }
}
