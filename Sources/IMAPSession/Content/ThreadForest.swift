import IMAPGrammar

/// The REFERENCES algorithm (RFC 5256 §3), step by step, on nodes in an array: a thread may be as deep as it has messages,
/// so nothing here recurses.
struct ThreadForest {
    /// Nodes and messages are known by their indexes; -1 is none.
    private struct Node {
        /// Its message; none for one that is only referred to.
        var message: Int32 = -1
        /// Only while messages are linked.
        var parent: Int32 = -1
        var first: Int32 = -1
        var last: Int32 = -1
        /// The next child of its parent.
        var next: Int32 = -1
        /// Whether some node has, or had, this one as its parent: if not, no loop can go through it.
        var isParent = false
    }

    private let messages: [ThreadedMessage]
    private let references: [UInt64]
    private var nodes: [Node] = []
    /// Nodes that linking may still look at on the way up.
    private var stepsLeft = 0
    private var roots: [Int] = []

    init(_ messages: ThreadedMessages) {
        self.messages = messages.all
        references = messages.references
    }

    mutating func threads() -> [Serializer.ThreadEntry] {
        link()
        roots = nodes.indices.filter { nodes[$0].parent < 0 }
        prune()
        sortRoots()
        joinBySubject()
        sortSiblings()
        return entries()
    }

    // MARK: - Children

    private func children(_ node: Int) -> [Int] {
        var result: [Int] = []
        var child = nodes[node].first
        while child >= 0 {
            result.append(Int(child))
            child = nodes[Int(child)].next
        }
        return result
    }

    private func hasChildren(_ node: Int) -> Bool { nodes[node].first >= 0 }
    private func hasSeveralChildren(_ node: Int) -> Bool { nodes[node].first != nodes[node].last }

    private mutating func append(_ child: Int, to parent: Int) {
        nodes[child].next = -1
        let last = nodes[parent].last
        if last < 0 { nodes[parent].first = Int32(child) } else { nodes[Int(last)].next = Int32(child) }
        nodes[parent].last = Int32(child)
    }

    /// All children of `node` become the last of `parent`.
    private mutating func moveChildren(of node: Int, to parent: Int) {
        guard hasChildren(node) else { return }
        let first = nodes[node].first
        if nodes[parent].last < 0 { nodes[parent].first = first } else { nodes[Int(nodes[parent].last)].next = first }
        nodes[parent].last = nodes[node].last
        removeChildren(of: node)
    }

    private mutating func removeChildren(of node: Int) {
        nodes[node].first = -1
        nodes[node].last = -1
    }

    // MARK: - (1) Link by references

    private mutating func link() {
        nodes.reserveCapacity(messages.count + messages.count / 4)
        stepsLeft = 1_000_000 + 64 * (messages.count + references.count)
        var byID = HashTable(capacity: messages.count)

        func node(_ id: UInt64, _ nodes: inout [Node]) -> Int {
            let node = byID.find(id, or: nodes.count)
            if node == nodes.count { nodes.append(Node()) }
            return node
        }

        for index in messages.indices {
            // A message without an id, or with one that another has already, gets one of its own.
            let this: Int
            if messages[index].id != 0, case let known = node(messages[index].id, &nodes), nodes[known].message < 0 {
                this = known
            } else {
                nodes.append(Node())
                this = nodes.count - 1
            }
            nodes[this].message = Int32(truncatingIfNeeded: index)

            // (A) Ancestors, oldest first: linked unless they have a parent, or it would make a loop.
            var previous = -1
            for reference in messages[index].references {
                let current = node(references[reference], &nodes)
                if previous >= 0, nodes[current].parent < 0, !isAncestor(current, of: previous) {
                    setParent(of: current, to: previous)
                }
                previous = current
            }
            // (B) The last of them is the parent, whatever others said; none, if that would make a loop.
            nodes[this].parent = -1
            if previous >= 0, !isAncestor(this, of: previous) { setParent(of: this, to: previous) }
        }
        for index in nodes.indices where nodes[index].parent >= 0 { append(index, to: Int(nodes[index].parent)) }
    }

    private mutating func setParent(of node: Int, to parent: Int) {
        nodes[node].parent = Int32(truncatingIfNeeded: parent)
        nodes[parent].isParent = true
    }

    /// Whether `node` is `other` or above it, or it would take too long to find out: then they are not linked.
    ///
    /// References that somebody has made up can ask for the way up a deep thread again and again; those of real mail never
    /// come near the limit.
    private mutating func isAncestor(_ node: Int, of other: Int) -> Bool {
        guard nodes[node].isParent else { return node == other }
        var current = other
        while current >= 0 {
            stepsLeft -= 1
            if current == node || stepsLeft < 0 { return true }
            current = Int(nodes[current].parent)
        }
        return false
    }

    // MARK: - (3) Prune what is only referred to

    private mutating func prune() {
        // From the leaves up: every node after those below it.
        for index in downward(from: roots).reversed() where hasChildren(index) {
            var child = Int(nodes[index].first)
            removeChildren(of: index)
            while child >= 0 {
                let next = Int(nodes[child].next)
                // Of a gap the children take its place; without any, it goes.
                if nodes[child].message >= 0 { append(child, to: index) } else { moveChildren(of: child, to: index) }
                child = next
            }
        }
        // At the root, a gap with several children stays: they belong together.
        var kept: [Int] = []
        kept.reserveCapacity(roots.count)
        for root in roots {
            if nodes[root].message >= 0 || hasSeveralChildren(root) {
                kept.append(root)
            } else if hasChildren(root) {
                kept.append(Int(nodes[root].first))
            }
        }
        roots = kept
    }

    /// All nodes below `start` that are above others, and `start`: each before those below it.
    private func downward(from start: [Int]) -> [Int] {
        var result = start
        var at = 0
        while at < result.count {
            var child = nodes[result[at]].first
            while child >= 0 {
                if hasChildren(Int(child)) { result.append(Int(child)) }
                child = nodes[Int(child)].next
            }
            at += 1
        }
        return result
    }

    // MARK: - (4) Sort

    /// The node's message. A gap is where its first child is.
    private func message(_ node: Int) -> Int32 {
        nodes[node].message >= 0 || !hasChildren(node) ? nodes[node].message : nodes[Int(nodes[node].first)].message
    }

    /// By sent date; equal dates by the place in the mailbox.
    private func sorted(_ siblings: [Int]) -> [Int] {
        var keyed = siblings.map { node in
            let message = message(node)
            return (date: message >= 0 ? messages[Int(message)].date : 0, message: message, node: node)
        }
        keyed.sort { $0.date != $1.date ? $0.date < $1.date : $0.message < $1.message }
        return keyed.map(\.node)
    }

    private mutating func sortChildren(of node: Int) {
        let order = sorted(children(node))
        removeChildren(of: node)
        for child in order { append(child, to: node) }
    }

    private mutating func sortRoots() {
        for root in roots where nodes[root].message < 0 { sortChildren(of: root) }
        roots = sorted(roots)
    }

    // MARK: - (5) Join threads of one subject

    private mutating func joinBySubject() {
        var table = HashTable(capacity: roots.count)
        // (B)
        for root in roots {
            let subject = subject(root)
            if subject == 0 { continue }
            let other = table.find(subject, or: root)
            // A gap rather than a message; a message that is no reply rather than one that is.
            let isGap = nodes[root].message < 0, otherIsGap = nodes[other].message < 0
            if isGap && !otherIsGap || !isGap && !otherIsGap && isReply(other) && !isReply(root) { table.set(subject, to: root) }
        }
        // (C)
        var places = [Int32](repeating: -1, count: nodes.count)
        for (place, root) in roots.enumerated() { places[root] = Int32(truncatingIfNeeded: place) }
        for root in roots {
            let subject = subject(root)
            guard subject != 0, let other = table[subject], other != root else { continue }
            switch (nodes[root].message < 0, nodes[other].message < 0) {
            case (true, true):
                moveChildren(of: root, to: other)
            case (false, true):
                append(root, to: other)
            case (false, false) where isReply(root) && !isReply(other):
                append(root, to: other)
            default:
                // Two that are alike become siblings below a new gap, which stands where the other was.
                nodes.append(Node())
                let gap = nodes.count - 1
                append(other, to: gap)
                append(root, to: gap)
                table.set(subject, to: gap)
                places.append(places[other])
                if places[other] >= 0 { roots[Int(places[other])] = gap }
            }
            // A root no more. What took its place since is one.
            let place = Int(places[root])
            if roots[place] == root { roots[place] = -1 }
        }
        roots.removeAll { $0 < 0 }
    }

    /// The thread's subject: that of its first message. 0 if it is empty, as such threads are not joined.
    private func subject(_ root: Int) -> UInt64 {
        let message = message(root)
        return message >= 0 ? messages[Int(message)].subject : 0
    }

    private func isReply(_ node: Int) -> Bool {
        nodes[node].message >= 0 && messages[Int(nodes[node].message)].isReplyOrForward
    }

    // MARK: - (6) Sort again

    private mutating func sortSiblings() {
        for index in downward(from: roots).reversed() where hasSeveralChildren(index) { sortChildren(of: index) }
        roots = sorted(roots)
    }

    private func entries() -> [Serializer.ThreadEntry] {
        var entries: [Serializer.ThreadEntry] = []
        entries.reserveCapacity(nodes.count)
        var stack: [(node: Int, depth: Int)] = []
        for root in roots {
            stack.append((root, 0))
            while let (node, depth) = stack.popLast() {
                let message = nodes[node].message
                entries.append(.init(message >= 0 ? messages[Int(message)].number : nil, depth: depth))
                if depth > 0, nodes[node].next >= 0 { stack.append((Int(nodes[node].next), depth)) }
                if hasChildren(node) { stack.append((Int(nodes[node].first), depth + 1)) }
            }
        }
        return entries
    }
}
