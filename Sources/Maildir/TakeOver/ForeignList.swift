import Glibc
import IMAPTypes

/// Which UIDs another server gave: Dovecot's `dovecot-uidlist` of version 3, or its version 1, which is also the form of
/// Courier's `courierimapuiddb`.
///
/// ```
/// 3 V1275660208 N25022 G3085f01b7f11094c501100008c4a11c1      1 1275660208 25022
/// 25006 :1276528487.M364837P9451.host,S=1355                  25006 1276528487.M364837P9451.host,S=1355
/// 25017 W2481 :1276533073.M242911P3632.host                   25017 1276533073.M242911P3632.host
/// ```
struct ForeignList {
    struct Record {
        var uid: UInt32
        /// The base name.
        var name: Range<Int>
        /// The message's GUID, where it is not its base name: a copy has that of its original.
        var guid: Range<Int>?
        /// All that stands between UID and name, as it is there.
        var fields: Range<Int>
    }

    let bytes: [UInt8]
    private(set) var uidValidity: UInt32 = 0
    /// Never less than the largest UID in the list plus 1, whatever its header says: mail that comes in is appended to the list
    /// without touching that. 1 to 2^32 - 1.
    private(set) var uidNext: UInt64 = 1
    private(set) var mailboxID: ObjectID?
    /// In ascending order of UID, and no UID twice. The same base name may be there twice: then the later counts.
    private(set) var records: [Record] = []
    private(set) var damage = Damage()

    /// What could not be understood.
    struct Damage {
        private(set) var lines = 0
        /// The first of these lines, and what is wrong with it.
        private(set) var first: (line: Int, reason: String)?

        mutating func note(_ line: Int, _ reason: String) {
            lines += 1
            if first == nil { first = (line, reason) }
        }
    }

    /// The largest UID that RFC 9051 has room for: the one after it must be a number too.
    static let largestUID: UInt64 = 0xFFFF_FFFE

    /// `nil` if the first line does not tell a UIDVALIDITY: then the rest means nothing.
    init?(_ bytes: [UInt8]) {
        self.bytes = bytes
        guard bytes.withUnsafeBytes({ read($0) }) else { return nil }
        sort()
    }

    private mutating func read(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var lines = ForeignLines(bytes)
        // A header that was cut off may have lost digits.
        guard let first = lines.next(), first.isWhole else { return false }
        var header = ForeignField(bytes, first.range)
        guard let version = header.number(upTo: 9), header.skipSpaces() else { return false }
        let isThird = version == 3
        guard isThird ? readHeader(&header) : version == 1 && readOldHeader(&header) else { return false }
        let headerNext = uidNext
        var number = 1
        while let line = lines.next() {
            number += 1
            var field = ForeignField(bytes, line.range)
            guard let uid = field.number(upTo: Self.largestUID), uid > 0, field.skipSpaces() else {
                // Torn in its UID, the line says nothing.
                if line.isWhole { damage.note(number, "there is no UID") }
                continue
            }
            uidNext = max(uidNext, uid + 1)
            // The name of a torn line may be cut. Its UID was given nevertheless.
            guard line.isWhole else { continue }
            guard let record = record(UInt32(uid), &field, isThird: isThird) else {
                damage.note(number, "there is no file name")
                continue
            }
            if !isThird, uid >= headerNext { damage.note(number, "the UID is larger than the header allows") }
            if let last = records.last, last.uid >= record.uid {
                damage.note(number, "the UID is not larger than the one before it")
            }
            records.append(record)
        }
        return true
    }

    /// `V`, `N` and `G` in any order, with others between them.
    private mutating func readHeader(_ header: inout ForeignField) -> Bool {
        var hasNext = false
        while let key = header.byte() {
            switch key {
            case UInt8(ascii: "V"):
                guard let value = header.number(upTo: UInt64(UInt32.max)), header.isAtSpace else { return false }
                uidValidity = UInt32(value)
            case UInt8(ascii: "N"):
                if let value = header.number(upTo: Self.largestUID + 1), value > 0, header.isAtSpace {
                    uidNext = value
                    hasNext = true
                }
            case UInt8(ascii: "G"):
                if let id = header.hexadecimalID(), header.isAtSpace { mailboxID = id }
            default: break
            }
            header.skipWord()
            _ = header.skipSpaces()
        }
        if !hasNext { damage.note(1, "there is no next UID") }
        return uidValidity > 0
    }

    /// `<uidvalidity> <uidnext>`.
    private mutating func readOldHeader(_ header: inout ForeignField) -> Bool {
        guard let validity = header.number(upTo: UInt64(UInt32.max)), validity > 0, header.skipSpaces() else { return false }
        uidValidity = UInt32(validity)
        if let next = header.number(upTo: Self.largestUID + 1), next > 0, header.isAtSpace {
            uidNext = next
        } else {
            damage.note(1, "there is no next UID")
        }
        return true
    }

    /// What follows the UID: in version 3 fields, then a colon and the name.
    private func record(_ uid: UInt32, _ field: inout ForeignField, isThird: Bool) -> Record? {
        var guid: Range<Int>?
        let start = field.at
        var end = start
        if isThird {
            while true {
                end = field.at
                guard let key = field.byte() else { return nil }
                if key == UInt8(ascii: ":") { break }
                let value = field.word()
                if key == UInt8(ascii: "G"), !value.isEmpty { guid = value }
                guard field.skipSpaces() else { return nil }
            }
        }
        // Old lists have the flags behind the base name.
        guard let name = field.baseName() else { return nil }
        return Record(uid: uid, name: name, guid: guid, fields: start..<end)
    }

    /// Puts records that came in another order into theirs. Of two names for one UID nobody knows which is right, and a UID
    /// must never come to mean another message: both files get new ones.
    private mutating func sort() {
        guard zip(records, records.dropFirst()).contains(where: { $0.uid >= $1.uid }) else { return }
        records.sort { $0.uid != $1.uid ? $0.uid < $1.uid : $0.name.lowerBound < $1.name.lowerBound }
        var kept: [Record] = []
        kept.reserveCapacity(records.count)
        var at = 0
        while at < records.count {
            var end = at + 1
            while end < records.count, records[end].uid == records[at].uid { end += 1 }
            if records[at..<end].allSatisfy({ bytes[$0.name] == bytes[records[at].name] }) { kept.append(records[at]) }
            at = end
        }
        records = kept
    }
}

/// The lines of a file.
struct ForeignLines {
    private let bytes: UnsafeRawBufferPointer
    private var at = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// `isWhole` tells whether it has its line end.
    mutating func next() -> (range: Range<Int>, isWhole: Bool)? {
        guard at < bytes.count, let start = bytes.baseAddress else { return nil }
        let found = memchr(start + at, 0x0A, bytes.count - at)
        let end = found.map { $0 - UnsafeMutableRawPointer(mutating: start) } ?? bytes.count
        defer { at = end + 1 }
        return (at..<end, found != nil)
    }
}

/// Reads the words of one line.
struct ForeignField {
    private let bytes: UnsafeRawBufferPointer
    private(set) var at: Int
    private let end: Int

    init(_ bytes: UnsafeRawBufferPointer, _ line: Range<Int>) {
        self.bytes = bytes
        at = line.lowerBound
        end = line.upperBound
    }

    /// Whether a word ends here.
    var isAtSpace: Bool { at == end || bytes[at] == 0x20 }

    mutating func byte() -> UInt8? {
        guard at < end else { return nil }
        defer { at += 1 }
        return bytes[at]
    }

    /// False if there are none.
    mutating func skipSpaces() -> Bool {
        let start = at
        while at < end, bytes[at] == 0x20 { at += 1 }
        return at > start
    }

    mutating func skipWord() { while !isAtSpace { at += 1 } }

    mutating func word() -> Range<Int> {
        let start = at
        skipWord()
        return start..<at
    }

    /// `nil`, without going on, unless there are digits, of a number that is not larger.
    mutating func number(upTo largest: UInt64) -> UInt64? {
        var value: UInt64 = 0
        var next = at
        while next < end, (0x30...0x39).contains(bytes[next]) {
            value = value &* 10 &+ UInt64(bytes[next] - 0x30)
            if value > largest { return nil }
            next += 1
        }
        guard next > at else { return nil }
        at = next
        return value
    }

    /// 32 hexadecimal digits that are not all zero.
    mutating func hexadecimalID() -> ObjectID? {
        guard end - at >= 32 else { return nil }
        func number(_ start: Int) -> UInt64? {
            UInt64(String(decoding: bytes[start..<start + 16], as: UTF8.self), radix: 16)
        }
        guard bytes[at] != UInt8(ascii: "+"), bytes[at + 16] != UInt8(ascii: "+"),
              let high = number(at), let low = number(at + 16), high != 0 || low != 0 else { return nil }
        at += 32
        return ObjectID(low: low, high: high)
    }

    /// The rest of the line up to a colon; `nil` if that cannot be the base name of a file in cur/.
    mutating func baseName() -> Range<Int>? {
        let rest = UnsafeRawBufferPointer(rebasing: bytes[at..<end])
        let name = UnsafeRawBufferPointer(rebasing: rest[..<FileName.baseEnd(rest)])
        guard name.count <= FileName.longest, FileName.isMessage(name), !name.contains(0),
              !name.contains(UInt8(ascii: "/")) else { return nil }
        return at..<at + name.count
    }
}
