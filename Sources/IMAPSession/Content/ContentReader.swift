import IMAPGrammar
import IMAPTypes
import MailMessage
import MailStore
import Transport

/// Why message data could not be told.
enum ContentFailure: Error {
    case store(StoreError)
    case connection(ConnectionEnd)
}

/// Runs a call into the store.
private func reading<Result>(_ body: () throws(StoreError) -> Result) throws(ContentFailure) -> Result {
    do { return try body() } catch { throw .store(error) }
}

/// One message at a time, read through a window: what fits the window is read once, whatever is asked of it.
final class ContentReader {
    /// Messages up to that size are whole in memory; larger ones pass through.
    static let windowSize = 128 * 1024
    /// Enough for nearly every header.
    private static let headerRead = 8 * 1024

    private let window = UnsafeMutableRawBufferPointer.allocate(byteCount: windowSize, alignment: 64)
    private var content: (any MessageContent)?
    /// What holds bytes of the message: the window, or what somebody else has read.
    private var held: UnsafeRawBufferPointer
    /// Which these are.
    private var loaded = 0..<0
    private var parser = MessageParser()
    private var scope: MessageParser.Scope?
    /// Whether all of the message is in memory, with CRLF for every line end.
    private var isWire = false
    private var header: [UInt8] = []
    private var decoded: [UInt8] = []
    private let converted = UnsafeMutableRawBufferPointer.allocate(byteCount: WireConverter.longest(decodedPiece), alignment: 64)
    private static let decodedPiece = 32 * 1024

    /// Bytes as stored, when it was opened; if it grew, the rest is not looked at.
    private(set) var size = 0

    init() { held = UnsafeRawBufferPointer(window) }

    deinit {
        window.deallocate()
        converted.deallocate()
    }

    /// Goes on to another message, the structure of which is not known yet.
    func open(_ content: any MessageContent) {
        self.content = content
        held = UnsafeRawBufferPointer(window)
        size = Int(clamping: content.size)
        loaded = 0..<0
        scope = nil
        isWire = false
    }

    /// Goes on to another message, and reads the beginning of it, which is all of most messages if they are wanted in `scope`.
    func begin(_ content: any MessageContent, _ scope: MessageParser.Scope) throws(ContentFailure) {
        close()
        let room = UnsafeMutableRawBufferPointer(rebasing: window.prefix(scope == .header ? Self.headerRead : Self.windowSize))
        let count = try reading { () throws(StoreError) in try content.readBeginning(into: room) }
        self.content = content
        size = count < room.count ? count : Int(clamping: content.size)
        loaded = 0..<min(count, size)
        self.scope = nil
    }

    /// Goes on to a message that is in memory, at least until `close()`, with CRLF for every line end.
    func open(whole bytes: UnsafeRawBufferPointer) {
        content = nil
        held = bytes
        size = bytes.count
        loaded = 0..<size
        scope = nil
        isWire = true
    }

    /// Goes on to a message of which there is only this part of its header, at most as long as the window.
    func open(header bytes: UnsafeRawBufferPointer) {
        content = nil
        held = UnsafeRawBufferPointer(window)
        let count = min(bytes.count, window.count)
        window.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes.prefix(count)))
        size = count
        loaded = 0..<count
        scope = nil
        isWire = false
    }

    func close() {
        content = nil
        held = UnsafeRawBufferPointer(window)
        loaded = 0..<0
        isWire = false
    }

    /// The message's structure, or at least that of its header.
    func structure(_ wanted: MessageParser.Scope) throws(ContentFailure) -> MessageStructure {
        if scope == .whole || scope == wanted { return parser.structure }
        scope = nil
        parser.begin(wanted)
        var offset = 0
        while offset < size, !parser.isComplete {
            let piece = try bytes(at: offset, atMost: wanted == .header ? Self.headerRead : Self.windowSize)
            if piece.isEmpty { break }
            parser.feed(UnsafeRawBufferPointer(rebasing: piece.prefix(size - offset)))
            offset += piece.count
        }
        parser.finish()
        scope = wanted
        return parser.structure
    }

    /// Whether the message is in memory or fits the window.
    var isSmall: Bool { size <= Self.windowSize || isWire }

    /// All of the message. `wireSize` is believed of one that does not fit the window, and not needed of others.
    func whole(wireSize: UInt64?) throws(ContentFailure) -> Extent {
        if scope == .whole { return parser.structure.whole }
        if isWire { return Extent(offset: 0, length: size, wireSize: size) }
        guard isSmall else { return Extent(offset: 0, length: size, wireSize: Int(clamping: wireSize ?? 0)) }
        var end = loaded.lowerBound == 0 ? min(loaded.upperBound, size) : 0
        while end < size, case let piece = try bytes(at: end), !piece.isEmpty { end += min(piece.count, size - end) }
        return Extent(counting: UnsafeRawBufferPointer(rebasing: held[..<end]))
    }

    /// One or more bytes from `offset` on, and all that were read already; none only at the end of the message.
    /// Valid until the next call.
    func bytes(at offset: Int, atMost count: Int = windowSize) throws(ContentFailure) -> UnsafeRawBufferPointer {
        if !loaded.contains(offset) {
            guard let content else { return UnsafeRawBufferPointer(start: nil, count: 0) }
            let room: UnsafeMutableRawBufferPointer
            if offset == loaded.upperBound, loaded.lowerBound == 0, offset < window.count {
                // More of a message that may fit: what was read stays.
                room = UnsafeMutableRawBufferPointer(rebasing: window[offset...].prefix(max(count, Self.headerRead)))
            } else {
                loaded = offset..<offset
                room = UnsafeMutableRawBufferPointer(rebasing: window.prefix(max(count, Self.headerRead)))
            }
            let read = try reading { () throws(StoreError) in try content.read(at: UInt64(offset), into: room) }
            loaded = loaded.lowerBound..<loaded.upperBound + read
        }
        return UnsafeRawBufferPointer(rebasing: held[(offset - loaded.lowerBound)..<loaded.count])
    }

    /// Passes the bytes of `extent` as stored to `body`, piece by piece, until it returns false.
    func forEach(in extent: Extent, _ body: (UnsafeRawBufferPointer) throws(ContentFailure) -> Bool) throws(ContentFailure) {
        var offset = extent.offset
        while offset < extent.end {
            let piece = try bytes(at: offset).prefix(extent.end - offset)
            // Shorter than it was: somebody wrote into the file.
            if piece.isEmpty { throw .store(.corrupt("a message became shorter while it was read")) }
            offset += piece.count
            guard try body(UnsafeRawBufferPointer(rebasing: piece)) else { return }
        }
    }

    /// Passes the content of `extent` without its transfer encoding to `body`, piece by piece, until it returns false.
    ///
    /// `asWire`: line ends become CRLF (but not those that are encoded).
    func forEachDecoded(
        in extent: Extent, _ encoding: TransferEncoding, asWire: Bool,
        _ body: (UnsafeRawBufferPointer) throws(ContentFailure) -> Bool
    ) throws(ContentFailure) {
        var decoder = TransferDecoder(encoding)
        var converter = WireConverter()
        // Base64 does not look at line ends.
        let converts = asWire && encoding != .base64
        try forEach(in: extent) { (piece) throws(ContentFailure) in
            if encoding == .identity, !converts { return try body(piece) }
            var rest = piece[...]
            while !rest.isEmpty {
                let part = UnsafeRawBufferPointer(rebasing: rest.prefix(Self.decodedPiece))
                rest = rest.dropFirst(part.count)
                decoded.removeAll(keepingCapacity: true)
                if converts {
                    let count = converter.convert(part, to: converted.baseAddress!)
                    decoder.decode(UnsafeRawBufferPointer(rebasing: converted[..<count]), into: &decoded)
                } else {
                    decoder.decode(part, into: &decoded)
                }
                guard try pass(body) else { return false }
            }
            return true
        }
        decoded.removeAll(keepingCapacity: true)
        decoder.finish(into: &decoded)
        _ = try pass(body)
    }

    private func pass(_ body: (UnsafeRawBufferPointer) throws(ContentFailure) -> Bool) throws(ContentFailure) -> Bool {
        if decoded.isEmpty { return true }
        // Moved out, so that nothing changes it meanwhile.
        var bytes: [UInt8] = []
        swap(&bytes, &decoded)
        defer { swap(&bytes, &decoded) }
        return try bytes.withUnsafeBufferPointer { (bytes) throws(ContentFailure) in try body(UnsafeRawBufferPointer(bytes)) }
    }

    /// The bytes of a header as stored, contiguous; of one beyond `Limits.headerRetained`, the start.
    func withHeader<Result>(_ extent: Extent, _ body: (UnsafeRawBufferPointer) -> Result) throws(ContentFailure) -> Result {
        let piece = try extent.length == 0 ? UnsafeRawBufferPointer(start: nil, count: 0) : bytes(at: extent.offset)
        if piece.count >= extent.length { return body(UnsafeRawBufferPointer(rebasing: piece.prefix(extent.length))) }
        header.removeAll(keepingCapacity: true)
        try forEach(in: extent) { (piece) throws(ContentFailure) in
            header.append(contentsOf: piece.prefix(Limits.headerRetained - header.count))
            return header.count < Limits.headerRetained
        }
        return header.withUnsafeBytes { body($0) }
    }
}
