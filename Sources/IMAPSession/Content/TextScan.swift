import MailMessage
import MailStore

/// Looks for all the strings of BODY and TEXT (RFC 9051 §6.4.4) in one pass over a message: in its texts, decoded, and in
/// the headers of its parts and of messages within it; for TEXT also in its own header.
///
/// What is no text (images, archives) is not searched.
final class TextScan {
    private var queries: [SearchCompiler.TextQuery]
    private let reader: ContentReader
    private var value: [UInt8] = []
    private var text: [UInt8] = []
    /// Fields that are to be searched, those of ASCII only and others: with NULs between them, which no string of a command has.
    private var gathered: (plain: [UInt8], folding: [UInt8]) = ([], [])
    private static let gatheredAtOnce = 1 << 14
    private var contentType = StructuredField()

    init(_ queries: [SearchCompiler.TextQuery], _ reader: ContentReader) {
        self.queries = queries
        self.reader = reader
    }

    /// Of the message that the reader has open: what was found.
    func scan() throws(ContentFailure) -> [Bool] {
        for index in queries.indices { queries[index].searcher.reset() }
        let structure = try reader.structure(.whole)
        for index in structure.parts.indices {
            try scanHeader(structure.parts[index].header, isOwn: index == MessageStructure.root)
            if isDone { break }
            try scanBody(structure, index)
            if isDone { break }
        }
        return queries.map(\.searcher.isFound)
    }

    private var isDone: Bool { queries.allSatisfy(\.searcher.isFound) }

    /// A text begins that has nothing to do with the one before.
    private func begin() {
        for index in queries.indices { queries[index].searcher.begin() }
    }

    private func search(_ bytes: UnsafeRawBufferPointer, isOwnHeader: Bool) {
        for index in queries.indices where !isOwnHeader || queries[index].isHeaderToo { queries[index].searcher.search(bytes) }
    }

    private func scanHeader(_ extent: Extent, isOwn: Bool) throws(ContentFailure) {
        // BODY does not ask for the message's own.
        guard extent.length > 2, !isOwn || queries.contains(where: \.isHeaderToo) else { return }
        try reader.withHeader(extent) { bytes in
            var block = HeaderBlock(bytes)
            var end = 0
            while let field = block.next() {
                scanLines(UnsafeRawBufferPointer(rebasing: bytes[end..<field.whole.lowerBound]), isOwn: isOwn)
                end = field.whole.upperBound
                value.removeAll(keepingCapacity: true)
                text.removeAll(keepingCapacity: true)
                text.append(contentsOf: bytes[field.name])
                text.append(contentsOf: [UInt8(ascii: ":"), UInt8(ascii: " ")])
                let folded = UnsafeRawBufferPointer(rebasing: bytes[field.value])
                if let plain = HeaderBlock.plain(folded) {
                    text.append(contentsOf: plain)
                } else {
                    HeaderBlock.unfold(folded, into: &value)
                    value.withUnsafeBytes { EncodedWord.decode($0, into: &text) }
                }
                gather(isOwnHeader: isOwn)
            }
            scanLines(UnsafeRawBufferPointer(rebasing: bytes[end...]), isOwn: isOwn)
            searchGathered(isOwnHeader: isOwn)
        }
    }

    /// What of a header is no field, but may be read there.
    private func scanLines(_ lines: UnsafeRawBufferPointer, isOwn: Bool) {
        // The empty line at its end.
        guard lines.count > 2 else { return }
        text.removeAll(keepingCapacity: true)
        EncodedWord.decode(lines, into: &text)
        gather(isOwnHeader: isOwn)
    }

    /// Takes `text` along, to be searched together with others: each string of the command costs something for each text, and a
    /// header may have as many fields as a command has strings.
    private func gather(isOwnHeader: Bool) {
        if text.withUnsafeBytes({ isASCII($0) }) {
            gathered.plain += text
            gathered.plain.append(0)
        } else {
            gathered.folding += text
            gathered.folding.append(0)
        }
        if gathered.plain.count + gathered.folding.count >= Self.gatheredAtOnce { searchGathered(isOwnHeader: isOwnHeader) }
    }

    private func searchGathered(isOwnHeader: Bool) {
        begin()
        gathered.plain.withUnsafeBytes { search($0, isOwnHeader: isOwnHeader) }
        begin()
        gathered.folding.withUnsafeBytes { search($0, isOwnHeader: isOwnHeader) }
        gathered.plain.removeAll(keepingCapacity: true)
        gathered.folding.removeAll(keepingCapacity: true)
    }

    private func scanBody(_ structure: MessageStructure, _ index: MessageStructure.Index) throws(ContentFailure) {
        let part = structure.parts[index]
        var charset = Charset.ascii
        switch part.kind {
        case .multipart, .message: return
        case .text, .basic:
            if !part.isOpaque, let value = structure.value(.contentType, of: index), contentType.parseContentType(value) {
                let type = contentType[contentType.words[0]]
                // message/delivery-status and its like are text too.
                guard part.kind == .text || type.elementsEqual("message".utf8, by: { $0 | 0x20 == $1 }) else { return }
                if let name = contentType.parameter("charset") { charset = Charset(name) ?? .ascii }
            }
        }
        begin()
        var decoder = CharsetDecoder(charset)
        // Encodings that we do not know: as it stands.
        try reader.forEachDecoded(in: part.body, structure.encoding(of: index) ?? .identity, asWire: false) { piece in
            text.removeAll(keepingCapacity: true)
            if decoder.isUnchanged(piece) {
                search(piece, isOwnHeader: false)
            } else {
                decoder.decode(piece, into: &text)
                text.withUnsafeBytes { search($0, isOwnHeader: false) }
            }
            return !isDone
        }
    }
}
