/// The subject without what replies and forwards add to it (RFC 5256 §2.1).
public struct BaseSubject: Sendable {
    /// UTF-8.
    public let text: [UInt8]
    /// Whether "re:", "fwd:", "(fwd)" or their like were taken away (§2.1, §3 step 5.B).
    public let isReplyOrForward: Bool

    public init(_ value: some Collection<UInt8>) { self.init(Array(value)[...]) }

    /// `value` is that of a Subject field, with its encoded words.
    public init(_ value: ArraySlice<UInt8>) {
        // (1) UTF-8, with runs of white space as one space.
        var subject: [UInt8] = []
        value.withUnsafeBytes { EncodedWord.decode($0, into: &subject) }
        var length = 0
        subject.withUnsafeMutableBufferPointer { bytes in
            for byte in bytes {
                if byte.isSpace, length == 0 || bytes[length - 1] == SP { continue }
                bytes[length] = byte.isSpace ? SP : byte
                length += 1
            }
        }
        (text, isReplyOrForward) = subject.withUnsafeBufferPointer { bytes in
            var rest = Rest(bytes: bytes, start: 0, end: length)
            repeat {
                rest.dropTrailers()
                rest.dropLeaders()
            } while rest.dropForward()
            return (Array(bytes[rest.start..<max(rest.start, rest.end)]), rest.isReplyOrForward)
        }
    }
}

/// What is left of a subject.
private struct Rest {
    let bytes: UnsafeBufferPointer<UInt8>
    var start: Int
    var end: Int
    var isReplyOrForward = false

    /// (2) subj-trailer    = "(fwd)" / WSP
    mutating func dropTrailers() {
        while end > start {
            if bytes[end - 1] == SP {
                end -= 1
            } else if has("(fwd)", at: end - 5) {
                end -= 5
                isReplyOrForward = true
            } else {
                return
            }
        }
    }

    /// (3)–(5) subj-leader     = (*subj-blob subj-refwd) / WSP, then subj-blobs that leave something.
    mutating func dropLeaders() {
        var before: Int
        repeat {
            before = start
            while start < end, bytes[start] == SP { start += 1 }
            // Where the last blob begins that would leave nothing, and where all of them end.
            var last = start, k = start
            while let after = blob(at: k) { (last, k) = (k, after) }
            if let after = replyOrForward(at: k) {
                start = after
                isReplyOrForward = true
            } else {
                // One after the other would be taken away; to look at the rest for each of them would take long.
                start = k < end ? k : last
            }
        } while start != before
    }

    /// (6) subj-fwd        = subj-fwd-hdr subject subj-fwd-trl; whether there was one.
    mutating func dropForward() -> Bool {
        guard has("[fwd:", at: start), bytes[end - 1] == UInt8(ascii: "]") else { return false }
        start += 5
        end -= 1
        isReplyOrForward = true
        return true
    }

    /// Whether `word`, in lower case, stands at `i`.
    private func has(_ word: StaticString, at i: Int) -> Bool {
        i >= start && i + word.utf8CodeUnitCount <= end && bytes[i..<i + word.utf8CodeUnitCount].isCaseInsensitively(word)
    }

    /// subj-blob       = "[" *BLOBCHAR "]" *WSP; returns where it ends.
    private func blob(at i: Int) -> Int? {
        guard i < end, bytes[i] == UInt8(ascii: "[") else { return nil }
        var k = i + 1
        while k < end, bytes[k] != UInt8(ascii: "["), bytes[k] != UInt8(ascii: "]") { k += 1 }
        guard k < end, bytes[k] == UInt8(ascii: "]") else { return nil }
        k += 1
        while k < end, bytes[k] == SP { k += 1 }
        return k
    }

    /// subj-refwd      = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"; returns where it ends.
    private func replyOrForward(at i: Int) -> Int? {
        guard has("re", at: i) || has("fw", at: i) else { return nil }
        var k = has("fwd", at: i) ? i + 3 : i + 2
        while k < end, bytes[k] == SP { k += 1 }
        if let after = blob(at: k) { k = after }
        return k < end && bytes[k] == UInt8(ascii: ":") ? k + 1 : nil
    }
}
