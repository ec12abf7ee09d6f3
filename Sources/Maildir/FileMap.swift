import CLinux
import Glibc

/// A file mapped into memory, so that sessions share its pages.
///
/// Should another program cut the file short, touching what is gone would end the process (SIGBUS). Instead it reads as zeros
/// from then on, and `isLost` tells: whoever reads from a map asks that before anything is concluded.
final class FileMap {
    let bytes: UnsafeMutableRawBufferPointer
    private let file: Handle
    private let place: Int32
    private var isShort = false

    /// `size` is more than 0. Of a private map, changes stay in this process; a shared one must not be written to.
    /// `nil` and `errno` if it cannot be mapped.
    init?(_ file: Handle, size: Int, isPrivate: Bool) {
        let protection = isPrivate ? PROT_READ | PROT_WRITE : PROT_READ
        guard let start = mmap(nil, size, protection, isPrivate ? MAP_PRIVATE : MAP_SHARED, file.raw, 0), start != MAP_FAILED
        else { return nil }
        bytes = UnsafeMutableRawBufferPointer(start: start, count: size)
        self.file = file
        place = clinux_guard_map(start, size)
        // As many sessions in one process as no process should have.
        guard place >= 0 else {
            munmap(start, size)
            errno = ENOMEM
            return nil
        }
    }

    deinit {
        clinux_unguard_map(place)
        munmap(bytes.baseAddress, bytes.count)
    }

    /// Whether something of it was gone when it was read, or when `look()` was called.
    var isLost: Bool { isShort || clinux_map_is_lost(place) != 0 }

    /// Looks whether the file still is as long as it was: the rest of the page in which it ends now would not be missed.
    func look() {
        if let status = file.status(), Int(status.st_size) < bytes.count { isShort = true }
    }
}
