/// The subject without what replies and forwards add to it (RFC 5256 §2.1).
public struct BaseSubject: Sendable {
    /// UTF-8.
    public private(set) var text: [UInt8]
    /// Whether "re:", "fwd:", "(fwd)" or their like were taken away (§2.1, §3 step 5.B).
    public private(set) var isReplyOrForward = false

    public init(_ value: some Collection<UInt8>) { self.init(Array(value)[...]) }

    /// `value` is that of a Subject field, with its encoded words.
    public init(_ value: ArraySlice<UInt8>) {
        text = []
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
        var start = 0, end = length

        subject.withUnsafeBufferPointer { s in
            /// Whether `word`, in lower case, stands at `i`.
            func has(_ word: StaticString, at i: Int) -> Bool {
                i >= start && i + word.utf8CodeUnitCount <= end && s[i..<i + word.utf8CodeUnitCount].isCaseInsensitively(word)
            }
            /// subj-blob       = "[" *BLOBCHAR "]" *WSP; returns where it ends.
            func blob(at i: Int) -> Int? {
                guard i < end, s[i] == UInt8(ascii: "[") else { return nil }
                var k = i + 1
                while k < end, s[k] != UInt8(ascii: "["), s[k] != UInt8(ascii: "]") { k += 1 }
                guard k < end, s[k] == UInt8(ascii: "]") else { return nil }
                k += 1
                while k < end, s[k] == SP { k += 1 }
                return k
            }
            /// subj-refwd      = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"
            func replyOrForward(at i: Int) -> Int? {
                guard has("re", at: i) || has("fw", at: i) else { return nil }
                var k = has("fwd", at: i) ? i + 3 : i + 2
                while k < end, s[k] == SP { k += 1 }
                if let after = blob(at: k) { k = after }
                return k < end && s[k] == UInt8(ascii: ":") ? k + 1 : nil
            }

            while true {
                // (2) subj-trailer    = "(fwd)" / WSP
                while end > start {
                    if s[end - 1] == SP { end -= 1 } else if has("(fwd)", at: end - 5) {
                        end -= 5
                        isReplyOrForward = true
                    } else { break }
                }
                // (3)–(5) subj-leader     = (*subj-blob subj-refwd) / WSP, then subj-blobs that leave something.
                var before: Int
                repeat {
                    before = start
                    while start < end, s[start] == SP { start += 1 }
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
                // (6) subj-fwd        = subj-fwd-hdr subject subj-fwd-trl
                guard has("[fwd:", at: start), end > start, s[end - 1] == UInt8(ascii: "]") else { break }
                start += 5
                end -= 1
                isReplyOrForward = true
            }
        }
        text = Array(subject[start..<max(start, end)])
    }
}
