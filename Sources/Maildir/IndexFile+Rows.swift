import IMAPTypes
import MailStore

/// All rows at once. These loops have no branch that depends on a message, so that a processor does several rows at a time.
extension IndexFile {
    /// Puts the UIDs of those rows for which `test` holds and that were not forgotten into `buffer`, as many as have room.
    /// Returns their number.
    func uids(_ test: MetadataTest, _ rows: Range<Int>, into buffer: UnsafeMutableBufferPointer<UID>) -> Int {
        guard let output = buffer.baseAddress, buffer.count > 0 else { return 0 }
        if test.isTrivial, rows.count <= buffer.count, areAllThere(rows) {
            // A UID is its number.
            UnsafeMutableRawPointer(output).copyMemory(from: uids + rows.lowerBound, byteCount: 4 * rows.count)
            return rows.count
        }
        let mask = test.flags.rawValue, wanted = test.setFlags.rawValue, least = test.least
        let forgotten = Place.forgotten.rawValue
        let keywords = test.keywords.isEmpty ? nil : keywordColumns
        if !test.keywords.isEmpty, keywords == nil, !test.setKeywords.isEmpty { return 0 }
        var count = 0
        // The last place is written whether it counts or not: it must be there.
        var row = rows.lowerBound
        while row < rows.upperBound, count < buffer.count {
            let end = min(rows.upperBound, row + buffer.count - count)
            while row < end {
                var holds = (flags[row] & mask == wanted) && (places[row] & forgotten == 0) && uids[row] > 0
                if least > 0 { holds = holds && modSequences[row] >= least }
                if let keywords {
                    holds = holds && keywords[2 * row] & test.keywords.low == test.setKeywords.low
                        && keywords[2 * row + 1] & test.keywords.high == test.setKeywords.high
                }
                (output + count).initialize(to: UID(nonzero: max(uids[row], 1)))
                count &+= holds ? 1 : 0
                row &+= 1
            }
        }
        return count
    }

    /// Whether no message was forgotten and each has a UID.
    private func areAllThere(_ rows: Range<Int>) -> Bool {
        var marks: UInt8 = 0, least = UInt32.max
        for row in rows {
            marks |= places[row]
            least = min(least, uids[row])
        }
        return marks & Place.forgotten.rawValue == 0 && least > 0
    }

    /// The first of these rows whose file name tells other flags than the message has, or whose file is in new/; gone or not.
    func firstLagging(in rows: Range<Int>) -> Int? {
        func lag(_ row: Int) -> UInt8 { flags[row] ^ nameFlags[row] | places[row] & Place.new.rawValue }
        // Mostly there is none.
        for start in stride(from: rows.lowerBound, to: rows.upperBound, by: 1024) {
            let block = start..<min(start + 1024, rows.upperBound)
            var lags: UInt8 = 0
            for row in block { lags |= lag(row) }
            if lags != 0 { return block.first { lag($0) != 0 } }
        }
        return nil
    }

    /// Adds `bit` to the places of those rows that have `mark`. Most indexes have none, and no page of the map is changed.
    func markPlaces(_ mark: UInt8, with bit: UInt8) {
        var all: UInt8 = 0
        for row in 0..<count { all |= places[row] }
        guard all & mark != 0 else { return }
        for row in 0..<count where places[row] & mark != 0 { places[row] |= bit }
    }

    /// Gives messages that are not gone these flags and keywords; `columns` is `keywordColumns(toHold:)` of the latter.
    func setFlags(_ rows: Range<Int>, _ flags: SystemFlags, _ keywords: KeywordSet, in columns: UnsafeMutablePointer<UInt64>?,
                  modSequence: UInt64) {
        let gone = Place.expunged.union(.forgotten).rawValue
        for row in rows where places[row] & gone == 0 {
            self.flags[row] = flags.rawValue
            modSequences[row] = modSequence
            guard let columns else { continue }
            columns[2 * row] = keywords.low
            columns[2 * row + 1] = keywords.high
        }
    }
}
