import IMAPGrammar
import IMAPTypes
import MailMessage
import MailStore

/// Reads and writes what a mailbox keeps of its messages.
final class RecordKeeper {
    private let mailbox: any OpenMailbox
    private var writer = EnvelopeWriter()
    private var plain = Serializer()
    private var utf8 = Serializer(mode: .utf8Accept)
    private var fields: [UInt8] = []
    private var record: [UInt8] = []
    /// Longer headers are not kept, nor looked through for fields: they may go beyond what a parser remembers.
    private static let longestHeader = 1 << 16

    init(_ mailbox: any OpenMailbox) { self.mailbox = mailbox }

    /// Valid until the mailbox is asked for something that reads.
    func record(_ uid: UID) -> KeptRecord? { mailbox.kept(uid).flatMap { KeptRecord($0) } }

    /// Keeps what can be told of the message that the reader has open, unless as much was kept already.
    ///
    /// `scope` is how far it was parsed. What goes wrong here goes wrong for no client.
    func keep(_ uid: UID, from reader: ContentReader, _ scope: MessageParser.Scope) {
        if let known = record(uid), known.isWhole || scope == .header { return }
        guard let structure = try? reader.structure(scope) else { return }
        let header = structure.parts[MessageStructure.root].header
        guard header.length <= Self.longestHeader else { return }
        KeptRecord.begin(isWhole: scope == .whole, into: &record)
        // In the order of the items: first those for any mode, then those for UTF-8.
        var inUTF8: [(KeptRecord.Item, [UInt8])] = []
        for item in scope == .whole ? [KeptRecord.Item.envelope, .body, .bodyStructure] : [.envelope] {
            write(item, structure, into: &plain)
            guard plain.bytes.contains(where: { $0 >= 0x80 }) else {
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
        fields.removeAll(keepingCapacity: true)
        guard (try? reader.withHeader(header, { bytes in
            HeaderBlock.select(KeptRecord.fieldNames, isNot: false, from: bytes, into: &fields)
        })) != nil else { return }
        KeptRecord.append(.fields, fields, to: &record)
        KeptRecord.append(.threadID, KeptRecord.bytes(ThreadID.of(structure)), to: &record)
        record.withUnsafeBytes { mailbox.keep(uid, $0) }
    }

    private func write(_ item: KeptRecord.Item, _ structure: MessageStructure, into out: inout Serializer) {
        out.removeAll()
        switch item {
        case .envelope: writer.envelope(structure, of: MessageStructure.root, into: &out)
        default: writer.body(structure, MessageStructure.root, isExtended: item == .bodyStructure, into: &out)
        }
    }
}
