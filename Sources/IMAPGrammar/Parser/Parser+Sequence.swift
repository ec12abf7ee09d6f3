import IMAPTypes

extension Parser {
    /// sequence-set    = (seq-number / seq-range) ["," sequence-set]
    /// sequence-set    =/ seq-last-command
    ///
    /// The rule recurses. We loop: a long set must not exhaust the stack.
    mutating func sequenceSet() throws(SyntaxError) -> SequenceSet {
        if accept("$") { return .lastCommand }
        var ranges: [SeqRange] = []
        repeat {
            guard ranges.count < Limit.sequenceRanges else { throw failure("no more ranges") }
            ranges.append(try seqRange())
        } while accept(",")
        return .ranges(ranges)
    }

    /// seq-range       = seq-number ":" seq-number
    ///                     ; two seq-number values and all values between
    ///                     ; these two regardless of order.
    mutating func seqRange() throws(SyntaxError) -> SeqRange {
        let first = try seqNumber()
        return SeqRange(first, accept(":") ? try seqNumber() : first)
    }

    /// seq-number      = nz-number / "*"
    mutating func seqNumber() throws(SyntaxError) -> SeqNumber {
        accept("*") ? .largest : .number(try nzNumber())
    }

    /// A set of numbers that the client knows, as RFC 7162 §7 has it: "*" and "$" are not allowed.
    mutating func knownSet() throws(SyntaxError) -> SequenceSet {
        let start = at
        let set = try sequenceSet()
        guard case .ranges(let ranges) = set,
              !ranges.contains(where: { $0.first == .largest || $0.last == .largest }) else {
            at = start
            throw failure("known-uids")
        }
        return set
    }

    /// mod-sequence-value  = 1*DIGIT
    ///                        ;; Positive unsigned 63-bit integer
    /// mod-sequence-valzer = "0" / mod-sequence-value
    ///
    /// Zero is taken everywhere: iOS sends CHANGEDSINCE 0.
    mutating func modSequenceValzer() throws(SyntaxError) -> ModSequence {
        guard let value = ModSequence(try number64()) else { throw failure("mod-sequence-value") }
        return value
    }
}
