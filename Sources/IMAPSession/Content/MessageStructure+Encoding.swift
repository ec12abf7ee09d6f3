import MailMessage

extension MessageStructure {
    /// The transfer encoding of a part's body; `nil` for one that we do not know. A multipart or a message has none of its
    /// own (RFC 2045 §6.4).
    func encoding(of part: Index) -> TransferEncoding? {
        switch parts[part].kind {
        case .multipart, .message: .identity
        case .text, .basic: TransferEncoding(value(.contentTransferEncoding, of: part))
        }
    }
}
