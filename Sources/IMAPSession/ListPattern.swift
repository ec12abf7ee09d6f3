import IMAPTypes

/// A mailbox pattern of LIST or LSUB (RFC 9051 §6.3.9): "*" stands for any bytes, "%" for any but the separator.
///
/// Matching follows all possibilities at once, so a hostile pattern costs its length times the name's and no more; one that
/// could only match longer names costs nothing.
struct ListPattern {
    private enum Element: Equatable { case byte(UInt8), star, percent }
    private let elements: [Element]
    private let separator: UInt8
    /// Bytes that stand for themselves.
    private let literals: Int

    /// Both in UTF-8.
    init(_ pattern: [UInt8], _ separator: Character) {
        var elements: [Element] = []
        for byte in pattern {
            switch (byte, elements.last) {
            // Neighbours that match no more than one of them does alone.
            case (UInt8(ascii: "*"), .star), (UInt8(ascii: "%"), .star), (UInt8(ascii: "%"), .percent): break
            case (UInt8(ascii: "*"), .percent): elements[elements.count - 1] = .star
            case (UInt8(ascii: "*"), _): elements.append(.star)
            case (UInt8(ascii: "%"), _): elements.append(.percent)
            default: elements.append(.byte(byte))
            }
        }
        self.elements = elements
        literals = elements.count { $0 != .star && $0 != .percent }
        self.separator = separator.asciiValue ?? UInt8(ascii: "/")
    }

    func matches(_ name: MailboxName) -> Bool {
        // INBOX is INBOX in any case (RFC 9051 §5.1), in a pattern too, and as the level above others.
        let name = name.string.utf8
        guard literals <= name.count else { return false }
        let isInInbox = name.starts(with: "INBOX".utf8) && (name.count == 5 || name.dropFirst(5).first == separator)
        return matches(name, ignoringCase: isInInbox ? 5 : 0)
    }

    /// `ignoringCase`: of so many bytes at the beginning.
    private func matches(_ name: some Collection<UInt8>, ignoringCase caseless: Int) -> Bool {
        // reached[i]: the first i elements match what we have seen of the name.
        var reached = [Bool](repeating: false, count: elements.count + 1)
        var next = reached
        reached[0] = true
        var end = passWildcards(&reached, upTo: 0)
        for (offset, byte) in name.enumerated() {
            var nextEnd = -1
            for at in 0...elements.count { next[at] = false }
            for at in 0..<Swift.min(end + 1, elements.count) where reached[at] {
                switch elements[at] {
                case .byte(let wanted):
                    guard wanted == byte || offset < caseless && wanted.lowercasedASCII == byte.lowercasedASCII else { continue }
                    next[at + 1] = true
                    nextEnd = Swift.max(nextEnd, at + 1)
                case .percent where byte == separator: break
                case .star, .percent:
                    next[at] = true
                    nextEnd = Swift.max(nextEnd, at)
                }
            }
            guard nextEnd >= 0 else { return false }
            end = passWildcards(&next, upTo: nextEnd)
            swap(&reached, &next)
        }
        return reached[elements.count]
    }

    /// A wildcard may stand for nothing. Returns the last element reached.
    private func passWildcards(_ reached: inout [Bool], upTo end: Int) -> Int {
        var at = 0, last = end
        while at <= last, at < elements.count {
            if reached[at], elements[at] == .star || elements[at] == .percent {
                reached[at + 1] = true
                last = Swift.max(last, at + 1)
            }
            at += 1
        }
        return last
    }
}

extension UInt8 {
    var lowercasedASCII: UInt8 { (0x41...0x5A).contains(self) ? self | 0x20 : self }
}
