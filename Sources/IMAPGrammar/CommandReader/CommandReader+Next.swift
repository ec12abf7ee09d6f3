import IMAPTypes

extension CommandReader {
    /// What the bytes at hand amount to. Everything but `.incomplete` is said once.
    public mutating func next() -> Event {
        while true {
            switch state {
            case .line:
                guard let event = readLine() else { continue }
                return event
            case .literal(let due):
                let taken = min(due, count - scanned)
                scanned += taken
                guard taken == due else {
                    state = .literal(due - taken)
                    return .incomplete
                }
                lineStart = scanned
                state = .line
            case .afterMessage:
                return readLineAfterMessage()
            case .skippingLine, .skippingLiteral, .skippingPlainLine:
                guard skip() else { return .incomplete }
            case .announced, .message:
                preconditionFailure("a message is to be accepted and taken, or refused, first")
            }
        }
    }

    mutating func beginCommand() {
        state = .line
        scanned = 0
        lineStart = 0
        earlierLines = 0
        literals = 0
    }

    /// A line of a command. `nil` if a literal follows whose bytes need not be asked for.
    private mutating func readLine() -> Event? {
        guard let end = lineEnd() else {
            return earlierLines + count - lineStart >= limits.line ? rejectLine() : .incomplete
        }
        guard earlierLines + end - lineStart <= limits.line else { return rejectLine() }
        guard let (header, _) = LiteralHeader.atEnd(of: bytes(lineStart..<end)) else {
            let text = Array(withoutLineEnd(bytes(0..<end)))
            consume(end)
            beginCommand()
            return .command(text)
        }
        if limits.streamsAppend, Parser.isAppend(bytes(0..<end)) {
            let text = Array(bytes(0..<end))
            do {
                if case .message(let append) = try Parser.appendCommand(text, mode: mode) {
                    return announce(append, length: end)
                }
            } catch {
                return reject(.syntax(error), at: header, length: end)
            }
        }
        return readLiteral(header, lineEnd: end)
    }

    /// An ordinary literal begins at `lineEnd`.
    private mutating func readLiteral(_ header: LiteralHeader, lineEnd: Int) -> Event? {
        guard header.size <= UInt64(limits.literal) else {
            return reject(.literalTooBig(header), at: header, length: lineEnd)
        }
        guard literals < limits.literals else { return reject(.tooManyLiterals, at: header, length: lineEnd) }
        guard lineEnd + Int(header.size) <= limits.total else { return reject(.commandTooBig, at: header, length: lineEnd) }
        literals += 1
        earlierLines += lineEnd - lineStart
        state = .literal(Int(header.size))
        return header.isSynchronizing ? .continuation : nil
    }

    private func withoutLineEnd(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let line = line.dropLast()
        return line.last == 0x0D ? line.dropLast() : line
    }

    // MARK: - APPEND

    /// The message that `append` announces is wanted: its bytes are to be had from `takeMessageBytes`.
    public mutating func accept() {
        guard case .announced(let header) = state else { preconditionFailure("no message was announced") }
        state = header.size == 0 ? .afterMessage : .message(header.size)
    }

    /// The message that was announced, or the rest of the one that was accepted, is not wanted, nor what follows of its
    /// command. The command must be answered now: the client may be waiting for it.
    public mutating func refuse() {
        switch state {
        case .announced(let header):
            if header.isSynchronizing { beginCommand() } else { state = .skippingLiteral(header.size) }
        case .message(let due): state = .skippingLiteral(due)
        case .afterMessage: state = .skippingLine
        default: preconditionFailure("no message was announced")
        }
    }

    private mutating func announce(_ header: AppendHeader, length: Int) -> Event {
        if let tag = header.tag { append.tag = tag }
        append.inUTF8 = header.inUTF8
        consume(length)
        beginCommand()
        state = .announced(header.literal)
        return .append(header)
    }

    private mutating func readLineAfterMessage() -> Event {
        guard let end = lineEnd() else { return count >= limits.line ? rejectLine() : .incomplete }
        guard end <= limits.line else { return rejectLine() }
        let header = LiteralHeader.atEnd(of: bytes(0..<end))?.header
        do {
            if header != nil {
                let text = Array(bytes(0..<end))
                return announce(try Parser.furtherAppendMessage(text, inUTF8: append.inUTF8, mode: mode), length: end)
            }
            try Parser.appendEnd(Array(withoutLineEnd(bytes(0..<end))), inUTF8: append.inUTF8)
        } catch {
            return reject(.syntax(error), at: header, length: end)
        }
        consume(end)
        beginCommand()
        return .appendEnd
    }

    // MARK: - Rejecting and skipping

    /// The present line is too long; its end may not have come yet.
    private mutating func rejectLine() -> Event {
        let rejection = Rejection(tag: tag, reason: .lineTooLong)
        consume(lineStart)
        beginCommand()
        state = .skippingLine
        return .rejected(rejection)
    }

    /// Rejects a command of which `length` bytes are read, up to `header`, if the line has one. Of a synchronizing literal
    /// the bytes will never come: the client sees the answer in place of "+" (RFC 9051 §4.3).
    private mutating func reject(_ reason: Rejection.Reason, at header: LiteralHeader?, length: Int) -> Event {
        let rejection = Rejection(tag: tag, reason: reason)
        consume(length)
        beginCommand()
        if let header, !header.isSynchronizing { state = .skippingLiteral(header.size) }
        return .rejected(rejection)
    }

    /// The tag of the present command.
    private var tag: Tag? {
        if case .afterMessage = state { return append.tag }
        let line = bytes(0..<min(count, limits.line))
        let word = line.prefix { $0 != UInt8(ascii: " ") }
        return word.count < line.count ? Tag(word) : nil
    }

    /// Passes over what is not wanted. False if more bytes are needed for that.
    private mutating func skip() -> Bool {
        switch state {
        case .skippingLiteral(let due):
            let length = Int(min(due, UInt64(count)))
            consume(length)
            guard UInt64(length) == due else {
                state = .skippingLiteral(due - UInt64(length))
                return false
            }
            scanned = 0
            state = .skippingLine
        case .skippingPlainLine:
            guard let end = lineEnd() else {
                consume(count)
                scanned = 0
                return false
            }
            consume(end)
            beginCommand()
        default:
            guard let end = lineEnd() else {
                // What may be the begin of a literal's header stays.
                consume(max(0, count - LiteralHeader.longest))
                scanned = count
                return false
            }
            let header = LiteralHeader.atEnd(of: bytes(0..<end))?.header
            consume(end)
            beginCommand()
            if let header, !header.isSynchronizing { state = .skippingLiteral(header.size) }
        }
        return true
    }

    // MARK: - Lines that are no commands

    public enum Line: Equatable, Sendable {
        case incomplete
        /// Without its CRLF.
        case line([UInt8])
        /// Said once. What is left of the line will be skipped.
        case tooLong
    }

    /// A SASL response (RFC 9051 §6.2.2): room for 9 KiB in base64.
    public static let longestResponse = 12_288

    /// The next line as such: the DONE of IDLE, a response to AUTHENTICATE. Between commands only.
    ///
    /// - Parameter limit: bytes, with the line end.
    public mutating func nextLine(atMost limit: Int = longestResponse) -> Line {
        while case .skippingPlainLine = state {
            guard skip() else { return .incomplete }
        }
        guard case .line = state, lineStart == 0 else { preconditionFailure("a command is being read") }
        let end = lineEnd()
        guard end ?? (count + 1) <= limit else {
            scanned = 0
            state = .skippingPlainLine
            return .tooLong
        }
        guard let end else { return .incomplete }
        let line = Array(withoutLineEnd(bytes(0..<end)))
        consume(end)
        beginCommand()
        return .line(line)
    }
}
