import CLinux
import Glibc
import IMAPTypes
import Logging
import MailStore
import Maildir

/// The messages of the script: the bytes of each follow from its text, which is its name too.
enum Texts {
    static func bytes(_ text: String) -> [UInt8] {
        var message = "Subject: \(text)\r\n\r\n"
        // One that takes several writes.
        for line in 0..<(text.hasPrefix("large") ? 4000 : 3) { message += "line \(line) of the message called \(text)\r\n" }
        return Array(message.utf8)
    }

    /// The text of the message with these bytes, whose lines may end in LF; `nil` if there is no such.
    static func text(_ stored: [UInt8]) -> String? {
        var wire: [UInt8] = []
        wire.reserveCapacity(stored.count + 100)
        for byte in stored {
            if byte == 0x0A, wire.last != 0x0D { wire.append(0x0D) }
            wire.append(byte)
        }
        guard let end = wire.firstIndex(of: 0x0D), end > 9 else { return nil }
        let text = String(decoding: wire[9..<end], as: UTF8.self)
        return bytes(text) == wire ? text : nil
    }
}

extension OpenMailbox {
    func text(_ uid: UID) throws -> String? {
        let content = try content(uid)
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let at = UInt64(bytes.count)
            let got = try buffer.withUnsafeMutableBytes { try content.read(at: at, into: $0) }
            if got == 0 { return Texts.text(bytes) }
            bytes += buffer[..<got]
        }
    }

    /// In words, so that they can be compared.
    func flags(_ uid: UID) -> String {
        guard let metadata = metadata(uid) else { return "none" }
        let names: [(SystemFlags, String)] = [
            (.answered, "answered"), (.flagged, "flagged"), (.deleted, "deleted"), (.seen, "seen"), (.draft, "draft"),
        ]
        let words = names.filter { metadata.flags.contains($0.0) }.map(\.1)
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
    static func copyTree(_ source: String, to target: String) {
        mkdir(target, 0o700)
        var copied: [ino_t: String] = [:]
        for name in names(source) {
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
        write(Texts.bytes(text).filter { $0 != 0x0D }, to: folder + "/tmp/" + name)
        rename(folder + "/tmp/" + name, folder + "/new/" + name)
    }
}
