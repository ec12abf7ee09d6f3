import IMAPGrammar
import MailMessage

/// What a FETCH asks of every message, found out once.
struct FetchProgram {
    /// In the client's order, each once.
    let attributes: [FetchAttribute]
    /// Whether a message's content is needed at all, and how much of its structure.
    let needsContent: Bool
    let scope: MessageParser.Scope?
    let needsDetails: Bool
    let needsIdentity: Bool
    /// Whether all of the message is sent as it is: its size must be known before.
    let needsWhole: Bool
    /// Whether it makes messages \Seen (RFC 9051 §6.4.5): BODY[…], BINARY[…], RFC822, RFC822.TEXT.
    let setsSeen: Bool
    /// Whether it sends text of messages: all of it, or parts, and not only their headers.
    let sendsText: Bool
    /// What a kept record must have so that no content is needed; `nil` if that cannot be.
    let keptItems: KeptItems?

    init(_ requested: [FetchAttribute]) {
        var attributes: [FetchAttribute] = []
        for attribute in requested where !attributes.contains(attribute) {
            // One answer for both.
            if attribute == .preview(lazy: true), requested.contains(.preview(lazy: false)) { continue }
            attributes.append(attribute)
        }
        self.attributes = attributes
        needsContent = attributes.contains { $0.scope != .none }
        let scopes = attributes.map(\.scope)
        scope = scopes.contains(.structure) ? .whole : scopes.contains(.header) ? .header : nil
        needsDetails = attributes.contains { $0 == .internalDate || $0 == .rfc822Size }
        needsIdentity = attributes.contains { $0 == .saveDate || $0 == .emailID || $0 == .threadID }
        needsWhole = attributes.contains { $0.scope == .bytes }
        setsSeen = attributes.contains(where: \.setsSeen)
        sendsText = attributes.contains(where: \.isText)
        keptItems = needsContent || attributes.contains(.preview(lazy: true)) ? KeptItems(attributes) : nil
    }
}

extension FetchAttribute {
    fileprivate enum Scope { case none, bytes, header, structure }

    fileprivate var scope: Scope {
        switch self {
        case .flags, .internalDate, .saveDate, .emailID, .uid, .modSeq, .rfc822Size: .none
        case .envelope, .threadID, .rfc822Header: .header
        case .preview(let lazy): lazy ? .none : .structure
        case .body, .bodyStructure, .rfc822Text: .structure
        case .rfc822: .bytes
        case .bodySection(let section, _, _):
            if !section.part.isEmpty { .structure } else {
                switch section.text {
                case nil: .bytes
                case .header, .headerFields, .headerFieldsNot: .header
                case .text, .mime: .structure
                }
            }
        case .binary(let part, _, _), .binarySize(let part): part.isEmpty ? .bytes : .structure
        }
    }

    fileprivate var isText: Bool {
        switch self {
        case .rfc822, .rfc822Text, .binary: true
        case .bodySection(let section, _, _): section.text == nil || section.text == .text
        default: false
        }
    }

    fileprivate var setsSeen: Bool {
        switch self {
        case .bodySection(_, _, let peek), .binary(_, _, let peek), .rfc822(let peek), .rfc822Text(let peek): !peek
        default: false
        }
    }
}
