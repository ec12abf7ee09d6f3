import IMAPTypes

/// Untagged data about the server and the selected mailbox (RFC 9051 §7.2 to §7.5).
extension Serializer {
    /// capability-data = "CAPABILITY" *(SP capability)
    mutating func capabilityData(_ capabilities: [String]) {
        write("CAPABILITY")
        for capability in capabilities {
            space()
            atom(capability)
        }
    }

    public mutating func capability(_ capabilities: [String]) {
        write("* ")
        capabilityData(capabilities)
        crlf()
    }

    /// enable-data     = "ENABLED" *(SP capability)
    public mutating func enabled(_ capabilities: [String]) {
        write("* ENABLED")
        for capability in capabilities {
            space()
            atom(capability)
        }
        crlf()
    }

    /// "ID" SP id_params_list (RFC 2971 §3.2)
    public mutating func id(_ fields: [IDField]?) {
        write("* ID ")
        if let fields, !fields.isEmpty {
            parenthesized(fields) { (serializer, field) in
                serializer.string(field.name)
                serializer.space()
                serializer.nstring(field.value)
            }
        } else {
            write("NIL")
        }
        crlf()
    }

    /// "FLAGS" SP flag-list: what flags the mailbox has.
    public mutating func flags(_ system: SystemFlags, _ keywords: [Keyword]) {
        write("* FLAGS ")
        flagList(system, keywords)
        crlf()
    }

    /// number SP "EXISTS"
    public mutating func exists(_ messages: Int) {
        write("* ")
        number(messages)
        write(" EXISTS\r\n")
    }

    /// number SP "RECENT" (RFC 3501 §7.3.2)
    public mutating func recent(_ messages: Int) {
        write("* ")
        number(messages)
        write(" RECENT\r\n")
    }

    /// nz-number SP "EXPUNGE"
    public mutating func expunge(_ message: SequenceNumber) {
        write("* ")
        number(message)
        write(" EXPUNGE\r\n")
    }

    /// expunged-resp       =  "VANISHED" [SP "(EARLIER)"] SP known-uids
    ///
    /// (RFC 7162 §3.2.10)
    public mutating func vanished(_ uids: UIDSet, earlier: Bool) {
        write(earlier ? "* VANISHED (EARLIER) " : "* VANISHED ")
        sequenceSet(uids)
        crlf()
    }
}
