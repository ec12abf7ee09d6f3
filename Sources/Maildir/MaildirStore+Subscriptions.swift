import Glibc
import IMAPTypes
import Logging
import MailStore

/// `imapd.subscriptions` in the Maildir: one folder name on a line, as in the file system without the leading dot; INBOX
/// as `INBOX`. So it does not depend on the separator. As long as there is no such file, what Dovecot or Courier left counts.
extension MaildirStore {
    static let subscriptionsName = Array("imapd.subscriptions".utf8)

    public func subscriptions() throws(StoreError) -> [MailboxName] {
        try subscribedFolders().compactMap { naming.name($0) }
    }

    func subscribedFolders() throws(StoreError) -> [FolderName] {
        if maildir.isMissing(Self.subscriptionsName) { try takeOverSubscriptions() }
        return try readSubscriptions()
    }

    /// From the first time on that somebody asks, our own list counts.
    private func takeOverSubscriptions() throws(StoreError) {
        try account.locked { () throws(StoreError) in
            guard maildir.isMissing(Self.subscriptionsName), let foreign = try foreignSubscriptions() else { return }
            do throws(StoreError) {
                try maildir.replaceFile(Self.subscriptionsName, with: Self.bytes(foreign.folders))
            } catch {
                // Nothing is lost: theirs is asked the next time too.
                return logger.error("Subscriptions could not be taken over", metadata: ["error": "\(error)"])
            }
            let server = foreign.server.rawValue
            if foreign.isChoice {
                logger.notice("Both Dovecot and Courier have left subscriptions: those of \(server) are newer and count")
            }
            logger.notice("Subscriptions taken over from \(server)", metadata: ["number": "\(foreign.folders.count)"])
        }
    }

    private func foreignSubscriptions() throws(StoreError) -> ForeignSubscriptions? {
        try ForeignSubscriptions(in: maildir) { $0 == .inbox || (try? isFolder($0)) == true }
    }

    private static func bytes(_ list: [FolderName]) -> [UInt8] { Array(list.map { $0.line + [0x0A] }.joined()) }

    public func subscribe(_ name: MailboxName) throws(StoreError) {
        let folder = try existingOrNewFolder(name)
        try changeSubscriptions { $0.contains(folder) ? nil : $0 + [folder] }
    }

    public func unsubscribe(_ name: MailboxName) throws(StoreError) {
        let folder = try existingOrNewFolder(name)
        try changeSubscriptions { list in
            let rest = list.filter { $0 != folder && naming.name($0) != name }
            return rest.count == list.count ? nil : rest
        }
    }

    private func readSubscriptions() throws(StoreError) -> [FolderName] {
        guard let file = maildir.open(Self.subscriptionsName, O_RDONLY | O_NOFOLLOW) else {
            if errno == ENOENT { return try foreignSubscriptions()?.folders ?? [] }
            throw failure("opening imapd.subscriptions")
        }
        guard let status = file.status(), let bytes = file.read(at: 0, count: Int(min(status.st_size, 1 << 24))) else {
            throw failure("reading imapd.subscriptions")
        }
        var seen = Set<FolderName>()
        return bytes.split(separator: 0x0A).compactMap { FolderName(line: Array($0)) }.filter { seen.insert($0).inserted }
    }

    /// Replaces the list; `nil` leaves it.
    private func changeSubscriptions(_ change: ([FolderName]) -> [FolderName]?) throws(StoreError) {
        try account.locked { () throws(StoreError) in
            guard let list = change(try readSubscriptions()) else { return }
            try maildir.replaceFile(Self.subscriptionsName, with: Self.bytes(list))
        }
    }
}
