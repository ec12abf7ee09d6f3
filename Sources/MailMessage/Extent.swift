/// A piece of a message as it is stored, and what it is on the wire, where every line ends in CRLF.
public struct Extent: Hashable, Sendable {
    /// Bytes from the start of the stored message.
    public var offset = 0
    /// Bytes as stored.
    public var length = 0
    /// Line feeds, with or without a carriage return before: the size in lines (RFC 9051 §7.5.2).
    public var lines = 0
    /// Line feeds without a carriage return before: each gets one on the wire. A lone CR is no line end and stays as it is.
    public var bareLineFeeds = 0

    public init() {}

    /// Of a message that is `bytes`.
    public init(counting bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return }
        length = bytes.count
        (lines, bareLineFeeds) = countLineEnds(base, length, afterCR: false)
    }

    /// Of something the size of which on the wire is known. Its lines are not.
    public init(offset: Int, length: Int, wireSize: Int) {
        self.offset = offset
        self.length = length
        bareLineFeeds = max(0, wireSize - length)
    }

    /// Bytes on the wire.
    public var wireSize: Int { length + bareLineFeeds }
    public var end: Int { offset + length }
}

/// A place in a message, with what was counted up to it.
struct Mark {
    var offset = 0
    var lines = 0
    var bareLineFeeds = 0

    /// From here to `end`; nothing if that comes before.
    func extent(to end: Mark) -> Extent {
        var extent = Extent()
        extent.offset = offset
        guard end.offset > offset else { return extent }
        extent.length = end.offset - offset
        extent.lines = end.lines - lines
        extent.bareLineFeeds = end.bareLineFeeds - bareLineFeeds
        return extent
    }
}
