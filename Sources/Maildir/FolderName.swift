import IMAPTypes
import MailStore

/// The directory of a mailbox in the Maildir: the Maildir itself for INBOX, else a direct subdirectory `.a.b`.
///
/// Made only from names that stay inside: a dot, then something that does not begin with a dot and contains no slash or NUL.
struct FolderName: Hashable {
    /// As in the file system, or `.` for INBOX.
    let directory: [UInt8]

    static let inbox = FolderName()

    private init() { directory = [UInt8(ascii: ".")] }

    /// `nil` if a directory of that name cannot be a folder: `..` and what begins with it are not, nor is `.INBOX`,
    /// which would be a second INBOX, nor a name with a line end, which no list of ours could hold.
    init?(directory: [UInt8]) {
        guard (2...255).contains(directory.count), directory[0] == UInt8(ascii: "."), directory[1] != UInt8(ascii: "."),
              !directory.contains(where: { $0 == 0 || $0 == 0x0A || $0 == UInt8(ascii: "/") }),
              !(directory.count == 6 && directory.dropFirst().map({ $0 | 0x20 }) == Array("inbox".utf8)) else { return nil }
        self.directory = directory
    }

    /// Without the leading dot; `INBOX` for INBOX.
    var line: [UInt8] { self == .inbox ? Array("INBOX".utf8) : Array(directory.dropFirst()) }

    init?(line: [UInt8]) {
        if line == Array("INBOX".utf8) { self = .inbox } else { self.init(directory: [UInt8(ascii: ".")] + line) }
    }

    /// Whether this is a folder below `parent`.
    func isBelow(_ parent: FolderName) -> Bool {
        parent != .inbox && directory.count > parent.directory.count + 1 && directory.starts(with: parent.directory)
            && directory[parent.directory.count] == UInt8(ascii: ".")
    }

    /// This folder when `parent` is renamed.
    func moved(from parent: FolderName, to newParent: FolderName) -> FolderName? {
        FolderName(directory: newParent.directory + directory.dropFirst(parent.directory.count))
    }
}

/// Between mailbox names and folder names (Maildir++): levels in modified UTF-7, joined by dots.
struct FolderNaming {
    let separator: Character

    /// The folder that we would make for the mailbox.
    func folder(_ name: MailboxName) throws(StoreError) -> FolderName {
        if name.isInbox { return .inbox }
        var directory: [UInt8] = []
        for level in name.levels(separator: separator) {
            guard !level.isEmpty else { throw .invalidName(name, reason: "a level of the name is empty") }
            directory.append(UInt8(ascii: "."))
            // What separates in the file system, or cannot be in a file name, hides in base64.
            directory += ModifiedUTF7.encode(level) { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "/") }
        }
        guard directory.count <= 255 else { throw .invalidName(name, reason: "the name is too long") }
        guard let folder = FolderName(directory: directory) else { throw .invalidName(name, reason: "the name is reserved") }
        return folder
    }

    /// The name under which a folder is shown. A folder whose name is no modified UTF-7, or would be written otherwise,
    /// is shown as it is. `nil` if it cannot be shown at all.
    func name(_ folder: FolderName) -> MailboxName? {
        if folder == .inbox { return .inbox }
        let levels = folder.directory.dropFirst().split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard !levels.contains(where: \.isEmpty) else { return nil }
        let decoded = levels.map { ModifiedUTF7.decode($0) }
        if !decoded.contains(nil), let name = MailboxName(decoded.map { $0! }.joined(separator: String(separator))),
           (try? self.folder(name)) == folder {
            return name
        }
        guard let raw = levels.map({ String(validating: $0, as: UTF8.self) }) as [String?]?, !raw.contains(nil),
              !raw.contains(where: { $0!.contains(separator) }) else { return nil }
        // `inbox.a` is below INBOX too.
        return MailboxName(raw.map { $0! }.joined(separator: String(separator)))
            .flatMap { MailboxName($0.levels(separator: separator).joined(separator: String(separator))) }
    }
}
