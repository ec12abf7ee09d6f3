import MailMessage

/// Makes the PREVIEW (RFC 8970) of message after message: of the first text that has something to show.
final class PreviewMaker {
    private var field = StructuredField()
    private var text: [UInt8] = []

    /// Texts of a message that are looked at: most have one or two.
    private static let texts = 8
    /// Parts that are looked at.
    private static let parts = 200
    /// Bytes of a text as stored that are looked at: a little first, as mostly that is enough. HTML may begin with long styles.
    private static let plainSizes = [1024, 16_384]
    private static let htmlSizes = [8192, 65_536]

    /// Of the message that the reader has open, in UTF-8; empty if there is nothing to show.
    func preview(_ structure: borrowing MessageStructure, from reader: ContentReader) throws(ContentFailure) -> [UInt8] {
        var texts = 0
        for index in structure.parts.indices.prefix(Self.parts) where structure.parts[index].kind == .text {
            if isAttachment(structure, index) { continue }
            guard let (isHTML, charset) = form(structure, index) else { continue }
            texts += 1
            if texts > Self.texts { break }
            let preview = try preview(structure, index, isHTML: isHTML, charset, from: reader)
            if !preview.isEmpty { return preview }
        }
        return []
    }

    private func isAttachment(_ structure: borrowing MessageStructure, _ index: MessageStructure.Index) -> Bool {
        guard let value = structure.value(.contentDisposition, of: index), field.parseDisposition(value) else { return false }
        return field[field.words[0]].elementsEqual("attachment".utf8) { $0.lowercasedASCII == $1 }
    }

    /// `nil` for a text that people do not read.
    private func form(
        _ structure: borrowing MessageStructure, _ index: MessageStructure.Index
    ) -> (isHTML: Bool, charset: Charset)? {
        guard !structure.parts[index].isOpaque, let value = structure.value(.contentType, of: index),
              field.parseContentType(value) else { return (false, .ascii) }
        let subtype = field[field.words[1]].map(\.lowercasedASCII)
        let isHTML = subtype.elementsEqual("html".utf8)
        guard isHTML || subtype.elementsEqual("plain".utf8) else { return nil }
        return (isHTML, field.parameter("charset").flatMap { Charset($0) } ?? .ascii)
    }

    private func preview(
        _ structure: borrowing MessageStructure, _ index: MessageStructure.Index, isHTML: Bool, _ charset: Charset,
        from reader: ContentReader
    ) throws(ContentFailure) -> [UInt8] {
        let body = structure.parts[index].body
        let encoding = structure.encoding(of: index) ?? .identity
        var preview: [UInt8] = []
        for size in isHTML ? Self.htmlSizes : Self.plainSizes {
            let beginning = Extent(offset: body.offset, length: min(body.length, size), wireSize: 0)
            text.removeAll(keepingCapacity: true)
            var decoder = CharsetDecoder(charset)
            try reader.forEachDecoded(in: beginning, encoding, asWire: false) { piece in
                decoder.decode(piece, into: &text)
                return true
            }
            preview = text.withUnsafeBytes { isHTML ? PreviewText.html($0) : PreviewText.plain($0) }
            let characters = preview.count { $0 & 0xC0 != 0x80 }
            if beginning.length == body.length || characters >= PreviewText.longest - 1 { break }
        }
        return preview
    }
}
