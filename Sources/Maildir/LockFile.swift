import CLinux
import Glibc
import MailStore

/// `imapd.lock`: bytes of it are locked for different ends; its content is the `LogMark`.
///
/// The locks belong to the open file (F_OFD_SETLK), so they hold between threads as between processes, and end with the
/// process. The file is never replaced.
final class LockFile {
    static let name = Array("imapd.lock".utf8)

    enum Byte: off_t {
        /// Held by whoever writes to the mailbox.
        case writer = 0
        /// Shared by all sessions that have the mailbox open.
        case presence = 1
        /// In the Maildir itself: held by whoever changes the list of mailboxes or subscriptions.
        case account = 2
    }

    private let directory: Handle
    private(set) var file: Handle
    private var isPresent = false

    /// `nil` and `errno` if it cannot be opened.
    init?(in directory: Handle) {
        guard let file = directory.open(Self.name, O_RDWR | O_CREAT | O_NOFOLLOW) else { return nil }
        self.directory = directory
        self.file = file
    }

    /// Gets an exclusive lock, for which it waits unless told otherwise. False and `errno` if there is none to be had: `ENOENT`
    /// when the directory was removed.
    func lock(_ byte: Byte, waits: Bool = true) -> Bool {
        while true {
            guard clinux_lock(file.raw, byte.rawValue, 1, waits ? 1 : 0) == 0 else { return false }
            // Somebody may have deleted the file, or the mailbox with it: then the lock is worth nothing.
            if let mine = file.status(), let there = directory.status(Self.name),
               mine.st_ino == there.st_ino, mine.st_dev == there.st_dev { return true }
            guard let again = directory.open(Self.name, O_RDWR | O_CREAT | O_NOFOLLOW) else {
                // Not to be held for as long as the session has the mailbox open: others would wait for it.
                let code = errno
                unlock(byte)
                errno = code
                return false
            }
            file = again
            if isPresent { bePresent() }
        }
    }

    /// Whether somebody else holds an exclusive lock just now.
    func isLocked(_ byte: Byte) -> Bool {
        if clinux_lock(file.raw, byte.rawValue, 0, 0) == 0 {
            unlock(byte)
            return false
        }
        return errno == EAGAIN || errno == EACCES
    }

    func unlock(_ byte: Byte) { _ = clinux_unlock(file.raw, byte.rawValue) }

    /// From now on others know that a session has the mailbox open.
    func bePresent() {
        isPresent = clinux_lock(file.raw, Byte.presence.rawValue, 0, 1) == 0
        // Not to stay alone, which `beginAlone` may have made us: nobody else could open the mailbox.
        if !isPresent { leave() }
    }

    /// Whether no other session has the mailbox open. If so, none will before `endAlone()`: what is done in between, no other
    /// session's picture lacks.
    func beginAlone() -> Bool { clinux_lock(file.raw, Byte.presence.rawValue, 1, 0) == 0 }

    func endAlone() { if isPresent { bePresent() } else { leave() } }

    func leave() {
        isPresent = false
        _ = clinux_unlock(file.raw, Byte.presence.rawValue)
    }
}
