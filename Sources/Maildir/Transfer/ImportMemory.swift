import IMAPTypes
import MailStore

/// `imapd.imported` in the Maildir: which messages of other servers have come in, so that none is brought a second time.
///
/// A line for each mailbox there, of fields with tabs between them: server and mailbox in hexadecimal, UIDVALIDITY, the id of the
/// mailbox here, UIDs. Without it, messages are brought again, and left out only once they are here.
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

    static let name = Array("imapd.imported".utf8)
    private static let longest = 1 << 28

    private let maildir: Handle
    private var known: [Origin: (target: ObjectID, uids: UIDSet)] = [:]

    public init(_ store: MaildirStore) throws(StoreError) {
        maildir = store.maildir
        guard let file = try maildir.readForeign(Self.name, longest: Self.longest) else { return }
        for line in file.bytes.split(separator: 0x0A) {
            let fields = line.split(separator: 0x09, omittingEmptySubsequences: false)
            // What cannot be read is not known.
            guard fields.count == 5, let server = Self.bytes(fields[0]), let mailbox = Self.bytes(fields[1]),
                  let uidValidity = UInt32(String(decoding: fields[2], as: UTF8.self)),
                  let target = ObjectID(hexadecimal: fields[3]) else { continue }
            let origin = Origin(server: String(decoding: server, as: UTF8.self), mailbox: mailbox, uidValidity: uidValidity)
            known[origin] = (target, Self.uids(fields[4]))
        }
    }

    /// Messages that came into the mailbox with this id.
    public func uids(_ origin: Origin, in target: ObjectID) -> UIDSet {
        known[origin].flatMap { $0.target == target ? $0.uids : nil } ?? UIDSet()
    }

    /// These have come in, for good.
    public func add(_ uids: UIDSet, _ origin: Origin, in target: ObjectID) throws(StoreError) {
        var all = self.uids(origin, in: target)
        all.formUnion(uids)
        // Of what had another UIDVALIDITY, nothing can be told any more.
        for other in known.keys where other.server == origin.server && other.mailbox == origin.mailbox { known[other] = nil }
        known[origin] = (target, all)
        let order = known.sorted { ($0.key.server, $0.key.mailbox.hexadecimal) < ($1.key.server, $1.key.mailbox.hexadecimal) }
        let lines = order.map { origin, value in
            [
                Array(origin.server.utf8).hexadecimal, origin.mailbox.hexadecimal, "\(origin.uidValidity)",
                value.target.hexadecimal,
                value.uids.ranges.map { "\($0.lowerBound)-\($0.upperBound)" }.joined(separator: ","),
            ].joined(separator: "\t") + "\n"
        }
        try maildir.replaceFile(Self.name, with: Array(lines.joined().utf8))
    }

    private static func uids(_ text: ArraySlice<UInt8>) -> UIDSet {
        var set = UIDSet()
        for range in text.split(separator: UInt8(ascii: ",")) {
            let ends = range.split(separator: UInt8(ascii: "-")).compactMap { UInt32(String(decoding: $0, as: UTF8.self)) }
            if ends.count == 2, ends[0] <= ends[1], let low = UID(ends[0]), let high = UID(ends[1]) { set.insert(low...high) }
        }
        return set
    }

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
