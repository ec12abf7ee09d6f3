import IMAPTypes
import Testing
@testable import IMAPGrammar

@Suite struct ReaderLineTests {
    private func reader(_ text: String, _ limits: CommandReader.Limits = .afterLogin) -> CommandReader {
        CommandReader(limits, readAhead: Array(text.utf8))
    }

    private func line(_ text: String) -> CommandReader.Line { .line(Array(text.utf8)) }

    private func append(_ text: String, to reader: inout CommandReader) {
        Array(text.utf8).withUnsafeBytes { reader.append($0) }
    }

    @Test func readsLinesAsTheyAre() {
        var reader = reader("DONE\r\n*\n\r\nabc {5}\r\na NOOP\r\n")
        for text in ["DONE", "*", "", "abc {5}"] { #expect(reader.nextLine() == line(text)) }
        guard case .command(let command) = reader.next() else {
            Issue.record("no command")
            return
        }
        #expect(command == Array("a NOOP".utf8))
        #expect(reader.nextLine() == .incomplete)
    }

    @Test func waitsForTheEndOfALine() {
        var reader = reader("DO")
        #expect(reader.nextLine() == .incomplete)
        append("NE\r", to: &reader)
        #expect(reader.nextLine() == .incomplete)
        append("\nx", to: &reader)
        #expect(reader.nextLine() == line("DONE"))
        #expect(reader.hasInput)
        #expect(reader.nextLine() == .incomplete)
        #expect(!reader.hasInput)
    }

    /// The line that was begun as a command is still there as a line.
    @Test func aBegunCommandIsALineToo() {
        var reader = reader("DONE")
        guard case .incomplete = reader.next() else {
            Issue.record("too early")
            return
        }
        append("\r\n", to: &reader)
        #expect(reader.nextLine() == line("DONE"))
    }

    @Test("is limited", arguments: [1, 3, 7, 1000])
    func isLimited(chunk: Int) {
        var rest = Array((String(repeating: "x", count: 9) + "\n" + String(repeating: "y", count: 10) + "\n"
                + String(repeating: "z", count: 500) + " {5}\r\nDONE\r\na NOOP\r\n").utf8)[...]
        var reader = CommandReader(.beforeLogin)
        var lines: [CommandReader.Line] = []
        while lines.count < 4 {
            let line = reader.nextLine(atMost: 10)
            if line != .incomplete {
                lines.append(line)
            } else {
                Array(rest.prefix(chunk)).withUnsafeBytes { reader.append($0) }
                rest = rest.dropFirst(chunk)
            }
        }
        #expect(lines == [line(String(repeating: "x", count: 9)), .tooLong, .tooLong, line("DONE")])
    }

    @Test func theRestOfALongLineIsSkippedByNextToo() {
        var reader = reader(String(repeating: "x", count: 50))
        #expect(reader.nextLine(atMost: 10) == .tooLong)
        append("xxx {9+}\r\na NOOP\r\n", to: &reader)
        guard case .command(let command) = reader.next() else {
            Issue.record("no command")
            return
        }
        #expect(command == Array("a NOOP".utf8))
    }

    @Test func theRemainderIsHandedOver() {
        var reader = reader("a LOGIN x y\r\nb SELECT INBOX\r\nc FE")
        guard case .command = reader.next() else {
            Issue.record("no command")
            return
        }
        #expect(reader.takeRemainder() == Array("b SELECT INBOX\r\nc FE".utf8))
        #expect(reader.takeRemainder() == [])
        append("d NOOP\r\n", to: &reader)
        guard case .command(let command) = reader.next() else {
            Issue.record("no command")
            return
        }
        #expect(command == Array("d NOOP".utf8))
    }

    /// Also when a command has begun: nothing of it is lost.
    @Test func theRemainderIsWhole() {
        var reader = reader("c FETCH {3+}\r\nab")
        guard case .incomplete = reader.next() else {
            Issue.record("too early")
            return
        }
        #expect(reader.takeRemainder() == Array("c FETCH {3+}\r\nab".utf8))
    }

    @Test func fillReceivesInPlace() {
        var reader = CommandReader(.afterLogin)
        let text = Array("a NOOP\r\nb NOOP\r\n".utf8)
        var at = 0
        var commands: [[UInt8]] = []
        while commands.count < 2 {
            switch reader.next() {
            case .command(let command): commands.append(command)
            default:
                reader.fill(atMost: 4) { buffer in
                    #expect(buffer.count == 4)
                    let piece = text[at...].prefix(4)
                    buffer.copyBytes(from: piece)
                    at += piece.count
                    return piece.count
                }
            }
        }
        #expect(commands == [Array("a NOOP".utf8), Array("b NOOP".utf8)])
    }

    @Test func aFillThatFailsChangesNothing() {
        struct Gone: Error {}
        var reader = reader("a NO")
        #expect(throws: Gone.self) { try reader.fill { (_) throws(Gone) -> Int in throw Gone() } }
        append("OP\r\n", to: &reader)
        guard case .command(let command) = reader.next() else {
            Issue.record("no command")
            return
        }
        #expect(command == Array("a NOOP".utf8))
    }

    @Test func aMessageThatCannotBeStoredIsSkipped() {
        struct Full: Error {}
        for announced in ["{10}", "{10+}"] {
            var reader = reader("a APPEND x \(announced)\r\nab\r\ncd")
            guard case .append = reader.next() else {
                Issue.record("no message")
                return
            }
            reader.accept()
            #expect(reader.messageBytesDue == 10)
            #expect(throws: Full.self) { try reader.takeMessageBytes { (_) throws(Full) in throw Full() } }
            #expect(reader.messageBytesDue == 4)
            reader.refuse()
            guard case .incomplete = reader.next() else {
                Issue.record("too early")
                return
            }
            append("\r\ne \r\nb NOOP\r\n", to: &reader)
            guard case .command(let command) = reader.next() else {
                Issue.record("no command")
                return
            }
            #expect(command == Array("b NOOP".utf8))
        }
    }

    /// The store may fail at the very end of a message.
    @Test func aCommandCanBeRefusedAfterItsMessage() {
        var reader = reader("a APPEND x {2}\r\nab {3+}\r\nabc {5}\r\nb NOOP\r\n")
        guard case .append = reader.next() else {
            Issue.record("no message")
            return
        }
        reader.accept()
        var message: [UInt8] = []
        reader.takeMessageBytes { message += $0 }
        #expect(message == Array("ab".utf8))
        let more = reader.takeMessageBytes { message += $0 }
        #expect(more == 0)
        reader.refuse()
        guard case .command(let command) = reader.next() else {
            Issue.record("no command")
            return
        }
        #expect(command == Array("b NOOP".utf8))
    }

    /// A message much larger than any buffer passes, and the buffer stays small.
    @Test func aLargeMessageIsNotKept() {
        var reader = reader("a APPEND x {100000000}\r\n")
        guard case .append(let header) = reader.next() else {
            Issue.record("no message")
            return
        }
        #expect(header.literal.size == 100_000_000)
        reader.accept()
        var taken = 0
        var longest = 0
        while reader.messageBytesDue > 0 {
            if reader.takeMessageBytes({ taken += $0.count; longest = max(longest, $0.count) }) == 0 {
                reader.fill(atMost: 65_536) { min($0.count, 100_000_000 - taken) }
            }
        }
        #expect(taken == 100_000_000)
        #expect(longest <= 65_536)
        append("\r\n", to: &reader)
        guard case .appendEnd = reader.next() else {
            Issue.record("no end")
            return
        }
    }

    @Test func whatMayBeAPasswordIsOverwritten() {
        var reader = CommandReader(.beforeLogin)
        append("a LOGIN joe SESAME\r\nb", to: &reader)
        guard case .command = reader.next() else {
            Issue.record("no command")
            return
        }
        #expect(!contains("SESAME", in: reader))
        #expect(reader.takeRemainder() == [UInt8(ascii: "b")])
        // Also where the buffer had to move.
        for _ in 0..<40 { append(String(repeating: "SESAME", count: 100), to: &reader) }
        guard case .rejected = reader.next() else {
            Issue.record("not refused")
            return
        }
        append("\r\n", to: &reader)
        guard case .incomplete = reader.next() else {
            Issue.record("not skipped")
            return
        }
        #expect(!contains("SESAME", in: reader))
    }

    /// Looks at the reader's buffer, spent bytes and all.
    private func contains(_ text: String, in reader: CommandReader) -> Bool {
        for child in Mirror(reflecting: reader).children where child.label == "buffer" {
            return (child.value as? [UInt8])?.latin1.contains(text) ?? true
        }
        return true
    }
}
