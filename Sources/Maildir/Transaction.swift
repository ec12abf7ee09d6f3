import IMAPTypes

/// What happened to a mailbox in one step: it is in the log whole or not at all.
struct Transaction {
    /// How the mailbox is afterwards.
    var summary: Summary
    var entries: [Entry] = []

    enum Entry {
        case add(MessageRow, base: [UInt8], info: [UInt8])
        /// The messages with UIDs in `ranges` now have these flags and keywords.
        case flags(SystemFlags, KeywordSet, [ClosedRange<UInt32>])
        /// The mailbox's next keyword.
        case keyword(Keyword)
        case expunge([ClosedRange<UInt32>])
        /// The files of these messages are now named with these flags.
        case named(Place, SystemFlags, [ClosedRange<UInt32>])
        /// The file of this message is now named otherwise than we would.
        case namedOddly(UInt32, Place, [UInt8])
        /// These files are about to be put into cur/ (see `Mailbox.arrive`). Holds until the next transaction.
        case arriving([[UInt8]])
        /// The files of these messages are about to get the names of their flags (see `Mailbox.tidy`); none: they have them.
        /// Holds until another of its kind.
        case naming([ClosedRange<UInt32>])
        /// INTERNALDATE (seconds) and RFC822.SIZE were looked up.
        case details(UInt32, internalDate: Int64, size: UInt64)
    }
}

/// Where a message's file is, and what is known of its name.
struct Place: OptionSet, Equatable {
    let rawValue: UInt8

    static let new = Place(rawValue: 1 << 0)
    /// The name has an info part; unless `odd`, it is that of the flags last seen.
    static let hasInfo = Place(rawValue: 1 << 1)
    /// The info part has to be remembered byte for byte.
    static let odd = Place(rawValue: 1 << 2)
    /// Expunged, but the session's client has not been told. Never on disk.
    static let expunged = Place(rawValue: 1 << 6)
    /// Expunged, and told. Never on disk.
    static let forgotten = Place(rawValue: 1 << 7)

    static let stored: Place = [.new, .hasInfo, .odd]
    var isGone: Bool { !intersection([.expunged, .forgotten]).isEmpty }
}

/// All of a message but its name.
struct MessageRow {
    var uid: UInt32
    var flags: SystemFlags = []
    /// The flags that its file name told when it was last seen.
    var nameFlags: SystemFlags = []
    var place: Place = []
    var keywords = KeywordSet()
    var modSequence: UInt64 = 1
    /// Seconds since the epoch; `nil` until somebody asks.
    var internalDate: Int64?
    var saveDate: Int64 = 0
    /// RFC822.SIZE; `nil` until somebody asks.
    var size: UInt64?
    var id: ObjectID
}

/// Numbers that mean "not known" in files.
let unknownDate = Int64.min
let unknownSize = UInt64.max

extension Transaction {
    private enum Kind {
        static let add: UInt8 = 1, flags: UInt8 = 2, keyword: UInt8 = 3, expunge: UInt8 = 4
        static let named: UInt8 = 5, namedOddly: UInt8 = 6, details: UInt8 = 7, arriving: UInt8 = 8
        static let naming: UInt8 = 9
    }

    /// Every entry is its kind, the length of the rest in 4 bytes, and the rest.
    func write(to writer: inout ByteWriter) {
        summary.write(to: &writer)
        for entry in entries {
            let start = writer.bytes.count
            writer.raw([0, 0, 0, 0, 0])
            let kind: UInt8
            switch entry {
            case .add(let row, let base, let info):
                kind = Kind.add
                writer.number(row.uid)
                writer.raw([row.flags.rawValue, row.nameFlags.rawValue, row.place.intersection(.stored).rawValue])
                writer.number(row.keywords.low)
                writer.number(row.keywords.high)
                writer.number(row.internalDate ?? unknownDate)
                writer.number(row.saveDate)
                writer.number(row.size ?? unknownSize)
                writer.number(row.id.low)
                writer.number(row.id.high)
                writer.number(UInt8(truncatingIfNeeded: base.count))
                writer.raw(base)
                writer.raw(info)
            case .flags(let flags, let keywords, let ranges):
                kind = Kind.flags
                writer.number(flags.rawValue)
                writer.number(keywords.low)
                writer.number(keywords.high)
                Self.write(ranges, to: &writer)
            case .keyword(let keyword):
                kind = Kind.keyword
                writer.raw(keyword.name.utf8)
            case .expunge(let ranges):
                kind = Kind.expunge
                Self.write(ranges, to: &writer)
            case .named(let place, let flags, let ranges):
                kind = Kind.named
                writer.raw([place.intersection(.stored).rawValue, flags.rawValue])
                Self.write(ranges, to: &writer)
            case .namedOddly(let uid, let place, let info):
                kind = Kind.namedOddly
                writer.number(uid)
                writer.number(place.intersection(.stored).rawValue)
                writer.raw(info)
            case .arriving(let names):
                kind = Kind.arriving
                for name in names {
                    writer.number(UInt8(truncatingIfNeeded: name.count))
                    writer.raw(name)
                }
            case .naming(let ranges):
                kind = Kind.naming
                Self.write(ranges, to: &writer)
            case .details(let uid, let date, let size):
                kind = Kind.details
                writer.number(uid)
                writer.number(date)
                writer.number(size)
            }
            writer.bytes[start] = kind
            writer.number(UInt32(truncatingIfNeeded: writer.bytes.count - start - 5), at: start + 1)
        }
    }

    /// `nil` if it is not what `write` writes. Entries of kinds that we do not know are skipped.
    init?(from bytes: UnsafeRawBufferPointer) {
        var reader = ByteReader(bytes)
        summary = Summary(from: &reader)
        while !reader.isAtEnd {
            let kind = reader.number(UInt8.self)
            var rest = ByteReader(reader.raw(Int(reader.number(UInt32.self))))
            guard reader.isWhole else { return nil }
            switch kind {
            case Kind.add:
                var row = MessageRow(uid: rest.number(), id: ObjectID(low: 0, high: 0))
                row.flags = SystemFlags(rawValue: rest.number()).intersection(.all)
                row.nameFlags = SystemFlags(rawValue: rest.number()).intersection(.all)
                row.place = Place(rawValue: rest.number()).intersection(.stored)
                row.keywords.low = rest.number()
                row.keywords.high = rest.number()
                let date = rest.number(Int64.self)
                row.internalDate = date == unknownDate ? nil : date
                row.saveDate = rest.number()
                let size = rest.number(UInt64.self)
                row.size = size == unknownSize ? nil : size
                row.id = ObjectID(low: rest.number(), high: rest.number())
                row.modSequence = summary.modSequence
                let base = Array(rest.raw(Int(rest.number(UInt8.self))))
                let info = Array(rest.raw(rest.bytes.count - rest.offset))
                guard row.uid > 0, !base.isEmpty, base.count + info.count <= FileName.longest, !(base + info).contains(0x2F),
                      !(base + info).contains(0) else { return nil }
                entries.append(.add(row, base: base, info: info))
            case Kind.flags:
                let flags = SystemFlags(rawValue: rest.number()).intersection(.all)
                var keywords = KeywordSet()
                keywords.low = rest.number()
                keywords.high = rest.number()
                entries.append(.flags(flags, keywords, Self.ranges(from: &rest)))
            case Kind.keyword:
                guard let keyword = Keyword(rest.raw(rest.bytes.count)) else { return nil }
                entries.append(.keyword(keyword))
            case Kind.expunge:
                entries.append(.expunge(Self.ranges(from: &rest)))
            case Kind.named:
                let place = Place(rawValue: rest.number()).intersection(.stored)
                let flags = SystemFlags(rawValue: rest.number()).intersection(.all)
                entries.append(.named(place, flags, Self.ranges(from: &rest)))
            case Kind.namedOddly:
                let uid = rest.number(UInt32.self)
                let place = Place(rawValue: rest.number()).intersection(.stored)
                let info = Array(rest.raw(rest.bytes.count - rest.offset))
                guard info.count < FileName.longest, !info.contains(0x2F), !info.contains(0) else { return nil }
                entries.append(.namedOddly(uid, place, info))
            case Kind.arriving:
                var names: [[UInt8]] = []
                while !rest.isAtEnd {
                    let name = Array(rest.raw(Int(rest.number(UInt8.self))))
                    guard !name.isEmpty, !name.contains(0x2F), !name.contains(0) else { return nil }
                    names.append(name)
                }
                entries.append(.arriving(names))
            case Kind.naming:
                entries.append(.naming(Self.ranges(from: &rest)))
            case Kind.details:
                entries.append(.details(rest.number(), internalDate: rest.number(), size: rest.number()))
            default:
                continue
            }
            guard rest.isWhole else { return nil }
        }
        guard reader.isWhole else { return nil }
    }

    private static func write(_ ranges: [ClosedRange<UInt32>], to writer: inout ByteWriter) {
        for range in ranges {
            writer.number(range.lowerBound)
            writer.number(range.upperBound)
        }
    }

    private static func ranges(from reader: inout ByteReader) -> [ClosedRange<UInt32>] {
        let most = (reader.bytes.count - reader.offset) / 8
        guard most > 0 || !reader.isAtEnd else { return [] }
        // The rest of them must be whole ranges.
        defer { if !reader.isAtEnd { _ = reader.number(UInt64.self) } }
        return Array(unsafeUninitializedCapacity: most) { ranges, count in
            let bytes = reader.raw(8 * most)
            for index in 0..<most {
                let low = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 8 * index, as: UInt32.self))
                let high = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 8 * index + 4, as: UInt32.self))
                guard low > 0, low <= high else { continue }
                ranges.initializeElement(at: count, to: low...high)
                count += 1
            }
        }
    }
}
