import Glibc
import IMAPTypes
import MailStore
import SystemPackage

/// Writes messages to an mbox file (mboxrd), which appears under its name when it is whole.
///
/// Flags are told as `Status`, `X-Status` and `X-Keywords`, which are put at the end of the header.
final class MboxWriter {
    private let path: String
    private let temporary: String
    private let descriptor: Int32
    private var buffer: [UInt8] = []
    private var isFinished = false

    init(path: String) throws(StoreError) {
        self.path = path
        temporary = path + ".part"
        descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw .io(Errno(rawValue: errno), doing: "creating \(temporary)") }
    }

    deinit {
        close(descriptor)
        if !isFinished { unlink(temporary) }
    }

    private static let states: Set<String> = ["status:", "x-status:", "x-keywords:"]

    func add(
        _ content: any MessageContent, _ flags: FlagSet, date: Int64
    ) throws(StoreError) {
        var lines = LineReader(content)
        var isHeader = true, isFirst = true, isDropping = false, endsInLine = true
        while let (line, isStart) = try lines.next() {
            if isFirst {
                buffer += Postmark.line(sender: "MAILER-DAEMON", date: date)
                isFirst = false
            }
            if isStart, isHeader {
                if line == [0x0A] || line == [0x0D, 0x0A] {
                    isHeader = false
                    buffer += Self.status(flags)
                } else {
                    let isContinuation = line.first == 0x20 || line.first == 0x09
                    if !isContinuation { isDropping = Self.tellsState(line) }
                }
            }
            if isHeader, isDropping { continue }
            if isStart, line.withUnsafeBytes({ MboxMessage.isQuoted($0, 0) }) { buffer.append(UInt8(ascii: ">")) }
            buffer += line
            endsInLine = line.last == 0x0A
            if buffer.count > 1 << 17 { try flush() }
        }
        if isFirst { buffer += Postmark.line(sender: "MAILER-DAEMON", date: date) }
        if !endsInLine { buffer.append(0x0A) }
        if isHeader { buffer += Self.status(flags) }
        buffer.append(0x0A)
    }

    private static func tellsState(_ line: [UInt8]) -> Bool {
        guard let colon = line.prefix(16).firstIndex(of: UInt8(ascii: ":")) else { return false }
        return states.contains(String(decoding: line[...colon], as: UTF8.self).lowercased())
    }

    private static func status(_ flags: FlagSet) -> [UInt8] {
        var text = "Status: \(flags.system.contains(.seen) ? "RO" : "O")\n"
        let letters: [(SystemFlags, String)] = [(.answered, "A"), (.flagged, "F"), (.draft, "T"), (.deleted, "D")]
        let found = letters.filter { flags.system.contains($0.0) }.map(\.1).joined()
        if !found.isEmpty { text += "X-Status: \(found)\n" }
        if !flags.keywords.isEmpty { text += "X-Keywords: \(flags.keywords.map(\.name).sorted().joined(separator: " "))\n" }
        return Array(text.utf8)
    }

    private func flush() throws(StoreError) {
        var rest = buffer[...]
        while !rest.isEmpty {
            let wrote = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if wrote < 0, errno == EINTR { continue }
            guard wrote > 0 else { throw .io(Errno(rawValue: errno), doing: "writing \(temporary)") }
            rest = rest.dropFirst(wrote)
        }
        buffer.removeAll(keepingCapacity: true)
    }

    func finish() throws(StoreError) {
        try flush()
        guard fsync(descriptor) == 0, rename(temporary, path) == 0 else {
            throw .io(Errno(rawValue: errno), doing: "writing \(path)")
        }
        isFinished = true
    }
}

/// The lines of a message, read in pieces; a line of more than 64 KiB comes in several.
private struct LineReader {
    private let content: any MessageContent
    private var offset: UInt64 = 0
    private var bytes: [UInt8] = []
    private var at = 0
    private var isStart = true
    private static let longest = 1 << 16

    init(_ content: any MessageContent) { self.content = content }

    /// With its end; `isStart` tells whether it is the first piece of a line.
    mutating func next() throws(StoreError) -> (line: [UInt8], isStart: Bool)? {
        while true {
            let rest = bytes[at...]
            let end = rest.firstIndex(of: 0x0A).map { $0 + 1 } ?? (rest.count >= Self.longest ? at + Self.longest : nil)
            if let end {
                defer {
                    isStart = bytes[end - 1] == 0x0A
                    at = end
                }
                return (Array(bytes[at..<end]), isStart)
            }
            guard try fill() else {
                guard at < bytes.count else { return nil }
                defer { at = bytes.count }
                return (Array(bytes[at...]), isStart)
            }
        }
    }

    private mutating func fill() throws(StoreError) -> Bool {
        guard offset < content.size else { return false }
        bytes.removeSubrange(..<at)
        at = 0
        var piece = [UInt8](repeating: 0, count: Int(min(content.size - offset, 1 << 17)))
        var got = 0
        var problem: StoreError?
        piece.withUnsafeMutableBytes { buffer in
            do throws(StoreError) { got = try content.read(at: offset, into: buffer) } catch { problem = error }
        }
        if let problem { throw problem }
        bytes += piece[..<got]
        offset += UInt64(got)
        return got > 0
    }
}
