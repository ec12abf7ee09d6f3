import Synchronization

/// What a `SessionRecord` told at one moment.
///
/// Its writer may be in the hands of an attacker, who can make it say anything about himself: so numbers are numbers, whatever
/// they are, and texts are short, and of characters that can be printed.
public struct SessionReport: Sendable, Equatable {
    /// The command under way.
    public var command: CommandName?
    /// How long it has been under way, or how long there has been none: in nanoseconds, 0 if that cannot be.
    public var duration: UInt64
    /// The mailbox that is selected.
    public var mailbox: String?
    /// What the client has said of itself by ID.
    public var client: String?
    public var totals: SessionTotals

    public init(_ record: SessionRecord, at now: UInt64 = SessionRecord.now()) {
        typealias Layout = SessionRecord.Layout
        let number = record.get(Layout.command)
        command = number == 0 ? nil : UInt8(exactly: number &- 1).flatMap { CommandName(rawValue: $0) }
        let since = record.get(Layout.since)
        duration = since == 0 || since > now ? 0 : now - since
        (mailbox, client) = record.texts()
        totals = SessionTotals()
        totals.add(record)
    }
}

extension SessionRecord {
    /// How long the client has said nothing, in nanoseconds; `nil` while a command is under way, other than IDLE, or if nothing
    /// is known.
    public func silence(at now: UInt64 = now()) -> UInt64? {
        let (command, since) = (get(Layout.command), get(Layout.since))
        guard command == 0 || command == UInt64(CommandName.idle.rawValue) + 1, since != 0, since <= now else { return nil }
        return now - since
    }

    /// Tries a few times to get both as they belong together; a writer who stops in the midst of it has nobody wait for him.
    fileprivate func texts() -> (mailbox: String?, client: String?) {
        var result: (String?, String?)
        for _ in 0..<8 {
            let version = words[Layout.version].load(ordering: .acquiring)
            result = (text(Layout.mailbox), text(Layout.client))
            atomicMemoryFence(ordering: .acquiring)
            if version & 1 == 0, get(Layout.version) == version { break }
        }
        return result
    }

    private func text(_ range: Range<Int>) -> String? {
        let count = Int(min(get(range.lowerBound), UInt64((range.count - 1) * 8)))
        guard count > 0 else { return nil }
        var bytes: [UInt8] = []
        for word in 0..<(count + 7) / 8 {
            withUnsafeBytes(of: get(range.lowerBound + 1 + word)) { bytes += $0 }
        }
        var text = String.UnicodeScalarView()
        for scalar in String(decoding: bytes[..<count], as: UTF8.self).unicodeScalars {
            text.append(scalar.properties.isPrintable ? scalar : "?")
        }
        return String(text)
    }
}

extension Unicode.Scalar.Properties {
    /// Neither controls a terminal nor turns the direction of a line.
    fileprivate var isPrintable: Bool {
        switch generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned, .privateUse: false
        default: true
        }
    }
}

/// What one session, or all that have ended, have done. Sums stop at the largest number instead of going beyond.
public struct SessionTotals: Sendable, Equatable {
    public private(set) var counters = [UInt64](repeating: 0, count: SessionRecord.Counter.allCases.count)
    public private(set) var latencies = [UInt64](repeating: 0, count: CommandName.allCases.count * SessionRecord.Layout.row)

    public init() {}

    /// Those of another version of the program, which knows more or fewer of them, but these in the same order.
    public init(counters: [UInt64], latencies: [UInt64]) {
        for (index, value) in zip(self.counters.indices, counters) { self.counters[index] = value }
        for (index, value) in zip(self.latencies.indices, latencies) { self.latencies[index] = value }
    }

    public subscript(counter: SessionRecord.Counter) -> UInt64 { counters[counter.rawValue] }

    /// How many commands of this name were completed.
    public func count(_ command: CommandName) -> UInt64 { buckets(command).reduce(0, Self.sum) }

    /// How many there were of each bucket, those of the others not counted in.
    public func buckets(_ command: CommandName) -> ArraySlice<UInt64> {
        let start = Int(command.rawValue) * SessionRecord.Layout.row
        return latencies[start..<start + SessionRecord.buckets]
    }

    /// How long all of them took: in nanoseconds.
    public func duration(_ command: CommandName) -> UInt64 {
        latencies[Int(command.rawValue) * SessionRecord.Layout.row + SessionRecord.buckets]
    }

    /// All commands that were completed.
    public var commands: UInt64 { CommandName.allCases.map { count($0) }.reduce(0, Self.sum) }

    public mutating func add(_ record: SessionRecord) {
        for index in counters.indices {
            counters[index] = Self.sum(counters[index], record.get(SessionRecord.Layout.counters.lowerBound + index))
        }
        for index in latencies.indices {
            latencies[index] = Self.sum(latencies[index], record.get(SessionRecord.Layout.commands + index))
        }
    }

    public mutating func add(_ other: SessionTotals) {
        for index in counters.indices { counters[index] = Self.sum(counters[index], other.counters[index]) }
        for index in latencies.indices { latencies[index] = Self.sum(latencies[index], other.latencies[index]) }
    }

    private static func sum(_ one: UInt64, _ other: UInt64) -> UInt64 {
        let (sum, overflows) = one.addingReportingOverflow(other)
        return overflows ? .max : sum
    }
}
