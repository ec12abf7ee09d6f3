import CLinux
import Glibc
import MailStore
import SystemPackage

/// An open descriptor, closed with its last reference.
final class Handle {
    private(set) var raw: Int32

    init(_ raw: Int32) { self.raw = raw }

    deinit { if raw >= 0 { close(raw) } }

    /// Somebody else's from now on.
    func release() -> Int32 {
        defer { raw = -1 }
        return raw
    }
}

/// The failure of the last system call.
func failure(_ doing: String, _ name: [UInt8] = []) -> StoreError {
    let code = errno
    return .io(Errno(rawValue: code), doing: name.isEmpty ? doing : doing + " " + printable(name))
}

/// For a log line: bytes that could break it are replaced.
func printable(_ bytes: some Sequence<UInt8>) -> String {
    String(decoding: bytes.map { $0 < 0x20 || $0 == 0x7F ? UInt8(ascii: "?") : $0 }, as: UTF8.self)
}

/// Calls `body` with `name` as C wants it. A name with NUL is cut there, which no name from a directory has.
@inline(__always)
func withName<R>(_ name: some Collection<UInt8>, _ body: (UnsafePointer<CChar>) -> R) -> R {
    withUnsafeTemporaryAllocation(byteCount: name.count + 1, alignment: 1) { buffer in
        buffer.copyBytes(from: name)
        buffer[name.count] = 0
        return body(buffer.baseAddress!.assumingMemoryBound(to: CChar.self))
    }
}

/// The system calls that take a name in an open directory. All descriptors are close-on-exec.
extension Handle {
    /// `nil` and `errno` if it cannot be opened. A named pipe in the place of a file does not stop us.
    func open(_ name: some Collection<UInt8>, _ flags: Int32, mode: mode_t = 0o600) -> Handle? {
        let result = withName(name) { path in
            var result: Int32
            repeat {
                result = openat(raw, path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, mode)
            } while result < 0 && errno == EINTR
            return result
        }
        return result < 0 ? nil : Handle(result)
    }

    func makeDirectory(_ name: some Collection<UInt8>) -> Bool { withName(name) { mkdirat(raw, $0, 0o700) } == 0 }
    func unlink(_ name: some Collection<UInt8>) -> Bool { withName(name) { unlinkat(raw, $0, 0) } == 0 }
    func removeDirectory(_ name: some Collection<UInt8>) -> Bool { withName(name) { unlinkat(raw, $0, AT_REMOVEDIR) } == 0 }

    func rename(_ name: some Collection<UInt8>, to directory: Handle, _ newName: some Collection<UInt8>) -> Bool {
        withName(name) { old in withName(newName) { new in renameat(raw, old, directory.raw, new) } } == 0
    }

    /// Renames, but never over a file that is there: then `EEXIST`.
    func renameExclusively(_ name: some Collection<UInt8>, to directory: Handle, _ newName: some Collection<UInt8>) -> Bool {
        withName(name) { old in
            withName(newName) { new in
                if clinux_rename_noreplace(raw, old, directory.raw, new) == 0 { return true }
                guard errno == EINVAL || errno == ENOSYS else { return false }
                // NFS and others cannot say it in one call.
                var status = stat()
                if fstatat(directory.raw, new, &status, AT_SYMLINK_NOFOLLOW) == 0 {
                    errno = EEXIST
                    return false
                }
                return renameat(raw, old, directory.raw, new) == 0
            }
        }
    }

    func link(_ name: some Collection<UInt8>, to directory: Handle, _ newName: some Collection<UInt8>) -> Bool {
        withName(name) { old in withName(newName) { new in linkat(raw, old, directory.raw, new, 0) } } == 0
    }

    /// `nil` if there is no such file. Symbolic links are not followed.
    func status(_ name: some Collection<UInt8>) -> stat? {
        var status = stat()
        return withName(name) { fstatat(raw, $0, &status, AT_SYMLINK_NOFOLLOW) } == 0 ? status : nil
    }

    /// Whether there certainly is no such file.
    func isMissing(_ name: some Collection<UInt8>) -> Bool { status(name) == nil && errno == ENOENT }

    func status() -> stat? {
        var status = stat()
        return fstat(raw, &status) == 0 ? status : nil
    }

    /// Whether there is a directory of this name, or a link to one. `errno` tells why not.
    func hasDirectory(_ name: some Collection<UInt8>) -> Bool {
        var status = stat()
        guard withName(name, { fstatat(raw, $0, &status, 0) }) == 0 else { return false }
        if !status.isDirectory { errno = ENOTDIR }
        return status.isDirectory
    }

    func sync() -> Bool { clinux_sync(raw) == 0 }

    /// Fewer files are synced one by one.
    private static let manyFiles = 8

    /// Waits until all of these files of one file system are on the disk. Returns the index of one that cannot be, and `errno`.
    ///
    /// Each fsync(2) has the disk empty its cache, which takes longer than all else; syncfs(2) does that once, and writes small
    /// files together. It also waits for what others have written, so that it is for many files only.
    static func sync(_ files: [Handle]) -> Int? {
        guard files.count >= manyFiles, clinux_sync_file_system(files[0].raw) == 0 else {
            // It may also tell of others' errors: then every file is asked.
            return files.firstIndex { !$0.sync() }
        }
        // Nothing is left to be written; this tells what became of each.
        for (index, file) in files.enumerated() where clinux_await_writeout(file.raw) != 0 {
            if [EIO, ENOSPC, EDQUOT].contains(errno) { return index }
            return files.firstIndex { !$0.sync() }
        }
        return nil
    }
}

/// Reading and writing whole stretches.
extension Handle {
    /// Up to `count` bytes at `offset`; fewer only at the file's end. `nil` and `errno` on failure.
    func read(at offset: Int, count: Int) -> [UInt8]? {
        // The empty array, which is the same for all, would be written to.
        guard count > 0 else { return [] }
        var failed = false
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let got = pread(raw, buffer.baseAddress! + filled, count - filled, off_t(offset + filled))
                if got < 0 && errno == EINTR { continue }
                if got < 0 { failed = true }
                if got <= 0 { break }
                filled += got
            }
        }
        return failed ? nil : bytes
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Bool {
        var done = 0
        while done < bytes.count {
            let wrote = pwrite(raw, bytes.baseAddress! + done, bytes.count - done, off_t(offset + done))
            if wrote < 0 && errno == EINTR { continue }
            if wrote <= 0 { return false }
            done += wrote
        }
        return true
    }

    /// Puts a whole file in place: written beside, synced, renamed over. The directory is synced too.
    func replaceFile(_ name: [UInt8], with bytes: [UInt8]) throws(StoreError) {
        let temporary = name + Array(".tmp".utf8)
        guard let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW) else { throw failure("creating", temporary) }
        guard bytes.withUnsafeBytes({ file.write($0, at: 0) }), clinux_sync(file.raw) == 0 else {
            let error = failure("writing", temporary)
            _ = unlink(temporary)
            throw error
        }
        guard rename(temporary, to: self, name), sync() else { throw failure("replacing", name) }
    }
}

/// Which file it is, whatever its names.
struct Inode: Equatable, Comparable {
    let device: dev_t
    let number: ino_t

    init(_ status: stat) { self.init(device: status.st_dev, number: status.st_ino) }

    init(device: dev_t, number: ino_t) {
        self.device = device
        self.number = number
    }

    static func < (a: Inode, b: Inode) -> Bool { (a.device, a.number) < (b.device, b.number) }
}

extension stat {
    var isDirectory: Bool { st_mode & S_IFMT == S_IFDIR }
    var isSymbolicLink: Bool { st_mode & S_IFMT == S_IFLNK }
    var isRegular: Bool { st_mode & S_IFMT == S_IFREG }
}

/// The names in a directory, in the order of the directory, read in large pieces.
///
/// `body` sees each name but those that begin with a dot if `hidden` is false, and its `d_type`.
func forEachName(
    in directory: Handle, hidden: Bool = false, _ body: (UnsafeRawBufferPointer, _ type: UInt8) -> Void
) -> Bool {
    guard lseek(directory.raw, 0, SEEK_SET) == 0 else { return false }
    return withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 8) { buffer in
        while true {
            let got = clinux_getdents(directory.raw, buffer.baseAddress!, buffer.count)
            if got == 0 { return true }
            guard got > 0 else { return false }
            var at = 0
            // struct linux_dirent64: inode 8, offset 8, record length 2, type 1, name up to NUL.
            while at < got {
                let length = Int(buffer.loadUnaligned(fromByteOffset: at + 16, as: UInt16.self))
                let type = buffer[at + 18]
                let name = buffer.baseAddress! + at + 19
                if hidden || buffer[at + 19] != UInt8(ascii: ".") {
                    body(UnsafeRawBufferPointer(start: name, count: strlen(name.assumingMemoryBound(to: CChar.self))), type)
                }
                at += length
            }
        }
    }
}
