/// What a message is made of: entities (RFC 2045 §2.4) in a tree, where their bytes are, and the fields that describe them.
///
/// Kept as three flat arrays, so that a message of any shape costs a handful of allocations, and none at all in a
/// structure that is used again.
public struct MessageStructure: Sendable {
    /// The tree in the order of the text; the message itself is first.
    public internal(set) var parts: [Part] = []
    /// The whole message.
    public internal(set) var whole = Extent()

    var fields: [Field] = []
    /// The fields' values, unfolded, one after the other.
    var text: [UInt8] = []

    /// A field's value as a range of `text`.
    struct Field {
        var name: FieldName
        var start: Int
        var end: Int
    }

    /// Where a part stands in `parts`.
    public typealias Index = Int

    public struct Part: Sendable {
        public enum Kind: Sendable {
            /// text/…: BODYSTRUCTURE tells its lines.
            case text
            case basic
            /// Has children, at least one once the message was read.
            case multipart
            /// message/rfc822 or message/global; its one child is the message within.
            case message
        }

        public internal(set) var kind = Kind.text
        /// The message itself, or the child of a `message`: its header is that of a message, not the MIME fields of a part.
        public internal(set) var isMessage = false
        /// Its Content-Type could not be used, or leads nowhere: it is shown as text/plain.
        public internal(set) var isOpaque = false
        /// A multipart/digest.
        var isDigest = false

        public internal(set) var parent: Index?
        public internal(set) var firstChild: Index?
        public internal(set) var next: Index?

        /// Up to and with the empty line.
        public internal(set) var header = Extent()
        /// Without the line end that belongs to a following delimiter (RFC 2046 §5.1.1).
        public internal(set) var body = Extent()

        /// A range of the structure's `fields`.
        var fields = 0..<0
    }

    public static let root: Index = 0

    mutating func removeAll() {
        parts.removeAll(keepingCapacity: true)
        fields.removeAll(keepingCapacity: true)
        text.removeAll(keepingCapacity: true)
        whole = Extent()
    }

    /// The value of the part's first field of that name: unfolded, without white space around it, NULs replaced.
    public func value(_ name: FieldName, of part: Index) -> ArraySlice<UInt8>? {
        for field in parts[part].fields where fields[field].name == name {
            return text[fields[field].start..<fields[field].end]
        }
        return nil
    }

    /// The values of all fields of that name, in order.
    public func values(_ name: FieldName, of part: Index) -> [ArraySlice<UInt8>] {
        parts[part].fields.compactMap { fields[$0].name == name ? text[fields[$0].start..<fields[$0].end] : nil }
    }

    /// The children in order.
    public func children(of part: Index) -> [Index] {
        var children: [Index] = []
        var next = parts[part].firstChild
        while let child = next {
            children.append(child)
            next = parts[child].next
        }
        return children
    }
}
