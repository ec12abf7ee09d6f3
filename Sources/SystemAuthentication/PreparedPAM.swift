import CPAM
import Glibc

/// A conversation with PAM that has begun before anybody has come: the service's configuration is read, and its modules are
/// loaded. Processes that are forked from this one then need not do either.
///
/// It is good as long as nothing in the directory of PAM's services has changed.
public struct PreparedPAM {
    private let service: AccountDirectory.PAMService
    let handle: OpaquePointer
    let library: cpam
    private let files: [(path: String, stamp: Stamp)]

    /// In one process only: whoever is forked from it has one of its own.
    nonisolated(unsafe) private static var prepared: PreparedPAM?

    /// Calls no module. Whatever is wrong with the service is told when somebody logs in.
    ///
    /// Modules stay loaded. One that a process must not be forked with, because it has a thread or takes the process down, is
    /// found out by a child first.
    public static func prepare(_ service: AccountDirectory.PAMService) {
        prepared = nil
        let trial = fork()
        if trial == 0 { _exit(PreparedPAM(service) != nil && hasOneThread ? 0 : 1) }
        var status: Int32 = 0
        while trial > 0, waitpid(trial, &status, 0) < 0, errno == EINTR {}
        guard trial > 0, status == 0 else { return }
        prepared = PreparedPAM(service)
    }

    /// Prepares it anew if its files have changed.
    public static func renew(_ service: AccountDirectory.PAMService) {
        if let prepared, !prepared.isFresh { prepare(service) }
    }

    /// The conversation, for the one who can have it; `nil` if a new one must be begun.
    static func take(_ service: AccountDirectory.PAMService) -> PreparedPAM? {
        guard let mine = prepared, mine.service == service, mine.isFresh else { return nil }
        prepared = nil
        return mine
    }

    private var isFresh: Bool { files.allSatisfy { Stamp(of: $0.path) == $0.stamp } }

    private init?(_ service: AccountDirectory.PAMService) {
        // Looked at before they are read: what changes meanwhile is seen as changed.
        files = Self.files(in: service.directory ?? "/etc/pam.d")
        let conversation = UnsafeMutablePointer<pam_conv>.allocate(capacity: 1)
        defer { conversation.deallocate() }
        conversation.initialize(to: pam_conv(conv: { _, _, _, _ in PAM_CONV_ERR }, appdata_ptr: nil))
        var handle: OpaquePointer?
        guard let library = PAM.library, !files.isEmpty,
              PAM.start(service, user: nil, conversation, &handle) == PAM_SUCCESS, let handle
        else { return nil }
        self.service = service
        self.library = library
        self.handle = handle
        cpam_keep_modules()
    }

    // MARK: - Files

    private struct Stamp: Equatable {
        let device: UInt
        let inode: UInt
        let size: Int
        let changed: Int, nanoseconds: Int

        /// `nil` if it is not there.
        init?(of path: String) {
            var status = stat()
            guard stat(path, &status) == 0 else { return nil }
            device = UInt(status.st_dev)
            inode = UInt(status.st_ino)
            size = Int(status.st_size)
            changed = status.st_ctim.tv_sec
            nanoseconds = status.st_ctim.tv_nsec
        }
    }

    /// The directory and all that is in it; nothing if a file there sends PAM to another place.
    private static func files(in directory: String) -> [(path: String, stamp: Stamp)] {
        guard let own = Stamp(of: directory), let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var files = [(directory, own)]
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            let path = "\(directory)/\(name)"
            guard name != ".", name != "..", let stamp = Stamp(of: path) else { continue }
            guard staysHere(path) else { return [] }
            files.append((path, stamp))
        }
        return files
    }

    /// Whether a service includes nothing by a path (pam.d(5)).
    private static func staysHere(_ path: String) -> Bool {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        let count = read(descriptor, &bytes, bytes.count)
        guard count >= 0, count < bytes.count else { return false }
        return bytes[..<count].split(separator: 0x0A).allSatisfy { line in
            guard line.first != UInt8(ascii: "#") else { return true }
            let words = line.split(whereSeparator: { $0 == 0x20 || $0 == 0x09 })
            let including = words.firstIndex { ["@include", "include", "substack"].contains(String(decoding: $0, as: UTF8.self)) }
            guard let including, including + 1 < words.endIndex else { return true }
            return !words[including + 1].contains(UInt8(ascii: "/"))
        }
    }

    /// proc(5): /proc/self/task has a directory for each, and two for the tree, which count as links.
    private static var hasOneThread: Bool {
        var status = stat()
        return stat("/proc/self/task", &status) == 0 && status.st_nlink == 3
    }
}
