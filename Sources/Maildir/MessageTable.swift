import Glibc
import IMAPTypes
import MailStore

/// The messages of a mailbox in ascending order of UID: those of the index, then those that came after it.
///
/// A message is known here by its row. Rows of expunged messages stay until the table is built anew.
final class MessageTable {
    let base: IndexFile?
    let baseCount: Int
    private(set) var tail: [MessageRow] = []
    /// Base names of the tail, one after another, and where each begins.
    private var tailNames: [UInt8] = []
    private var tailNameOffsets: [Int] = [0]
    /// Info parts that have to be remembered byte for byte, by row.
    private var oddInfos: [Int: [UInt8]] = [:]
    private(set) var expunged: ExpungeMemory
    /// Where the last search ended: the next is mostly near.
    private var lastRow = 0

    init(_ base: IndexFile?) {
        self.base = base
        baseCount = base?.count ?? 0
        guard let base else {
            expunged = ExpungeMemory()
            return
        }
        expunged = ExpungeMemory(from: base.bytes(.expunged), forgotten: base.header.forgottenExpunges)
        var reader = ByteReader(base.bytes(.oddInfos))
        while !reader.isAtEnd {
            let row = Int(reader.number(UInt32.self)), info = Array(reader.raw(Int(reader.number(UInt8.self))))
            if reader.isWhole, row < baseCount, !info.contains(0x2F), !info.contains(0) { oddInfos[row] = info }
        }
    }

    var count: Int { baseCount + tail.count }

    // MARK: Columns

    func uid(_ row: Int) -> UInt32 { row < baseCount ? base!.uids[row] : tail[row - baseCount].uid }

    func flags(_ row: Int) -> SystemFlags {
        row < baseCount ? SystemFlags(rawValue: base!.flags[row]) : tail[row - baseCount].flags
    }

    func nameFlags(_ row: Int) -> SystemFlags {
        row < baseCount ? SystemFlags(rawValue: base!.nameFlags[row]) : tail[row - baseCount].nameFlags
    }

    func place(_ row: Int) -> Place { row < baseCount ? Place(rawValue: base!.places[row]) : tail[row - baseCount].place }

    func keywords(_ row: Int) -> KeywordSet { row < baseCount ? base!.keywords(row) : tail[row - baseCount].keywords }

    func modSequence(_ row: Int) -> UInt64 { row < baseCount ? base!.modSequences[row] : tail[row - baseCount].modSequence }

    func internalDate(_ row: Int) -> Int64? {
        guard row < baseCount else { return tail[row - baseCount].internalDate }
        let date = base!.internalDates[row]
        return date == unknownDate ? nil : date
    }

    func saveDate(_ row: Int) -> Int64 { row < baseCount ? base!.saveDates[row] : tail[row - baseCount].saveDate }

    func size(_ row: Int) -> UInt64? {
        guard row < baseCount else { return tail[row - baseCount].size }
        let size = base!.sizes[row]
        return size == unknownSize ? nil : size
    }

    func id(_ row: Int) -> ObjectID {
        row < baseCount ? ObjectID(low: base!.idLow[row], high: base!.idHigh[row]) : tail[row - baseCount].id
    }

    func isGone(_ row: Int) -> Bool { place(row).isGone }

    /// Whether the file's name tells other flags than the message has.
    func isRenameDue(_ row: Int) -> Bool { flags(row) != nameFlags(row) && !isGone(row) }

    /// What FETCH and SEARCH ask of every message; `nil` if there is no such message or it was forgotten.
    func metadata(_ uid: UInt32) -> MessageMetadata? {
        guard let row = row(uid) else { return nil }
        return MessageMetadata(flags: flags(row), keywords: keywords(row), modSequence: ModSequence(modSequence(row)) ?? .zero,
                               isExpunged: isGone(row))
    }

    func row(whole row: Int) -> MessageRow {
        guard row < baseCount else { return tail[row - baseCount] }
        return MessageRow(uid: uid(row), flags: flags(row), nameFlags: nameFlags(row), place: place(row),
                          keywords: keywords(row), modSequence: modSequence(row), internalDate: internalDate(row),
                          saveDate: saveDate(row), size: size(row), id: id(row))
    }

    // MARK: Names

    func withBaseName<R>(_ row: Int, _ body: (UnsafeRawBufferPointer) -> R) -> R {
        if row < baseCount { return body(base!.baseName(row)) }
        let at = row - baseCount
        let range = tailNameOffsets[at]..<tailNameOffsets[at + 1]
        return tailNames.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[range])) }
    }

    func baseName(_ row: Int) -> [UInt8] { withBaseName(row) { Array($0) } }

    func info(_ row: Int) -> [UInt8] {
        let place = place(row)
        if place.contains(.odd), let info = oddInfos[row] { return info }
        return place.contains(.hasInfo) ? FileName.mark + FileName.letters(nameFlags(row)) : []
    }

    /// The file's name when it was last seen.
    func name(_ row: Int) -> [UInt8] { baseName(row) + info(row) }

    // MARK: Search

    /// The first row with this UID or a larger one; `count` if there is none.
    func firstRow(from uid: UInt32) -> Int {
        let row = firstRow(from: uid, near: lastRow)
        lastRow = row
        return row
    }

    private func firstRow(from uid: UInt32, near start: Int) -> Int {
        if let base, baseCount > 0, base.uids[baseCount - 1] >= uid {
            let uids = base.uids
            return Self.firstIndex(of: baseCount, near: start) { uids[$0] >= uid }
        }
        return baseCount + tail.withUnsafeBufferPointer { tail in
            Self.firstIndex(of: tail.count, near: start - baseCount) { tail[$0].uid >= uid }
        }
    }

    /// The first index that `isReached`, which those behind it are too. In steps that double, away from `start`, then by halves:
    /// what is looked for is mostly near.
    @inline(__always)
    private static func firstIndex(of count: Int, near start: Int, _ isReached: (Int) -> Bool) -> Int {
        var low = 0, high = count, step = 1
        let start = min(max(start, 0), count)
        if start < count, !isReached(start) {
            low = start + 1
            var probe = low
            while probe < count, !isReached(probe) {
                low = probe + 1
                probe += step
                step *= 2
            }
            high = min(probe, count)
        } else {
            high = start
            var probe = start - 1
            while probe >= 0, isReached(probe) {
                high = probe
                probe -= step
                step *= 2
            }
            low = max(probe + 1, 0)
        }
        while low < high {
            let middle = (low + high) / 2
            if isReached(middle) { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// Calls `body` with the rows of UIDs in each of the ranges, gone or not; the ranges mostly ascend.
    private func forEachStretch(_ ranges: [ClosedRange<UInt32>], _ body: (Range<Int>) -> Void) {
        var at = lastRow
        for range in ranges {
            let start = firstRow(from: range.lowerBound, near: at)
            guard start < count else { continue }
            let end = range.upperBound == .max ? count : firstRow(from: range.upperBound + 1, near: start + 1)
            at = end
            if start < end { body(start..<end) }
        }
        lastRow = at
    }

    /// Rows of messages that are there, with UIDs in the ranges.
    func forEachRow(_ ranges: [ClosedRange<UInt32>], _ body: (Int) -> Void) {
        forEachStretch(ranges) { rows in
            for row in rows where !isGone(row) { body(row) }
        }
    }

    /// The row of a message that was not forgotten.
    func row(_ uid: UInt32) -> Int? {
        let row = firstRow(from: uid)
        guard row < count, self.uid(row) == uid, !place(row).contains(.forgotten) else { return nil }
        return row
    }

    // MARK: All rows

    /// Messages for which `test` holds and that were not forgotten, with UIDs up to `last`: the first `limit` of them.
    func uids(_ test: MetadataTest, upTo last: UInt32, atMost limit: Int) -> [UID] {
        let baseEnd = baseCount > 0 && base!.uids[baseCount - 1] > last ? firstRow(from: last &+ 1) : baseCount
        var result: [UID] = []
        if baseEnd > 0, let base {
            let room = min(baseEnd, limit)
            result = Array(unsafeUninitializedCapacity: room) { buffer, count in
                count = base.uids(test, 0..<baseEnd, into: buffer)
            }
        }
        for row in tail where row.uid <= last && result.count < limit {
            guard !row.place.contains(.forgotten), test.holds(row.flags, row.keywords, row.modSequence) else { continue }
            if let uid = UID(row.uid) { result.append(uid) }
        }
        return result
    }

    /// What was expunged counts as told.
    func forgetGone() {
        if let base { base.markPlaces(Place.expunged.rawValue, with: Place.forgotten.rawValue) }
        for index in tail.indices where tail[index].place.isGone { tail[index].place.insert(.forgotten) }
    }

    /// The first row whose file name tells other flags than the message has, or whose file is in new/; gone or not.
    func firstLagging(in rows: Range<Int>) -> Int? {
        var row = rows.lowerBound
        if let base, row < baseCount {
            let rowsOfBase = rows.clamped(to: 0..<baseCount)
            if let found = base.firstLagging(in: rowsOfBase) { return found }
            row = rowsOfBase.upperBound
        }
        while row < rows.upperBound {
            let message = tail[row - baseCount]
            if message.flags != message.nameFlags || message.place.contains(.new) { return row }
            row += 1
        }
        return nil
    }

    // MARK: Changes

    /// Of rows outside of this, neither flags nor names were changed since somebody last set it to `nil`.
    var touchedRows: Range<Int>?

    private func touch(_ row: Int) { touch(row..<row + 1) }

    private func touch(_ rows: Range<Int>) {
        touchedRows = touchedRows.map {
            min($0.lowerBound, rows.lowerBound)..<max($0.upperBound, rows.upperBound)
        } ?? rows
    }

    /// The same for all messages that are there, with UIDs in the ranges. A STORE may be of all, and an open reads it again.
    func setFlags(_ ranges: [ClosedRange<UInt32>], _ flags: SystemFlags, _ keywords: KeywordSet, modSequence: UInt64) {
        let columns = base?.keywordColumns(toHold: keywords)
        var touched: Range<Int>?
        forEachStretch(ranges) { rows in
            touched = min(touched?.lowerBound ?? .max, rows.lowerBound)..<max(touched?.upperBound ?? 0, rows.upperBound)
            if rows.lowerBound < baseCount {
                base?.setFlags(rows.clamped(to: 0..<baseCount), flags, keywords, in: columns, modSequence: modSequence)
            }
            for row in max(rows.lowerBound, baseCount)..<max(rows.upperBound, baseCount) where !isGone(row) {
                setFlags(row, flags, keywords, modSequence: modSequence)
            }
        }
        if let touched { touch(touched) }
    }

    /// The same for all messages that are there, with UIDs in the ranges: their files have names as we would write them.
    func setNames(_ ranges: [ClosedRange<UInt32>], _ place: Place, _ flags: SystemFlags) {
        forEachStretch(ranges) { rows in
            touch(rows)
            for row in rows where !isGone(row) { setName(row, place, flags, isTouched: true) }
        }
    }

    func setFlags(_ row: Int, _ flags: SystemFlags, _ keywords: KeywordSet, modSequence: UInt64) {
        touch(row)
        if row < baseCount {
            base!.flags[row] = flags.rawValue
            base!.setKeywords(row, keywords)
            base!.modSequences[row] = modSequence
        } else {
            tail[row - baseCount].flags = flags
            tail[row - baseCount].keywords = keywords
            tail[row - baseCount].modSequence = modSequence
        }
    }

    func setPlace(_ row: Int, _ place: Place) {
        if row < baseCount { base!.places[row] = place.rawValue } else { tail[row - baseCount].place = place }
    }

    private func setNameFlags(_ row: Int, _ flags: SystemFlags) {
        if row < baseCount { base!.nameFlags[row] = flags.rawValue } else { tail[row - baseCount].nameFlags = flags }
    }

    /// The file has, or is seen to have, a name as we would write it.
    func setName(_ row: Int, _ place: Place, _ flags: SystemFlags, isTouched: Bool = false) {
        if self.place(row).contains(.odd) { oddInfos[row] = nil }
        if !isTouched { touch(row) }
        setPlace(row, place.subtracting(.odd))
        setNameFlags(row, flags)
    }

    func setOddName(_ row: Int, _ place: Place, info: [UInt8]) {
        touch(row)
        oddInfos[row] = info
        setPlace(row, place.union([.odd, .hasInfo]))
        setNameFlags(row, info.withUnsafeBytes { FileName.info($0) }.flags)
    }

    func setDetails(_ row: Int, internalDate: Int64, size: UInt64) {
        if row < baseCount {
            guard base!.verify([.internalDate, .size]) else { return }
            base!.internalDates[row] = internalDate
            base!.sizes[row] = size
        } else {
            tail[row - baseCount].internalDate = internalDate
            tail[row - baseCount].size = size
        }
    }

    /// Makes room for so many more, whose names have so many bytes at most.
    func reserve(_ count: Int, nameBytes: Int) {
        tail.reserveCapacity(tail.count + count)
        tailNames.reserveCapacity(tailNames.count + nameBytes)
        tailNameOffsets.reserveCapacity(tailNameOffsets.count + count)
    }

    /// The UID must be larger than all others.
    func append(_ row: MessageRow, base name: some Collection<UInt8>, info: [UInt8]) {
        tail.append(row)
        tailNames.append(contentsOf: name)
        tailNameOffsets.append(tailNames.count)
        if row.place.contains(.odd) { oddInfos[count - 1] = info }
    }

    func rememberExpunge(_ range: ClosedRange<UInt32>, modSequence: UInt64) { expunged.append(range, modSequence) }

    func forgetExpunges(upTo modSequence: UInt64) { expunged.forget(upTo: modSequence) }
}

/// UIDs that were expunged, and when: as much as is remembered (RFC 7162 §3.2.10.2).
struct ExpungeMemory {
    private(set) var ranges: [(uids: ClosedRange<UInt32>, modSequence: UInt64)] = []
    /// Of expunges at or before this nothing is remembered.
    private(set) var forgotten: UInt64 = 0

    /// So many stretches of UIDs at most, 16 bytes each: beyond, the older half is forgotten. Who deletes 250 messages a day one
    /// by one is remembered for a year at least.
    static let capacity = 200_000

    init() {}

    init(from bytes: UnsafeRawBufferPointer, forgotten: UInt64) {
        self.forgotten = forgotten
        var reader = ByteReader(bytes)
        ranges.reserveCapacity(bytes.count / 16)
        while !reader.isAtEnd {
            let low = reader.number(UInt32.self), high = reader.number(UInt32.self), modSequence = reader.number(UInt64.self)
            if reader.isWhole, low > 0, low <= high { ranges.append((low...high, modSequence)) }
        }
    }

    func write(to writer: inout ByteWriter) {
        for (uids, modSequence) in ranges {
            writer.number(uids.lowerBound)
            writer.number(uids.upperBound)
            writer.number(modSequence)
        }
    }

    /// Mod-sequences come in ascending order.
    mutating func append(_ uids: ClosedRange<UInt32>, _ modSequence: UInt64) {
        ranges.append((uids, modSequence))
        if ranges.count > Self.capacity { forget(upTo: ranges[ranges.count / 2].modSequence) }
    }

    mutating func forget(upTo modSequence: UInt64) {
        forgotten = max(forgotten, modSequence)
        ranges.removeAll { $0.modSequence <= forgotten }
    }

    /// `nil` if that is further back than is remembered.
    func since(_ modSequence: UInt64) -> UIDSet? {
        guard modSequence >= forgotten else { return nil }
        var set = UIDSet()
        let found = ranges.filter { $0.modSequence > modSequence }.map(\.uids).sorted { $0.lowerBound < $1.lowerBound }
        for range in found {
            if let low = UID(range.lowerBound), let high = UID(range.upperBound) { set.insert(low...high) }
        }
        return set
    }
}
