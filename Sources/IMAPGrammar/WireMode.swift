/// What the client has enabled that changes how bytes are read and written (RFC 5161, RFC 9051 §6.3.1).
public struct WireMode: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// UTF8=ACCEPT (RFC 9755).
    public static let utf8Accept = WireMode(rawValue: 1)
    /// IMAP4rev2 (RFC 9051).
    public static let imap4rev2 = WireMode(rawValue: 2)

    /// Whether mailbox names and quoted strings are UTF-8. Before, names are modified UTF-7 (RFC 3501 §5.1.3) and
    /// quoted strings from us are ASCII.
    public var isUTF8: Bool { !isEmpty }
}
