import CLinux
import Glibc
import IMAPTypes
import MailStore

/// `imapd.index`: how the mailbox was at one position of the log, in columns, mapped into memory.
///
/// The file never changes once it has its name. The map is private and writable: what a session changes in it stays its
/// own, page by page, and all others go on sharing theirs.
final class IndexFile {
    static let name = Array("imapd.index".utf8)
    /// The index before this one, for repairs.
    static let oldName = Array("imapd.index.old".utf8)

    let header: IndexHeader
    /// Messages in the file.
    let count: Int
    private let file: FileMap
    private var map: UnsafeMutableRawBufferPointer { file.bytes }
    /// Keyword columns of a file that has none, made when they are first needed.
    private var madeKeywords: UnsafeMutablePointer<UInt64>?

    let uids: UnsafeMutablePointer<UInt32>
    let flags: UnsafeMutablePointer<UInt8>
    let nameFlags: UnsafeMutablePointer<UInt8>
    let places: UnsafeMutablePointer<UInt8>
    let modSequences: UnsafeMutablePointer<UInt64>
    let internalDates: UnsafeMutablePointer<Int64>
    let saveDates: UnsafeMutablePointer<Int64>
    let sizes: UnsafeMutablePointer<UInt64>
    let idLow: UnsafeMutablePointer<UInt64>
    let idHigh: UnsafeMutablePointer<UInt64>
    private let nameOffsets: UnsafeMutablePointer<UInt32>

    /// `nil` if there is no such file or it is damaged. A file that only cannot be read now is not taken for damaged.
    ///
    /// Without `rows` the messages are not looked at, damaged or not: STATUS and APPEND read a few pages only. With them, the
    /// columns that SELECT and FETCH FLAGS need are; the others are by `verifyRest`.
    init?(in directory: Handle, name: [UInt8] = name, rows: Bool = true) throws(StoreError) {
        guard let file = directory.open(name, O_RDONLY | O_NOFOLLOW) else {
            if errno == ENOENT { return nil }
            throw failure("opening imapd.index")
        }
        guard let status = file.status(), status.isRegular, (IndexHeader.byteCount..<1 << 40).contains(Int(status.st_size))
        else { return nil }
        let size = Int(status.st_size)
        guard let map = FileMap(file, size: size, isPrivate: true) else { throw failure("mapping imapd.index") }
        let bytes = map.bytes, address = bytes.baseAddress!
        guard let header = IndexHeader(from: UnsafeRawBufferPointer(start: address, count: IndexHeader.byteCount)),
              header.fits(bytes.count),
              header.verifies(UnsafeRawBufferPointer(bytes), rows ? IndexHeader.Section.first : [.keywords]), !map.isLost
        else { return nil }
        self.header = header
        whole = Set(rows ? IndexHeader.Section.first : [])
        self.file = map
        count = header.count
        func column<T>(_ section: IndexHeader.Section, _ type: T.Type) -> UnsafeMutablePointer<T> {
            (address + header.sections[section.rawValue].offset).assumingMemoryBound(to: T.self)
        }
        uids = column(.uid, UInt32.self)
        flags = column(.flags, UInt8.self)
        nameFlags = column(.nameFlags, UInt8.self)
        places = column(.place, UInt8.self)
        modSequences = column(.modSequence, UInt64.self)
        internalDates = column(.internalDate, Int64.self)
        saveDates = column(.saveDate, Int64.self)
        sizes = column(.size, UInt64.self)
        idLow = column(.idLow, UInt64.self)
        idHigh = column(.idHigh, UInt64.self)
        nameOffsets = column(.nameOffset, UInt32.self)
    }

    deinit {
        madeKeywords?.deallocate()
    }

    /// Sections that were found whole. Once a section is, the session may change it in its map.
    private var whole: Set<IndexHeader.Section>

    /// Whether the file was cut short under us: what was read since may be wrong.
    var isLost: Bool {
        file.look()
        return file.isLost
    }

    /// Whether sections are whole: to be asked before they are used, if they are not among the first.
    func verify(_ sections: [IndexHeader.Section]) -> Bool {
        for section in sections where !whole.contains(section) {
            guard header.verifies(UnsafeRawBufferPointer(map), [section]) else { return false }
            whole.insert(section)
        }
        return !file.isLost
    }

    /// Whether all of it is whole.
    func verifyRest() -> Bool {
        whole.count == IndexHeader.Section.allCases.count ? !file.isLost : verify(IndexHeader.Section.allCases)
    }

    func bytes(_ section: IndexHeader.Section) -> UnsafeRawBufferPointer {
        let place = header.sections[section.rawValue]
        return UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(map)[place.offset..<place.offset + place.length])
    }

    /// The base name of a message; empty if its place in the file makes no sense.
    func baseName(_ row: Int) -> UnsafeRawBufferPointer {
        let names = bytes(.names)
        let start = Int(nameOffsets[row]), end = Int(nameOffsets[row + 1])
        guard start <= end, end <= names.count else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(rebasing: names[start..<end])
    }

    /// Two numbers for each message, low and high beside each other; `nil` as long as no message has a keyword.
    var keywordColumns: UnsafeMutablePointer<UInt64>? {
        let place = header.sections[IndexHeader.Section.keywordSets.rawValue]
        guard place.length > 0 else { return madeKeywords }
        return (map.baseAddress! + place.offset).assumingMemoryBound(to: UInt64.self)
    }

    func keywords(_ row: Int) -> KeywordSet {
        var set = KeywordSet()
        guard let columns = keywordColumns else { return set }
        set.low = columns[2 * row]
        set.high = columns[2 * row + 1]
        return set
    }

    /// The columns; made first if there are none and `set` needs them.
    func keywordColumns(toHold set: KeywordSet) -> UnsafeMutablePointer<UInt64>? {
        if let columns = keywordColumns { return columns }
        if set.isEmpty { return nil }
        let made = UnsafeMutablePointer<UInt64>.allocate(capacity: 2 * count)
        made.initialize(repeating: 0, count: 2 * count)
        madeKeywords = made
        return made
    }

    func setKeywords(_ row: Int, _ set: KeywordSet) {
        guard let columns = keywordColumns(toHold: set) else { return }
        columns[2 * row] = set.low
        columns[2 * row + 1] = set.high
    }
}

/// The first bytes of `imapd.index`.
struct IndexHeader {
    /// The index holds the log of this generation up to this position, where the chain has this checksum.
    var generation: UInt64
    var logPosition: UInt64
    var logChain: UInt32
    var uidValidity: UInt32
    var mailboxID: ObjectID
    var summary: Summary
    var count: Int
    /// Of expunges at or before this mod-sequence nothing is remembered.
    var forgottenExpunges: UInt64
    var sections = [Place](repeating: Place(), count: Section.allCases.count)

    struct Place {
        var offset = 0
        var length = 0
        var checksum: UInt64 = 0
    }

    enum Section: Int, CaseIterable {
        case uid, flags, nameFlags, place, modSequence, keywordSets
        case internalDate, saveDate, size, idLow, idHigh, nameOffset, names
        case oddInfos, keywords, expunged

        /// What is verified before a session sees anything.
        static let first: [Section] = [
            .uid, .flags, .nameFlags, .place, .modSequence, .keywordSets, .oddInfos, .keywords, .expunged,
        ]

        /// Bytes for each message; `nil` where there are none for a message, or not as many for each.
        var stride: Int? {
            switch self {
            case .uid: 4
            case .flags, .nameFlags, .place: 1
            case .modSequence, .internalDate, .saveDate, .size, .idLow, .idHigh: 8
            case .keywordSets, .nameOffset, .names, .oddInfos, .keywords, .expunged: nil
            }
        }
    }

    static let byteCount = 640
    private static let form = SealedHeader("imapdidx", version: 1, byteCount: byteCount)

    func bytes() -> [UInt8] {
        Self.form.bytes { writer in
            writer.number(generation)
            writer.number(logPosition)
            writer.number(logChain)
            writer.number(uidValidity)
            writer.number(mailboxID.low)
            writer.number(mailboxID.high)
            summary.write(to: &writer)
            writer.number(UInt64(count))
            writer.number(forgottenExpunges)
            for section in sections {
                writer.number(UInt64(section.offset))
                writer.number(UInt64(section.length))
                writer.number(section.checksum)
            }
        }
    }

    init(generation: UInt64, logPosition: UInt64, logChain: UInt32, uidValidity: UInt32, mailboxID: ObjectID, summary: Summary,
         count: Int, forgottenExpunges: UInt64) {
        self.generation = generation
        self.logPosition = logPosition
        self.logChain = logChain
        self.uidValidity = uidValidity
        self.mailboxID = mailboxID
        self.summary = summary
        self.count = count
        self.forgottenExpunges = forgottenExpunges
    }

    init?(from bytes: UnsafeRawBufferPointer) {
        guard var reader = Self.form.reader(of: bytes) else { return nil }
        generation = reader.number()
        logPosition = reader.number()
        logChain = reader.number()
        uidValidity = reader.number()
        mailboxID = ObjectID(low: reader.number(), high: reader.number())
        summary = Summary(from: &reader)
        let count = reader.number(UInt64.self)
        forgottenExpunges = reader.number()
        guard count < 1 << 32, uidValidity > 0, generation > 0, generation < .max, logPosition < 1 << 40 else { return nil }
        self.count = Int(count)
        for index in sections.indices {
            let offset = reader.number(UInt64.self), length = reader.number(UInt64.self)
            guard offset < 1 << 40, length < 1 << 40 else { return nil }
            sections[index] = Place(offset: Int(offset), length: Int(length), checksum: reader.number())
        }
        guard reader.isWhole else { return nil }
    }

    /// Whether all sections are inside the file, aligned, and as long as they must be.
    func fits(_ fileSize: Int) -> Bool {
        for section in Section.allCases {
            let place = sections[section.rawValue]
            guard place.offset % 8 == 0, place.offset + place.length <= fileSize else { return false }
            if let stride = section.stride, place.length != count * stride { return false }
        }
        let keywordSets = sections[Section.keywordSets.rawValue].length
        return sections[Section.nameOffset.rawValue].length == 4 * (count + 1) && (keywordSets == 0 || keywordSets == 16 * count)
    }

    func verifies(_ file: UnsafeRawBufferPointer, _ wanted: [Section]) -> Bool {
        wanted.map { sections[$0.rawValue] }.allSatisfy {
            $0.checksum == clinux_checksum(file.baseAddress! + $0.offset, $0.length)
        }
    }
}
