import Glibc
import IMAPTypes
import MailStore

/// `imapd.expunged/` in a mailbox: messages that were expunged while other sessions had the mailbox open, by UID.
///
/// They can be read there until those sessions have left, or an hour has passed.
enum Graveyard {
    static let name = Array("imapd.expunged".utf8)
    static let patience: Int64 = 3600

    /// `nil` and `errno` if there is none, or none can be made.
    static func open(_ directory: MailboxDirectory, create: Bool) -> Handle? {
        if create, directory.root.status(name) == nil, !directory.root.makeDirectory(name), errno != EEXIST { return nil }
        return directory.root.open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    }

    static func fileName(_ uid: UInt32) -> [UInt8] { Array(String(uid).utf8) }

    /// Removes messages that were put here more than so many seconds ago. The directory goes with all of them only, when nobody
    /// else has the mailbox open: who is about to put a message into it must not find it gone.
    static func empty(_ directory: MailboxDirectory, olderThan age: Int64) {
        guard let graveyard = open(directory, create: false) else { return }
        let limit = now() / 1_000_000_000 - age
        var names: [[UInt8]] = []
        _ = forEachName(in: graveyard) { name, _ in
            if let status = graveyard.status(name), age == 0 || Int64(status.st_ctim.tv_sec) < limit {
                names.append(Array(name))
            }
        }
        for name in names { _ = graveyard.unlink(name) }
        if age == 0 { _ = directory.root.removeDirectory(name) }
    }
}
