/// The name of a mailbox, decoded: Unicode, with the hierarchy separator of the store that it is meant for.
///
/// Made only from names without control characters, so that no name can break a line on the wire or in a file.
/// INBOX in any case is `INBOX` (RFC 9051 §5.1).
public struct MailboxName: Hashable, Sendable {
    public let string: String

    /// Longest name in UTF-8 bytes. A level must fit a file name too; that limit is the store's.
    public static let longest = 1000

    /// `nil` for an empty or overlong name, and for one with a control character (U+0000 to U+001F, U+007F to U+009F,
    /// U+2028, U+2029; RFC 9051 §5.1 and RFC 5198 §2).
    public init?(_ string: String) {
        let scalars = string.unicodeScalars
        guard !string.isEmpty, string.utf8.count <= Self.longest,
              !scalars.contains(where: Self.isControl) else { return nil }
        self.string = Self.isInbox(string.utf8) ? "INBOX" : string
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0...0x1F, 0x7F...0x9F, 0x2028, 0x2029: true
        default: false
        }
    }

    public static let inbox = MailboxName("INBOX")!

    public var isInbox: Bool { self == .inbox }

    /// The levels between separators, with INBOX in any case as first level made `INBOX`: what is below INBOX is below
    /// it however the client writes that.
    public func levels(separator: Character) -> [Substring] {
        var levels = string.split(separator: separator, omittingEmptySubsequences: false)
        if Self.isInbox(levels[0].utf8) { levels[0] = "INBOX" }
        return levels
    }

    private static func isInbox(_ name: some Collection<UInt8>) -> Bool {
        name.elementsEqual("inbox".utf8) { $0 | 0x20 == $1 }
    }
}

/// Names are equal when their code units are: the file system does not normalise, so neither do we.
extension MailboxName {
    public static func == (a: MailboxName, b: MailboxName) -> Bool {
        a.string.utf8.elementsEqual(b.string.utf8)
    }

    public func hash(into hasher: inout Hasher) {
        for byte in string.utf8 { hasher.combine(byte) }
    }
}

/// What a mailbox is for (RFC 6154 §2, RFC 8457 §3).
public enum SpecialUse: String, Hashable, Sendable, CaseIterable {
    case all = "\\All"
    case archive = "\\Archive"
    case drafts = "\\Drafts"
    case flagged = "\\Flagged"
    case important = "\\Important"
    case junk = "\\Junk"
    case sent = "\\Sent"
    case trash = "\\Trash"
}
