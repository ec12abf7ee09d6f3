import IMAPTypes
import MailMessage

/// THREADID (RFC 8474 §5.2): what the messages of one conversation have in common.
///
/// It is the digest of the id of the message that began the conversation, as the header tells it: the first of References, or
/// else of In-Reply-To, or else the message's own. So it depends on nothing but the message: it is the same in every mailbox, in
/// whatever order messages come and whichever of them are there, and it never changes.
enum ThreadID {
    /// `nil` if the header has none of these: then the message is a conversation of its own, with the number of its EMAILID.
    static func of(_ header: MessageStructure) -> ObjectID? {
        guard let first = firstID(header, .references) ?? firstID(header, .inReplyTo) ?? firstID(header, .messageID) else {
            return nil
        }
        return ObjectID(digestOf: first)
    }

    private static func firstID(_ header: MessageStructure, _ field: FieldName) -> [UInt8]? {
        for value in header.values(field, of: MessageStructure.root) {
            if let id = MessageID.first(value) { return id }
        }
        return nil
    }
}

extension ObjectID {
    /// The first half of a SHA-256: no two ids are found that give the same (RFC 8474 §11).
    init(digestOf bytes: [UInt8]) {
        let digest = SHA256.digest(of: bytes)
        self.init(low: UInt64(digest[2]) << 32 | UInt64(digest[3]), high: UInt64(digest[0]) << 32 | UInt64(digest[1]))
    }
}
