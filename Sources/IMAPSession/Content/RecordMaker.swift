import IMAPGrammar
import MailMessage
import MailStore

/// Derives from a message what is kept of it.
final class RecordMaker {
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

    /// Passes what is to be kept of the message that the reader has open to `body`; nothing if that cannot be made.
    ///
    /// `scope` is how far the message is parsed.
    func make(from reader: ContentReader, _ scope: MessageParser.Scope, _ body: (KeptPieces) -> Void) {
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
        KeptPieces.with(keys, fields, record, body)
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
