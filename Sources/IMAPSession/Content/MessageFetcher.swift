import Glibc
import IMAPGrammar
import IMAPTypes
import MailMessage
import MailStore
import Transport

/// Tells FETCH data (RFC 9051 §7.5.2) of one message after the other.
///
/// A message's file is opened at most once and read in order; bodies pass through in constant memory. The size of a literal
/// is known before its first byte is sent, and if the bytes then turn out to be others, the connection ends: a client must
/// never take one message's end for the next response.
final class MessageFetcher {
    enum Outcome {
        case sent
        /// Its content is gone; nothing was said of it.
        case gone
        /// BINARY of a part with an encoding that we do not know (RFC 9051 §6.4.5.3); nothing was said of the message.
        case unknownEncoding
    }

    private let program: FetchProgram
    private let mailbox: any OpenMailbox
    private let sink: any ResponseSink
    let reader = ContentReader()
    private var writer = EnvelopeWriter()
    private let keeper: RecordKeeper
    private let mode: WireMode
    /// What stands before the value of each attribute, of those that are kept.
    private let labels: [[UInt8]]
    /// The attributes, if none needs more than what is known of every message.
    private let metadataItems: [Serializer.MetadataItem]?
    /// The same and UID.
    private let metadataItemsAndUID: [Serializer.MetadataItem]
    /// Of each attribute that is HEADER.FIELDS: the fields, if they are kept.
    private let masks: [UInt64]
    private var selected: [UInt8] = []
    private var recordsAhead: RecordsAhead?
    private var bodiesAhead: BodiesAhead?
    /// Bytes in the buffer that are worth a system call.
    private static let large = 64 * 1024

    init(_ program: FetchProgram, mailbox: any OpenMailbox, sink: any ResponseSink) {
        self.program = program
        self.mailbox = mailbox
        self.sink = sink
        keeper = RecordKeeper(mailbox)
        mode = sink.out.mode
        let items = program.attributes.compactMap(\.metadataItem)
        metadataItems = items.count == program.attributes.count ? items : nil
        metadataItemsAndUID = items.contains(.uid) ? items : items + [.uid]
        masks = program.attributes.map { attribute in
            guard case .bodySection(let section, _, _) = attribute, case .headerFields(let names) = section.text else { return 0 }
            return KeptFields.mask(of: names) ?? 0
        }
        labels = program.attributes.map { attribute in
            var label = Serializer()
            switch attribute {
            case .envelope: label.write("ENVELOPE ")
            case .body: label.write("BODY ")
            case .bodyStructure: label.write("BODYSTRUCTURE ")
            case .bodySection(let section, let partial, _):
                label.bodySection(section, origin: partial?.offset)
                label.space()
            default: break
            }
            return label.bytes
        }
    }

    /// Begins to go through these messages in order, with as many threads as may read them.
    func begin(_ uids: [UID], readers: Int) {
        if let scope = program.scope {
            guard let items = program.keptItems else { return }
            recordsAhead = RecordsAhead(uids, in: mailbox, readers: readers, scope) { [keeper] in keeper.kept($0, items) != nil }
        } else if program.needsWhole {
            bodiesAhead = BodiesAhead(uids, in: mailbox, readers: readers)
        }
    }

    /// To be called before the message at `position` of these is fetched.
    func reach(_ position: Int) {
        recordsAhead?.reach(position)
        bodiesAhead?.reach(position)
    }

    /// Ends all other threads.
    func end() {
        recordsAhead?.end()
        bodiesAhead?.end()
    }

    /// One FETCH response, or none.
    ///
    /// `extra`: what is told even if it was not asked for, like FLAGS when \Seen was just set, or UID.
    func fetch(
        _ uid: UID, number: SequenceNumber, isRecent: Bool, adding extra: [FetchAttribute] = []
    ) throws(ContentFailure) -> Outcome {
        let outcome = try bodiesAhead?.with(uid) { (bytes) throws(ContentFailure) in
            try fetch(uid, number, isRecent: isRecent, adding: extra, whole: bytes)
        }
        if let outcome { return outcome }
        return try fetch(uid, number, isRecent: isRecent, adding: extra, whole: nil)
    }

    /// `whole`: all of the message, if it was read already.
    private func fetch(
        _ uid: UID, _ number: SequenceNumber, isRecent: Bool, adding extra: [FetchAttribute], whole: UnsafeRawBufferPointer?
    ) throws(ContentFailure) -> Outcome {
        guard let metadata = mailbox.metadata(uid) else { return .gone }
        if let items = metadataItems, extra.isEmpty || extra == [.uid] {
            sink.out.fetch(number, extra.isEmpty ? items : metadataItemsAndUID, uid, metadata.flags, metadata.keywords,
                           of: mailbox.keywords, isRecent: isRecent, metadata.modSequence)
            if sink.out.count >= Self.large { try flush() }
            return .sent
        }
        var message = Message(uid: uid, metadata: metadata, isRecent: isRecent)
        do throws(ContentFailure) {
            if program.needsDetails { message.details = try details(uid) }
            if program.needsIdentity { message.identity = try identity(uid) }
            if let items = program.keptItems, let kept = keeper.kept(uid, items) {
                write(kept, of: message, number, adding: extra, into: &sink.out)
                if sink.out.count >= Self.large { try flush() }
                return .sent
            }
            if program.attributes.contains(.preview(lazy: true)) {
                message.preview = keeper.record(uid)?.preview.map { Array($0) }
            }
            if program.needsContent {
                if let whole {
                    reader.open(whole: whole)
                } else {
                    do { reader.open(try mailbox.content(uid)) } catch { throw ContentFailure.store(error) }
                }
                if let scope = program.scope {
                    message.structure = try reader.structure(scope)
                    keeper.keep(uid, from: reader, scope)
                    // What was just made of the message need not be made again.
                    if let items = program.keptItems, let kept = keeper.kept(uid, items) {
                        reader.close()
                        write(kept, of: message, number, adding: extra, into: &sink.out)
                        if sink.out.count >= Self.large { try flush() }
                        return .sent
                    }
                }
                if program.attributes.contains(.preview(lazy: false)), let structure = message.structure {
                    message.preview = try keeper.previews.preview(structure, from: reader)
                }
                // The size of what fits into memory is counted, which may be cheaper than to look it up.
                if program.needsWhole, program.scope != .whole, !reader.isSmall, message.details == nil {
                    message.details = try details(uid)
                }
            }
        } catch {
            if case .store(.messageGone) = error { return .gone }
            throw error
        }
        defer { reader.close() }
        for attribute in program.attributes where !isDecodable(attribute, message.structure) { return .unknownEncoding }

        // From here on nothing can be taken back.
        do throws(ContentFailure) {
            sink.out.fetch(number)
            var isFirst = true
            for attribute in program.attributes {
                if !isFirst { sink.out.space() }
                isFirst = false
                try write(attribute, of: message)
            }
            for attribute in extra where !program.attributes.contains(attribute) {
                if !isFirst { sink.out.space() }
                isFirst = false
                try write(attribute, of: message)
            }
            sink.out.fetchEnd()
            if sink.out.count >= Self.large { try flush() }
        } catch {
            guard case .store(let error) = error else { throw error }
            throw .connection(.failed("a message could not be read to its end: \(error)"))
        }
        return .sent
    }

    private func details(_ uid: UID) throws(ContentFailure) -> MessageDetails {
        do { return try mailbox.details(uid) } catch { throw .store(error) }
    }

    private func identity(_ uid: UID) throws(ContentFailure) -> MessageIdentity {
        do { return try mailbox.identity(uid) } catch { throw .store(error) }
    }

    private struct Message {
        var uid: UID
        var metadata: MessageMetadata
        var isRecent: Bool
        var details: MessageDetails?
        var identity: MessageIdentity?
        var structure: MessageStructure?
        var preview: [UInt8]?
    }

    /// What needs no content.
    private func writeMetadata(_ attribute: FetchAttribute, of message: Message, into out: inout Serializer) {
        switch attribute {
        case .uid: out.fetchUID(message.uid)
        case .flags:
            let metadata = message.metadata
            out.fetchFlags(metadata.flags, metadata.keywords, of: mailbox.keywords, isRecent: message.isRecent)
        case .modSeq: out.fetchModSeq(message.metadata.modSequence)
        case .internalDate: out.fetchInternalDate(InternalDate(seconds: message.details?.internalDate ?? 0))
        case .saveDate: out.fetchSaveDate(InternalDate(seconds: message.identity?.saveDate ?? 0))
        case .emailID: if let identity = message.identity { out.fetchEmailID(identity.id) }
        case .rfc822Size: out.fetchSize(message.details?.size ?? 0)
        default: break
        }
    }

    private func writeThreadID(_ id: ObjectID?, of message: Message, into out: inout Serializer) {
        if let id = id ?? message.identity?.id { out.fetchThreadID(id) }
    }

    private func write(_ attribute: FetchAttribute, of message: Message) throws(ContentFailure) {
        switch attribute {
        case .uid, .flags, .modSeq, .internalDate, .saveDate, .emailID, .rfc822Size:
            writeMetadata(attribute, of: message, into: &sink.out)
        case .threadID:
            if let structure = message.structure { writeThreadID(ThreadID.of(structure), of: message, into: &sink.out) }
        case .preview:
            sink.out.write("PREVIEW ")
            sink.out.nstring(message.preview)
        case .envelope:
            sink.out.write("ENVELOPE ")
            if let structure = message.structure { writer.envelope(structure, of: MessageStructure.root, into: &sink.out) }
        case .body, .bodyStructure:
            sink.out.write(attribute == .body ? "BODY " : "BODYSTRUCTURE ")
            if let structure = message.structure {
                writer.body(structure, MessageStructure.root, isExtended: attribute == .bodyStructure, into: &sink.out)
            }
        case .rfc822:
            sink.out.write("RFC822 ")
            try literal(try whole(message), nil)
        case .rfc822Header:
            sink.out.write("RFC822.HEADER ")
            try literal(message.structure?.extent([], .header), nil)
        case .rfc822Text:
            sink.out.write("RFC822.TEXT ")
            try literal(message.structure?.extent([], .text), nil)
        case .bodySection(let section, let partial, _):
            sink.out.bodySection(section, origin: partial?.offset)
            sink.out.space()
            try body(section, partial, of: message)
        case .binary(let part, let partial, _):
            sink.out.binary(part: part, origin: partial?.offset)
            sink.out.space()
            try binary(part, partial, of: message)
        case .binarySize(let part):
            sink.out.binarySize(part: part)
            sink.out.space()
            sink.out.number(try binarySize(part, of: message).size)
        }
    }

    /// The response for a message of which everything that is wanted was kept.
    private func write(
        _ kept: RecordKeeper.Kept, of message: Message, _ number: SequenceNumber, adding extra: [FetchAttribute],
        into out: inout Serializer
    ) {
        out.fetch(number)
        for (index, attribute) in program.attributes.enumerated() {
            if index > 0 { out.space() }
            out.write(labels[index])
            switch attribute {
            case .envelope: Self.write(kept.record?.item(.envelope, mode), into: &out)
            case .body: Self.write(kept.record?.item(.body, mode), into: &out)
            case .bodyStructure: Self.write(kept.record?.item(.bodyStructure, mode), into: &out)
            case .bodySection(_, let partial, _):
                selected.removeAll(keepingCapacity: true)
                kept.fields?.append(masks[index], to: &selected)
                writeSelected(partial, into: &out)
            case .preview:
                out.write("PREVIEW ")
                if let preview = kept.record?.preview { out.string(preview) } else { out.write("NIL") }
            case .threadID: writeThreadID(kept.record?.threadID ?? nil, of: message, into: &out)
            default: writeMetadata(attribute, of: message, into: &out)
            }
        }
        for attribute in extra where !program.attributes.contains(attribute) {
            out.space()
            writeMetadata(attribute, of: message, into: &out)
        }
        out.fetchEnd()
    }

    private static func write(_ item: UnsafeRawBufferPointer?, into out: inout Serializer) {
        if let item { out.write(item) }
    }

    private func whole(_ message: Message) throws(ContentFailure) -> Extent {
        try reader.whole(wireSize: message.details?.size)
    }

    private func flush() throws(ContentFailure) {
        do { try sink.flush() } catch { throw .connection(error) }
    }

    // MARK: - BODY[…]

    private func body(_ section: Section, _ partial: Partial?, of message: Message) throws(ContentFailure) {
        switch section.text {
        case nil where section.part.isEmpty: try literal(try whole(message), partial)
        case nil: try literal(message.structure?.extent(section.part, nil), partial)
        case .header: try literal(message.structure?.extent(section.part, .header), partial)
        case .text: try literal(message.structure?.extent(section.part, .text), partial)
        case .mime: try literal(message.structure?.extent(section.part, .mime), partial)
        case .headerFields(let names): try headerFields(names, isNot: false, section.part, partial, of: message)
        case .headerFieldsNot(let names): try headerFields(names, isNot: true, section.part, partial, of: message)
        }
    }

    private func headerFields(
        _ names: [[UInt8]], isNot: Bool, _ part: [UInt32], _ partial: Partial?, of message: Message
    ) throws(ContentFailure) {
        guard let extent = message.structure?.extent(part, .header) else { return sink.out.write("NIL") }
        try reader.withHeader(extent) { writeFields(names, isNot: isNot, of: $0, partial) }
    }

    private func writeFields(_ names: [[UInt8]], isNot: Bool, of header: UnsafeRawBufferPointer, _ partial: Partial?) {
        selected.removeAll(keepingCapacity: true)
        HeaderBlock.select(names, isNot: isNot, from: header, into: &selected)
        writeSelected(partial, into: &sink.out)
    }

    private func writeSelected(_ partial: Partial?, into out: inout Serializer) {
        let range = Self.range(of: partial, in: selected.count)
        out.literalHeader(size: UInt64(range.count))
        selected.withUnsafeBytes { Self.writeText(UnsafeRawBufferPointer(rebasing: $0[range]), into: &out) }
    }

    /// What of `size` bytes a partial means; nothing, if it begins beyond the end (RFC 9051 §6.4.5).
    private static func range(of partial: Partial?, in size: Int) -> Range<Int> {
        guard let partial else { return 0..<size }
        let start = min(Int(clamping: partial.offset), size)
        return start..<start + min(Int(clamping: partial.count), size - start)
    }

    private func literalHeader(_ size: Int) {
        sink.out.literalHeader(size: UInt64(size))
    }

    /// The bytes of an extent as a literal, or NIL.
    private func literal(_ extent: Extent?, _ partial: Partial?) throws(ContentFailure) {
        guard let extent else { return sink.out.write("NIL") }
        let range = Self.range(of: partial, in: extent.wireSize)
        literalHeader(range.count)
        try send(extent, range)
    }

    /// Sends the bytes at `range` of what `extent` is on the wire: exactly so many, or it throws.
    private func send(_ extent: Extent, _ range: Range<Int>) throws(ContentFailure) {
        guard !range.isEmpty else { return }
        var converter = WireConverter()
        var skip = range.lowerBound, left = range.count
        var extent = extent
        if extent.bareLineFeeds == 0 {
            // As stored is as sent: go there at once.
            extent.offset += skip
            extent.length = left
            skip = 0
        }
        let isAsStored = extent.bareLineFeeds == 0
        try reader.forEach(in: extent) { (piece) throws(ContentFailure) in
            var rest = piece
            if isAsStored, rest.count <= left, rest.count >= Self.large, rest.hasNoNUL {
                do throws(ConnectionEnd) { try sink.send(rest) } catch { throw ContentFailure.connection(error) }
                left -= rest.count
                return left > 0
            }
            while !rest.isEmpty, left > 0 {
                let part = UnsafeRawBufferPointer(rebasing: rest.prefix(Self.large))
                rest = UnsafeRawBufferPointer(rebasing: rest[part.count...])
                if isAsStored {
                    Self.writeText(part, into: &sink.out)
                    left -= part.count
                } else if skip > 0 {
                    // What comes before the range is only counted, up to the piece in which it begins.
                    var ahead = converter
                    let count = ahead.skip(part)
                    if count <= skip {
                        skip -= count
                        converter = ahead
                        continue
                    }
                    left -= write(part, &converter, skipping: skip, atMost: left)
                    skip = 0
                } else {
                    left -= write(part, &converter, skipping: 0, atMost: left)
                }
                if sink.out.count >= Self.large { try flush() }
            }
            return left > 0
        }
        guard left == 0 else { throw .store(.corrupt("a message is shorter than was said")) }
    }

    /// Writes `part` with CRLF for line ends, but for the first `skip` bytes and what is beyond `limit`.
    private func write(
        _ part: UnsafeRawBufferPointer, _ converter: inout WireConverter, skipping skip: Int, atMost limit: Int
    ) -> Int {
        var written = 0
        sink.out.write(atMost: WireConverter.longest(part.count)) { buffer in
            let count = converter.convert(part, to: buffer.baseAddress!)
            written = min(count - skip, limit)
            if skip > 0 { buffer.baseAddress!.copyMemory(from: buffer.baseAddress! + skip, byteCount: written) }
            Self.maskNULs(buffer.baseAddress!, written)
            return written
        }
        return written
    }

    /// Writes bytes of a literal as they are, but for NUL.
    private static func writeText(_ bytes: UnsafeRawBufferPointer, into out: inout Serializer) {
        guard !bytes.isEmpty else { return }
        out.write(atMost: bytes.count) { buffer in
            buffer.copyMemory(from: bytes)
            maskNULs(buffer.baseAddress!, bytes.count)
            return bytes.count
        }
    }

    /// A literal has no NUL (RFC 9051 §4.3.1): each becomes 0x80, which is no character in UTF-8. BINARY gives the bytes as
    /// they are.
    private static func maskNULs(_ bytes: UnsafeMutableRawPointer, _ count: Int) {
        var from = bytes
        let end = bytes + count
        while from < end, let found = memchr(from, 0, end - from) {
            found.storeBytes(of: 0x80, as: UInt8.self)
            from = found + 1
        }
    }

    // MARK: - BINARY

    /// Whether `attribute` can be told of a message, as far as encodings go.
    private func isDecodable(_ attribute: FetchAttribute, _ structure: MessageStructure?) -> Bool {
        switch attribute {
        case .binary(let part, _, _), .binarySize(let part):
            guard !part.isEmpty, let structure, let index = structure.part(part) else { return true }
            return structure.encoding(of: index) != nil
        default: return true
        }
    }

    /// Decoded bytes of a part, and whether there is a NUL among them; nothing for a part that there is not.
    private func binarySize(_ part: [UInt32], of message: Message) throws(ContentFailure) -> (size: Int, hasNUL: Bool) {
        var size = 0, hasNUL = false
        try forEachDecoded(part, of: message) { piece in
            size += piece.count
            hasNUL = hasNUL || piece.contains(0)
            return true
        }
        return (size, hasNUL)
    }

    private func binary(_ part: [UInt32], _ partial: Partial?, of message: Message) throws(ContentFailure) {
        guard part.isEmpty || message.structure?.part(part) != nil else { return sink.out.write("NIL") }
        let (size, hasNUL) = try binarySize(part, of: message)
        let range = Self.range(of: partial, in: size)
        if hasNUL { sink.out.literal8Header(size: UInt64(range.count)) } else { literalHeader(range.count) }
        var skip = range.lowerBound, left = range.count
        try forEachDecoded(part, of: message) { (piece) throws(ContentFailure) in
            let rest = piece.dropFirst(skip).prefix(left)
            skip = max(0, skip - piece.count)
            left -= rest.count
            sink.out.write(UnsafeRawBufferPointer(rebasing: rest))
            if sink.out.count >= Self.large { try flush() }
            return left > 0
        }
        guard left == 0 else { throw .store(.corrupt("a message is shorter than was said")) }
    }

    private func forEachDecoded(
        _ part: [UInt32], of message: Message, _ body: (UnsafeRawBufferPointer) throws(ContentFailure) -> Bool
    ) throws(ContentFailure) {
        if part.isEmpty {
            return try reader.forEachDecoded(in: try whole(message), .identity, asWire: true, body)
        }
        guard let structure = message.structure, let index = structure.part(part) else { return }
        let extent = structure.parts[index].body
        try reader.forEachDecoded(in: extent, structure.encoding(of: index) ?? .identity, asWire: true, body)
    }
}

extension FetchAttribute {
    fileprivate var metadataItem: Serializer.MetadataItem? {
        switch self {
        case .uid: .uid
        case .flags: .flags
        case .modSeq: .modSeq
        default: nil
        }
    }
}
