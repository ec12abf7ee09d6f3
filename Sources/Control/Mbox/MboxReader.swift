import Glibc
import IMAPTypes
import MailMessage
import Maildir

/// The messages of an mbox file, one after another.
///
/// A message begins with a line `From <address> <date>` at the start of the file or behind an empty line. Lines of the message
/// that begin so have a `>` in front (mboxrd), which goes; the empty line that ends a message is not part of it.
struct MboxReader {
    /// A message with its postmark line and its end.
    struct Message {
        /// The postmark line, without its end.
        let postmark: UnsafeRawBufferPointer
        /// What follows it.
        let text: UnsafeRawBufferPointer
    }

    private let file: UnsafeRawBufferPointer
    private(set) var offset = 0

    init(_ file: UnsafeRawBufferPointer) {
        self.file = file
        // Some programs begin with empty lines.
        while offset < file.count, file[offset] == 0x0A || file[offset] == 0x0D { offset += 1 }
    }

    /// Whether it is an mbox at all, or empty.
    var isMbox: Bool { offset >= file.count || Self.isPostmark(file, at: offset) }

    mutating func next() -> Message? {
        guard offset < file.count, Self.isPostmark(file, at: offset) else { return nil }
        let lineEnd = Self.lineEnd(file, offset)
        var at = lineEnd
        var isAfterEmptyLine = false
        while at < file.count {
            if isAfterEmptyLine, Self.isPostmark(file, at: at) { break }
            let next = Self.lineEnd(file, at)
            isAfterEmptyLine = next - at == 1 && file[at] == 0x0A || next - at == 2 && file[at] == 0x0D && file[at + 1] == 0x0A
            at = next
        }
        var end = at
        // The empty line that separates messages.
        if isAfterEmptyLine, end > lineEnd { end -= end - lineEnd >= 2 && file[end - 2] == 0x0D ? 2 : 1 }
        defer { offset = at }
        return Message(postmark: UnsafeRawBufferPointer(rebasing: file[offset..<lineEnd]),
                       text: UnsafeRawBufferPointer(rebasing: file[lineEnd..<end]))
    }

    /// Behind the line's end.
    static func lineEnd(_ bytes: UnsafeRawBufferPointer, _ start: Int) -> Int {
        guard let base = bytes.baseAddress, start < bytes.count, let found = memchr(base + start, 0x0A, bytes.count - start)
        else { return bytes.count }
        return found - UnsafeMutableRawPointer(mutating: base) + 1
    }

    /// `From `, and somewhere behind it a time and a year: what people write at the start of a line has them seldom.
    private static func isPostmark(_ bytes: UnsafeRawBufferPointer, at start: Int) -> Bool {
        guard bytes.count - start >= 5, bytes[start..<start + 5].elementsEqual("From ".utf8) else { return false }
        let line = UnsafeRawBufferPointer(rebasing: bytes[start..<min(lineEnd(bytes, start), start + 1000)])
        return Postmark.date(line) != nil
    }
}

/// The line before a message.
enum Postmark {
    /// Seconds since the epoch. Without a zone it is UTC (RFC 4155); `nil` if there is no date.
    static func date(_ line: UnsafeRawBufferPointer) -> Int64? {
        let words = line.dropFirst(5).split { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D || $0 == 0x0A }
        // `Tue Jan  2 03:04:05 2024`, perhaps with a zone; the address before it may have spaces.
        let time = words.lastIndex { word in
            word.contains(UInt8(ascii: ":")) && word.first.map { (0x30...0x39).contains($0) } == true
        }
        guard let time, time >= 2 else { return nil }
        let text = words[(time - 2)...].joined(separator: [0x20])
        return MessageDate(Array(text)[...])?.seconds
    }

    /// `From sender Tue Jan  2 03:04:05 2024`, with its end.
    static func line(sender: String, date: Int64) -> [UInt8] {
        var time = time_t(date)
        var parts = tm()
        gmtime_r(&time, &parts)
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        func two(_ number: Int32, _ pad: String = "0") -> String { number < 10 ? "\(pad)\(number)" : "\(number)" }
        let day = days[Int(parts.tm_wday) % 7], month = months[Int(parts.tm_mon) % 12]
        let clock = "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
        return Array("From \(sender) \(day) \(month) \(two(parts.tm_mday, " ")) \(clock) \(Int(parts.tm_year) + 1900)\n".utf8)
    }
}
