import IMAPGrammar
import IMAPTypes
import MailMessage
import MailStore

/// Reads and writes what a mailbox keeps of its messages.
final class RecordKeeper {
    private let mailbox: any OpenMailbox
    private var writer = EnvelopeWriter()
    let previews = PreviewMaker()
    private var keyWriter = MessageKeys.Writer()
    private var plain = Serializer()
    private var utf8 = Serializer(mode: .utf8Accept)
    private var keys: [UInt8] = []
    private var fields: [UInt8] = []
    private var lines: [UInt8] = []
    private var record: [UInt8] = []
    /// Longer headers are not kept, nor looked through for fields: they may go beyond what a parser remembers.
    private static let longestHeader = 1 << 16
    /// Longer keys are not kept.
    private static let longestKeys = 8192

    init(_ mailbox: any OpenMailbox) { self.mailbox = mailbox }

    // What was kept is valid until the mailbox is asked for something that reads.

    func keys(_ uid: UID) -> MessageKeys? { mailbox.kept(uid, .keys).flatMap { MessageKeys($0) } }
    func fields(_ uid: UID) -> KeptFields? { mailbox.kept(uid, .fields).flatMap { KeptFields($0) } }
    func record(_ uid: UID) -> KeptRecord? { mailbox.kept(uid, .items).flatMap { KeptRecord($0) } }

    /// All that is needed of a message, if it was kept.
    struct Kept {
        var record: KeptRecord?
        var fields: KeptFields?
    }

    func kept(_ uid: UID, _ items: KeptItems) -> Kept? {
        var kept = Kept()
        if items.contains(.lazyPreview) { kept.record = record(uid) }
        if items.needsRecord {
            guard let record = record(uid), record.has(items) else { return nil }
            kept.record = record
        }
        if items.contains(.fields) {
            guard let fields = fields(uid) else { return nil }
            kept.fields = fields
        }
        return kept
    }

    /// Keeps what can be told of the message that the reader has open, unless as much was kept already.
    ///
    /// `scope` is how far it was parsed. What goes wrong here goes wrong for no client.
    func keep(_ uid: UID, from reader: ContentReader, _ scope: MessageParser.Scope) {
        guard mailbox.isKeeping else { return }
        if let known = record(uid), known.isWhole || scope == .header { return }
        guard let structure = try? reader.structure(scope) else { return }
        let header = structure.parts[MessageStructure.root].header
        guard header.length <= Self.longestHeader,
              (try? reader.withHeader(header, { KeptFields.write($0, into: &fields, &lines) })) != nil else { return }
        write(structure, scope)
        if scope == .whole, let preview = try? previews.preview(structure, from: reader) {
            KeptRecord.append(.preview, preview, to: &record)
        }
        keyWriter.write(structure, into: &keys)
        if keys.count > Self.longestKeys { keys.removeAll() }
        keys.withUnsafeBytes { keys in
            fields.withUnsafeBytes { fields in
                record.withUnsafeBytes { record in
                    var pieces = KeptPieces()
                    pieces.keys = keys
                    pieces.fields = fields
                    pieces.items = record
                    mailbox.keep(uid, pieces)
                }
            }
        }
    }

    private func write(_ structure: MessageStructure, _ scope: MessageParser.Scope) {
        KeptRecord.begin(isWhole: scope == .whole, into: &record)
        // In the order of the items: first those for any mode, then those for UTF-8.
        var inUTF8: [(KeptRecord.Item, [UInt8])] = []
        for item in scope == .whole ? [KeptRecord.Item.envelope, .body, .bodyStructure] : [.envelope] {
            write(item, structure, into: &plain)
            if plain.bytes.withUnsafeBytes({ isASCII($0) }) {
                KeptRecord.append(item, plain.bytes, to: &record)
                continue
            }
            write(item, structure, into: &utf8)
            if utf8.bytes == plain.bytes {
                KeptRecord.append(item, plain.bytes, to: &record)
            } else if KeptRecord.fits(utf8.bytes), KeptRecord.append(item, plain.bytes, to: &record) {
                inUTF8.append((item.inUTF8, utf8.bytes))
            }
        }
        for (item, bytes) in inUTF8 { KeptRecord.append(item, bytes, to: &record) }
        KeptRecord.append(.threadID, KeptRecord.bytes(ThreadID.of(structure)), to: &record)
    }

    private func write(_ item: KeptRecord.Item, _ structure: MessageStructure, into out: inout Serializer) {
        out.removeAll()
        switch item {
        case .envelope: writer.envelope(structure, of: MessageStructure.root, into: &out)
        default: writer.body(structure, MessageStructure.root, isExtended: item == .bodyStructure, into: &out)
        }
    }
}
