import CLinux
import IMAPTypes
import MailStore

extension IndexFile {
    /// The file of a mailbox as `table` has it: header, then the sections, each at a multiple of 8. `header` is completed.
    ///
    /// All columns are written in one pass over the messages: a pass for each would fetch every row from memory a dozen times.
    static func bytes(_ header: inout IndexHeader, _ table: MessageTable, _ keywords: [Keyword]) -> [UInt8] {
        let rows = Rows(table)
        var oddInfos = ByteWriter(), keywordNames = ByteWriter(), expunged = ByteWriter()
        for (index, row) in rows.odd {
            let info = table.info(row)
            oddInfos.number(UInt32(truncatingIfNeeded: index))
            oddInfos.number(UInt8(truncatingIfNeeded: info.count))
            oddInfos.raw(info)
        }
        for keyword in keywords {
            keywordNames.number(UInt8(truncatingIfNeeded: keyword.name.utf8.count))
            keywordNames.raw(keyword.name.utf8)
        }
        table.expunged.write(to: &expunged)

        header.count = rows.count
        var end = IndexHeader.byteCount
        for section in IndexHeader.Section.allCases {
            let length = switch section {
            case .keywordSets: rows.haveKeywords ? 16 * rows.count : 0
            case .nameOffset: 4 * (rows.count + 1)
            case .names: rows.nameBytes
            case .oddInfos: oddInfos.bytes.count
            case .keywords: keywordNames.bytes.count
            case .expunged: expunged.bytes.count
            default: rows.count * (section.stride ?? 0)
            }
            let start = (end + 7) & ~7
            header.sections[section.rawValue] = IndexHeader.Place(offset: start, length: length)
            end = start + length
        }
        return [UInt8](unsafeUninitializedCapacity: end) { buffer, count in
            let file = UnsafeMutableRawBufferPointer(buffer)
            func place(_ section: IndexHeader.Section) -> UnsafeMutableRawBufferPointer {
                let place = header.sections[section.rawValue]
                return UnsafeMutableRawBufferPointer(rebasing: file[place.offset..<place.offset + place.length])
            }
            var filled = 0
            for place in header.sections {
                for at in filled..<place.offset { file[at] = 0 }
                filled = place.offset + place.length
            }
            rows.write(place)
            place(.oddInfos).copyBytes(from: oddInfos.bytes)
            place(.keywords).copyBytes(from: keywordNames.bytes)
            place(.expunged).copyBytes(from: expunged.bytes)
            for index in header.sections.indices {
                let place = header.sections[index]
                header.sections[index].checksum = clinux_checksum(file.baseAddress! + place.offset, place.length)
            }
            file.copyBytes(from: header.bytes())
            count = end
        }
    }

    /// The messages of a table that are there.
    private struct Rows {
        private let table: MessageTable
        private let rows: [Int32]
        private(set) var nameBytes = 0
        private(set) var haveKeywords = false
        /// Those whose names have to be remembered byte for byte: which message of the file, which row of the table.
        private(set) var odd: [(index: Int, row: Int)] = []

        var count: Int { rows.count }

        init(_ table: MessageTable) {
            self.table = table
            var rows: [Int32] = []
            rows.reserveCapacity(table.count)
            for row in 0..<table.count where !table.isGone(row) {
                nameBytes += table.withBaseName(row) { $0.count }
                if !table.keywords(row).isEmpty { haveKeywords = true }
                if table.place(row).contains(.odd) { odd.append((rows.count, row)) }
                rows.append(Int32(truncatingIfNeeded: row))
            }
            self.rows = rows
        }

        /// Fills the columns.
        func write(_ place: (IndexHeader.Section) -> UnsafeMutableRawBufferPointer) {
            func column<T: FixedWidthInteger>(_ section: IndexHeader.Section, _: T.Type) -> UnsafeMutablePointer<T> {
                place(section).baseAddress!.bindMemory(to: T.self, capacity: count)
            }
            let uids = column(.uid, UInt32.self), flags = column(.flags, UInt8.self), nameFlags = column(.nameFlags, UInt8.self)
            let places = column(.place, UInt8.self), modSequences = column(.modSequence, UInt64.self)
            let keywords = haveKeywords ? column(.keywordSets, UInt64.self) : nil
            let internalDates = column(.internalDate, Int64.self), saveDates = column(.saveDate, Int64.self)
            let sizes = column(.size, UInt64.self)
            let idLow = column(.idLow, UInt64.self), idHigh = column(.idHigh, UInt64.self)
            let nameOffsets = column(.nameOffset, UInt32.self), names = place(.names)
            var nameEnd = 0
            nameOffsets[0] = 0
            for (index, number) in rows.enumerated() {
                let row = table.row(whole: Int(number))
                uids[index] = row.uid.littleEndian
                flags[index] = row.flags.rawValue
                nameFlags[index] = row.nameFlags.rawValue
                places[index] = row.place.intersection(.stored).rawValue
                modSequences[index] = row.modSequence.littleEndian
                if let keywords {
                    keywords[2 * index] = row.keywords.low.littleEndian
                    keywords[2 * index + 1] = row.keywords.high.littleEndian
                }
                internalDates[index] = (row.internalDate ?? unknownDate).littleEndian
                saveDates[index] = row.saveDate.littleEndian
                sizes[index] = (row.size ?? unknownSize).littleEndian
                idLow[index] = row.id.low.littleEndian
                idHigh[index] = row.id.high.littleEndian
                table.withBaseName(Int(number)) { name in
                    names[nameEnd..<nameEnd + name.count].copyBytes(from: name)
                    nameEnd += name.count
                }
                nameOffsets[index + 1] = UInt32(truncatingIfNeeded: nameEnd).littleEndian
            }
        }
    }
}
