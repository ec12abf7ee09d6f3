import Glibc
import IMAPTypes
import Logging
import MailStore

/// `imapd.subscriptions` in the Maildir: one folder name on a line, as in the file system without the leading dot; INBOX
/// as `INBOX`. So it does not depend on the separator.
extension MaildirStore {
    private static let subscriptionsName = Array("imapd.subscriptions".utf8)

    public func subscriptions() throws(StoreError) -> [MailboxName] {
        try readSubscriptions().compactMap { naming.name($0) }
    }

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
            if errno == ENOENT { return [] }
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
            try maildir.replaceFile(Self.subscriptionsName, with: Array(list.map { $0.line + [0x0A] }.joined()))
        }
    }
}
