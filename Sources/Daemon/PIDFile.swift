import Glibc
import SystemPackage

/// A file that tells others which process we are, while we are.
struct PIDFile {
    let path: String

    /// Replaces what a daemon that crashed may have left; but nothing that a link leads to.
    init(path: String) throws(StartError) {
        self.path = path
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o644)
        guard descriptor >= 0 else {
            throw .unavailable("the process ID cannot be written to \(path): \(Errno(rawValue: errno))")
        }
        defer { close(descriptor) }
        let bytes = Array("\(getpid())\n".utf8)
        guard write(descriptor, bytes, bytes.count) == bytes.count else {
            throw .unavailable("the process ID cannot be written to \(path): \(Errno(rawValue: errno))")
        }
    }

    func remove() { unlink(path) }
}

extension Settings {
    /// `nil` if none is asked for.
    func makePIDFile() throws(StartErrors) -> PIDFile? {
        guard let pidFile else { return nil }
        do throws(StartError) { return try PIDFile(path: pidFile) } catch { throw StartErrors(errors: [error]) }
    }
}
