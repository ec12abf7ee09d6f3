import IMAPGrammar

/// The REFERENCES algorithm (RFC 5256 §3), step by step, on nodes in an array: a thread may be as deep as it has messages,
/// so nothing here recurses.
struct ThreadForest {
    private struct Node {
        /// Index of the message; `nil` for a message that is only referred to.
        var message: Int?
        var parent: Int?
        /// Whether some node has, or had, this one as its parent: if not, no loop can go through it.
        var isParent = false
        var children: [Int] = []
    }

    private let messages: [ThreadedMessage]
    private var nodes: [Node] = []
    private var roots: [Int] = []

    init(_ messages: [ThreadedMessage]) { self.messages = messages }

    mutating func threads() -> [Serializer.ThreadEntry] {
        link()
        roots = nodes.indices.filter { nodes[$0].parent == nil }
        prune()
        sortRoots()
        joinBySubject()
        sortSiblings()
        return entries()
    }

    // MARK: - (1) Link by references

    private mutating func link() {
        var byID: [ByteKey: Int] = [:]
        byID.reserveCapacity(messages.count)

        func node(_ id: [UInt8], _ nodes: inout [Node]) -> Int {
            let key = ByteKey(id)
            if let node = byID[key] { return node }
            nodes.append(Node())
            byID[key] = nodes.count - 1
            return nodes.count - 1
        }

        for (index, message) in messages.enumerated() {
            // A message without an id, or with one that another has already, gets one of its own.
            let this: Int
            if let id = message.id, case let known = node(id, &nodes), nodes[known].message == nil {
                this = known
            } else {
                nodes.append(Node())
                this = nodes.count - 1
            }
            nodes[this].message = index

            // (A) Ancestors, oldest first: linked unless they have a parent, or it would make a loop.
            var previous: Int?
            for reference in message.references {
                let current = node(reference, &nodes)
                if let previous, nodes[current].parent == nil, !isAncestor(current, of: previous) {
                    setParent(of: current, to: previous)
                }
                previous = current
            }
            // (B) The last of them is the parent, whatever others said; none, if that would make a loop.
            nodes[this].parent = nil
            if let previous, !isAncestor(this, of: previous) { setParent(of: this, to: previous) }
        }
        for index in nodes.indices {
            if let parent = nodes[index].parent { nodes[parent].children.append(index) }
        }
    }

    private mutating func setParent(of node: Int, to parent: Int) {
        nodes[node].parent = parent
        nodes[parent].isParent = true
    }

    /// Whether `node` is `other` or above it.
    private func isAncestor(_ node: Int, of other: Int) -> Bool {
        guard nodes[node].isParent else { return node == other }
        var current: Int? = other
        while let index = current {
            if index == node { return true }
            current = nodes[index].parent
        }
        return false
    }

    // MARK: - (3) Prune what is only referred to

    private mutating func prune() {
        // From the leaves up: every node after those below it.
        for index in downward(from: roots).reversed() {
            var kept: [Int] = []
            for child in nodes[index].children {
                if nodes[child].message != nil { kept.append(child) } else {
                    // Its children take its place; without any, it goes.
                    kept += nodes[child].children
                }
            }
            for child in kept { nodes[child].parent = index }
            nodes[index].children = kept
        }
        // At the root, a gap with several children stays: they belong together.
        var kept: [Int] = []
        for root in roots {
            if nodes[root].message != nil || nodes[root].children.count > 1 { kept.append(root) } else {
                for child in nodes[root].children {
                    nodes[child].parent = nil
                    kept.append(child)
                }
            }
        }
        roots = kept
    }

    /// All nodes below `start`, each before those below it.
    private func downward(from start: [Int]) -> [Int] {
        var result: [Int] = []
        var stack = Array(start.reversed())
        while let index = stack.popLast() {
            result.append(index)
            stack.append(contentsOf: nodes[index].children.reversed())
        }
        return result
    }

    // MARK: - (4) Sort

    /// By sent date; equal dates by the place in the mailbox. A gap is where its first child is.
    private func precedes(_ a: Int, _ b: Int) -> Bool {
        guard let first = message(a), let second = message(b) else { return a < b }
        return messages[first].date != messages[second].date ? messages[first].date < messages[second].date : first < second
    }

    private func message(_ node: Int) -> Int? {
        nodes[node].message ?? nodes[node].children.first.flatMap { nodes[$0].message }
    }

    private mutating func sortRoots() {
        for root in roots where nodes[root].message == nil { nodes[root].children = sorted(nodes[root].children) }
        roots = sorted(roots)
    }

    /// To sort them in place would have `precedes` hold a copy of all nodes while one is changed.
    private func sorted(_ siblings: [Int]) -> [Int] { siblings.sorted { precedes($0, $1) } }

    // MARK: - (5) Join threads of one subject

    private mutating func joinBySubject() {
        var table: [ByteKey: Int] = [:]
        // (B)
        for root in roots {
            guard let subject = subject(root) else { continue }
            if let other = table[subject] {
                // A gap rather than a message; a message that is no reply rather than one that is.
                let isGap = nodes[root].message == nil, otherIsGap = nodes[other].message == nil
                if isGap && !otherIsGap || !isGap && !otherIsGap && isReply(other) && !isReply(root) { table[subject] = root }
            } else {
                table[subject] = root
            }
        }
        // (C)
        var places = Dictionary(uniqueKeysWithValues: zip(roots, roots.indices))
        var removed = Set<Int>()
        for root in roots {
            guard let subject = subject(root), let other = table[subject], other != root else { continue }
            switch (nodes[root].message == nil, nodes[other].message == nil) {
            case (true, true):
                for child in nodes[root].children { adopt(child, by: other) }
                nodes[root].children = []
            case (false, true):
                adopt(root, by: other)
            case (false, false) where isReply(root) && !isReply(other):
                adopt(root, by: other)
            default:
                // Two that are alike become siblings below a new gap, which stands where the other was.
                nodes.append(Node())
                let gap = nodes.count - 1
                adopt(other, by: gap)
                adopt(root, by: gap)
                table[subject] = gap
                if let place = places.removeValue(forKey: other) {
                    roots[place] = gap
                    places[gap] = place
                }
            }
            removed.insert(root)
        }
        roots.removeAll { removed.contains($0) }
    }

    private mutating func adopt(_ node: Int, by parent: Int) {
        nodes[node].parent = parent
        nodes[parent].children.append(node)
    }

    /// The thread's subject: that of its first message. `nil` if it is empty, as such threads are not joined.
    private func subject(_ root: Int) -> ByteKey? {
        guard let message = message(root), !messages[message].subject.isEmpty else { return nil }
        return ByteKey(messages[message].subject)
    }

    private func isReply(_ node: Int) -> Bool {
        nodes[node].message.map { messages[$0].isReplyOrForward } ?? false
    }

    // MARK: - (6) Sort again

    private mutating func sortSiblings() {
        for index in downward(from: roots).reversed() where nodes[index].children.count > 1 {
            nodes[index].children = sorted(nodes[index].children)
        }
        roots = sorted(roots)
    }

    private func entries() -> [Serializer.ThreadEntry] {
        var entries: [Serializer.ThreadEntry] = []
        entries.reserveCapacity(nodes.count)
        var stack = roots.reversed().map { (node: $0, depth: 0) }
        while let (node, depth) = stack.popLast() {
            entries.append(.init(nodes[node].message.map { messages[$0].number }, depth: depth))
            for child in nodes[node].children.reversed() { stack.append((child, depth + 1)) }
        }
        return entries
    }
}
