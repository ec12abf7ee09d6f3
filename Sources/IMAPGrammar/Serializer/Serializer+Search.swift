import IMAPTypes

/// What ESEARCH says of a search (RFC 9051 §7.3.4). Numbers are UIDs if `byUID`, otherwise sequence numbers.
public struct ESearchResponse: Hashable, Sendable {
    /// The tag of the command.
    public var tag: Tag?
    public var byUID: Bool
    public var min: UInt32?
    public var max: UInt32?
    /// Ascending; `nil` unless ALL was asked for. Said only if it is not empty.
    public var all: [UInt32]?
    public var count: Int?
    /// RFC 7162 §3.1.10.
    public var modSequence: ModSequence?

    public init(tag: Tag?, byUID: Bool) {
        self.tag = tag
        self.byUID = byUID
    }
}

extension Serializer {
    /// obsolete-search-response = "SEARCH" *(SP nz-number)
    ///
    /// Or, with what RFC 7162 §7 adds, "SEARCH" [1*(SP nz-number) SP search-sort-mod-seq].
    public mutating func search(_ numbers: [UInt32], modSequence: ModSequence? = nil) {
        write("* SEARCH")
        numberList(numbers, modSequence)
    }

    /// sort-data       = "SORT" *(SP nz-number)
    public mutating func sort(_ numbers: [UInt32], modSequence: ModSequence? = nil) {
        write("* SORT")
        numberList(numbers, modSequence)
    }

    /// search-sort-mod-seq = "(" "MODSEQ" SP mod-sequence-value ")"
    private mutating func numberList(_ numbers: [UInt32], _ modSequence: ModSequence?) {
        write(atMost: 11 * numbers.count + 20) { buffer in
            var at = 0
            for number in numbers {
                buffer[at] = 0x20
                at &+= 1 &+ Self.putDigits(UInt64(number), UnsafeMutableRawBufferPointer(rebasing: buffer[(at &+ 1)...]))
            }
            return at
        }
        if let modSequence, !numbers.isEmpty {
            write(" (MODSEQ ")
            number(modSequence)
            close()
        }
        crlf()
    }

    /// esearch-response  = "ESEARCH" [search-correlator] [SP "UID"]
    ///                     *(SP search-return-data)
    ///
    /// search-correlator  = SP "(" "TAG" SP tag-string ")"
    public mutating func esearch(_ response: ESearchResponse) {
        write("* ESEARCH")
        if let tag = response.tag {
            write(" (TAG ")
            string(tag.bytes)
            close()
        }
        if response.byUID { write(" UID") }
        if let min = response.min {
            write(" MIN ")
            number(min)
        }
        if let max = response.max {
            write(" MAX ")
            number(max)
        }
        if let count = response.count {
            write(" COUNT ")
            number(count)
        }
        if let all = response.all, !all.isEmpty {
            write(" ALL ")
            sequenceSet(all)
        }
        if let modSequence = response.modSequence {
            write(" MODSEQ ")
            number(modSequence)
        }
        crlf()
    }

    /// One message of a thread, or a gap where the message that others answer is missing (RFC 5256 §3).
    public struct ThreadEntry: Hashable, Sendable {
        /// `nil` for a gap; a gap has two children or more, and none above it.
        public var number: UInt32?
        /// How many are above it: 0 begins a thread.
        public var depth: Int

        public init(_ number: UInt32?, depth: Int) {
            self.number = number
            self.depth = depth
        }
    }

    /// thread-data     = "THREAD" [SP 1*thread-list]
    ///
    /// thread-list     = "(" (thread-members / thread-nested) ")"
    ///
    /// thread-members  = nz-number *(SP nz-number) [SP thread-nested]
    ///
    /// thread-nested   = 2*thread-list
    ///
    /// - Parameter entries: each before those below it.
    public mutating func thread(_ entries: [ThreadEntry]) {
        write("* THREAD")
        if !entries.isEmpty { space() }
        let hasSiblings = Self.siblings(in: entries)
        // Depths at which a parenthesis is open.
        var open: [Int] = []
        for (index, entry) in entries.enumerated() {
            while let innermost = open.last, innermost >= entry.depth {
                close()
                open.removeLast()
            }
            let isFirstBelow = index > 0 && entries[index - 1].depth < entry.depth
            // Nothing separates "(" from "(", nor ")" from "(".
            if isFirstBelow, entries[index - 1].number != nil { space() }
            if entry.depth == 0 || hasSiblings[index] {
                self.open()
                open.append(entry.depth)
            }
            if let number = entry.number { self.number(number) }
        }
        for _ in open { close() }
        crlf()
    }

    /// Whether the entry at each index shares its parent with others.
    private static func siblings(in entries: [ThreadEntry]) -> [Bool] {
        var result = [Bool](repeating: false, count: entries.count)
        // The last entry seen at each depth below the present one's parents.
        var last: [Int] = []
        for (index, entry) in entries.enumerated() {
            precondition(entry.depth >= 0 && entry.depth <= last.count, "an entry without its parent")
            if entry.depth < last.count {
                result[index] = true
                result[last[entry.depth]] = true
                last.removeLast(last.count - entry.depth)
            }
            last.append(index)
        }
        return result
    }
}
