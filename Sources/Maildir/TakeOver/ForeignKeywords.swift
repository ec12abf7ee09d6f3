import Glibc
import IMAPTypes
import MailStore

/// The keywords that another server gave to the messages of a mailbox.
struct ForeignKeywords {
    /// Those that the mailbox knows, whether or not a message has one. At most `KeywordSet.capacity`.
    private(set) var keywords: [Keyword] = []
    /// Dovecot's: what the letters a to z in the names of files mean, as indexes into `keywords`. They mean so in this mailbox
    /// only.
    private var letters = [Int?](repeating: nil, count: 26)
    /// Courier's: by base name.
    private var sets: [[UInt8]: KeywordSet] = [:]
    /// Keywords that there was no room for, or that no client could name.
    private(set) var lost = 0

    /// Whether Dovecot had no letter left, so that it has kept further keywords in its index only.
    var hasAllLetters: Bool { !letters.contains { $0 == nil } }

    /// The letters that mean something.
    var meanings: [(letter: UInt8, keyword: Keyword)] {
        letters.indices.compactMap { at in letters[at].map { (UInt8(at) + 0x61, keywords[$0]) } }
    }

    private static let longestFile = 1 << 30
    private static let longestUpdate = 1 << 16

    init() {}

    func keywords(of base: @autoclosure () -> [UInt8], info: @autoclosure () -> [UInt8]) -> KeywordSet {
        if !sets.isEmpty { return sets[base()] ?? KeywordSet() }
        var set = KeywordSet()
        for letter in FileName.unknownLetters(info()) where (0x61...0x7A).contains(letter) {
            if let index = letters[Int(letter - 0x61)] { set[index] = true }
        }
        return set
    }

    private mutating func index(_ name: some Collection<UInt8>) -> Int? {
        guard let keyword = Keyword(name) else {
            lost += 1
            return nil
        }
        if let known = keywords.firstIndex(of: keyword) { return known }
        guard keywords.count < KeywordSet.capacity else {
            lost += 1
            return nil
        }
        keywords.append(keyword)
        return keywords.count - 1
    }

    // MARK: Dovecot

    static let dovecotName = Array("dovecot-keywords".utf8)

    /// Lines of a number, 0 for the letter a to 25 for z, a space and the keyword.
    init(dovecot bytes: [UInt8]) {
        bytes.withUnsafeBytes { bytes in
            var lines = ForeignLines(bytes)
            while let line = lines.next() {
                var field = ForeignField(bytes, line.range)
                guard let number = field.number(upTo: 25), field.skipSpaces() else { continue }
                let name = bytes[field.word()]
                // Of two letters with one meaning Dovecot knows the first.
                guard let index = index(name), !letters.contains(index) else { continue }
                letters[Int(number)] = index
            }
        }
    }

    // MARK: Courier

    static let courierName = Array("courierimapkeywords".utf8)

    /// `:list` has the keywords, a line each; an empty line; then for each message that has any its base name, a colon, and their
    /// numbers. Files with the name of a message have the last word on it, a keyword a line: `.<time>.<base name>`, of which the
    /// latest time counts, and before these `<base name>`.
    init(courier directory: Handle) throws(StoreError) {
        if let list = try directory.readForeign(Array(":list".utf8), longest: Self.longestFile) { readList(list.bytes) }
        var updates: [[UInt8]: (time: UInt64, file: [UInt8])] = [:]
        let isRead = forEachName(in: directory, hidden: true) { name, _ in
            guard let (time, base) = Self.update(name) else { return }
            if let known = updates[base], known.time >= time { return }
            updates[base] = (time, Array(name))
        }
        guard isRead else { throw failure("reading courierimapkeywords") }
        for (base, update) in updates {
            guard let file = try directory.readForeign(update.file, longest: Self.longestUpdate) else { continue }
            var set = KeywordSet()
            for name in file.bytes.split(separator: 0x0A) {
                if let index = index(name) { set[index] = true }
            }
            sets[base] = set
        }
    }

    private mutating func readList(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { bytes in
            var lines = ForeignLines(bytes)
            var indexes: [Int?] = []
            while let line = lines.next(), !line.range.isEmpty { indexes.append(index(bytes[line.range])) }
            while let line = lines.next() {
                guard line.isWhole, let colon = bytes[line.range].firstIndex(of: 0x3A) else { continue }
                var field = ForeignField(bytes, (colon + 1)..<line.range.upperBound)
                var set = KeywordSet()
                _ = field.skipSpaces()
                while let number = field.number(upTo: 1 << 20) {
                    if Int(number) < indexes.count, let index = indexes[Int(number)] { set[index] = true }
                    guard field.skipSpaces() else { break }
                }
                sets[Array(bytes[line.range.lowerBound..<colon])] = set
            }
        }
    }

    /// The message that a file is about, and the time in its name: the largest if it has none. `nil` for other files.
    static func update(_ name: UnsafeRawBufferPointer) -> (time: UInt64, base: [UInt8])? {
        guard let first = name.first, first != 0x3A else { return nil }
        guard first == UInt8(ascii: ".") else { return (.max, Array(name)) }
        var field = ForeignField(name, 1..<name.count)
        guard let time = field.number(upTo: .max / 16), field.byte() == UInt8(ascii: ".") else { return nil }
        let base = Array(name[field.at...])
        return base.isEmpty ? nil : (time, base)
    }
}

extension FileName {
    /// Letters behind the last `:2,` that are no system flags; up to a comma.
    static func unknownLetters(_ info: [UInt8]) -> [UInt8] {
        guard let colon = info.lastIndex(of: 0x3A), info[colon...].starts(with: mark) else { return [] }
        return info[(colon + 3)...].prefix { $0 != UInt8(ascii: ",") }.filter { flag($0) == nil }
    }
}

extension Handle {
    /// A whole file of another server, and when it was last changed, in nanoseconds since the epoch; `nil` if there is none.
    ///
    /// Throws if it is there and cannot be read: to go on without it would lose what it says.
    func readForeign(_ name: [UInt8], longest: Int) throws(StoreError) -> (bytes: [UInt8], modified: Int64)? {
        guard let file = open(name, O_RDONLY | O_NOFOLLOW) else {
            if errno == ENOENT { return nil }
            throw failure("opening", name)
        }
        guard let status = file.status() else { throw failure("reading", name) }
        guard status.isRegular else { return nil }
        guard status.st_size <= longest else { throw .io(.fileTooLarge, doing: "reading \(printable(name))") }
        guard let bytes = file.read(at: 0, count: Int(status.st_size)) else { throw failure("reading", name) }
        return (bytes, nanoseconds(status.st_mtim))
    }
}
