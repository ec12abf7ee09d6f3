import IMAPGrammar
import MailMessage

/// Writes ENVELOPE, BODY and BODYSTRUCTURE (RFC 9051 §7.5.2): well-formed for any message.
///
/// Kept for many messages, so that its buffers are.
struct EnvelopeWriter {
    private var addresses = AddressList()
    var field = StructuredField()

    /// envelope        = "(" env-date SP env-subject SP env-from SP env-sender SP env-reply-to SP env-to SP env-cc SP
    ///                   env-bcc SP env-in-reply-to SP env-message-id ")"
    mutating func envelope(
        _ structure: borrowing MessageStructure, of message: MessageStructure.Index, into out: inout Serializer
    ) {
        out.open()
        Self.nstring(structure.value(.date, of: message), into: &out)
        out.space()
        Self.nstring(structure.value(.subject, of: message), into: &out)
        out.space()
        let start = out.count
        structure.addresses(.from, of: message, into: &addresses)
        addressList(into: &out)
        let from = start..<out.count
        for name in [FieldName.sender, .replyTo, .to, .cc, .bcc] {
            out.space()
            structure.addresses(name, of: message, into: &addresses)
            // Sender and Reply-To are From where they are missing or empty.
            if addresses.isEmpty, name == .sender || name == .replyTo { out.writeAgain(from) } else { addressList(into: &out) }
        }
        out.space()
        Self.nstring(structure.value(.inReplyTo, of: message), into: &out)
        out.space()
        Self.nstring(structure.value(.messageID, of: message), into: &out)
        out.close()
    }

    /// "(" 1*address ")" / nil
    private func addressList(into out: inout Serializer) {
        guard !addresses.isEmpty else { return out.write("NIL") }
        out.open()
        for entry in addresses.entries {
            switch entry {
            case .mailbox(let name, let route, let mailbox, let host):
                address(name, route, mailbox, host, into: &out)
            case .groupStart(let name):
                // [RFC5322] group syntax: the name stands for the mailbox, and there is no host.
                address(nil, nil, name, nil, into: &out)
            case .groupEnd:
                address(nil, nil, nil, nil, into: &out)
            }
        }
        out.close()
    }

    /// address         = "(" addr-name SP addr-adl SP addr-mailbox SP addr-host ")"
    private func address(
        _ name: Range<Int>?, _ route: Range<Int>?, _ mailbox: Range<Int>?, _ host: Range<Int>?, into out: inout Serializer
    ) {
        out.open()
        Self.nstring(name.map { addresses[$0] }, into: &out)
        out.space()
        Self.nstring(route.map { addresses[$0] }, into: &out)
        out.space()
        Self.nstring(mailbox.map { addresses[$0] }, into: &out)
        out.space()
        Self.nstring(host.map { addresses[$0] }, into: &out)
        out.close()
    }

    /// nstring         = string / nil
    ///
    /// What is there and empty is an empty string (RFC 9051 §7.5.2).
    static func nstring(_ value: ArraySlice<UInt8>?, into out: inout Serializer) {
        if let value { out.string(value) } else { out.write("NIL") }
    }
}
