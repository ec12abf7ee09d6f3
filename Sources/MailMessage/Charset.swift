import Glibc
import Synchronization

/// A character set by one of its names (RFC 2978), as mail declares it.
public struct Charset: Hashable, Sendable {
    enum Kind: Hashable, Sendable {
        case utf8
        case ascii
        /// By iconv(3), under a name that it knows. `isASCIICompatible`: a byte below 0x80 is that ASCII character.
        case iconv([CChar], isASCIICompatible: Bool)
    }
    let kind: Kind

    public static let utf8 = Charset(kind: .utf8)
    public static let ascii = Charset(kind: .ascii)

    private init(kind: Kind) { self.kind = kind }

    /// `nil` for a name that nobody knows.
    public init?(_ name: some Collection<UInt8>) {
        guard (1...40).contains(name.count) else { return nil }
        let lowercased = name.map(\.asciiLowercased)
        if lowercased.isCaseInsensitively("utf-8") || lowercased.isCaseInsensitively("utf8") {
            kind = .utf8
            return
        }
        if lowercased.isCaseInsensitively("us-ascii") || lowercased.isCaseInsensitively("ascii") {
            kind = .ascii
            return
        }
        let known = Self.met.withLock { met -> Charset? in
            if let known = met[lowercased] { return known }
            let isKept = met.count < Self.mostMet
            let charset = Self.lookUp(lowercased, isKept: isKept)
            if isKept { met[lowercased] = .some(charset) }
            return charset
        }
        guard let known else { return nil }
        self = known
    }

    /// The names that mail used so far, unknown ones too: to ask iconv costs a look at the disk.
    private static let met = Mutex<[[UInt8]: Charset?]>([:])
    private static let mostMet = 200

    /// Names from the network reach iconv only as letters, digits and "-_.:+".
    private static func lookUp(_ name: [UInt8], isKept: Bool) -> Charset? {
        guard name.allSatisfy({ byte in
            switch byte {
            case 0x30...0x39, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: ":"),
                 UInt8(ascii: "+"): true
            default: false
            }
        }) else { return nil }
        // What is declared as Latin-1 is Windows-1252, as everybody reads it; the same for its Chinese and Japanese fellows.
        var meant = name
        for (declared, superset) in supersets where name.isCaseInsensitively(declared) {
            meant = superset.withUTF8Buffer { Array($0) }
        }
        let text = meant.map { CChar(bitPattern: $0) } + [0]
        let descriptor = iconv_open("UTF-8", text)
        guard descriptor != noConversion else { return nil }
        let isASCIICompatible = leavesASCII(descriptor)
        // One stays open for good: with the last one, iconv may unload the charset's code.
        if !isKept { iconv_close(descriptor) }
        return Charset(kind: .iconv(text, isASCIICompatible: isASCIICompatible))
    }

    /// What iconv_open(3) returns when it cannot.
    static var noConversion: UnsafeMutableRawPointer? { UnsafeMutableRawPointer(bitPattern: -1) }

    /// Whether ASCII is converted to itself, the sequences too that shift in ISO 2022: not so in UTF-16, UTF-7, HZ, EBCDIC.
    private static func leavesASCII(_ descriptor: UnsafeMutableRawPointer?) -> Bool {
        var ascii = (0...0x7F).map { CChar($0) } + "\u{1B}$B!!\u{1B}(B\u{E}!!\u{F}".utf8.map { CChar(bitPattern: $0) }
        var output = [CChar](repeating: 0, count: 1024)
        var left = ascii.count, free = output.count
        let result = ascii.withUnsafeMutableBufferPointer { ascii in
            output.withUnsafeMutableBufferPointer { output in
                var from = ascii.baseAddress, to = output.baseAddress
                return iconv(descriptor, &from, &left, &to, &free)
            }
        }
        return result == 0 && output.prefix(output.count - free) == ascii[...]
    }

    private static let supersets: [(StaticString, StaticString)] = [
        ("iso-8859-1", "windows-1252"), ("iso8859-1", "windows-1252"), ("latin1", "windows-1252"),
        ("gb2312", "gb18030"), ("gbk", "gb18030"), ("ks_c_5601-1987", "cp949"), ("euc-kr", "cp949"),
        ("shift_jis", "cp932"), ("shift-jis", "cp932"), ("x-sjis", "cp932"), ("iso-8859-9", "windows-1254"),
    ]

    /// Named where a charset is refused (RFC 9051 §7.1, BADCHARSET).
    public static let common = [
        "US-ASCII", "UTF-8", "ISO-8859-1", "ISO-8859-2", "ISO-8859-3", "ISO-8859-4", "ISO-8859-5", "ISO-8859-6",
        "ISO-8859-7", "ISO-8859-8", "ISO-8859-9", "ISO-8859-10", "ISO-8859-13", "ISO-8859-14", "ISO-8859-15", "ISO-8859-16",
        "WINDOWS-1250", "WINDOWS-1251", "WINDOWS-1252", "WINDOWS-1253", "WINDOWS-1254", "WINDOWS-1255", "WINDOWS-1256",
        "WINDOWS-1257", "WINDOWS-1258", "KOI8-R", "KOI8-U", "UTF-7", "UTF-16", "ISO-2022-JP", "SHIFT_JIS", "EUC-JP",
        "ISO-2022-KR", "EUC-KR", "GB2312", "GB18030", "BIG5", "TIS-620", "MACINTOSH",
    ]
}

/// Text in some charset, in pieces, made UTF-8. Bytes that stand for nothing become U+FFFD.
public struct CharsetDecoder: ~Copyable {
    private let charset: Charset
    private var descriptor: UnsafeMutableRawPointer?
    /// The start of a character that a piece ended in.
    private var carry: [UInt8] = []
    /// Whether iconv may keep a letter back, for a mark that may follow it: some charsets do (Windows-1255, Big5-HKSCS).
    private var mayHold = false

    public init(_ charset: Charset) {
        self.charset = charset
        if case .iconv(let name, _) = charset.kind {
            let opened = iconv_open("UTF-8", name)
            if opened != Charset.noConversion { descriptor = opened }
        }
    }

    deinit {
        if let descriptor { iconv_close(descriptor) }
    }

    /// Appends the characters of `bytes` to `output`, but for one that is cut off at the end.
    public mutating func decode(_ bytes: UnsafeRawBufferPointer, into output: inout [UInt8]) {
        guard !bytes.isEmpty else { return }
        if carry.isEmpty {
            // A mark is never ASCII.
            if mayHold, let descriptor, isASCII(bytes) { flush(descriptor, into: &output) }
            if isUnchanged(bytes) { output.append(contentsOf: bytes) } else { run(bytes, into: &output) }
            return
        }
        var joined: [UInt8] = []
        swap(&joined, &carry)
        joined.append(contentsOf: bytes)
        joined.withUnsafeBytes { run($0, into: &output) }
    }

    public mutating func finish(into output: inout [UInt8]) {
        if charset.kind == .utf8 || descriptor != nil {
            if !carry.isEmpty { output.append(contentsOf: Self.replacement) }
        } else {
            for byte in carry { Self.appendLatin1(byte, to: &output) }
        }
        carry.removeAll()
        if let descriptor { flush(descriptor, into: &output) }
    }

    /// Takes what is kept back: nothing follows that could belong to it. Shifts are undone.
    private mutating func flush(_ descriptor: UnsafeMutableRawPointer, into output: inout [UInt8]) {
        mayHold = false
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { room in
            var to = room.baseAddress
            var free = room.count
            iconv(descriptor, nil, nil, &to, &free)
            output.append(contentsOf: UnsafeRawBufferPointer(room).prefix(room.count - free))
        }
    }

    /// Whether the next bytes are UTF-8 as they are, so that they need not be decoded.
    public func isUnchanged(_ bytes: UnsafeRawBufferPointer) -> Bool {
        carry.isEmpty && !mayHold && isASCIICompatible && isASCII(bytes)
    }

    private var isASCIICompatible: Bool {
        switch charset.kind {
        case .utf8, .ascii: true
        case .iconv(_, let isASCIICompatible): isASCIICompatible
        }
    }

    private mutating func run(_ bytes: UnsafeRawBufferPointer, into output: inout [UInt8]) {
        switch charset.kind {
        case .utf8: repairUTF8(bytes, into: &output)
        case .ascii: declaredASCII(bytes, into: &output)
        case .iconv:
            if let descriptor { convert(bytes, descriptor, into: &output) } else { declaredASCII(bytes, into: &output) }
        }
    }

    private mutating func convert(
        _ bytes: UnsafeRawBufferPointer, _ descriptor: UnsafeMutableRawPointer, into output: inout [UInt8]
    ) {
        // iconv does not write through its input pointer; its type is historical.
        var from = UnsafeMutablePointer(mutating: bytes.baseAddress!.assumingMemoryBound(to: CChar.self))
        var left = bytes.count
        mayHold = isASCIICompatible
        while left > 0 {
            let room = min(left, 16_384) * 4 + 16
            let start = output.count
            output.append(contentsOf: repeatElement(0, count: room))
            var free = room
            let (result, error) = output.withUnsafeMutableBytes { buffer in
                var input: UnsafeMutablePointer<CChar>? = from
                var to: UnsafeMutablePointer<CChar>? = (buffer.baseAddress! + start).assumingMemoryBound(to: CChar.self)
                let result = iconv(descriptor, &input, &left, &to, &free)
                let error = errno
                if let input { from = input }
                return (result, error)
            }
            output.removeLast(free)
            guard result == -1 else { continue }
            switch error {
            case E2BIG: continue
            case EINVAL where left <= 16:
                carry.append(contentsOf: UnsafeRawBufferPointer(start: from, count: left))
                return
            default:
                // In charsets with shifts these must stay as they are; none of them keeps letters back.
                if isASCIICompatible {
                    flush(descriptor, into: &output)
                    mayHold = true
                }
                output.append(contentsOf: Self.replacement)
                from += 1
                left -= 1
            }
        }
    }

    /// Bytes that claim to be ASCII, or nothing we know: UTF-8 if they are, else each is a character of Latin-1.
    private mutating func declaredASCII(_ bytes: UnsafeRawBufferPointer, into output: inout [UInt8]) {
        var i = 0
        while i < bytes.count {
            switch utf8Length(bytes, i) {
            case .valid(let count):
                output.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[i..<i + count]))
                i += count
            case .cut:
                carry.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[i...]))
                return
            case .invalid:
                Self.appendLatin1(bytes[i], to: &output)
                i += 1
            }
        }
    }

    /// `byte` is 0x80 or more.
    private static func appendLatin1(_ byte: UInt8, to output: inout [UInt8]) {
        output.append(0xC0 | byte >> 6)
        output.append(0x80 | byte & 0x3F)
    }

    /// U+FFFD.
    private static let replacement: [UInt8] = [0xEF, 0xBF, 0xBD]

    private mutating func repairUTF8(_ bytes: UnsafeRawBufferPointer, into output: inout [UInt8]) {
        var i = 0, start = 0
        while i < bytes.count {
            switch utf8Length(bytes, i) {
            case .valid(let count): i += count
            case .cut:
                output.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[start..<i]))
                carry.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[i...]))
                return
            case .invalid:
                output.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[start..<i]))
                output.append(contentsOf: Self.replacement)
                i += 1
                start = i
            }
        }
        output.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[start...]))
    }
}
