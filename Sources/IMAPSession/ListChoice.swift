import IMAPGrammar
import IMAPTypes

/// Which names of a tree a LIST shows, and what it says of each (RFC 9051 §6.3.9.3, §6.3.9.6).
struct ListChoice {
    struct Entry {
        var response: ListResponse
        /// Whether STATUS is told with it: it is a mailbox, and meets the criteria itself.
        var hasStatus: Bool
    }

    private let tree: MailboxTree
    private let separator: Character
    private let command: ListCommand
    /// Whether old names for attributes are avoided.
    private let isExtended: Bool
    private let matches: [Bool]

    init(_ tree: MailboxTree, _ command: ListCommand, separator: Character, isExtended: Bool) {
        self.tree = tree
        self.separator = separator
        self.command = command
        self.isExtended = isExtended
        // In the extended form an empty pattern means nothing (§6.3.9).
        let patterns = command.patterns.filter { !$0.isEmpty }.map { ListPattern(command.reference + $0, separator) }
        matches = tree.entries.map { entry in patterns.contains { $0.matches(entry.name) } }
    }

    func entries() -> [Entry] {
        tree.entries.indices.compactMap { index in matches[index] ? entry(index) : nil }
    }

    /// A matching name is shown if it meets the criteria, or if something below it does that is not shown itself.
    private func entry(_ index: Int) -> Entry? {
        let (name, node) = tree.entries[index]
        let isSelected = meetsCriteria(node)
        let below = isRecursive || !isSelected ? selected(below: index) : (any: false, hidden: false)
        guard isSelected || isRecursive && below.hidden || showsLevel(node, below.hidden) else { return nil }
        var response = ListResponse(name, separator: separator, attributes: Self.attributes(of: node, isExtended: isExtended),
                                    use: node.use.map { [$0] } ?? [])
        if showsSubscribed, node.isSubscribed { response.attributes.insert(.subscribed) }
        if isRecursive, below.any { response.childInfo = criteria }
        return Entry(response: response, hasStatus: isSelected && node.exists)
    }

    private var isRecursive: Bool { command.selection.contains(.recursiveMatch) }
    private var criteria: ListSelection { command.selection.intersection([.subscribed, .specialUse]) }
    private var showsSubscribed: Bool { command.selection.contains(.subscribed) || command.returning.contains(.subscribed) }

    /// Several criteria narrow the choice (§6.3.9); without any, what exists is chosen.
    private func meetsCriteria(_ node: MailboxTree.Node) -> Bool {
        if criteria.contains(.subscribed), !node.isSubscribed { return false }
        if criteria.contains(.specialUse), node.use == nil { return false }
        return node.exists || criteria.contains(.subscribed)
    }

    /// A level that is no mailbox, in a list without criteria: "%" shows it because what is below it is not shown. The basic
    /// form shows it always (§6.3.6 has an example), since clients build their tree from it.
    private func showsLevel(_ node: MailboxTree.Node, _ hasHidden: Bool) -> Bool {
        criteria.isEmpty && node.hasChildren && (hasHidden || !command.isExtended)
    }

    private func selected(below index: Int) -> (any: Bool, hidden: Bool) {
        var any = false
        for child in tree.descendants(of: index) where meetsCriteria(tree.entries[child].node) {
            any = true
            if !matches[child] { return (true, true) }
        }
        return (any, false)
    }

    /// No name here is \Noinferiors. Children are told even if nobody asks (RFC 3348): it costs nothing.
    static func attributes(of node: MailboxTree.Node, isExtended: Bool) -> ListAttributes {
        var attributes: ListAttributes = node.hasChildren ? .hasChildren : .hasNoChildren
        // Old clients know \Noselect only; \NonExistent implies it (§7.3.1).
        if !node.exists { attributes.insert(isExtended ? .nonExistent : .noSelect) }
        return attributes
    }
}
