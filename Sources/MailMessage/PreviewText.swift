/// The beginning of a message as people read it (RFC 8970 §3.3): one line of plain text.
///
/// What says little comes only if there is nothing else: quotations of other messages. What says nothing is left out: lines drawn
/// with signs, signatures, armour of PGP.
public struct PreviewText {
    /// Characters (RFC 8970 §3.3).
    public static let longest = 200

    private var own = Line()
    private var quoted = Line()

    private init() {}

    private var result: [UInt8] { own.isEmpty ? quoted.bytes : own.bytes }

    /// White space is one space; what cannot be seen is nothing.
    private struct Line {
        private(set) var bytes: [UInt8] = []
        private var count = 0
        private var isSpaceDue = false

        var isEmpty: Bool { bytes.isEmpty }
        var isFull: Bool { count >= PreviewText.longest }

        mutating func space() { isSpaceDue = !bytes.isEmpty }

        mutating func append(_ text: some Sequence<Unicode.Scalar>) {
            for scalar in text {
                if isFull { return }
                switch scalar.value {
                case 0x21...0x7E where !isSpaceDue: put(scalar)
                case 0x09...0x0D, 0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: space()
                // Controls; signs that only order, join or hide others, with which newsletters fill up their first line.
                case 0...0x1F, 0x7F...0x9F, 0xAD, 0x034F, 0x061C, 0x115F...0x1160, 0x200B, 0x200E...0x200F, 0x202A...0x202E,
                     0x2060...0x206F, 0xFEFF, 0xFFFC: continue
                // Joiners mean something between letters only.
                case 0x200C, 0x200D: if !isSpaceDue, !bytes.isEmpty { put(scalar) }
                default:
                    if isSpaceDue {
                        isSpaceDue = false
                        put(" ")
                        if isFull {
                            // A space would be the last.
                            bytes.removeLast()
                            return
                        }
                    }
                    put(scalar)
                }
            }
        }

        private mutating func put(_ scalar: Unicode.Scalar) {
            if scalar.isASCII {
                bytes.append(UInt8(truncatingIfNeeded: scalar.value))
            } else {
                bytes.append(contentsOf: UTF8.encode(scalar)!)
            }
            count += 1
        }
    }

    // MARK: - text/plain

    /// Of `text`, which is UTF-8 and may end anywhere. Empty if there is nothing to show.
    public static func plain(_ text: UnsafeRawBufferPointer) -> [UInt8] {
        var preview = PreviewText()
        var rest = text[...]
        var isArmour = false
        while !rest.isEmpty, !preview.own.isFull {
            let end = rest.firstIndex(of: 0x0A) ?? rest.endIndex
            let line = rest[..<end]
            rest = rest[(end < rest.endIndex ? end + 1 : end)...]
            if line.starts(with: "-----BEGIN PGP MESSAGE".utf8) { break }
            // The headers of a signed text, up to an empty line.
            if line.starts(with: "-----BEGIN PGP SIGNED".utf8) { isArmour = true }
            if isArmour {
                isArmour = line.contains { $0 > 0x20 }
                continue
            }
            if line.starts(with: "-----BEGIN PGP".utf8) || isSignature(line) { break }
            if isDrawn(line) { continue }
            let scalars = String(decoding: line, as: UTF8.self).unicodeScalars
            if line.first(where: { $0 != 0x20 }) == UInt8(ascii: ">") {
                preview.quoted.space()
                preview.quoted.append(scalars.drop { $0 == ">" || $0 == " " })
            } else {
                preview.own.space()
                preview.own.append(scalars)
            }
        }
        return preview.result
    }

    /// "-- "
    private static func isSignature(_ line: some Collection<UInt8>) -> Bool {
        line.elementsEqual("-- ".utf8) || line.elementsEqual("-- \r".utf8)
    }

    /// Three signs or more, and nothing to be read.
    private static func isDrawn(_ line: some Collection<UInt8>) -> Bool {
        var signs = 0
        for byte in line where byte > 0x20 {
            switch byte {
            case UInt8(ascii: "-"), UInt8(ascii: "="), UInt8(ascii: "_"), UInt8(ascii: "*"), UInt8(ascii: "#"), UInt8(ascii: "~"),
                 UInt8(ascii: "+"), UInt8(ascii: "."), UInt8(ascii: "|"): signs += 1
            default: return false
            }
        }
        return signs >= 3
    }

    // MARK: - text/html

    /// The same of HTML: without tags, and without what is not shown.
    public static func html(_ text: UnsafeRawBufferPointer) -> [UInt8] {
        var preview = PreviewText()
        var markup = Markup(text)
        var quotations = 0
        while !preview.own.isFull, let piece = markup.next() {
            switch piece {
            case .text(let scalars):
                if quotations > 0 { preview.quoted.append(scalars) } else { preview.own.append(scalars) }
            case .gap:
                preview.own.space()
                preview.quoted.space()
            case .quotation(let begins):
                quotations = max(0, quotations + (begins ? 1 : -1))
                preview.own.space()
                preview.quoted.space()
            }
        }
        return preview.result
    }
}
