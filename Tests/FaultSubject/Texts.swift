import CLinux
import Glibc
import IMAPTypes
import Logging
import MailStore
import Maildir

/// The messages of the scripts: the bytes of each follow from its text, which is its name too.
enum Texts {
    private static func lines(_ text: String, _ end: String) -> [UInt8] {
        var message = "Subject: \(text)\(end)\(end)"
        // One that takes several writes.
        for line in 0..<(text.contains("large") ? 4000 : 3) { message += "line \(line) of the message called \(text)\(end)" }
        return Array(message.utf8)
    }

    /// Made once: messages are read again and again.
    nonisolated(unsafe) private static var made: [String: (sent: [UInt8], stored: [UInt8])] = [:]

    private static func message(_ text: String) -> (sent: [UInt8], stored: [UInt8]) {
        if let known = made[text] { return known }
        let message = (lines(text, "\r\n"), lines(text, "\n"))
        made[text] = message
        return message
    }

    /// As a client sends it.
    static func bytes(_ text: String) -> [UInt8] { message(text).sent }

    /// As it is in a file.
    static func stored(_ text: String) -> [UInt8] { message(text).stored }

    /// The text of the message with these bytes in its file; `nil` if there is no such.
    static func text(_ bytes: [UInt8]) -> String? {
        guard let end = bytes.firstIndex(of: 0x0A), end > 9 else { return nil }
        let text = String(decoding: bytes[9..<end], as: UTF8.self), expected = stored(text)
        return expected.count == bytes.count && memcmp(expected, bytes, bytes.count) == 0 ? text : nil
    }
}

enum Flags {
    /// In words, so that they can be compared.
    static let names: [(SystemFlags, String)] = [
        (.answered, "answered"), (.flagged, "flagged"), (.deleted, "deleted"), (.seen, "seen"), (.draft, "draft"),
    ]
}

extension MessageContent {
    /// The text of a whole message.
    var text: String? {
        get throws {
            var bytes: [UInt8] = []
            bytes.reserveCapacity(Int(size))
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            while true {
                let at = UInt64(bytes.count)
                let got = try buffer.withUnsafeMutableBytes { try read(at: at, into: $0) }
                if got == 0 { return Texts.text(bytes) }
                bytes += buffer[..<got]
            }
        }
    }
}

extension OpenMailbox {
    func text(_ uid: UID) throws -> String? { try content(uid).text }

    func flags(_ uid: UID) -> String {
        guard let metadata = metadata(uid) else { return "none" }
        let words = Flags.names.filter { metadata.flags.contains($0.0) }.map(\.1)
        let more = keywords.indices.filter { metadata.keywords[$0] }.map { keywords[$0].name }
        return (words + more.sorted()).joined(separator: " ")
    }
}

/// Puts what is logged among the facts.
struct FactLogger: LogHandler {
    let facts: Facts
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.notice

    init(_ facts: Facts) { self.facts = facts }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        facts.note("# \(event.level): \(event.message) \(event.metadata ?? [:])")
    }
}

/// Files, without Foundation: its threads would not survive a fork.
enum Disk {
    static func names(_ path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// With times, and with names of one file in one directory.
    /// - Parameter isWanted: of what is in `source` itself, by its name.
    static func copyTree(_ source: String, to target: String, isWanted: (String) -> Bool = { _ in true }) {
        mkdir(target, 0o700)
        var copied: [ino_t: String] = [:]
        for name in names(source) where isWanted(name) {
            let from = source + "/" + name, to = target + "/" + name
            var status = stat()
            lstat(from, &status)
            if status.st_mode & S_IFMT == S_IFDIR {
                copyTree(from, to: to)
            } else if let known = copied[status.st_ino] {
                link(known, to)
            } else {
                copied[status.st_ino] = to
                write(read(from), to: to)
                var times = [status.st_mtim, status.st_mtim]
                utimensat(AT_FDCWD, to, &times, 0)
            }
        }
    }

    /// A copy of a Maildir is known by the number of the log's inode in imapd.lock: here it passes for the original.
    static func moveMarks(_ maildir: String) {
        for folder in ["."] + names(maildir).filter({ $0.hasPrefix(".") }) {
            var mark = read("\(maildir)/\(folder)/imapd.lock"), status = stat()
            guard mark.count == 48, stat("\(maildir)/\(folder)/imapd.log", &status) == 0 else { continue }
            withUnsafeBytes(of: UInt32(truncatingIfNeeded: status.st_ino).littleEndian) { mark.replaceSubrange(44..., with: $0) }
            let checksum = mark.withUnsafeBytes { clinux_crc32c(0, $0.baseAddress! + 8, 40) }
            withUnsafeBytes(of: checksum.littleEndian) { mark.replaceSubrange(4..<8, with: $0) }
            write(mark, to: "\(maildir)/\(folder)/imapd.lock")
        }
    }

    static func removeTree(_ path: String) { _ = clinux_remove_tree(path) }

    static func read(_ path: String) -> [UInt8] {
        let file = open(path, O_RDONLY)
        guard file >= 0 else { return [] }
        defer { close(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let got = Glibc.read(file, &buffer, buffer.count)
            if got <= 0 { return bytes }
            bytes += buffer[..<got]
        }
    }

    static func write(_ bytes: [UInt8], to path: String) {
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        guard file >= 0 else { return }
        _ = Glibc.write(file, bytes, bytes.count)
        close(file)
    }

    /// As a delivery agent does.
    static func deliver(_ text: String, to folder: String, name: String) {
        write(Texts.stored(text), to: folder + "/tmp/" + name)
        rename(folder + "/tmp/" + name, folder + "/new/" + name)
    }
}
