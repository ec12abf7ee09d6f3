import Glibc
import MailStore

/// Watches cur/ while we change it, so that a large directory need not be read again only because it was we who changed it.
///
/// Modification times cannot tell whether somebody else changed the directory within the same tick. inotify can: every name
/// that we make or remove is an event, a rename two (one, if the file comes from new/), and any more are somebody else's.
final class RenameGuard {
    private let handle: Handle
    /// Whether nobody else has changed the directory since the watch began.
    private(set) var isUndisturbed = true

    /// A change may hide behind another for so long, by the clock of a local file system: its ticks are at most 10 ms.
    private static let tick: Int64 = 20_000_000

    /// `nil` if the directory cannot be watched, or was not known to agree with the log.
    init?(_ directory: MailboxDirectory, maildir: String, known: DirectoryState) {
        let descriptor = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
        guard descriptor >= 0 else { return nil }
        handle = Handle(descriptor)
        let path = Array(maildir.utf8) + [0x2F] + directory.folder.directory + Array("/cur".utf8)
        var there = stat()
        // The mailbox may have been renamed: then the path leads elsewhere.
        let changes = UInt32(IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE)
        guard withName(path, { inotify_add_watch(descriptor, $0, changes) }) >= 0,
              withName(path, { stat($0, &there) }) == 0, let cur = directory.cur.status(), cur.st_ino == there.st_ino,
              cur.st_dev == there.st_dev, known.isSettled, nanoseconds(cur.st_mtim) == known.modified else { return nil }
    }

    /// To be called under the lock before and after our changes, with the number of events that they make.
    func expect(_ count: Int) {
        if events() != count { isUndisturbed = false }
    }

    /// Whether the tick of the last change is over.
    func isOver(_ modified: Int64) -> Bool { now() > modified &+ Self.tick }

    /// Waits until the tick of the last change is over. Then nothing can hide in it.
    func waitOut(_ modified: Int64) {
        let rest = modified &+ Self.tick &- now()
        guard rest > 0, rest <= Self.tick else { return }
        var time = timespec(tv_sec: 0, tv_nsec: Int(rest))
        nanosleep(&time, nil)
    }

    /// Events since the last call; `nil` if some were lost.
    private func events() -> Int? {
        withUnsafeTemporaryAllocation(byteCount: 1 << 15, alignment: 8) { buffer in
            var count = 0
            while true {
                let got = read(handle.raw, buffer.baseAddress, buffer.count)
                if got < 0, errno == EINTR { continue }
                if got <= 0 { return count }
                var at = 0
                // struct inotify_event: watch 4, mask 4, cookie 4, length of the name 4, name.
                while at + 16 <= got {
                    if buffer.loadUnaligned(fromByteOffset: at + 4, as: UInt32.self) & UInt32(IN_Q_OVERFLOW) != 0 { return nil }
                    count += 1
                    at += 16 + Int(buffer.loadUnaligned(fromByteOffset: at + 12, as: UInt32.self))
                }
            }
        }
    }
}
