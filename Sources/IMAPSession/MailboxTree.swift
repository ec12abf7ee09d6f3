import IMAPTypes
import MailStore

/// All names that a client may see, with what LIST tells of them (RFC 9051 §6.3.9): mailboxes, subscribed names,
/// and the levels above both.
struct MailboxTree {
    struct Node {
        var exists = false
        var use: SpecialUse?
        var isSubscribed = false
        /// Whether a mailbox is below it.
        var hasChildren = false
    }

    /// INBOX first, then in the order of the names' bytes with the separator before every other, so that what is below
    /// a name follows it.
    private(set) var entries: [(name: MailboxName, node: Node)] = []
    private let separator: UInt8

    /// With the names that clients know.
    ///
    /// - Parameter special: what mailboxes are for if the store says nothing of them, nor names others for it.
    init(
        _ store: any MailStore, _ namespace: PersonalNamespace, _ special: [SpecialMailbox] = []
    ) throws(StoreError) {
        let separator = store.separator.asciiValue ?? UInt8(ascii: "/")
        self.separator = separator
        var nodes: [MailboxName: Node] = [:]
        for entry in try store.mailboxes() {
            guard let name = namespace.shown(entry.name) else { continue }
            nodes[name, default: Node()].exists = true
            nodes[name]?.use = entry.use
            for parent in Self.parents(of: name, separator) { nodes[parent, default: Node()].hasChildren = true }
        }
        for mailbox in special {
            guard let name = namespace.shown(mailbox.name), nodes[name]?.exists == true, nodes[name]?.use == nil,
                  !nodes.values.contains(where: { $0.use == mailbox.use })
            else { continue }
            nodes[name]?.use = mailbox.use
        }
        for name in try store.subscriptions().compactMap(namespace.shown) {
            nodes[name, default: Node()].isSubscribed = true
            // A level that only a subscription has above it: LSUB "%" and RECURSIVEMATCH ask for it.
            for parent in Self.parents(of: name, separator) where nodes[parent] == nil { nodes[parent] = Node() }
        }
        entries = nodes.map { ($0.key, $0.value) }.sorted { Self.precedes($0.name, $1.name, separator) }
    }

    /// "a/b/c" has "a/b" and "a".
    private static func parents(of name: MailboxName, _ separator: UInt8) -> [MailboxName] {
        var result: [MailboxName] = []
        var rest = name.string[...]
        while let at = rest.utf8.lastIndex(of: separator) {
            rest = rest[..<at]
            if let parent = MailboxName(String(rest)) { result.append(parent) }
        }
        return result
    }

    private static func precedes(_ a: MailboxName, _ b: MailboxName, _ separator: UInt8) -> Bool {
        let aIsInbox = isInbox(a, separator), bIsInbox = isInbox(b, separator)
        if aIsInbox != bIsInbox { return aIsInbox }
        return a.string.utf8.lexicographicallyPrecedes(b.string.utf8) { x, y in
            x != y && (x == separator || y != separator && x < y)
        }
    }

    /// INBOX and what is below it.
    private static func isInbox(_ name: MailboxName, _ separator: UInt8) -> Bool {
        let bytes = name.string.utf8
        return bytes.starts(with: "INBOX".utf8) && (bytes.count == 5 || bytes.dropFirst(5).first == separator)
    }

    /// The indexes of the names below the one at `index`.
    func descendants(of index: Int) -> Range<Int> {
        let prefix = Array(entries[index].name.string.utf8) + [separator]
        var end = index + 1
        while end < entries.count, entries[end].name.string.utf8.starts(with: prefix) { end += 1 }
        return index + 1..<end
    }
}
