import Glibc
import MailMessage

/// The lines of those header fields that clients and SEARCH ask for, in the bytes in which they are kept: a table of the fields
/// in the order of the message, then their lines, with CRLF for every line end.
struct KeptFields {
    private let table: UnsafeRawBufferPointer
    private let lines: UnsafeRawBufferPointer

    /// Names, in no order; none is of a field that is long as a rule. Of others the message is read.
    static let names: [[UInt8]] = [
        "From", "To", "Cc", "Bcc", "Reply-To", "Sender", "Subject", "Date", "Message-ID", "In-Reply-To", "References",
        "Newsgroups", "Followup-To", "Content-Type", "Content-Description", "Content-Transfer-Encoding", "MIME-Version",
        "List-Id", "List-Post", "List-Subscribe", "List-Unsubscribe", "Priority", "X-Priority", "Importance", "Lines", "X-Label",
        "X-Original-To", "Delivered-To", "X-Spam-Flag", "X-Mailer", "User-Agent", "Disposition-Notification-To",
        "Auto-Submitted", "Chat-Version", "X-K9mail-Identity", "X-Uniform-Type-Identifier", "X-Universally-Unique-Identifier",
    ].map { Array($0.utf8) }

    /// A field's index in `names`, of which there are at most 64.
    typealias Index = Int

    /// `nil` if fields of that name are not kept. In any case.
    static func index(of name: some RandomAccessCollection<UInt8>) -> Index? {
        let table = table
        let length = name.count
        guard length < table.lengths, let first = name.first, table.initials[length] >> UInt32(first & 0x1F) & 1 == 1 else {
            return nil
        }
        for candidate in Int(table.starts[length])..<Int(table.starts[length + 1]) {
            let index = Int(table.indexes[candidate])
            let known = UnsafeRawBufferPointer(start: table.text + Int(table.places[index]), count: length)
            if name.elementsEqual(known, by: { $0.lowercasedASCII == $1 }) { return index }
        }
        return nil
    }

    private static let table = NameTable(names)

    /// Names, to be found by their lengths: for ever, and without references, which several threads would count at once.
    ///
    /// Unchecked: nothing of it ever changes.
    private struct NameTable: @unchecked Sendable {
        /// In lower case, one after the other, and by index where each begins.
        let text: UnsafeMutablePointer<UInt8>
        let places: UnsafeMutablePointer<UInt16>
        /// Indexes in the order of lengths, and for each length where those of that length begin.
        let indexes: UnsafeMutablePointer<UInt8>
        let starts: UnsafeMutablePointer<UInt8>
        /// For each length, the letters with which names of that length begin, one bit each.
        let initials: UnsafeMutablePointer<UInt32>
        /// No name is as long.
        let lengths: Int

        init(_ names: [[UInt8]]) {
            let lengths = (names.map(\.count).max() ?? 0) + 1
            self.lengths = lengths
            text = .allocate(capacity: names.reduce(0) { $0 + $1.count })
            places = .allocate(capacity: names.count)
            indexes = .allocate(capacity: names.count)
            starts = .allocate(capacity: lengths + 1)
            initials = .allocate(capacity: lengths)
            var place = 0, at = 0
            for (index, name) in names.enumerated() {
                (places + index).initialize(to: UInt16(place))
                for byte in name {
                    (text + place).initialize(to: byte.lowercasedASCII)
                    place += 1
                }
            }
            for length in 0..<lengths {
                (starts + length).initialize(to: UInt8(at))
                (initials + length).initialize(to: 0)
                for (index, name) in names.enumerated() where name.count == length {
                    (indexes + at).initialize(to: UInt8(index))
                    at += 1
                    if let first = name.first { initials[length] |= 1 << UInt32(first & 0x1F) }
                }
            }
            (starts + lengths).initialize(to: UInt8(at))
        }
    }

    /// One bit for each name; `nil` if one of them is not kept.
    static func mask(of names: [[UInt8]]) -> UInt64? {
        var mask: UInt64 = 0
        for name in names {
            guard let index = index(of: name) else { return nil }
            mask |= 1 << UInt64(index)
        }
        return mask
    }

    /// Another set of fields is another format; `version` must change with the way they are written.
    private static let format: UInt32 = {
        let version: UInt32 = 2
        var hash: UInt32 = 0x811C_9DC5 ^ version
        for name in names {
            for byte in name + [0] { hash = (hash ^ UInt32(byte)) &* 0x0100_0193 }
        }
        return hash
    }()

    /// Format 4, number of fields 4; then of each its index and where its lines begin, 2 each.
    private static let headCount = 8

    /// `nil` if the bytes are not in this form.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= Self.headCount, bytes.loadUnaligned(as: UInt32.self) == Self.format else { return nil }
        let end = Self.headCount + 4 * Int(bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
        guard end <= bytes.count else { return nil }
        table = UnsafeRawBufferPointer(rebasing: bytes[Self.headCount..<end])
        lines = UnsafeRawBufferPointer(rebasing: bytes[end...])
    }

    private func start(_ entry: Int) -> Int {
        4 * entry < table.count ? Int(table.loadUnaligned(fromByteOffset: 4 * entry + 2, as: UInt16.self)) : lines.count
    }

    /// Calls `body` with the lines of each of the fields, in the order of the message, until it returns false.
    @inline(__always)
    private func forEach(_ mask: UInt64, _ body: (UnsafeRawBufferPointer) -> Bool) {
        for entry in 0..<table.count / 4 {
            let index = UInt64(table.loadUnaligned(fromByteOffset: 4 * entry, as: UInt16.self))
            guard mask >> (index & 63) & 1 == 1 else { continue }
            let start = start(entry), end = self.start(entry + 1)
            guard start <= end, end <= lines.count else { return }
            guard body(UnsafeRawBufferPointer(rebasing: lines[start..<end])) else { return }
        }
    }

    /// HEADER.FIELDS (RFC 9051 §6.4.5.1): appends the lines of the fields, and the empty line that ends a header.
    func append(_ mask: UInt64, to output: inout [UInt8]) {
        forEach(mask) { lines in
            output.append(contentsOf: lines)
            return true
        }
        output.append(0x0D)
        output.append(0x0A)
    }

    /// Whether one of the fields of that name has a value for which `isMatch` holds. Values are folded, with the white space and
    /// line ends around them.
    func contains(_ index: Index, where isMatch: (UnsafeRawBufferPointer) -> Bool) -> Bool {
        var isFound = false
        forEach(1 << UInt64(index)) { lines in
            guard let start = lines.baseAddress, let colon = memchr(start, Int32(UInt8(ascii: ":")), lines.count) else {
                return true
            }
            isFound = isMatch(UnsafeRawBufferPointer(rebasing: lines[(UnsafeRawPointer(colon) - start + 1)...]))
            return !isFound
        }
        return isFound
    }

    /// More is not kept.
    private static let longest = 8192

    /// Writes what is to be kept of `header` into `output`, which is emptied first; nothing, if that is too long.
    static func write(_ header: UnsafeRawBufferPointer, into output: inout [UInt8], _ lines: inout [UInt8]) {
        output.removeAll(keepingCapacity: true)
        lines.removeAll(keepingCapacity: true)
        func append<T: FixedWidthInteger>(_ value: T) {
            withUnsafeBytes(of: value.littleEndian) { output.append(contentsOf: $0) }
        }
        append(format)
        append(UInt32(0))
        var block = HeaderBlock(header)
        while let field = block.next() {
            guard let index = index(of: UnsafeRawBufferPointer(rebasing: header[field.name])) else { continue }
            append(UInt16(truncatingIfNeeded: index))
            append(UInt16(truncatingIfNeeded: lines.count))
            HeaderBlock.appendLines(UnsafeRawBufferPointer(rebasing: header[field.whole]), to: &lines)
            guard lines.count <= longest else { return output.removeAll(keepingCapacity: true) }
        }
        let count = UInt32((output.count - headCount) / 4)
        withUnsafeBytes(of: count.littleEndian) { output.replaceSubrange(4..<8, with: $0) }
        output.append(contentsOf: lines)
    }
}
