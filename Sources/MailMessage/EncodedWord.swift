import Glibc

/// encoded-word (RFC 2047), wherever it stands in a field: as people read it, not as they should have written it.
public enum EncodedWord {
    /// A field's value as UTF-8, with its encoded words decoded and the space between two of them gone (§6.2).
    /// What is no encoded word and no UTF-8 is Latin-1.
    public static func decode(_ value: UnsafeRawBufferPointer, into output: inout [UInt8]) {
        var i = 0, plainStart = 0
        // Where plain text that is no more than white space would begin, after an encoded word.
        var previous: Word?
        var decoded: [UInt8] = []
        var charset: Charset?
        var search = WordSearch()

        /// The words of one charset are decoded together: some programs cut characters in two (§5, "multi-octet").
        func flush() {
            guard let known = charset else { return }
            var decoder = CharsetDecoder(known)
            decoded.withUnsafeBytes { decoder.decode($0, into: &output) }
            decoder.finish(into: &output)
            decoded.removeAll(keepingCapacity: true)
            charset = nil
        }

        while i < value.count, let found = memchr(value.baseAddress! + i, Int32(UInt8(ascii: "=")), value.count - i) {
            i = UnsafeRawPointer(found) - value.baseAddress!
            guard i + 1 < value.count, value[i + 1] == UInt8(ascii: "?"),
                  let word = Word(value, at: i, &search) else {
                i += 1
                continue
            }
            let between = value[plainStart..<i]
            if previous == nil || !between.allSatisfy(\.isSpace) {
                flush()
                plain(UnsafeRawBufferPointer(rebasing: between), into: &output)
            }
            if charset != nil, charset != word.charset { flush() }
            charset = word.charset
            word.decode(value, into: &decoded)
            previous = word
            i = word.end
            plainStart = i
        }
        flush()
        plain(UnsafeRawBufferPointer(rebasing: value[plainStart...]), into: &output)
    }

    private static func plain(_ bytes: UnsafeRawBufferPointer, into output: inout [UInt8]) {
        if isASCII(bytes) {
            output.append(contentsOf: bytes)
            return
        }
        var decoder = CharsetDecoder(.ascii)
        decoder.decode(bytes, into: &output)
        decoder.finish(into: &output)
    }

    /// What was found out for one word and holds for the next, so that a value full of words that are none takes no longer than
    /// another.
    private struct WordSearch {
        /// Of the "?=" that was found last; the end of the value if there is none.
        private var end = -1
        /// Names of charsets that are none, each of which may have cost a look at the disk.
        var unknownCharsets = 0
        static let mostUnknownCharsets = 16

        /// The first "?=" from `start` on.
        mutating func end(of value: UnsafeRawBufferPointer, from start: Int) -> Int {
            if end < start {
                end = start
                while end + 1 < value.count, value[end] != UInt8(ascii: "?") || value[end + 1] != UInt8(ascii: "=") { end += 1 }
                if end + 1 >= value.count { end = value.count }
            }
            return end
        }
    }

    /// "=?" charset "?" encoding "?" encoded-text "?="
    private struct Word {
        var charset: Charset
        var isBase64: Bool
        var text: Range<Int>
        var end: Int

        /// RFC 2047 allows 75; programs that do not count are common.
        static let longest = 4096

        init?(_ value: UnsafeRawBufferPointer, at start: Int, _ search: inout WordSearch) {
            let limit = min(value.count, start + Self.longest)
            var i = start + 2
            let charsetStart = i
            while i < limit, value[i] != UInt8(ascii: "?"), !value[i].isSpace { i += 1 }
            // RFC 2231 §5: a language may follow the charset.
            let name = value[charsetStart..<i].prefix { $0 != UInt8(ascii: "*") }
            guard i + 3 < limit, value[i] == UInt8(ascii: "?"), value[i + 2] == UInt8(ascii: "?") else { return nil }
            switch value[i + 1].asciiLowercased {
            case UInt8(ascii: "b"): isBase64 = true
            case UInt8(ascii: "q"): isBase64 = false
            default: return nil
            }
            let textStart = i + 3
            i = search.end(of: value, from: textStart)
            guard i + 1 < limit, search.unknownCharsets < WordSearch.mostUnknownCharsets else { return nil }
            guard let charset = Charset(name) else {
                search.unknownCharsets += 1
                return nil
            }
            self.charset = charset
            text = textStart..<i
            end = i + 2
        }

        func decode(_ value: UnsafeRawBufferPointer, into output: inout [UInt8]) {
            let encoded = UnsafeRawBufferPointer(rebasing: value[text])
            if isBase64 {
                var decoder = Base64Decoder()
                decoder.decode(encoded, into: &output)
                decoder.finish(into: &output)
                return
            }
            var i = 0
            while i < encoded.count {
                if encoded[i] == UInt8(ascii: "_") {
                    output.append(SP)
                } else if encoded[i] == UInt8(ascii: "="), i + 2 < encoded.count,
                          let high = encoded[i + 1].hexValue, let low = encoded[i + 2].hexValue {
                    output.append(high << 4 | low)
                    i += 2
                } else {
                    output.append(encoded[i])
                }
                i += 1
            }
        }
    }
}
