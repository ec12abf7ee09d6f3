import IMAPTypes
import MailStore

/// `imapd.imported` in the Maildir: which messages of other servers have come in, so that none is brought a second time; where
/// they are, and which flags they had there, so that later changes of these can follow.
///
/// A line for each mailbox there, of fields with tabs between them: server and mailbox in hexadecimal, UIDVALIDITY, the id of the
/// mailbox here, UIDs; UIDVALIDITY here and runs of UIDs there with the first of them here; and for all messages that had the
/// same flags a field with their UIDs, letters of system flags or "-", and keywords. Without it, messages are brought again, and
/// left out only once they are here.
public final class ImportMemory {
    /// A mailbox of another server.
    public struct Origin: Hashable, Sendable {
        /// Whatever tells the account there from others.
        public var server: String
        /// The mailbox's name as that server writes it.
        public var mailbox: [UInt8]
        public var uidValidity: UInt32

        public init(server: String, mailbox: [UInt8], uidValidity: UInt32) {
            self.server = server
            self.mailbox = mailbox
            self.uidValidity = uidValidity
        }
    }

    /// The mailbox here.
    public struct Target: Equatable, Sendable {
        public var id: ObjectID
        public var uidValidity: UInt32
    }

    /// What is known of a mailbox there.
    public struct Known: Sendable {
        /// Messages that have come.
        public var uids = UIDSet()
        /// Where they came to; those that came before this was noted are missing.
        public var places = ImportPlaces()
        /// The flags that they had there when they were last looked at.
        public var flags: [FlagSet: UIDSet] = [:]

        /// From now on these messages have these flags.
        public mutating func note(_ uids: UIDSet, _ new: FlagSet) {
            for (old, set) in flags {
                var rest = set
                rest.subtract(uids)
                flags[old] = rest.isEmpty ? nil : rest
            }
            flags[new, default: UIDSet()].formUnion(uids)
        }

        /// Nobody will ask for the flags of these any more.
        public mutating func forget(_ uids: UIDSet) {
            note(uids, FlagSet())
            flags[FlagSet()]?.subtract(uids)
            if flags[FlagSet()]?.isEmpty == true { flags[FlagSet()] = nil }
            places.remove(uids)
        }
    }

    static let name = Array("imapd.imported".utf8)
    private static let longest = 1 << 28

    private let maildir: Handle
    private var known: [Origin: (target: Target, known: Known, line: String)] = [:]

    public init(_ store: MaildirStore) throws(StoreError) {
        maildir = store.maildir
        guard let file = try maildir.readForeign(Self.name, longest: Self.longest) else { return }
        for line in file.bytes.split(separator: 0x0A) {
            let fields = line.split(separator: 0x09, omittingEmptySubsequences: false)
            // What cannot be read is not known.
            guard fields.count >= 5, let server = Self.bytes(fields[0]), let mailbox = Self.bytes(fields[1]),
                  let uidValidity = Self.number(fields[2]), let target = ObjectID(hexadecimal: fields[3]) else { continue }
            let origin = Origin(server: String(decoding: server, as: UTF8.self), mailbox: mailbox, uidValidity: uidValidity)
            var known = Known(uids: Self.uids(fields[4]))
            var targetValidity: UInt32 = 0
            if fields.count >= 7, let number = Self.number(fields[5]) {
                targetValidity = number
                known.places = ImportPlaces(text: fields[6])
                for field in fields[7...] { Self.readFlags(field, &known) }
            }
            let all = Target(id: target, uidValidity: targetValidity)
            self.known[origin] = (all, known, String(decoding: line, as: UTF8.self))
        }
    }

    /// What came into this mailbox.
    public func known(_ origin: Origin, in target: Target) -> Known {
        guard let found = known[origin], found.target.id == target.id else { return Known() }
        return found.target == target ? found.known : Known(uids: found.known.uids)
    }

    /// This is so, for good.
    public func set(_ new: Known, _ origin: Origin, in target: Target) throws(StoreError) {
        // Of what had another UIDVALIDITY, nothing can be told any more.
        for other in known.keys where other.server == origin.server && other.mailbox == origin.mailbox { known[other] = nil }
        let fields = [
            Array(origin.server.utf8).hexadecimal, origin.mailbox.hexadecimal, "\(origin.uidValidity)", target.id.hexadecimal,
            Self.text(new.uids), "\(target.uidValidity)", new.places.text,
        ] + new.flags.map { Self.text($1) + " " + Self.text($0) }.sorted()
        known[origin] = (target, new, fields.joined(separator: "\t"))
        let lines = known.values.map { $0.line + "\n" }.sorted()
        try maildir.replaceFile(Self.name, with: Array(lines.joined().utf8))
    }

    // MARK: Fields

    private static func text(_ uids: UIDSet) -> String {
        uids.ranges.map { "\($0.lowerBound)-\($0.upperBound)" }.joined(separator: ",")
    }

    private static func text(_ flags: FlagSet) -> String {
        let letters = String(decoding: FileName.letters(flags.system), as: UTF8.self)
        return ([letters.isEmpty ? "-" : letters] + flags.keywords.map(\.name).sorted()).joined(separator: " ")
    }

    private static func readFlags(_ text: ArraySlice<UInt8>, _ known: inout Known) {
        let words = text.split(separator: 0x20)
        guard words.count >= 2 else { return }
        var flags = FlagSet(keywords: Set(words.dropFirst(2).compactMap { Keyword($0) }))
        for letter in words[1] { flags.system.formUnion(FileName.flag(letter) ?? []) }
        known.flags[flags, default: UIDSet()].formUnion(uids(words[0]))
    }

    private static func uids(_ text: ArraySlice<UInt8>) -> UIDSet {
        var set = UIDSet()
        for range in text.split(separator: UInt8(ascii: ",")) {
            let ends = range.split(separator: UInt8(ascii: "-")).compactMap(number)
            if ends.count == 2, ends[0] <= ends[1], let low = UID(ends[0]), let high = UID(ends[1]) { set.insert(low...high) }
        }
        return set
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> UInt32? { UInt32(String(decoding: digits, as: UTF8.self)) }

    private static func bytes(_ digits: ArraySlice<UInt8>) -> [UInt8]? {
        guard digits.count % 2 == 0 else { return nil }
        var result: [UInt8] = []
        for at in stride(from: digits.startIndex, to: digits.endIndex, by: 2) {
            guard let byte = UInt8(String(decoding: digits[at..<at + 2], as: UTF8.self), radix: 16) else { return nil }
            result.append(byte)
        }
        return result
    }
}

extension [UInt8] {
    fileprivate var hexadecimal: String { map { hexadecimalText(UInt64($0), 2) }.joined() }
}
