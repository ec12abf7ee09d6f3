/// HTML as a sequence of what can be read and what stands between. Not a parser: it looks for text, takes any bytes, and goes
/// over them once.
struct Markup {
    enum Piece {
        case text([Unicode.Scalar])
        /// A tag that ends a word: of a paragraph, a cell, a line.
        case gap
        /// <blockquote>, in which replies have what they reply to; false at its end.
        case quotation(begins: Bool)
    }

    private let bytes: UnsafeRawBufferPointer
    private var at = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// `nil` at the end.
    mutating func next() -> Piece? {
        while at < bytes.count {
            switch bytes[at] {
            case UInt8(ascii: "<"): if let piece = tag() { return piece }
            case UInt8(ascii: "&"): return .text([entity()])
            default: return .text(run())
            }
        }
        return nil
    }

    private mutating func run() -> [Unicode.Scalar] {
        let start = at
        while at < bytes.count, bytes[at] != UInt8(ascii: "<"), bytes[at] != UInt8(ascii: "&") { at += 1 }
        return Array(String(decoding: bytes[start..<at], as: UTF8.self).unicodeScalars)
    }

    // MARK: - Tags

    /// Tags within a word. What others stand for ends one.
    private static let inline: Set<[UInt8]> = Set([
        "a", "abbr", "b", "bdi", "bdo", "big", "cite", "code", "del", "dfn", "em", "font", "i", "ins", "kbd", "mark", "q", "s",
        "samp", "small", "span", "strike", "strong", "sub", "sup", "tt", "u", "var", "wbr",
    ].map { Array($0.utf8) })

    /// Elements of which the content is not shown.
    private static let hidden: Set<[UInt8]> = Set(["script", "style", "title", "template", "textarea", "select"].map {
        Array($0.utf8)
    })

    /// At "<". `nil` for a tag that means nothing here.
    private mutating func tag() -> Piece? {
        let start = at
        at += 1
        if take("!--") {
            skip(past: "-->")
            return nil
        }
        let isEnd = take("/")
        let name = self.name()
        guard !name.isEmpty || isEnd || peek == UInt8(ascii: "!") || peek == UInt8(ascii: "?") else {
            // A sign of less than.
            at = start + 1
            return .text(["<"])
        }
        skipAttributes()
        if !isEnd, Self.hidden.contains(name) {
            skipElement(name)
            return .gap
        }
        if name.elementsEqual("blockquote".utf8) { return .quotation(begins: !isEnd) }
        return Self.inline.contains(name) || name.isEmpty ? nil : .gap
    }

    private var peek: UInt8? { at < bytes.count ? bytes[at] : nil }

    private mutating func take(_ text: StaticString) -> Bool {
        let count = text.utf8CodeUnitCount
        guard bytes.count - at >= count else { return false }
        for offset in 0..<count where bytes[at + offset] != text.utf8Start[offset] { return false }
        at += count
        return true
    }

    /// Letters and digits, in lower case.
    private mutating func name() -> [UInt8] {
        var name: [UInt8] = []
        while let byte = peek {
            let letter = byte.asciiLowercased
            guard (0x61...0x7A).contains(letter) || (0x30...0x39).contains(letter) && !name.isEmpty else { break }
            name.append(letter)
            at += 1
        }
        return name
    }

    /// Past the ">" that is not within quotation marks.
    private mutating func skipAttributes() {
        var quote: UInt8?
        while let byte = peek {
            at += 1
            switch byte {
            case UInt8(ascii: ">") where quote == nil: return
            case UInt8(ascii: "\""), UInt8(ascii: "'"): quote = quote == nil ? byte : quote == byte ? nil : quote
            default: break
            }
        }
    }

    private mutating func skip(past end: StaticString) {
        while at < bytes.count {
            if take(end) { return }
            at += 1
        }
    }

    /// Past the end tag of that name.
    private mutating func skipElement(_ name: [UInt8]) {
        while at < bytes.count {
            if bytes[at] == UInt8(ascii: "<") {
                at += 1
                if take("/"), self.name() == name { return skipAttributes() }
            } else {
                at += 1
            }
        }
    }

    // MARK: - Character references

    /// At "&"; a "&" if it begins nothing known.
    private mutating func entity() -> Unicode.Scalar {
        let start = at + 1
        let end = bytes[start...].prefix(32).firstIndex(of: UInt8(ascii: ";"))
        if let end, let scalar = Self.scalar(bytes[start..<end]) {
            at = end + 1
            return scalar
        }
        at = start
        return "&"
    }

    private static func scalar(_ text: Slice<UnsafeRawBufferPointer>) -> Unicode.Scalar? {
        guard text.first == UInt8(ascii: "#") else { return named[Array(text)].flatMap { Unicode.Scalar($0) } }
        let digits = text.dropFirst()
        let isHexadecimal = digits.first.map { $0 | 0x20 == UInt8(ascii: "x") } ?? false
        let number = String(decoding: isHexadecimal ? digits.dropFirst() : digits, as: UTF8.self)
        guard let value = UInt32(number, radix: isHexadecimal ? 16 : 10) else { return nil }
        return Unicode.Scalar(value) ?? "\u{FFFD}"
    }

    /// Those that mail has: XML's, HTML 4's for Latin-1, punctuation.
    private static let named: [[UInt8]: UInt32] = {
        let latin1 = """
            nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute \
            micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring \
            AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml \
            times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil \
            egrave eacute ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash \
            ugrave uacute ucirc uuml yacute thorn yuml
            """
        let others: KeyValuePairs<String, UInt32> = [
            "amp": 0x26, "lt": 0x3C, "gt": 0x3E, "quot": 0x22, "apos": 0x27, "OElig": 0x152, "oelig": 0x153, "Scaron": 0x160,
            "scaron": 0x161, "Yuml": 0x178, "ensp": 0x2002, "emsp": 0x2003, "thinsp": 0x2009, "zwnj": 0x200C, "zwj": 0x200D,
            "lrm": 0x200E, "rlm": 0x200F, "ndash": 0x2013, "mdash": 0x2014, "lsquo": 0x2018, "rsquo": 0x2019, "sbquo": 0x201A,
            "ldquo": 0x201C, "rdquo": 0x201D, "bdquo": 0x201E, "dagger": 0x2020, "bull": 0x2022, "hellip": 0x2026,
            "lsaquo": 0x2039, "rsaquo": 0x203A, "euro": 0x20AC, "trade": 0x2122, "larr": 0x2190, "rarr": 0x2192, "minus": 0x2212,
        ]
        var result: [[UInt8]: UInt32] = [:]
        for (offset, name) in latin1.split(separator: " ").enumerated() { result[Array(name.utf8)] = 0xA0 + UInt32(offset) }
        for (name, value) in others { result[Array(name.utf8)] = value }
        return result
    }()
}
