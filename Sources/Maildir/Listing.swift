import CLinux
import Glibc
import IMAPTypes

/// The names of messages in new/ and cur/, as one reading of the directories found them.
struct Listing {
    /// Small, as there is one for each message.
    struct Entry {
        let offset: Int
        let length: UInt16
        let baseLength: UInt16
        let isNew: Bool

        /// Where its base name is in `names`, and the rest of its name.
        fileprivate var base: Range<Int> { offset..<offset + Int(baseLength) }
        fileprivate var info: Range<Int> { offset + Int(baseLength)..<offset + Int(length) }
    }

    private var names: [UInt8] = []
    private(set) var entries: [Entry] = []
    /// Files that cannot be messages under the names that they have.
    private(set) var misnamed: [Mailbox.FileLocation] = []

    /// Bytes of all names.
    var nameBytes: Int { names.count }

    /// Adds the names of a directory. False and `errno` if it cannot be read.
    mutating func read(_ directory: Handle, isNew: Bool) -> Bool {
        reserve(for: directory)
        return forEachName(in: directory) { name, type in
            guard type == DT_REG || type == DT_UNKNOWN else { return }
            if type == DT_UNKNOWN, directory.status(name)?.isRegular != true { return }
            guard FileName.isMessage(name), let length = UInt16(exactly: name.count) else {
                misnamed.append(Mailbox.FileLocation(name: Array(name), isNew: isNew))
                return
            }
            let baseLength = UInt16(truncatingIfNeeded: FileName.baseEnd(name))
            entries.append(Entry(offset: names.count, length: length, baseLength: baseLength, isNew: isNew))
            names.append(contentsOf: name)
        }
    }

    /// The size of a directory tells roughly how much there will be. To grow step by step would have the kernel make each page
    /// several times; what is never written to, it does not make.
    private mutating func reserve(for directory: Handle) {
        guard let size = directory.status()?.st_size else { return }
        let likely = min(max(Int(size), 0), 1 << 26)
        names.reserveCapacity(names.count + likely)
        entries.reserveCapacity(entries.count + likely / 64)
    }

    func location(_ entry: Entry) -> Mailbox.FileLocation {
        Mailbox.FileLocation(name: Array(names[entry.offset..<entry.info.upperBound]), isNew: entry.isNew)
    }

    func withBase<R>(_ entry: Entry, _ body: (UnsafeRawBufferPointer) -> R) -> R {
        names.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[entry.base])) }
    }

    /// For each entry the row of the message of its base name that is there. Goes through all rows.
    func rows(in table: MessageTable) -> [Int?] {
        var rows = [Int?](repeating: nil, count: entries.count)
        guard !entries.isEmpty else { return rows }
        names.withUnsafeBytes { names in
            // What mostly tells names apart without reading them: their length and their last bytes.
            let wanted = entries.map { entry in
                let base = UnsafeRawBufferPointer(rebasing: names[entry.base])
                return (length: base.count, base: base.baseAddress!, last: base[base.count - 1])
            }
            for row in 0..<table.count {
                table.withBaseName(row) { name in
                    guard let last = name.last, let start = name.baseAddress else { return }
                    for index in wanted.indices where wanted[index].length == name.count && wanted[index].last == last {
                        if memcmp(wanted[index].base, start, name.count) == 0, !table.isGone(row) { rows[index] = row }
                    }
                }
            }
        }
        return rows
    }

    func isBaseOrdered(_ a: Entry, _ b: Entry) -> Bool {
        withBase(a) { a in
            withBase(b) { b in
                let order = memcmp(a.baseAddress!, b.baseAddress!, min(a.count, b.count))
                return order != 0 ? order < 0 : a.count < b.count
            }
        }
    }

    func isSameBase(_ a: Entry, _ b: Entry) -> Bool {
        a.baseLength == b.baseLength
            && withBase(a) { a in withBase(b) { b in memcmp(a.baseAddress!, b.baseAddress!, a.count) == 0 } }
    }

    func withInfo<R>(_ entry: Entry, _ body: (UnsafeRawBufferPointer) -> R) -> R {
        names.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[entry.info])) }
    }
}

private let DT_UNKNOWN: UInt8 = 0
private let DT_REG: UInt8 = 8

/// Finds rows by base name: an open hash table of row numbers.
struct NameIndex {
    private var slots: [UInt32] = []
    private var used = 0
    /// Rows below this are in it.
    private var covered = 0

    var isMade: Bool { !slots.isEmpty }

    /// Takes in the rows that the table has got since.
    mutating func extend(over table: MessageTable) {
        if slots.count < 2 * (used + table.count - covered) + 16 {
            slots = [UInt32](repeating: 0, count: 1 << (Int.bitWidth - (4 * table.count + 32).leadingZeroBitCount))
            used = 0
            covered = 0
        }
        while covered < table.count {
            var slot = table.withBaseName(covered) { self.slot($0) }
            while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
            slots[slot] = UInt32(truncatingIfNeeded: covered + 1)
            used += 1
            covered += 1
        }
    }

    private func slot(_ base: UnsafeRawBufferPointer) -> Int {
        Int(clinux_crc32c(0, base.baseAddress, base.count)) & (slots.count - 1)
    }

    /// The row of the message of this base name that is there; `nil` if there is none.
    func row(_ base: UnsafeRawBufferPointer, in table: MessageTable) -> Int? {
        guard used > 0 else { return nil }
        var slot = slot(base)
        while slots[slot] != 0 {
            let row = Int(slots[slot]) - 1
            if !table.isGone(row), table.withBaseName(row, { name in
                name.count == base.count && memcmp(name.baseAddress ?? base.baseAddress!, base.baseAddress!, base.count) == 0
            }) { return row }
            slot = (slot + 1) & (slots.count - 1)
        }
        return nil
    }
}
