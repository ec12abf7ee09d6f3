import Glibc

/// The header fields that ENVELOPE, BODYSTRUCTURE and threading are made of.
public enum FieldName: UInt8, Sendable {
    // RFC 5322, of messages only.
    case date, subject, from, sender, replyTo, to, cc, bcc, inReplyTo, messageID, references
    // RFC 2045, RFC 1864, RFC 2183, RFC 3282, RFC 2557; of any entity.
    case contentType, contentTransferEncoding, contentID, contentDescription, contentMD5
    case contentDisposition, contentLanguage, contentLocation

    var isContent: Bool { rawValue >= FieldName.contentType.rawValue }

    /// The field of that name, in any case.
    @inline(__always)
    init?(_ name: UnsafePointer<UInt8>, count: Int) {
        // The length leaves at most three candidates.
        switch count {
        case 2:
            if Self.matches(name, "to") { self = .to } else if Self.matches(name, "cc") { self = .cc } else { return nil }
        case 3: if Self.matches(name, "bcc") { self = .bcc } else { return nil }
        case 4:
            if Self.matches(name, "date") { self = .date } else if Self.matches(name, "from") { self = .from } else { return nil }
        case 6: if Self.matches(name, "sender") { self = .sender } else { return nil }
        case 7: if Self.matches(name, "subject") { self = .subject } else { return nil }
        case 8: if Self.matches(name, "reply-to") { self = .replyTo } else { return nil }
        case 10:
            if Self.matches(name, "message-id") { self = .messageID } else
            if Self.matches(name, "references") { self = .references } else
            if Self.matches(name, "content-id") { self = .contentID } else { return nil }
        case 11:
            if Self.matches(name, "in-reply-to") { self = .inReplyTo } else
            if Self.matches(name, "content-md5") { self = .contentMD5 } else { return nil }
        case 12: if Self.matches(name, "content-type") { self = .contentType } else { return nil }
        case 16:
            if Self.matches(name, "content-language") { self = .contentLanguage } else
            if Self.matches(name, "content-location") { self = .contentLocation } else { return nil }
        case 19:
            if Self.matches(name, "content-disposition") { self = .contentDisposition } else
            if Self.matches(name, "content-description") { self = .contentDescription } else { return nil }
        case 25: if Self.matches(name, "content-transfer-encoding") { self = .contentTransferEncoding } else { return nil }
        default: return nil
        }
    }

    @inline(__always)
    private static func matches(_ name: UnsafePointer<UInt8>, _ wanted: StaticString) -> Bool {
        // Most names differ in the first letter.
        name[0] | 0x20 == wanted.utf8Start[0] && strncasecmp(name, wanted.utf8Start, wanted.utf8CodeUnitCount) == 0
    }
}
