import CLinux
import Glibc
import Logging
import MailStore
import SystemPackage

/// A descriptor that becomes readable when something happens in a mailbox: inotify's.
///
/// The system limits how many of these a user may have. Beyond that it is a timer's: then the session looks every two seconds.
/// Where other machines deliver, of which inotify knows nothing, it is both.
final class Watcher {
    /// inotify, or the timer instead of it.
    private let handle: Handle
    /// The timer beside inotify, and what is readable with either.
    private var beside: (timer: Handle, either: Handle)?
    private let directory: MailboxDirectory
    var descriptor: Int32 { beside?.either.raw ?? handle.raw }

    private static let period: Int32 = 2

    /// - Parameters:
    ///   - folder: what the mailbox's directory is called now.
    ///   - lookPeriod: how often to look for what inotify does not tell, in seconds; 0 for never.
    init(
        _ directory: MailboxDirectory, _ folder: FolderName, maildir: String, lookPeriod: Int32, logger: Logger
    ) throws(StoreError) {
        self.directory = directory
        do throws(StoreError) {
            handle = try Self.inotify(directory, folder, maildir)
        } catch .io(let error, _) where [.tooManyOpenFiles, .tooManyOpenFilesInSystem, .noSpace].contains(error) {
            let timer = clinux_ticker(Self.period)
            guard timer >= 0 else { throw failure("watching", directory.folder.directory) }
            logger.notice("Mailboxes can only be looked at from time to time: the limit of inotify(7) is reached")
            handle = Handle(timer)
            return
        }
        guard lookPeriod > 0 else { return }
        func made(_ descriptor: Int32) throws(StoreError) -> Handle {
            guard descriptor >= 0 else { throw failure("watching", directory.folder.directory) }
            return Handle(descriptor)
        }
        let timer = try made(clinux_ticker(lookPeriod)), either = try made(clinux_watch_set())
        for part in [handle, timer] where clinux_watch_add(either.raw, part.raw) != 0 {
            throw failure("watching", directory.folder.directory)
        }
        beside = (timer, either)
    }

    /// How often to look at a mailbox, in seconds, if `wished` is that for network file systems.
    static func lookPeriod(_ directory: MailboxDirectory, wished: Int32) -> Int32 {
        wished > 0 && clinux_is_on_network(directory.new.raw) != 0 ? wished : 0
    }

    private static func inotify(
        _ directory: MailboxDirectory, _ folder: FolderName, _ maildir: String
    ) throws(StoreError) -> Handle {
        let descriptor = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
        guard descriptor >= 0 else { throw failure("watching", directory.folder.directory) }
        let handle = Handle(descriptor)
        let moves = UInt32(IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE)
        // The directory itself for imapd.log: the log may be replaced, and is in the same directory then.
        let log = UInt32(IN_MODIFY | IN_MOVED_TO | IN_DELETE_SELF)
        for (name, mask) in [("", log), ("/new", moves), ("/cur", moves)] {
            let path = Array(maildir.utf8) + [0x2F] + folder.directory + Array(name.utf8)
            guard withName(path, { inotify_add_watch(descriptor, $0, mask) }) >= 0 else {
                if errno == ENOENT { throw .noSuchMailbox(directory.mailbox) }
                throw failure("watching", directory.folder.directory)
            }
        }
        return handle
    }

    /// Reads all events that wait, so that the descriptor is readable for later ones only.
    func drain() {
        withUnsafeTemporaryAllocation(byteCount: 1 << 14, alignment: 8) { buffer in
            while read(handle.raw, buffer.baseAddress, buffer.count) > 0 || errno == EINTR {}
            guard let beside, read(beside.timer.raw, buffer.baseAddress, buffer.count) > 0 else { return }
            // NFS answers for half a minute with what it knows; whoever looks for mail wants what is.
            clinux_ask_server(directory.new.raw)
            clinux_ask_server(directory.cur.raw)
        }
    }
}
