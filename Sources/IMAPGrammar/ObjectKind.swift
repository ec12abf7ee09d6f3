import IMAPTypes

/// What an object identifier is of (RFC 8474): the letter that it begins with, so that no two kinds of object ever have the same,
/// and none looks like a number or NIL (§5.2, §8.1).
public enum ObjectKind: UInt8, Sendable {
    case mailbox = 0x46, message = 0x4D, thread = 0x54
}

extension Serializer {
    /// "(" objectid ")"
    ///
    /// objectid = 1*255(ALPHA / DIGIT / "_" / "-")
    public mutating func objectid(_ id: ObjectID, _ kind: ObjectKind) {
        open()
        write(byte: kind.rawValue)
        for byte in id.hexadecimal.utf8 { write(byte: byte) }
        close()
    }
}

extension Parser {
    /// objectid = 1*255(ALPHA / DIGIT / "_" / "-")
    ///
    /// `nil` for one that nothing of this kind can have here.
    mutating func objectid(_ kind: ObjectKind) throws(SyntaxError) -> ObjectID? {
        let start = at
        let id = take { $0.isDigit || (0x41...0x5A).contains($0.uppercased) || $0 == 0x2D || $0 == 0x5F }
        guard (1...255).contains(id.count) else {
            at = start
            throw failure("objectid")
        }
        return id.first == kind.rawValue ? ObjectID(hexadecimal: id.dropFirst()) : nil
    }
}
