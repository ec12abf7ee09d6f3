import IMAPGrammar
import IMAPTypes
import MailMessage

/// ENVELOPE, BODY and BODYSTRUCTURE of a message as they go on the wire, PREVIEW, and what THREADID is made of, in the bytes in
/// which they are kept, so that the message need not be read again.
///
/// Everything here is what the message's bytes would give; what is absent is read from the message.
struct KeptRecord {
    enum Item: Int, CaseIterable {
        case envelope, body, bodyStructure
        /// The same in UTF-8 where that is different.
        case envelopeUTF8, bodyUTF8, bodyStructureUTF8
        /// `ThreadID`, high half first; no bytes if the header tells none.
        case threadID
        /// PREVIEW, in UTF-8.
        case preview

        var inUTF8: Item { Item(rawValue: rawValue + 3) ?? self }
    }

    private let bytes: UnsafeRawBufferPointer
    /// Whether the message was parsed whole when this was written: what is absent is then too large to be kept.
    let isWhole: Bool

    /// Format, scope, length of each item; then the items.
    private static let headerCount = 8 + 4 * Item.allCases.count
    private static let absent = UInt32.max
    /// More is not kept of one item.
    private static let longestItem = 8192

    /// `nil` if the bytes are not in this form.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= Self.headerCount, bytes.loadUnaligned(as: UInt32.self) == Self.format else { return nil }
        self.bytes = bytes
        isWhole = bytes[4] != 0
        var end = Self.headerCount
        for item in 0..<Item.allCases.count {
            let length = bytes.loadUnaligned(fromByteOffset: 8 + 4 * item, as: UInt32.self)
            if length != Self.absent { end += Int(length) }
        }
        guard end <= bytes.count else { return nil }
    }

    private func length(_ item: Int) -> Int? {
        let length = bytes.loadUnaligned(fromByteOffset: 8 + 4 * item, as: UInt32.self)
        return length == Self.absent ? nil : Int(length)
    }

    private subscript(item: Item) -> UnsafeRawBufferPointer? {
        guard let length = length(item.rawValue) else { return nil }
        var start = Self.headerCount
        for before in 0..<item.rawValue { start += self.length(before) ?? 0 }
        return UnsafeRawBufferPointer(rebasing: bytes[start..<start + length])
    }

    /// `envelope`, `body` or `bodyStructure` as it goes on the wire.
    func item(_ item: Item, _ mode: WireMode) -> UnsafeRawBufferPointer? {
        if mode.isUTF8, let bytes = self[item.inUTF8] { return bytes }
        return self[item]
    }

    /// `nil` if it was not kept; `.some(nil)` if the header tells none.
    var threadID: ObjectID?? {
        guard let bytes = self[.threadID] else { return nil }
        guard bytes.count == 16 else { return .some(nil) }
        return ObjectID(low: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self),
                        high: bytes.loadUnaligned(as: UInt64.self))
    }

    var preview: UnsafeRawBufferPointer? { self[.preview] }

    static func bytes(_ id: ObjectID?) -> [UInt8] {
        guard let id else { return [] }
        return withUnsafeBytes(of: (id.high, id.low)) { Array($0) }
    }

    func has(_ items: KeptItems) -> Bool {
        (!items.contains(.envelope) || length(Item.envelope.rawValue) != nil)
            && (!items.contains(.body) || length(Item.body.rawValue) != nil)
            && (!items.contains(.bodyStructure) || length(Item.bodyStructure.rawValue) != nil)
            && (!items.contains(.preview) || length(Item.preview.rawValue) != nil)
            && (!items.contains(.threadID) || length(Item.threadID.rawValue) != nil)
    }

    /// Changes with the way an item is written.
    private static let format: UInt32 = 0x6974_6D03

    // MARK: Writing

    /// Begins a record with no items; they are appended in the order of `Item`.
    static func begin(isWhole: Bool, into output: inout [UInt8]) {
        output.removeAll(keepingCapacity: true)
        withUnsafeBytes(of: format) { output.append(contentsOf: $0) }
        output.append(contentsOf: [isWhole ? 1 : 0, 0, 0, 0])
        output.append(contentsOf: repeatElement(0xFF, count: headerCount - 8))
    }

    static func fits(_ bytes: [UInt8]) -> Bool { bytes.count <= longestItem }

    /// Whether it was short enough.
    @discardableResult
    static func append(_ item: Item, _ bytes: [UInt8], to output: inout [UInt8]) -> Bool {
        guard fits(bytes) else { return false }
        output.append(contentsOf: bytes)
        let place = 8 + 4 * item.rawValue
        output.withUnsafeMutableBytes { $0.storeBytes(of: UInt32(bytes.count), toByteOffset: place, as: UInt32.self) }
        return true
    }
}

/// Items that a command needs.
struct KeptItems: OptionSet {
    let rawValue: UInt8
    static let envelope = KeptItems(rawValue: 1)
    static let body = KeptItems(rawValue: 2)
    static let bodyStructure = KeptItems(rawValue: 4)
    static let fields = KeptItems(rawValue: 8)
    static let threadID = KeptItems(rawValue: 16)
    static let preview = KeptItems(rawValue: 32)
    /// What was kept is told; it need not be there.
    static let lazyPreview = KeptItems(rawValue: 64)

    /// Whether anything but fields is needed.
    var needsRecord: Bool { !subtracting([.fields, .lazyPreview]).isEmpty }

    init(rawValue: UInt8) { self.rawValue = rawValue }

    /// `nil` if one of the attributes needs more than is ever kept.
    init?(_ attributes: [FetchAttribute]) {
        self = []
        for attribute in attributes {
            switch attribute {
            case .envelope: insert(.envelope)
            case .body: insert(.body)
            case .bodyStructure: insert(.bodyStructure)
            case .threadID: insert(.threadID)
            case .preview(let lazy): insert(lazy ? .lazyPreview : .preview)
            case .bodySection(let section, _, _):
                guard section.part.isEmpty, case .headerFields(let names) = section.text,
                      KeptFields.mask(of: names) != nil else { return nil }
                insert(.fields)
            case .uid, .flags, .modSeq, .internalDate, .saveDate, .emailID, .rfc822Size: break
            case .rfc822, .rfc822Header, .rfc822Text, .binary, .binarySize: return nil
            }
        }
    }
}
