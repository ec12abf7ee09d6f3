/// LIST (RFC 9051 §6.3.9). Patterns and reference are decoded to UTF-8, as mailbox names are, and compare with their `string`.
public struct ListCommand: Hashable, Sendable {
    public var reference: [UInt8]
    public var patterns: [[UInt8]]
    public var selection: ListSelection = []
    public var returning: ListReturn = []
    /// What RETURN (STATUS (…)) asks for (RFC 5819); empty without it.
    public var status: [StatusItem] = []
    /// Whether the extended form was used: several patterns, or any option (RFC 9051 §6.3.9).
    public var isExtended = false

    public init(reference: [UInt8], patterns: [[UInt8]]) {
        self.reference = reference
        self.patterns = patterns
    }
}

/// RFC 9051 §6.3.9.1. REMOTE is accepted and selects nothing more: there are no remote mailboxes.
public struct ListSelection: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    public static let subscribed = ListSelection(rawValue: 1)
    public static let remote = ListSelection(rawValue: 2)
    public static let recursiveMatch = ListSelection(rawValue: 4)
    public static let specialUse = ListSelection(rawValue: 8)
}

/// RFC 9051 §6.3.9.2.
public struct ListReturn: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    public static let subscribed = ListReturn(rawValue: 1)
    public static let children = ListReturn(rawValue: 2)
    public static let specialUse = ListReturn(rawValue: 4)
}
