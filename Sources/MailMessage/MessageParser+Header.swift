import Glibc

extension MessageParser {
    /// optional-field (RFC 5322 §3.6.8): returns whether the line begins with a field's name and a colon.
    /// What else stands in a header, like the "From " line of an mbox, is skipped.
    mutating func beginField(_ line: UnsafePointer<UInt8>, _ length: Int) -> Bool {
        var count = 0
        while count < length, line[count] > SP, line[count] < 0x7F, line[count] != UInt8(ascii: ":") { count &+= 1 }
        var colon = count
        // White space before the colon is obsolete syntax (RFC 5322 §4.5).
        while colon < length, line[colon] == SP || line[colon] == HT { colon &+= 1 }
        guard count > 0, colon < length, line[colon] == UInt8(ascii: ":") else { return false }
        guard let name = FieldName(line, count: count), let part = open.last?.part,
              name.isContent || structure.parts[part].isMessage, structure.fields.count < Limits.fields else { return true }
        let start = structure.text.count
        structure.fields.append(.init(name: name, start: start, end: start))
        isCapturing = true
        capture(line + colon + 1, length - colon - 1, afterCR: false)
        return true
    }

    /// Adds to the value of the last field. A CR at the end of a piece may be half of a line end: it is left out then, and
    /// `afterCR` tells when it was not.
    mutating func capture(_ bytes: UnsafePointer<UInt8>, _ count: Int, afterCR: Bool) {
        var length = count
        let room = max(0, Limits.headerRetained - structure.text.count)
        if afterCR, room > 0 { structure.text.append(CR) }
        if length > room {
            length = room
        }
        guard length > 0 else { return }
        let start = structure.text.count
        structure.text.append(contentsOf: UnsafeBufferPointer(start: bytes, count: length))
        // A NUL cannot be sent in any string but a literal8 (RFC 9051 §4.3).
        if memchr(bytes, 0, length) != nil {
            for i in start..<structure.text.count where structure.text[i] == 0 { structure.text[i] = UInt8(ascii: "?") }
        }
    }

    /// The value of the last field is complete.
    mutating func finishField() {
        guard isCapturing else { return }
        isCapturing = false
        let last = structure.fields.count - 1
        var start = structure.fields[last].start, end = structure.text.count
        structure.text.withUnsafeBufferPointer { text in
            while start < end, text[start].isSpace { start &+= 1 }
            while end > start, text[end - 1].isSpace { end &-= 1 }
        }
        structure.fields[last].start = start
        structure.fields[last].end = end
    }

    /// Begins an entity as a child of the innermost open one, with its header.
    mutating func beginPart(isMessage: Bool) {
        let index = structure.parts.count
        var part = MessageStructure.Part()
        part.isMessage = isMessage
        part.fields = structure.fields.count..<structure.fields.count
        if let last = open.indices.last {
            let parent = open[last].part
            part.parent = parent
            if let sibling = open[last].lastChild {
                structure.parts[sibling].next = index
            } else {
                structure.parts[parent].firstChild = index
            }
            open[last].lastChild = index
        }
        structure.parts.append(part)
        open.append(Open(part: index, start: here, boundary: 0..<0))
        isFirstHeaderLine = true
        phase = .header
    }

    /// The header ends at `end`: finds out how to read the body.
    mutating func endHeader(_ end: Mark) {
        let last = open.count - 1, index = open[last].part
        structure.parts[index].header = open[last].start.extent(to: end)
        structure.parts[index].fields = structure.parts[index].fields.lowerBound..<structure.fields.count
        open[last].start = end
        guard scope == .whole else {
            phase = .done
            return
        }
        classify(index, last)
        if structure.parts[index].kind == .message {
            let line = here
            here = end
            beginPart(isMessage: true)
            here = line
        } else {
            phase = activeBoundaries > 0 ? .body : .opaque
        }
    }

    private mutating func classify(_ index: MessageStructure.Index, _ level: Int) {
        guard let value = structure.value(.contentType, of: index) else {
            // RFC 2046 §5.1.5: in a digest, what has no type is a message.
            if let parent = structure.parts[index].parent, structure.parts[parent].isDigest { descend(index) }
            return
        }
        guard contentType.parseContentType(value) else {
            structure.parts[index].isOpaque = true
            return
        }
        let type = contentType[contentType.words[0]], subtype = contentType[contentType.words[1]]
        if type.isCaseInsensitively("text") { return }
        structure.parts[index].kind = .basic
        if type.isCaseInsensitively("message") {
            // RFC 6532 §3.7 for message/global.
            if subtype.isCaseInsensitively("rfc822") || subtype.isCaseInsensitively("global") { descend(index) }
        } else if type.isCaseInsensitively("multipart") {
            guard open.count < Limits.nesting, let boundary = contentType.parameter("boundary"),
                  (1...Limits.boundary).contains(boundary.count) else {
                structure.parts[index].kind = .text
                structure.parts[index].isOpaque = true
                return
            }
            let start = boundaries.count
            boundaries.append(contentsOf: boundary)
            while boundaries.count > start + 1, boundaries[boundaries.count - 1].isSpace { boundaries.removeLast() }
            structure.parts[index].kind = .multipart
            structure.parts[index].isDigest = subtype.isCaseInsensitively("digest")
            open[level].boundary = start..<boundaries.count
            activeBoundaries += 1
        }
    }

    /// The part's body is a message, if that is not too deep.
    private mutating func descend(_ index: MessageStructure.Index) {
        if open.count < Limits.nesting, structure.parts.count < Limits.parts {
            structure.parts[index].kind = .message
        } else {
            structure.parts[index].kind = .text
            structure.parts[index].isOpaque = true
        }
    }

    /// The innermost open part that `line`, the text after "--", delimits, and whether for the last time.
    ///
    /// RFC 2046 §5.1.1 would have a boundary followed by anything be a delimiter. It must be followed by nothing but white
    /// space here: boundaries that begin with one another are made by many programs, text after a delimiter by none.
    func delimiter(_ line: UnsafePointer<UInt8>, _ count: Int) -> (level: Int, isLast: Bool)? {
        var count = count
        while count > 0, line[count - 1] == SP || line[count - 1] == HT { count -= 1 }
        let dash = UInt8(ascii: "-")
        var level = open.count - 1
        while level >= 0 {
            let boundary = open[level].boundary
            let rest = count - boundary.count
            if !boundary.isEmpty, rest == 0 || rest == 2 && line[count - 1] == dash && line[count - 2] == dash,
               boundaries.withUnsafeBufferPointer({ memcmp($0.baseAddress! + boundary.lowerBound, line, boundary.count) == 0 }) {
                // With as many parts as we will hold, the last one takes the rest.
                return rest == 0 && structure.parts.count >= Limits.parts ? nil : (level, rest == 2)
            }
            level -= 1
        }
        return nil
    }

    /// Ends all open parts from the innermost to the one at `level`, at `end` less the bytes of the line end before it.
    mutating func close(downTo level: Int, at end: Mark, lineEnd: Int) {
        var end = end
        end.offset -= lineEnd
        if lineEnd > 0 { end.lines -= 1 }
        if lineEnd == 1 { end.bareLineFeeds -= 1 }
        while open.count > level {
            endBoundary(open.count - 1)
            let part = open.removeLast()
            structure.parts[part.part].body = part.start.extent(to: end)
            if structure.parts[part.part].kind == .multipart, structure.parts[part.part].firstChild == nil {
                structure.parts[part.part].kind = .text
                structure.parts[part.part].isOpaque = true
            }
        }
    }

    /// The part at `level` has no more delimiters; nor has any within it.
    mutating func endBoundary(_ level: Int) {
        guard !open[level].boundary.isEmpty else { return }
        boundaries.removeLast(boundaries.count - open[level].boundary.lowerBound)
        open[level].boundary = 0..<0
        activeBoundaries -= 1
    }
}
