@testable import IMAPSession
import IMAPGrammar
import MailMessage

/// A message, in pieces: its structure as it goes on the wire, and every section of it.
func fuzzMessage(_ input: UnsafeRawBufferPointer) {
    let (choices, bytes) = split(input, choices: 1)
    let whole = structure(bytes, piece: max(1, bytes.count))
    let pieces = structure(bytes, piece: Int(choices[0]) + 1)
    let written = wire(whole)
    precondition(written == wire(pieces), "pieces matter")
    precondition(whole.whole.length == bytes.count, "bytes are lost")
    precondition(balance(written) == 0, "parentheses do not match")
    for index in whole.parts.indices {
        let part = whole.parts[index]
        precondition(part.header.end <= bytes.count && part.body.end <= bytes.count, "a part is beyond the message")
        decode(UnsafeRawBufferPointer(rebasing: bytes[part.body.offset..<part.body.end]), choices[0])
    }
    for path: [UInt32] in [[], [1], [2], [1, 1], [1, 2, 1], [.max]] {
        for section: SectionPart? in [nil, .header, .text, .mime] {
            if let extent = whole.extent(path, section) { precondition(extent.end <= bytes.count, "a section is beyond the message") }
        }
    }
}

private func structure(_ bytes: UnsafeRawBufferPointer, piece: Int) -> MessageStructure {
    var parser = MessageParser()
    var at = 0
    while at < bytes.count {
        let end = min(bytes.count, at + piece)
        parser.feed(UnsafeRawBufferPointer(rebasing: bytes[at..<end]))
        at = end
    }
    parser.finish()
    return parser.structure
}

private func wire(_ structure: MessageStructure) -> [UInt8] {
    var out = Serializer()
    var writer = EnvelopeWriter()
    writer.envelope(structure, of: MessageStructure.root, into: &out)
    writer.body(structure, MessageStructure.root, isExtended: true, into: &out)
    return out.bytes
}

/// Open parentheses less closed ones, outside of strings and literals.
private func balance(_ bytes: [UInt8]) -> Int {
    var balance = 0, at = 0
    while at < bytes.count {
        switch bytes[at] {
        case UInt8(ascii: "("): balance += 1
        case UInt8(ascii: ")"): balance -= 1
        case UInt8(ascii: "\""):
            at += 1
            while at < bytes.count, bytes[at] != UInt8(ascii: "\"") { at += bytes[at] == UInt8(ascii: "\\") ? 2 : 1 }
        case UInt8(ascii: "{"):
            var length = 0
            at += 1
            while at < bytes.count, (0x30...0x39).contains(bytes[at]) {
                length = length * 10 + Int(bytes[at] - 0x30)
                at += 1
            }
            while at < bytes.count, bytes[at] != 0x0A { at += 1 }
            at += length
        default: break
        }
        at += 1
    }
    return balance
}

private func decode(_ body: UnsafeRawBufferPointer, _ choice: UInt8) {
    for encoding: TransferEncoding in [.base64, .quotedPrintable] {
        var decoder = TransferDecoder(encoding)
        var output: [UInt8] = []
        decoder.decode(body, into: &output)
        decoder.finish(into: &output)
        precondition(output.count <= body.count + 2, "decoding adds")
    }
}

/// Header fields, encoded words, addresses, dates, charsets.
func fuzzText(_ input: UnsafeRawBufferPointer) {
    let (choices, bytes) = split(input, choices: 2)
    let value = Array(bytes)
    var output: [UInt8] = []
    EncodedWord.decode(bytes, into: &output)
    var addresses = AddressList()
    addresses.append(value[...])
    for entry in addresses.entries {
        if case .mailbox(let name, let route, let mailbox, let host) = entry {
            for range in [name, route, mailbox, host].compactMap({ $0 }) { _ = addresses[range] }
        }
    }
    _ = MessageDate(value[...])
    _ = MessageID.list(value[...])
    _ = BaseSubject(value)
    var field = StructuredField()
    _ = field.parseContentType(value[...])
    _ = field.parseDisposition(value[...])
    _ = field.parseLanguages(value[...])
    var header = HeaderBlock(bytes)
    var end = 0
    while let field = header.next() {
        precondition(field.whole.lowerBound >= end && field.whole.upperBound <= bytes.count, "fields overlap")
        end = field.whole.upperBound
    }
    let folder = CaseFolder()
    _ = folder.fold(output)
    let name = Charset.common[Int(choices[0]) % Charset.common.count]
    if let charset = Charset(Array(name.utf8)) {
        let whole = text(bytes, charset, piece: max(1, bytes.count))
        precondition(String(validating: whole, as: UTF8.self) != nil, "what is decoded is not UTF-8")
        // Marks of Vietnamese that come in another piece than their letters are not joined with them.
        let pieces = text(bytes, charset, piece: Int(choices[1]) + 1)
        precondition(pieces == whole || name == "WINDOWS-1258", "pieces matter in \(name)")
    }
}

private func text(_ bytes: UnsafeRawBufferPointer, _ charset: Charset, piece: Int) -> [UInt8] {
    var decoder = CharsetDecoder(charset)
    var output: [UInt8] = []
    var at = 0
    while at < bytes.count {
        let end = min(bytes.count, at + piece)
        decoder.decode(UnsafeRawBufferPointer(rebasing: bytes[at..<end]), into: &output)
        at = end
    }
    decoder.finish(into: &output)
    return output
}
