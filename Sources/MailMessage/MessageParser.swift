import Glibc

/// Reads a message as it is stored, in pieces of any size, and finds its structure in one pass.
///
/// What it holds does not grow with the message, but for what `Limits` allow. Line ends may be LF or CRLF, even mixed.
/// Any bytes are a message: what makes no sense is text.
public struct MessageParser: Sendable {
    public enum Scope: Sendable {
        /// Only the message's own header; then `isComplete`, and the rest is not looked at.
        case header
        case whole
    }

    public internal(set) var structure = MessageStructure()
    /// Whether the scope is exhausted, so that nothing more needs to be fed.
    public var isComplete: Bool { phase == .done }

    enum Phase: Sendable {
        /// At the start of a line of a header.
        case header
        /// At the start of a line that may be a delimiter.
        case body
        /// In text up to the end of the message.
        case opaque
        case done
    }

    /// A part that has not ended.
    struct Open: Sendable {
        var part: MessageStructure.Index
        var start: Mark
        /// Of `boundaries`; empty for what is no multipart, and for one after its close-delimiter.
        var boundary: Range<Int>
        var lastChild: MessageStructure.Index?
    }

    var scope = Scope.whole
    var phase = Phase.header
    /// The start of what was not yet consumed.
    var here = Mark()
    /// The bytes of the line end before `here`: 0 at the start of the message, 1 or 2. Valid at the start of a line.
    var lastLineEnd = 0
    /// The start of a line that was cut by the end of a piece.
    var carry: [UInt8] = []
    /// Whether `here` is within a line of which the start was looked at.
    var isWithinLine = false
    /// Whether, within a line, the byte before `here` is a CR.
    var isAfterCR = false

    var open: [Open] = []
    var boundaries: [UInt8] = []
    /// How many of `open` have a boundary.
    var activeBoundaries = 0
    /// Whether nothing of the header of the innermost part has been seen.
    var isFirstHeaderLine = true
    /// Whether the value of the last of `structure.fields` goes on in the next line, if that begins with white space.
    var isCapturing = false
    /// For Content-Type.
    var contentType = StructuredField()

    public init(scope: Scope = .whole) { begin(scope) }

    /// Forgets everything, and begins another message.
    public mutating func begin(_ scope: Scope = .whole) {
        self.scope = scope
        structure.removeAll()
        phase = .header
        here = Mark()
        lastLineEnd = 0
        carry.removeAll(keepingCapacity: true)
        isWithinLine = false
        isAfterCR = false
        open.removeAll(keepingCapacity: true)
        boundaries.removeAll(keepingCapacity: true)
        activeBoundaries = 0
        beginPart(isMessage: true)
    }

    /// The next bytes of the message.
    public mutating func feed(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return }
        var at = base
        let end = base + bytes.count
        while at < end {
            if isWithinLine {
                at = restOfLine(at, end)
            } else if !carry.isEmpty {
                at = completeCarry(at, end)
            } else {
                switch phase {
                case .header: at = oneLine(at, end)
                case .body: at = bodyLines(at, end)
                case .opaque: at = opaque(at, end)
                case .done: return
                }
            }
        }
    }

    /// There is no more. `structure` is valid from here until `begin`.
    public mutating func finish() {
        if !carry.isEmpty {
            let line = carry
            carry.removeAll()
            line.withUnsafeBufferPointer { startLine($0.baseAddress!, $0.count, isWhole: true) }
        }
        finishField()
        while phase == .header { endHeader(here) }
        // The line end before the end of the message is the text's, not a delimiter's.
        if scope == .whole { close(downTo: 0, at: here, lineEnd: 0) }
        structure.whole = Mark().extent(to: here)
    }

    // MARK: - Lines

    /// Adds the start of a line to what an earlier piece had of it.
    private mutating func completeCarry(_ at: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> UnsafePointer<UInt8> {
        let room = min(Limits.lineStart - carry.count, end - at)
        var count = room
        var isWhole = false
        if let found = memchr(at, Int32(LF), room) {
            count = UnsafeRawPointer(found) - UnsafeRawPointer(at) + 1
            isWhole = true
        }
        carry.append(contentsOf: UnsafeBufferPointer(start: at, count: count))
        if isWhole || carry.count == Limits.lineStart {
            var line: [UInt8] = []
            swap(&line, &carry)
            line.withUnsafeBufferPointer { startLine($0.baseAddress!, $0.count, isWhole: isWhole) }
            line.removeAll(keepingCapacity: true)
            swap(&line, &carry)
        }
        return at + count
    }

    /// One line of which the start matters.
    private mutating func oneLine(_ at: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> UnsafePointer<UInt8> {
        let count = min(end - at, Limits.lineStart)
        if let found = memchr(at, Int32(LF), count) {
            let length = UnsafeRawPointer(found) - UnsafeRawPointer(at) + 1
            startLine(at, length, isWhole: true)
            return at + length
        }
        if count == Limits.lineStart {
            startLine(at, count, isWhole: false)
        } else {
            carry.append(contentsOf: UnsafeBufferPointer(start: at, count: count))
        }
        return at + count
    }

    /// Lines up to the first that may be a delimiter, and that one.
    private mutating func bodyLines(_ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> UnsafePointer<UInt8> {
        var at = start
        var lines = 0, bare = 0
        while at < end, at[0] != UInt8(ascii: "-") || at + 1 < end && at[1] != UInt8(ascii: "-") {
            guard let found = memchr(at, Int32(LF), end - at) else {
                isWithinLine = true
                isAfterCR = end[-1] == CR
                at = end
                break
            }
            let feed = UnsafePointer(found.assumingMemoryBound(to: UInt8.self))
            lines &+= 1
            if feed == at || feed[-1] != CR { bare &+= 1 }
            at = feed + 1
        }
        if !isWithinLine, at > start { lastLineEnd = at - start > 1 && at[-2] == CR ? 2 : 1 }
        here.offset += at - start
        here.lines += lines
        here.bareLineFeeds += bare
        return at < end ? oneLine(at, end) : end
    }

    private mutating func opaque(_ at: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> UnsafePointer<UInt8> {
        let (lines, bare) = countLineEnds(at, end - at, afterCR: isAfterCR)
        here.offset += end - at
        here.lines += lines
        here.bareLineFeeds += bare
        isAfterCR = end[-1] == CR
        return end
    }

    /// What follows the start of a long line.
    private mutating func restOfLine(_ at: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> UnsafePointer<UInt8> {
        guard let found = memchr(at, Int32(LF), end - at) else {
            let endsInCR = end[-1] == CR
            if isCapturing { capture(at, end - at - (endsInCR ? 1 : 0), afterCR: isAfterCR) }
            here.offset += end - at
            isAfterCR = endsInCR
            return end
        }
        let feed = UnsafePointer(found.assumingMemoryBound(to: UInt8.self))
        let hasCR = feed > at ? feed[-1] == CR : isAfterCR
        if isCapturing, feed > at { capture(at, feed - at - (hasCR ? 1 : 0), afterCR: isAfterCR) }
        advance(feed + 1 - at, lineEnd: hasCR ? 2 : 1)
        isWithinLine = false
        isAfterCR = false
        return feed + 1
    }

    /// Goes on to the start of the next line.
    private mutating func advance(_ count: Int, lineEnd: Int) {
        here.offset += count
        here.lines += 1
        if lineEnd == 1 { here.bareLineFeeds += 1 }
        lastLineEnd = lineEnd
    }

    /// A line, or the first `Limits.lineStart` bytes of a longer one.
    /// `isWhole`: there is no more of it. A whole line without a line feed ends the message.
    private mutating func startLine(_ line: UnsafePointer<UInt8>, _ count: Int, isWhole: Bool) {
        let lineStart = here, lineEndBefore = lastLineEnd
        // The line's text, without its end.
        var length = count
        let hasFeed = line[count - 1] == LF
        if hasFeed {
            let hasCR = count > 1 && line[count - 2] == CR
            length -= hasCR ? 2 : 1
            advance(count, lineEnd: hasCR ? 2 : 1)
        } else {
            here.offset += count
            isWithinLine = !isWhole
            isAfterCR = line[count - 1] == CR
            if isAfterCR { length -= 1 }
        }

        if activeBoundaries > 0, isWhole, length >= 2, line[0] == UInt8(ascii: "-"), line[1] == UInt8(ascii: "-"),
           let (level, isLast) = delimiter(line + 2, length - 2) {
            finishField()
            // The part may have ended in its header: that one has no line end to give away.
            let end = phase == .header ? 0 : lineEndBefore
            while phase == .header { endHeader(lineStart) }
            close(downTo: level + 1, at: lineStart, lineEnd: end)
            if isLast {
                endBoundary(level)
                phase = activeBoundaries > 0 ? .body : .opaque
            } else {
                beginPart(isMessage: false)
            }
            return
        }
        guard phase == .header else { return }

        if length == 0, hasFeed {
            finishField()
            endHeader(here)
        } else if line[0] == SP || line[0] == HT {
            if isCapturing { capture(line, length, afterCR: false) }
            isFirstHeaderLine = false
        } else {
            finishField()
            if !beginField(line, length), isFirstHeaderLine, let part = open.last?.part, !structure.parts[part].isMessage {
                // A part that begins with text: its empty line is missing.
                endHeader(lineStart)
                return
            }
            isFirstHeaderLine = false
        }
    }
}
